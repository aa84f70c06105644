"""The loops of expressions: `map`, `filter`, `all`, `exists`, `exists_one`.

A loop pays for each turn as much as its body has nodes. Maps are iterated by their sorted keys.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from workflows.language.expressions import values
from workflows.language.expressions.access import truth
from workflows.language.expressions.frame import Frame
from workflows.language.expressions.values import Fault, article, kind_of

Code: TypeAlias = Callable[[Frame], Any]
"""What a node of the syntax tree is compiled to."""

Turns: TypeAlias = Callable[[Frame], Iterator[Any]]
"""Sets the loop's variable to one element after the other."""


def _elements(source: Any, frame: Frame, weight: int) -> Iterator[Any]:
    if type(source) is dict:
        source = values.sorted_keys(source)
    elif type(source) is not list:
        raise Fault(f"only a list or an object can be iterated, not {article(kind_of(source))}")
    for item in source:
        frame.spend(weight)
        yield item


def turns(source: Code, slot: int, weight: int) -> Turns:
    """Make the turns over a source; the variable lives in the slot, and each turn costs the weight."""

    def iterate(frame: Frame) -> Iterator[Any]:
        for item in _elements(source(frame), frame, weight):
            frame.locals[slot] = item
            yield item

    return iterate


def always(_: Frame) -> bool:
    """The condition of a loop that has none."""
    return True


def collecting(each: Turns, condition: Code | None, result: Code | None) -> Code:
    """`map` and `filter`: the results, or the elements themselves, of those turns that meet the condition."""
    if condition is None and result is not None:
        return lambda frame: [result(frame) for _ in each(frame)]
    keep = condition or always
    if result is None:
        return lambda frame: [item for item in each(frame) if truth(keep(frame), "filter()")]
    return lambda frame: [result(frame) for _ in each(frame) if truth(keep(frame), "map()")]


def counting(each: Turns, condition: Code) -> Code:
    """`exists_one`: every turn must have an answer."""
    return lambda frame: sum(truth(condition(frame), "exists_one()") for _ in each(frame)) == 1


def searching(each: Turns, condition: Code, decides: bool) -> Code:
    """`exists` and `all`: one element that decides outweighs another one that fails."""
    who = "exists()" if decides else "all()"

    def evaluate(frame: Frame) -> bool:
        failure: Fault | None = None
        for _ in each(frame):
            try:
                if truth(condition(frame), who) is decides:
                    return decides
            except Fault as fault:
                if frame.left < 0:
                    raise
                failure = fault
        if failure is not None:
            raise failure
        return not decides

    return evaluate
