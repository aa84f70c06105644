"""Steps of the run itself: set, try, fail, end."""

from __future__ import annotations

from workflows.language.nodes import Catch, End, Fail, Set, Try
from workflows.language.parse.fields import Fields, kind_of
from workflows.language.parse.keys import CATCH, PROBLEM
from workflows.language.parse.reading import Reading
from workflows.language.tree import Scalar, Table, Tree


def read_set(reading: Reading) -> Set:
    """Read a set step."""
    fields = reading.fields
    fields.need("vars")
    return Set(**reading.common, next=reading.single_next(), vars=fields.table_of("vars") or Table((), fields.at))


def read_try(reading: Reading) -> Try:
    """Read a try step."""
    return Try(
        **reading.common,
        next=reading.single_next(),
        steps=reading.body("steps"),
        catches=_catches(reading),
        final=reading.optional_body("finally"),
    )


def read_fail(reading: Reading) -> Fail:
    """Read a fail step; an `error` that is one expression gives the whole problem."""
    fields = reading.fields
    fields.need("error", "such as error: {type: out-of-stock, title: Nothing left}")
    error: Tree = fields.tree("error") or Scalar(None, fields.at)
    if isinstance(error, Table):
        Fields(error, "a problem", PROBLEM, fields.diagnostics).needed_text("type")
    elif fields.has("error") and not (isinstance(error, Scalar) and "${" in str(error.value)):
        message = f"'error' is to be a mapping, not {kind_of(error)}"
        fields.error(error.at, "wrong-type", message, "such as {type: out-of-stock, title: Nothing left}")
    return Fail(**reading.common, next=reading.single_next(), error=error)


def read_end(reading: Reading) -> End:
    """Read an end step; its `next` is where a run goes on that its `if` lets pass."""
    return End(**reading.common, next=reading.single_next(), output=reading.fields.tree("output"))


def _catches(reading: Reading) -> tuple[Catch, ...]:
    found = []
    for number, item in enumerate(reading.fields.items_of("catch")):
        if isinstance(item, Table):
            found.append(_catch(reading, Fields(item, "a catch", CATCH, reading.fields.diagnostics), number))
        else:
            reading.fields.error(item.at, "wrong-type", f"a catch is a mapping, not {kind_of(item)}")
    return tuple(found)


def _catch(reading: Reading, keys: Fields, number: int) -> Catch:
    keys.need("steps")
    steps = keys.tree("steps")
    return Catch(
        keys.at,
        () if steps is None else reading.inside(steps, "catch", number, "steps"),
        keys.texts("errors"),
        keys.condition("when"),
        keys.variable("as"),
    )
