"""One rule for each keyword of a reader's schema: is it implied by what the writer's schema allows?

A rule yields the reasons why not. What it cannot judge (a changed pattern, `not`, `if`) is implied only by the very
same keyword; else it says so, and never that all is well. Sentences speak of `{reader}` and `{writer}`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from bridge.schemas.allowed import Allowed, element_of
from bridge.schemas.conditions import Part, Schema, atoms_of, canonical, flatten
from bridge.schemas.implication import GROUPS, Finding, Proof, Rule

_NUMBERS = frozenset({"integer", "fraction"})
_SIZES: Mapping[str, tuple[str, type, str]] = MappingProxyType(
    {
        "Length": ("string", str, "characters"),
        "Items": ("array", list, "elements"),
        "Properties": ("object", dict, "members"),
    }
)
_OPAQUE = ("not", "propertyNames", "dependentSchemas", "dependentRequired", "pattern", "format", "multipleOf")
_KIND_OF: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "pattern": frozenset({"string"}),
        "format": frozenset({"string"}),
        "multipleOf": _NUMBERS,
        **dict.fromkeys(("propertyNames", "dependentSchemas", "dependentRequired"), frozenset({"object"})),
    }
)
_IN_LISTS = ("items", "prefixItems", "uniqueItems")
_IN_TABLES = ("properties", "patternProperties", "additionalProperties", "required")
_UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")
_SHOWN = 80


def _types(proof: Proof, allowed: Allowed, part: Part, at: str) -> Iterator[Finding]:
    if "type" not in part:
        return
    missing = sorted(allowed.kinds - atoms_of({"type": part["type"]}))
    if missing:
        names = ", ".join("number with a fraction" if name == "fraction" else name for name in missing)
        yield Finding(at, "breaks", f"{{reader}} takes no {_safe(names)}, {{writer}} allows it")


def _listed(proof: Proof, allowed: Allowed, part: Part, at: str) -> Iterator[Finding]:
    for keyword in ("enum", "const"):
        if keyword not in part:
            continue
        taken = part["enum"] if keyword == "enum" else [part["const"]]
        known = {canonical(value) for value in taken}
        if allowed.values is None:
            yield Finding(at, "breaks", f"{{reader}} takes only {_shown(taken)}, {{writer}} allows other values")
        elif extra := [value for value in allowed.values if canonical(value) not in known]:
            yield Finding(at, "breaks", f"{{reader}} does not take {_shown(extra)}, {{writer}} allows it")


def _least_number(proof: Proof, allowed: Allowed, part: Part, at: str) -> Iterator[Finding]:
    for keyword, excluded in (("minimum", False), ("exclusiveMinimum", True)):
        if keyword not in part or not allowed.kinds & _NUMBERS:
            continue
        limit, bound = part[keyword], allowed.lower
        if bound is None or bound[0] < limit or (bound[0] == limit and excluded and not bound[1]):
            word = "more than" if excluded else "at least"
            yield Finding(at, "breaks", f"{{reader}} demands {word} {limit}, {{writer}} allows less")


def _greatest_number(proof: Proof, allowed: Allowed, part: Part, at: str) -> Iterator[Finding]:
    for keyword, excluded in (("maximum", False), ("exclusiveMaximum", True)):
        if keyword not in part or not allowed.kinds & _NUMBERS:
            continue
        limit, bound = part[keyword], allowed.upper
        if bound is None or bound[0] > limit or (bound[0] == limit and excluded and not bound[1]):
            word = "less than" if excluded else "at most"
            yield Finding(at, "breaks", f"{{reader}} demands {word} {limit}, {{writer}} allows more")


def _sizes(proof: Proof, allowed: Allowed, part: Part, at: str) -> Iterator[Finding]:
    for name, (atom, kind, unit) in _SIZES.items():
        if atom not in allowed.kinds:
            continue
        least, most = part.get(f"min{name}", 0), part.get(f"max{name}", math.inf)
        if least > _least_size(allowed, name, kind):
            yield Finding(at, "breaks", f"{{reader}} demands at least {least} {unit}, {{writer}} allows fewer")
        if most < _greatest_size(allowed, name, kind):
            yield Finding(at, "breaks", f"{{reader}} takes at most {most} {unit}, {{writer}} allows more")


def _least_size(allowed: Allowed, name: str, kind: type) -> float:
    size = allowed.least(f"min{name}", kind)
    return max(size, len(allowed.required)) if name == "Properties" else size


def _greatest_size(allowed: Allowed, name: str, kind: type) -> float:
    size = allowed.most(f"max{name}", kind)
    if name != "Properties":
        return size
    closed = (
        len(part.get("properties", ()))
        for part in allowed.parts
        if part.get("additionalProperties") is False and not part.get("patternProperties")
    )
    return min([size, *closed])


def _unique(proof: Proof, allowed: Allowed, part: Part, at: str) -> Iterator[Finding]:
    if part.get("uniqueItems") is not True or not _is_open(allowed, "array"):
        return
    is_given = any(each.get("uniqueItems") is True for each in allowed.parts)
    if not is_given and allowed.most("maxItems", list) > 1:
        yield Finding(at, "breaks", "{reader} demands that no element is there twice, {writer} does not")


def _required(proof: Proof, allowed: Allowed, part: Part, at: str) -> Iterator[Finding]:
    if not _is_open(allowed, "object"):
        return
    for name in part.get("required", ()):
        if name not in allowed.required:
            yield Finding(_below(at, name), "breaks", "{reader} demands this member, {writer} lets it be left out")


def _members(proof: Proof, allowed: Allowed, part: Part, at: str) -> Iterator[Finding]:
    if not _is_open(allowed, "object") or not any(keyword in part for keyword in _IN_TABLES):
        return
    patterns = part.get("patternProperties")
    if patterns and not proof.holds(allowed, ["patternProperties"], part):
        yield Finding(at, "unknown", "`patternProperties` differ")
    for name in sorted({*part.get("properties", ()), *allowed.named}):
        given = allowed.member(name)
        found = proof.of(given, _wanted(part, name), _below(at, name))
        is_unnamed = bool(allowed.named) and name not in allowed.named and not given
        yield from [_reserved(each) for each in found] if is_unnamed else found
    if "additionalProperties" in part:
        yield from proof.of(allowed.other_members(patterns), [part["additionalProperties"]], f"{at}/*")


def _wanted(part: Part, name: str) -> list[Schema]:
    """Return what the reader asks of a member; where it has patterns too, more than it may."""
    if name in part.get("properties", ()):
        return [part["properties"][name]]
    return [part["additionalProperties"]] if "additionalProperties" in part else []


def _reserved(finding: Finding) -> Finding:
    text = "{writer} does not name this member: data that has it all the same, and of another kind, does not fit"
    return replace(finding, level="reserved", text=text) if finding.level == "breaks" else finding


def _elements(proof: Proof, allowed: Allowed, part: Part, at: str) -> Iterator[Finding]:
    if not _is_open(allowed, "array") or not any(keyword in part for keyword in _IN_LISTS):
        return
    most = allowed.most("maxItems", list)
    first = max(len(each.get("prefixItems", ())) for each in (part, *allowed.parts))
    for index in range(first + 1):
        if index < most:
            where = "*" if index == first else str(index)
            yield from proof.of(allowed.element(index), element_of(part, index), f"{at}/{where}")


def _is_open(allowed: Allowed, kind: str) -> bool:
    """Tell whether lists or tables are allowed that nobody has counted."""
    return kind in allowed.kinds and allowed.values is None


def _counted_structures(proof: Proof, allowed: Allowed, part: Part, at: str) -> Iterator[Finding]:
    """Lists and tables of which the writer names each one are not looked into."""
    looks_inside = {"array": _IN_LISTS, "object": _IN_TABLES}
    for atom, keywords in looks_inside.items():
        if allowed.values is not None and atom in allowed.kinds and any(keyword in part for keyword in keywords):
            yield Finding(at, "unknown", f"{{writer}} lists whole values of the kind {atom}")


def _any_of(proof: Proof, allowed: Allowed, part: Part, at: str) -> Iterator[Finding]:
    if "anyOf" not in part or proof.holds(allowed, ["anyOf"], part):
        return
    for each in _apart(proof, allowed):
        answers = [proof.judged(each, flatten(proof.reader, [branch]), at) for branch in part["anyOf"]]
        yield from _best(answers, at)


def _one_of(proof: Proof, allowed: Allowed, part: Part, at: str) -> Iterator[Finding]:
    if "oneOf" not in part or proof.holds(allowed, ["oneOf"], part):
        return
    branches = [flatten(proof.reader, [branch]) for branch in part["oneOf"]]
    kinds = [Allowed(branch.parts, frozenset()).kinds for branch in branches]
    if sum(map(len, kinds)) > len(frozenset[str]().union(*kinds)):
        yield Finding(at, "unknown", "`oneOf` differs, and its alternatives are not of different types")
        return
    for each in _apart(proof, allowed):
        yield from _best([proof.judged(each, branch, at) for branch in branches], at)


def _apart(proof: Proof, allowed: Allowed) -> list[Allowed]:
    """Return what is allowed as a list of smaller parts, each of which may fit another alternative."""
    if allowed.values is not None:
        return [proof.narrowed(allowed, {"const": value}) for value in allowed.values]
    kinds = sorted({"number" if kind == "fraction" else kind for kind in allowed.kinds})
    names = [kind for kind in kinds if kind != "integer" or "number" not in kinds]
    return [proof.narrowed(allowed, {"type": name}) for name in names]


def _best(answers: Sequence[list[Finding]], at: str) -> list[Finding]:
    """Return the findings of the alternative that fits; none may take all where several take a share each."""
    fitting = [answer for answer in answers if all(each.level == "reserved" for each in answer)]
    if fitting:
        return min(fitting, key=len)
    if len(answers) == 1:
        return answers[0]
    return [Finding(at, "unknown", "no single alternative of {reader} takes all that {writer} allows")]


def _same_or_unknown(proof: Proof, allowed: Allowed, part: Part, at: str) -> Iterator[Finding]:
    for keyword in _OPAQUE:
        concerned = _KIND_OF.get(keyword)
        if keyword not in part or (concerned is not None and not concerned & allowed.kinds):
            continue
        if not proof.holds(allowed, [keyword], part) and not _is_multiple(keyword, part, allowed):
            yield _changed(keyword, part[keyword], allowed, at)
    for group in GROUPS:
        if _asks(group, part, allowed) and not proof.holds(allowed, group, part):
            yield Finding(at, "unknown", f"`{group[0]}` differs")
    for keyword in _UNEVALUATED:
        if keyword in part:
            yield Finding(at, "unknown", f"what `{keyword}` means here depends on the rest of {{reader}}")


def _asks(group: Sequence[str], part: Part, allowed: Allowed) -> bool:
    """Tell whether keywords that mean something only together demand anything here."""
    if group[0] not in part:
        return False
    return "array" in allowed.kinds if group[0] == "contains" else any(keyword in part for keyword in group[1:])


def _is_multiple(keyword: str, part: Part, allowed: Allowed) -> bool:
    """Tell whether `multipleOf` is implied; only whole numbers are judged, fractions are a matter of rounding."""
    if keyword != "multipleOf" or not isinstance(part[keyword], int):
        return False
    factors = [each["multipleOf"] for each in allowed.parts if isinstance(each.get("multipleOf"), int)]
    is_whole = "fraction" not in allowed.kinds
    return any(factor % part[keyword] == 0 for factor in (*factors, *([1] if is_whole else [])))


def _changed(keyword: str, wanted: Any, allowed: Allowed, at: str) -> Finding:
    """A demand where there was none breaks; a different demand may or may not."""
    is_new = not any(keyword in each for each in allowed.parts) and keyword in ("pattern", "format", "multipleOf")
    if is_new and allowed.values is None:
        return Finding(at, "breaks", f"{{reader}} demands the {keyword} {_shown([wanted])}, {{writer}} does not")
    if keyword == "format":
        return Finding(at, "breaks", f"{{reader}} demands the format {_shown([wanted])}, {{writer}} another")
    return Finding(at, "unknown", f"`{keyword}` differs")


def _below(at: str, name: str) -> str:
    return f"{at}/{name.replace('~', '~0').replace('/', '~1')}"


def _shown(values: Sequence[Any]) -> str:
    text = ", ".join(map(canonical, values))
    return _safe(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def _safe(text: str) -> str:
    """Braces of data are no placeholders."""
    return text.replace("{", "{{").replace("}", "}}")


RULES: tuple[Rule, ...] = (
    _types,
    _listed,
    _least_number,
    _greatest_number,
    _sizes,
    _unique,
    _required,
    _members,
    _elements,
    _counted_structures,
    _any_of,
    _one_of,
    _same_or_unknown,
)
