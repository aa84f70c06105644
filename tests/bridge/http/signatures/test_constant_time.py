"""Nothing that came is compared with what is expected but in constant time."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import bridge.http.signatures as package

FOLDER = Path(package.__file__).parent
FILES = sorted(FOLDER.glob("*.py"))


def comparisons(tree: ast.AST) -> list[ast.Compare]:
    """Return the comparisons of values that are not with a number or text that stands in the code."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    ordering = (ast.Lt, ast.Gt, ast.LtE, ast.GtE, ast.Is, ast.IsNot)
    return [
        node
        for node in found
        if not all(isinstance(operator, ordering) for operator in node.ops)
        and not any(isinstance(side, ast.Constant) for side in (node.left, *node.comparators))
    ]


def calls(tree: ast.AST) -> list[str]:
    """Return what is called, as it is written."""
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_schemes_compare_by_compare_digest_alone(file: Path) -> None:
    """No `==`, `!=` or `in` between two values, no pattern, and HMACs in one place only."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    allowed = {"name != _CHANGING"} if file.name == "stripe.py" else set()
    assert {ast.unparse(node) for node in comparisons(tree)} <= allowed
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Match)]
    if file.name != "mac.py":
        assert not [name for name in calls(tree) if name.startswith("hmac.") or name == "compare_digest"]


def test_compare_digest_is_called_in_one_place() -> None:
    """It is there, and nobody has replaced it by something that ends early."""
    tree = ast.parse((FOLDER / "mac.py").read_text(encoding="utf-8"))
    assert calls(tree).count("hmac.compare_digest") == 1
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "require_match")
    loops = [node for node in ast.walk(function) if isinstance(node, ast.For)]
    assert len(loops) == 2
    assert not [node for loop in loops for node in ast.walk(loop) if isinstance(node, ast.Break | ast.Return)]
