"""Each step becomes a node of the plan, and so do the steps inside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypedDict, assert_never

from contracts.actions import ActionSpec
from contracts.names import ACTION_PUBLISH
from workflows.language import nodes, plan
from workflows.language.expressions.cel import Expression
from workflows.language.expressions.template import Template, compile_template
from workflows.language.lower.acting import Compensations, execution_of, publication, undo_of
from workflows.language.lower.compiling import (
    NO_NAMES,
    Names,
    expression,
    optional_expression,
    optional_template,
    template,
    with_names,
)
from workflows.language.lower.flow import successors
from workflows.language.tree import plain


class _Common(TypedDict):
    id: str
    name: str
    condition: Expression | None
    next: str | None
    handlers: tuple[plan.Handler, ...]
    timeout: float | None
    pointer: str


class StepLowering:
    """Lowers the steps of one definition into `nodes`, by id."""

    def __init__(
        self, actions: Mapping[str, ActionSpec], compensations: Compensations, failure_targets: frozenset[str]
    ) -> None:
        """Begin with an empty plan."""
        self._failure_targets = failure_targets
        self.nodes: dict[str, plan.AnyNode] = {}
        self._actions = actions
        self._compensations = compensations

    def body(self, steps: tuple[nodes.AnyStep, ...], after: str | None, names: Names) -> str:
        """Lower one list of steps, which goes on at `after`, and return its entry."""
        following = successors(steps, after, self._failure_targets)
        for step in steps:
            self.nodes[step.id.value] = self._node(step, following[step.id.value], names)
        return steps[0].id.value

    def _node(self, step: nodes.AnyStep, following: str | None, names: Names) -> plan.AnyNode:  # noqa: PLR0911 - one return a type
        common = _common(step, following, names)
        match step:
            case nodes.Action():
                return self._act(step, common, names)
            case nodes.Emit():
                return self._emit(step, common, names)
            case nodes.Workflow():
                return self._child(step, common, names)
            case nodes.Decision():
                return self._decide(step, common, names)
            case nodes.Parallel():
                return self._fork(step, common, names)
            case nodes.Foreach():
                return self._foreach(step, common, names)
            case nodes.Repeat():
                return self._repeat(step, common, names)
            case nodes.Try():
                return self._attempt(step, common, names)
            case nodes.Approval():
                return _approval(step, common, names)
            case nodes.Wait():
                return plan.Pause(**common, duration=optional_template(step.duration, names), until=_until(step, names))
            case nodes.Receive():
                return _receive(step, common, names)
            case nodes.Set():
                return plan.Assign(**common, vars=template(step.vars, names))
            case nodes.Fail():
                return plan.Raise(**_last(common), error=template(step.error, names))
            case nodes.End():
                return plan.End(**_last(common), output=optional_template(step.output, names))
        assert_never(step)

    def _act(self, step: nodes.Action, common: _Common, names: Names) -> plan.Act:
        return plan.Act(
            **_timed_by_execution(common),
            action=step.action.value,
            args=optional_template(step.args, names),
            execution=execution_of(step.acting, self._actions.get(step.action.value), plan.Retry()),
            undo=undo_of(step, self._compensations, self._actions, names),
        )

    def _emit(self, step: nodes.Emit, common: _Common, names: Names) -> plan.Act:
        return plan.Act(
            **_timed_by_execution(common),
            action=ACTION_PUBLISH,
            args=publication(step, names),
            execution=execution_of(step.acting, self._actions.get(ACTION_PUBLISH), plan.Retry()),
            undo=undo_of(step, self._compensations, self._actions, names),
        )

    def _child(self, step: nodes.Workflow, common: _Common, names: Names) -> plan.Child:
        return plan.Child(
            **common,
            workflow=step.workflow.value,
            input=optional_template(step.input, names) or compile_template({}, names),
            wait=step.wait.value if step.wait else True,
            key=optional_template(step.key, names),
            undo=undo_of(step, self._compensations, self._actions, names),
        )

    def _decide(self, step: nodes.Decision, common: _Common, names: Names) -> plan.Decide:
        following = common["next"]
        cases = [plan.Case(expression(case.when, names), self._way(case.way, following, names)) for case in step.cases]
        otherwise = self._way(step.otherwise, following, names) if step.otherwise else following
        return plan.Decide(**common, cases=tuple(cases), otherwise=otherwise)

    def _way(self, way: nodes.Way, following: str | None, names: Names) -> str | None:
        if way.steps:
            return self.body(way.steps, following, names)
        return way.next.value if way.next else following

    def _fork(self, step: nodes.Parallel, common: _Common, names: Names) -> plan.Fork:
        branches = tuple(
            plan.Branch(branch.name.value, branch.next.value if branch.next else self.body(branch.steps, None, names))
            for branch in step.branches
        )
        wait = step.wait.value if step.wait else "all"
        return plan.Fork(
            **common,
            branches=branches,
            wait={"all": len(branches), "any": 1}.get(wait, 0) if isinstance(wait, str) else wait,
            join=step.join.value if step.join else None,
            cancel_on_error=step.on_branch_error is None or step.on_branch_error.value == "cancel",
        )

    def _foreach(self, step: nodes.Foreach, common: _Common, names: Names) -> plan.Foreach:
        item, index = _name(step.item, "item"), _name(step.index, "index")
        inside = with_names(names, item, index)
        return plan.Foreach(
            **common,
            items=template(step.items, names),
            item=item,
            index=index,
            concurrency=step.concurrency.value if step.concurrency else 1,
            entry=self.body(step.steps, None, inside),
            collect=optional_template(step.collect, inside),
            batch=step.batch.value if step.batch else None,
        )

    def _repeat(self, step: nodes.Repeat, common: _Common, names: Names) -> plan.Repeat:
        index = _name(step.index, "index")
        inside = with_names(names, index)
        carry = step.carry.entries if step.carry else ()
        return plan.Repeat(
            **common,
            entry=self.body(step.steps, None, inside),
            max=step.max.value,
            before=optional_expression(step.before, inside),
            after=optional_expression(step.after, inside),
            carry={entry.key: template(entry.value, inside) for entry in carry},
            index=index,
        )

    def _attempt(self, step: nodes.Try, common: _Common, names: Names) -> plan.Attempt:
        return plan.Attempt(
            **common,
            entry=self.body(step.steps, None, names),
            catches=tuple(self._catch(catch, names) for catch in step.catches),
            final=self.body(step.final, None, names) if step.final else None,
        )

    def _catch(self, catch: nodes.Catch, names: Names) -> plan.Catch:
        name = _name(catch.name, "error")
        inside = with_names(names, name)
        errors = tuple(text.value for text in catch.errors)
        when = optional_expression(catch.when, inside)
        return plan.Catch(errors, when, name, self.body(catch.steps, None, inside))


def _approval(step: nodes.Approval, common: _Common, names: Names) -> plan.Approval:
    on_timeout, timeout_next = _approval_timeout(step)
    return plan.Approval(
        **common,
        title=optional_template(step.title, names) or compile_template(common["name"], NO_NAMES),
        show=optional_template(step.show, names),
        approvers=optional_template(step.approvers, names),
        quorum=step.quorum.value if step.quorum else 1,
        reject_quorum=step.reject_quorum.value if step.reject_quorum else 1,
        form=plain(step.form) if step.form is not None else None,
        on_timeout=on_timeout,
        timeout_next=timeout_next,
        remind=plan.Reminder(step.remind.every.value, step.remind.emit.value) if step.remind else None,
        escalate=_escalation(step.escalate, names) if step.escalate else None,
        on_reject=step.on_reject.value if step.on_reject else None,
    )


def _approval_timeout(step: nodes.Approval) -> tuple[plan.OnTimeout, str | None]:
    match step.on_timeout.value if step.on_timeout else "reject":
        case "reject" | "approve" | "fail" as word:
            return word, None
        case target:
            return "step", target


def _escalation(escalate: nodes.Escalate, names: Names) -> plan.Escalation:
    return plan.Escalation(escalate.after.value, template(escalate.approvers, names))


def _receive(step: nodes.Receive, common: _Common, names: Names) -> plan.Receive:
    on_timeout, timeout_next = _receive_timeout(step)
    return plan.Receive(
        **common,
        event=step.event.value if step.event else None,
        signal=step.signal.value if step.signal else None,
        match=optional_expression(step.match, names),
        count=step.count.value if step.count else 1,
        on_timeout=on_timeout,
        timeout_next=timeout_next,
        correlate=optional_template(step.correlate, names),
    )


def _receive_timeout(step: nodes.Receive) -> tuple[Literal["fail", "continue", "step"], str | None]:
    match step.on_timeout.value if step.on_timeout else "fail":
        case "fail" | "continue" as word:
            return word, None
        case target:
            return "step", target


def _until(step: nodes.Wait, names: Names) -> Template | None:
    """A template, a moment, or bare CEL."""
    if step.until is None:
        return None
    text = str(step.until.value)
    is_bare = "${" not in text and not _is_moment(text)
    return compile_template(f"${{ {text} }}" if is_bare else text, names)


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _common(step: nodes.AnyStep, following: str | None, names: Names) -> _Common:
    return _Common(
        id=step.id.value,
        name=step.name.value if step.name else step.id.value,
        condition=optional_expression(step.condition, names),
        next=following,
        handlers=tuple(_handler(handler, names) for handler in step.handlers),
        timeout=step.timeout.value if step.timeout else None,
        pointer=step.pointer,
    )


def _handler(handler: nodes.Handler, names: Names) -> plan.Handler:
    errors = tuple(text.value for text in handler.errors)
    return plan.Handler(errors, optional_expression(handler.when, names), handler.next.value if handler.next else None)


def _timed_by_execution(common: _Common) -> _Common:
    return {**common, "timeout": None}


def _last(common: _Common) -> _Common:
    """Nothing comes after a fail or an end, unless `if` skips it."""
    return common if common["condition"] is not None else {**common, "next": None}


def _name(text: nodes.Text | None, default: str) -> str:
    return text.value if text is not None else default
