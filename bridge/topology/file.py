"""The operator's file, `definitions/topology.yaml`: text -> `Topology`, or every mistake with its line.

It is read like a definition: YAML 1.2, each key once, bounded in size and depth, each value with its place. What is
wrong is noted and passed over, so that one reading finds everything; a file with a mistake gives no topology at all.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from bridge.topology.declared import declared
from bridge.topology.errors import InvalidTopologyError
from bridge.topology.model import CLASSES, MAX_PARTITIONS, MAX_PRIORITY, GroupRule, PriorityClass, Topology
from bridge.topology.payloads import plain_rules
from workflows.language.diagnostics import Diagnostics, in_order
from workflows.language.expressions.model import ExpressionErrors
from workflows.language.expressions.template import Template, compile_template
from workflows.language.parse.fields import Fields, kind_of, tables
from workflows.language.source import read_source
from workflows.language.tree import Scalar, Table, Tree, plain

KEYS: Final = ("partitions", "priorities", "ordering", "plain", "ttl", "exchanges", "queues", "bindings")
MAX_WEIGHT: Final = 100
_DEFAULT = Topology()
_CLASS_KEYS = ("from", "weight")
_RULE_KEYS = ("event", "key")
_EVENT = "event"


def load_topology(text: str | bytes, file: str) -> Topology:
    """Return what the file says; what it leaves out has its default.

    Args:
        text: The content of the file; an empty one is the defaults.
        file: Its name for the messages; nothing is opened.

    Raises:
        InvalidTopologyError: It has mistakes; all are named.
    """
    source = read_source(file, text)
    diagnostics = Diagnostics(file, list(source.diagnostics))
    topology = _topology(source.tree, diagnostics) if source.tree is not None else _DEFAULT
    if diagnostics.failed and not _is_empty(text):
        raise InvalidTopologyError(in_order(diagnostics.found))
    return topology


def _is_empty(text: str | bytes) -> bool:
    """Nothing but comments is no mistake here, as it is for a definition."""
    lines = (text.decode(errors="replace") if isinstance(text, bytes) else text).splitlines()
    return all(not line.strip() or line.lstrip().startswith("#") for line in lines)


def _topology(tree: Tree, diagnostics: Diagnostics) -> Topology:
    if not isinstance(tree, Table):
        diagnostics.error(tree.at, "wrong-type", f"a topology is a mapping, not {kind_of(tree)}")
        return _DEFAULT
    fields = Fields(tree, "a topology", KEYS, diagnostics)
    partitions = fields.integer("partitions", 1, MAX_PARTITIONS)
    ttl = fields.seconds("ttl")
    own = declared(fields)
    return Topology(
        partitions=partitions.value if partitions else _DEFAULT.partitions,
        classes=_classes(fields),
        ordering=_ordering(fields),
        plain=plain_rules(fields, own),
        message_ttl=timedelta(seconds=ttl.value) if ttl else None,
        own=own,
    )


def _classes(fields: Fields) -> tuple[PriorityClass, ...]:
    table = fields.table_of("priorities")
    if table is None:
        return _DEFAULT.classes
    names = Fields(table, "priorities", CLASSES, fields.diagnostics)
    classes = tuple(_class(names, usual) for usual in _DEFAULT.classes)
    lowest = [each.lowest for each in classes]
    if lowest != sorted(set(lowest), reverse=True) or lowest[-1] != 0:
        message = f"high, normal and low begin at {', '.join(map(str, lowest))}: each is to begin lower, low at 0"
        fields.error(fields.place("priorities"), "bad-value", message, "the usual: 7, 4, 0")
    return classes


def _class(names: Fields, usual: PriorityClass) -> PriorityClass:
    table = names.table_of(usual.name)
    if table is None:
        return usual
    keys = Fields(table, f"the class {usual.name!r}", _CLASS_KEYS, names.diagnostics)
    lowest = keys.integer("from", 0, MAX_PRIORITY)
    weight = keys.integer("weight", 1, MAX_WEIGHT)
    return PriorityClass(usual.name, lowest.value if lowest else usual.lowest, weight.value if weight else usual.weight)


def _ordering(fields: Fields) -> tuple[GroupRule, ...]:
    rows = tables(fields.items_of("ordering"), "a rule for ordering", _RULE_KEYS, fields.diagnostics)
    read = (_rule(row) for row in rows)
    return tuple(rule for rule in read if rule is not None)


def _rule(row: Fields) -> GroupRule | None:
    event = row.needed_text("event")
    row.need("key", "such as ${ event.data.order_id }")
    tree = row.tree("key")
    key = _template(tree, row) if tree is not None else None
    return GroupRule(event.value, key) if key is not None else None


def _template(tree: Tree, row: Fields) -> Template | None:
    if not isinstance(tree, Scalar) or not isinstance(tree.value, str):
        row.error(tree.at, "wrong-type", f"'key' is to be a text, not {kind_of(tree)}", "such as ${ event.data.id }")
        return None
    try:
        template = compile_template(plain(tree))
    except ExpressionErrors as errors:
        for found in errors.findings:
            row.error(tree.within(found.offset, found.length), "bad-expression", found.message, found.hint or "")
        return None
    _check_key(template, tree, row)
    return template


def _check_key(template: Template, tree: Scalar, row: Fields) -> None:
    if template.is_constant:
        message = "'key' is the same for every event, which would put all of them into one line"
        row.error(tree.at, "bad-value", message, "such as ${ event.data.order_id }")
    for reference in template.references:
        if reference.root != _EVENT:
            message = f"'key' sees `event` only, not `{reference.root}`"
            row.error(tree.within(reference.offset, len(reference.root)), "bad-expression", message)
