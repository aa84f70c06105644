"""The static walk over a syntax tree that needs no types: what it refers to, and which names do not exist.

Names, functions and numbers of arguments are checked here, at compilation; types are checked in `inference`, when the
schemas are known.
"""

import difflib
import re
from collections.abc import Iterable

from workflows.language.expressions.evaluate import OPERATORS, TYPE_NAMES
from workflows.language.expressions.functions import FUNCTIONS, Function, usage
from workflows.language.expressions.model import ROOTS, STEPS, Finding, Reference
from workflows.language.expressions.nodes import Call, Let, Loop, Name, Node, Select, children

_ELSEWHERE = {
    "env": "the environment is not visible in expressions: name a connection or a secret reference instead",
    "secrets": "secrets are not visible in expressions: name a connection instead",
}


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Suggest the nearest known name."""
    near = difflib.get_close_matches(name, sorted(known), 1)
    return f"did you mean `{near[0]}`?" if near else None


class Survey:
    """The references and the findings of one expression, in the order of the text."""

    def __init__(self, text: str, names: frozenset[str]) -> None:
        """Take the text for hints, and the names that are in scope beside the usual roots."""
        self._text = text
        self._names = names | ROOTS
        self.references: list[Reference] = []
        self.findings: list[Finding] = []

    def visit(self, node: Node, local: frozenset[str] = frozenset()) -> None:
        """Walk a node with the loop variables that are in scope there."""
        path = _path(node)
        if path is not None and path[0].name not in local:
            self._refer(*path)
            return
        match node:
            case Loop(source=source, variable=variable, condition=condition, result=result):
                self.visit(source, local)
                self._visit_all((part for part in (condition, result) if part is not None), local | {variable})
            case Let(variable=variable, value=value, body=body):
                self.visit(value, local)
                self.visit(body, local | {variable})
            case Call():
                self._check_call(node)
                self._visit_all(node.arguments, local)
            case _:
                self._visit_all(children(node), local)

    def _visit_all(self, nodes: Iterable[Node], local: frozenset[str]) -> None:
        for node in nodes:
            self.visit(node, local)

    def _refer(self, name: Name, fields: tuple[str, ...]) -> None:
        if name.name == STEPS:
            if fields:
                self.references.append(Reference(STEPS, fields, name.offset))
            else:
                self._complain(name.offset, STEPS, "`steps` is not a value by itself", "name a step: steps.ID.output")
        elif name.name in self._names:
            self.references.append(Reference(name.name, fields, name.offset))
        elif name.name not in TYPE_NAMES:
            self._unknown_name(name)

    def _unknown_name(self, name: Name) -> None:
        hyphenated = re.search(rf"steps\.(\w+(?:-\w+)*-{re.escape(name.name)})\b", self._text)
        if hyphenated:
            hint: str | None = f"write steps.{hyphenated[1].replace('-', '_')}: a hyphen means minus here"
        else:
            hint = did_you_mean(name.name, self._names | {STEPS})
        message = _ELSEWHERE.get(name.name, f"there is no `{name.name}` here")
        self._complain(name.offset, name.name, message, hint)

    def _check_call(self, node: Call) -> None:
        if node.function in OPERATORS:
            return
        function = FUNCTIONS.get((node.function, node.method))
        if function is None:
            self._unknown_function(node)
        elif not any(signature.takes(len(node.arguments)) for signature in function.signatures):
            self._wrong_count(node, function)

    def _unknown_function(self, node: Call) -> None:
        other = FUNCTIONS.get((node.function, not node.method))
        message = f"there is no {'method' if node.method else 'function'} `{node.function}`"
        if other is not None:
            message = f"`{node.function}` is not called in this way"
        known = {name for name, method in FUNCTIONS if method == node.method}
        hint = f"write {usage(other)}" if other else did_you_mean(node.function, known | set(_MACROS))
        self._complain(node.offset, node.function, message, hint)

    def _wrong_count(self, node: Call, function: Function) -> None:
        given = len(node.arguments) - node.method
        message = f"`{node.function}` was given {given} {'argument' if given == 1 else 'arguments'}"
        self._complain(node.offset, node.function, message, f"write {usage(function)}")

    def _complain(self, offset: int, marked: str, message: str, hint: str | None) -> None:
        self.findings.append(Finding(offset, len(marked), message, hint))


_MACROS = ("map", "filter", "all", "exists", "exists_one", "optMap", "optFlatMap", "has", "cel.bind")


def _path(node: Node) -> tuple[Name, tuple[str, ...]] | None:
    """The name that a field path starts with, and the path; a test or an optional field may end or continue it."""
    fields: list[str] = []
    while isinstance(node, Select):
        fields.append(node.field)
        node = node.operand
    return (node, tuple(reversed(fields))) if isinstance(node, Name) else None
