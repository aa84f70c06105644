"""Every step can be reached, and a step that only a failure leads to is not run on the good path by accident.

A step that only `on_error`, `on_reject`, `on_timeout` or a compensation names counts as reached. In a list in
sequence shape such a step is aside of the order when it stands at the end; when an ordinary step follows it, it also
comes after the one before it; that is seldom meant, so it is a warning.
"""

from __future__ import annotations

from workflows.language.check.context import Context, Rule
from workflows.language.check.flow import done
from workflows.language.check.ways import stops, undo_of, ways_on, ways_out


def _check(context: Context) -> None:
    reached, blind = context.flow.reached, _blind(context)
    for number, step in enumerate(context.steps):
        owner = context.flow.places[number].owner
        is_second = context.flow.numbers[step.id.value] != number
        is_blind = id(context.flow.places[number].siblings) in blind
        if number not in reached and not is_second and not is_blind and (owner is None or owner in reached):
            hint = _hint(context, number)
            context.report.error(step.id.at, "unreachable-step", f"no path leads to the step {step.id.value!r}", hint)
        if stops(step) and step.next:
            message = f"`next` has no effect after {step.id.value!r}, which ends the path"
            context.report.warning(step.next[0].at, "no-effect", message, "add `if`, or remove it")
    _falls_through(context)


def _blind(context: Context) -> set[int]:
    """The lists in which a name leads nowhere, so that it cannot be told what else it should have reached."""
    places = context.flow.places
    if not context.by_id.keys() >= set(_compensating(context)):
        return {id(place.siblings) for place in places}
    return {
        id(place.siblings)
        for place, step in zip(places, context.steps, strict=True)
        if any(text.value not in place.siblings for text in (*ways_on(step), *ways_out(step)))
    }


def _hint(context: Context, number: int) -> str:
    if context.flow.places[number].body.is_graph:
        return "name it in a step's `next`: in a list in which some step has `next`, only `next` leads on"
    return "every path before it ends; move it or remove it"


def _falls_through(context: Context) -> None:
    ways = [text.value for step in context.steps for text in ways_on(step)]
    handlers = {text.value for step in context.steps for text in ways_out(step)} | set(_compensating(context))
    for number in range(len(context.steps)):
        following = context.flow.following(number)
        if following is None or done(number) not in context.flow.walked:
            continue
        step = context.steps[following]
        if step.id.value in handlers and step.id.value not in ways:
            earlier = context.steps[number].id.value
            message = f"{step.id.value!r} handles a failure, but also runs after {earlier!r}"
            hint = "move it to the end of the list, or give the steps before it `next`"
            context.report.warning(step.id.at, "handler-on-good-path", message, hint)


def _compensating(context: Context) -> list[str]:
    undos = [undo_of(step) for step in context.steps]
    named = [undo.step.value for undo in undos if undo is not None and undo.step is not None]
    return named + [entry.undo.value for entry in context.definition.compensation]


RULE = Rule(
    _check,
    {
        "unreachable-step": "No path leads to a step.",
        "handler-on-good-path": "A step that handles a failure also runs when nothing failed (warning).",
    },
)
