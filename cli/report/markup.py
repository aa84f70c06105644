"""HTML as text that cannot be broken out of: whatever is not `Markup` is escaped on its way in.

Definitions, versions, ids of steps and problems are written by many people, and a report is opened by others.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

_VOID: Final = frozenset({"meta", "rect", "path", "line", "circle"})
_CONTROL: Final = dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(127, 160)), "\ufffd")


class Markup(str):
    """Text that is HTML already; only made here."""

    __slots__ = ()


Child = str | Markup | None


def element(tag: str, /, *children: Child | Iterable[Child], **attributes: str | float | bool | None) -> Markup:
    """Return an element.

    Args:
        tag: Its name.
        children: Text, which is escaped, and markup; None is nothing.
        attributes: By name, `_` for `-`, a `_` at the end dropped (`class_`); None and False leave one out.
    """
    shown = "".join(_attribute(name, value) for name, value in attributes.items() if value not in (None, False))
    if tag in _VOID and not children:
        return Markup(f"<{tag}{shown}/>")
    return Markup(f"<{tag}{shown}>{joined(*children)}</{tag}>")


def joined(*children: Child | Iterable[Child]) -> Markup:
    """Return all children one after the other."""
    return Markup("".join(map(_child, children)))


def _child(child: Child | Iterable[Child]) -> str:
    match child:
        case None:
            return ""
        case Markup():
            return child
        case str():
            return escape(child.translate(_CONTROL))
    return "".join(map(_child, child))


def _attribute(name: str, value: str | float | bool | None) -> str:
    plain = name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {plain}"
    text = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return f' {plain}="{escape(text.translate(_CONTROL))}"'
