"""`saga fmt`: one spelling for what means the same, and nothing of an author's hand lost.

Deliberately less than a pretty printer. A definition is read by people who put comments, blank lines and flow style
where they help, so the text is changed in place: keys of the language get their snake case spelling, white space at
line ends goes, runs of blank lines become one, the file ends with one line break. Data (`with`, schemas, variables)
and the lines of multi-line texts, where white space means something, are left alone. JSON, which has no comments,
is written as YAML. Formatting is idempotent and never changes the plan; a text that cannot be read comes back as it
is, because `saga validate` says what is wrong with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from workflows.language.parse import keys
from workflows.language.parse.fields import snake_case
from workflows.language.source import read_source
from workflows.language.tree import Entry, Items, Table, Tree, plain

_PLAIN = re.compile(r"[A-Za-z_$](?:[^\n:#]|:(?=\S)|(?<=\S)#)*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_WIDEST = 1_000_000


def format_source(text: str) -> str:
    """Return the canonical text of a definition in YAML or JSON."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    source = read_source("", text)
    if source.tree is None or source.diagnostics:
        return text
    renamed = _with_snake_case(text, source.tree)
    return _as_yaml(renamed) if _is_json(renamed) else _with_tidy_lines(renamed)


_Inside = Mapping[str, str]
_WITHIN: Mapping[str, _Inside] = {
    "definition": {
        "steps": "step",
        "saga": "saga",
        "triggers": "trigger",
        "rollout": "rollout",
        "sla": "sla",
        "keep": "keep",
    },
    "step": {
        "steps": "step",
        "cases": "case",
        "else": "way",
        "branches": "branches",
        "catch": "catch",
        "finally": "step",
        "retry": "retry",
        "on_error": "handler",
        "compensate": "compensate",
        "remind": "remind",
        "escalate": "escalate",
    },
    "case": {"steps": "step"},
    "way": {"steps": "step"},
    "catch": {"steps": "step"},
    "compensate": {"retry": "retry"},
    "saga": {"retry": "retry"},
    "trigger": {"start": "start", "signal": "signal", "cancel": "cancel", "schedule": "schedule"},
}
"""Which table stands under which key: only these tables have keys of the language, all others are data."""

_NAMES: Mapping[str, tuple[str, ...]] = {
    "definition": keys.DEFINITION,
    "step": tuple({key for names in keys.STEPS.values() for key in names}),
    "saga": keys.SAGA,
    "keep": keys.KEEP,
    "trigger": keys.TRIGGER,
    "rollout": keys.ROLLOUT,
    "sla": keys.SLA,
    "case": keys.CASE,
    "way": keys.WAY,
    "catch": keys.CATCH,
    "retry": keys.RETRY,
    "handler": keys.HANDLER,
    "compensate": keys.COMPENSATE,
    "remind": keys.REMIND,
    "escalate": keys.ESCALATE,
    "start": keys.START,
    "signal": keys.SIGNAL,
    "cancel": keys.CANCEL,
    "schedule": keys.SCHEDULE,
}


def _with_snake_case(text: str, tree: Tree) -> str:
    lines = text.split("\n")
    # From the end of a line to its start, so that the columns of what is still to come stay right.
    for entry in sorted(_camel_case(tree, "definition"), key=lambda entry: entry.at.column, reverse=True):
        line, start, end = lines[entry.at.line - 1], entry.at.column - 1, entry.at.end_column - 1
        lines[entry.at.line - 1] = line[:start] + line[start:end].replace(entry.key, snake_case(entry.key)) + line[end:]
    return "\n".join(lines)


def _camel_case(tree: Tree, kind: str) -> Iterator[Entry]:
    """The keys of the language below `tree` that have another spelling."""
    if isinstance(tree, Items):
        # `else` holds either a way or the steps themselves.
        for item in tree.items:
            yield from _camel_case(item, "step" if kind == "way" else kind)
    if not isinstance(tree, Table):
        return
    for entry in tree.entries:
        name = snake_case(entry.key)
        if kind == "branches":
            yield from _camel_case(entry.value, "step")
            continue
        if name != entry.key and name in _NAMES[kind] and tree.get(name) is None:
            yield entry
        inner = _WITHIN.get(kind, {}).get(name)
        if inner is not None:
            yield from _camel_case(entry.value, inner)


def _with_tidy_lines(text: str) -> str:
    kept = _multi_line_texts(text)
    lines = [line if number in kept else line.rstrip() for number, line in enumerate(text.split("\n"))]
    tidy: list[str] = []
    for number, line in enumerate(lines):
        if line or number in kept or (tidy and tidy[-1]):
            tidy.append(line)
    last = len(lines) - 1
    while tidy and not tidy[-1] and last not in kept:
        tidy.pop()
        last -= 1
    return "\n".join(tidy) + "\n"


def _multi_line_texts(text: str) -> frozenset[int]:
    """Numbers, from 0, of the lines inside texts of several lines."""
    kept: set[int] = set()
    lines = text.split("\n")
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.ScalarToken) and token.end_mark.line > token.start_mark.line:
            first, last = token.start_mark.line, token.end_mark.line
            keeps_end = token.style in ("|", ">") and "+" in lines[first][token.start_mark.column :].split("#")[0]
            while not keeps_end and last > first and not lines[last].strip():
                last -= 1
            last -= token.style in ("|", ">") and last == token.end_mark.line
            kept.update(range(first, last + 1))
    return frozenset(kept)


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith("{"):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


class _Dumper(yaml.SafeDumper):
    """Writes what YAML 1.2 reads as it was; quotes whatever could be taken for something else."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent the items of a list below their key."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values twice: aliases are refused in definitions."""
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = '"'
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS and value == value.strip() and not value.endswith(":"):
        style = ""
    elif "\n" in value and value.isprintable() is False and _fits_literal(value):
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _fits_literal(value: str) -> bool:
    lines = value.split("\n")
    return bool(lines[0].strip()) and all(line.isprintable() and line == line.rstrip() for line in lines)


_Dumper.add_representer(str, _text)


def _as_yaml(text: str) -> str:
    value = json.loads(text)
    written: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDEST)
    read = read_source("", written)
    if read.tree is not None and not read.diagnostics and plain(read.tree) == value:
        return written
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
