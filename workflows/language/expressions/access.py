"""Reading values: fields, elements, optional parts, membership, truth; and what is said when they are not there.

A message names the path as the author wrote it and the fields that exist, because the usual cause is a misspelling or a
reply that looks different from what was expected.
"""

import difflib
from typing import Any

from workflows.language.expressions import values
from workflows.language.expressions.values import NOTHING, Budget, Fault, Optional, article, kind_of

_LONG_NAME = 100
_SHOWN_FIELDS = 12


def field_of(value: Any, field: str, path: tuple[str, ...] | None) -> Any:
    """Read a field; of an optional value, the optional field.

    Raises:
        Fault: It is not there; the message names the path and the fields that are.
    """
    if type(value) is dict:
        if field in value:
            return value[field]
        raise _missing(value, field, path)
    if type(value) is Optional:
        return optional_field(value, field)
    place = f"`{'.'.join(path)}`" if path else "the value before it"
    raise Fault(f"there is no field `{field}`: {place} is {article(kind_of(value))}")


def _missing(value: dict[Any, Any], field: str, path: tuple[str, ...] | None) -> Fault:
    name = ".".join((*path, field)) if path else field
    present = [str(key) for key in values.sorted_keys(value)]
    near = difflib.get_close_matches(field, present, 1) if len(field) < _LONG_NAME else []
    return Fault(f"`{name}` does not exist; {fields_there(present)}", f"did you mean `{near[0]}`?" if near else None)


def fields_there(names: list[str]) -> str:
    """List the fields of an object for a message."""
    if not names:
        return "there are no fields there"
    shown = ", ".join(name[:_LONG_NAME] for name in names[:_SHOWN_FIELDS])
    more = f" and {len(names) - _SHOWN_FIELDS} more" if len(names) > _SHOWN_FIELDS else ""
    return f"the fields there are {shown}{more}"


def optional_field(value: Any, field: Any) -> Optional:
    """`value.?field`: nothing when it is missing; a value that has no fields at all is an error."""
    if type(value) is Optional:
        return optional_field(value.value, field) if value.present else NOTHING
    if type(value) is dict:
        return Optional(True, value[field]) if _is_key(field) and field in value else NOTHING
    if type(value) is list:
        at = values.whole(field)
        return Optional(True, value[at]) if 0 <= at < len(value) else NOTHING
    raise Fault(f"there is no field `{field}`: the value before it is {article(kind_of(value))}")


def _is_key(value: object) -> bool:
    return type(value) in (str, int, float)


def has(value: Any, field: str) -> bool:
    """`has(value.field)`: whether an object has the field; anything else is an error."""
    if type(value) is dict:
        return field in value
    if type(value) is Optional:
        return optional_field(value, field).present
    raise Fault(f"has() cannot look for `{field}` in {article(kind_of(value))}")


def element(value: Any, key: Any, path: tuple[str, ...] | None) -> Any:
    """`value[key]`: a list's element, counted from 0, or a map's value.

    Raises:
        Fault: It is not there, or the key is of the wrong kind.
    """
    if type(value) is list:
        at = values.whole(key)
        if 0 <= at < len(value):
            return value[at]
        raise Fault(f"there is no element {at} in {_place(path)}: it has {len(value)}, counted from 0")
    if type(value) is dict and _is_key(key):
        return value[key] if key in value else field_of(value, str(key), path)
    if type(value) is Optional:
        return optional_field(value, key)
    raise Fault(f"{article(kind_of(value))} cannot be looked into with {article(kind_of(key))}")


def _place(path: tuple[str, ...] | None) -> str:
    return f"`{'.'.join(path)}`" if path else "the list"


def truth(value: Any, who: str) -> bool:
    """Insist on true or false: nothing else is taken for one."""
    if value is True or value is False:
        return bool(value)
    raise Fault(f"{who} needs true or false, not {article(kind_of(value))}", _TRUTH_HINTS.get(kind_of(value)))


_TRUTH_HINTS = {
    "string": 'compare it: ... != ""',
    "number": "compare it: ... != 0",
    "list": "compare it: size(...) > 0",
}


def contains(value: Any, container: Any, budget: Budget) -> bool:
    """`value in container`: an element of a list or a key of a map."""
    if type(container) is dict:
        if _is_key(value) or type(value) is bool:
            return type(value) is not bool and value in container
        raise Fault(f"{article(kind_of(value))} cannot be a key of an object")
    if type(container) is list:
        return _is_among(value, container, budget)
    raise Fault(f"`in` needs a list or an object on its right, not {article(kind_of(container))}")


def _is_among(value: Any, items: list[Any], budget: Budget) -> bool:
    if type(value) is str:
        budget.spend(len(items) >> 4)
        return value in items
    for item in items:
        budget.spend(1)
        if values.equal(value, item, budget):
            return True
    return False
