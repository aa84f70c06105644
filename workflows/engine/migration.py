"""May a run go on with another version of its definition? A check of its state against both plans, before it moves.

A run may move while it waits: at approvals, messages and timers. Every place at which it stands must exist in the new
plan in the same part of it, everything that it has promised (a compensation, a reminder, a signal that it waits for)
must be kept there, and nothing that is still to come may need a step that the run has gone past. What cannot be told
is refused. Timers keep the times that they were set to; the business key stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from workflows.engine.decisions import tally
from workflows.engine.places import body_of
from workflows.engine.saga import undo_of
from workflows.engine.schemas import complaints
from workflows.engine.state import Frame, Operation, State, Wait
from workflows.engine.turn import scope_key, step_path
from workflows.language.plan import Act, AnyNode, Approval, Attempt, Child, Foreach, Fork, Plan, Receive, Repeat
from workflows.language.reach import entries, reachable, steps_read_by, successors

WAITING_KINDS = frozenset({"timer"})


@dataclass(frozen=True, slots=True)
class Misfit:
    """A reason why a run cannot move; `path` is that of a step, or empty: it is about the whole run."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


def misfits(old: Plan, new: Plan, state: State) -> tuple[Misfit, ...]:
    """Return why a run in `state`, which follows `old`, cannot go on with `new`; nothing = it can.

    Args:
        old: The plan that it follows.
        new: Another version of the same definition.
        state: Its state; it is not changed.
    """
    if (state.version, state.digest) == (new.version, new.digest):
        return (Misfit("", f"It follows version {new.version} already."),)
    found = [*_moment(state)]
    # What is in flight, or unwound, has no place that could be compared.
    return tuple(dict.fromkeys(found or _Comparison(old, new, state).all()))


def _moment(state: State) -> Iterator[Misfit]:
    if state.phase != "running":
        yield Misfit(
            "", "It has ended." if state.phase == "ended" else "It is being undone, by the version that it followed."
        )
    if state.slice is not None:
        yield Misfit("", "It is a batch of another run, and goes with that one.")
    if state.draining or state.held:
        yield Misfit("", "It is about to continue as new; try again.")
    for identity, operation in state.operations.items():
        if operation.kind not in WAITING_KINDS:
            yield Misfit(
                identity, f"The {_WORDS.get(operation.kind, operation.kind)} is in flight; try again when it has ended."
            )
    if any(frame.cancelling for frame in state.frames.values()):
        yield Misfit("", "A part of it is being cancelled; try again.")


_WORDS = {"activity": "action", "child": "child run", "notice": "reminder", "undo": "compensation"}


@dataclass(frozen=True, slots=True)
class _Comparison:
    old: Plan
    new: Plan
    state: State

    def all(self) -> Iterator[Misfit]:
        yield from self._input()
        misplaced = dict(self._misplaced())
        yield from misplaced.values()
        yield from self._armed()
        yield from self._timers(misplaced)
        if not misplaced:
            yield from self._results()

    def _input(self) -> Iterator[Misfit]:
        if self.new.input_schema is not None:
            for complaint in complaints(self.new.input_schema, self.state.input):
                yield Misfit("", f"Its input does not fit {self.new.version}: {complaint}.")

    def _misplaced(self) -> Iterator[tuple[int, Misfit]]:
        """Yield the paths that stand where the new plan has no such place, outermost first, by the frame's number."""
        wrong: set[int] = set()
        for frame in self.state.frames.values():
            if frame.parent in wrong:
                wrong.add(frame.id)
            elif frame.node is not None and (reason := self._place(frame, frame.node)):
                wrong.add(frame.id)
                yield frame.id, Misfit(step_path(frame, frame.node), reason)

    def _place(self, frame: Frame, name: str) -> str:
        """Return why a path cannot stand at the node `name` of the new plan, or nothing."""
        before, after = self.old.nodes[name], self.new.nodes.get(name)
        if after is None:
            return f"It stands at this step, which {self.new.version} does not have."
        if type(before) is not type(after):
            return f"It stands at this step, whose type is another one in {self.new.version}."
        if name not in body_of(self.new, self.state, frame):
            return f"It stands at this step, which is in another place in {self.new.version}."
        return self._kept(frame, before, after)

    def _kept(self, frame: Frame, before: AnyNode, after: AnyNode) -> str:
        version = self.new.version
        match before, after:
            case Approval(), Approval():
                wait = self.state.waits.get(step_path(frame, before.id))
                decided = wait is not None and tally(wait, after) is not None
                return f"The decisions that it has got would end it by the quorum of {version}." if decided else ""
            case Receive(), Receive():
                wait = self.state.waits.get(step_path(frame, before.id))
                return _message_kept(before, after, wait, version)
            case Fork(), Fork() if (before.join, _branch_names(before)) != (after.join, _branch_names(after)):
                return f"Its branches are other ones in {version}."
            case Fork(), Fork() if before.wait != after.wait:
                return f"It waits for another number of branches in {version}."
            case Foreach(), Foreach() if (before.item, before.index) != (after.item, after.index):
                return f"Its items have other names in {version}."
            case Repeat(), Repeat() if before.index != after.index:
                return f"Its rounds are counted under another name in {version}."
            case Attempt(), Attempt() if _catch_names(before) != _catch_names(after):
                return f"Its catches are other ones in {version}."
        return ""

    def _armed(self) -> Iterator[Misfit]:
        for armed in self.state.armed:
            node = self.new.nodes.get(armed.node)
            undo = None if node is None else undo_of(node)
            if undo is None or undo.action != armed.action:
                yield Misfit(
                    armed.path, f"It has to be undone by {armed.action}, and {self.new.version} does not say so."
                )

    def _timers(self, misplaced: Collection[int]) -> Iterator[Misfit]:
        for operation in self.state.operations.values():
            node = self.new.nodes.get(operation.node)
            if node is not None and operation.frame not in misplaced and not _keeps_timer(node, operation):
                path = step_path(self.state.frames[operation.frame], operation.node)
                yield Misfit(path, f"A timer runs for its `{operation.role}`, which {self.new.version} does not have.")

    def _results(self) -> Iterator[Misfit]:
        """Compare what is still to come with what there is to see."""
        for frame in self.state.frames.values():
            if frame.node is None:
                continue
            node = self.new.nodes[frame.node]
            ahead, rounds = self._ahead(frame), _rounds(self.new, node)
            seen = self._seen(frame)
            yield from self._unseen(ahead | {node.id}, seen | rounds)
            yield from self._unseen(rounds, seen | rounds)
            for child in frame.children:
                yield from self._unseen({node.id}, self._seen(self.state.frames[child]))
        root = self.state.frames[0]
        yield from self._lacking("", "output", steps_read_by(self.new.output), self._seen(root))

    def _ahead(self, frame: Frame) -> frozenset[str]:
        """Return the nodes that the path may still enter, without another round of the loop at which it stands."""
        node = self.new.nodes[frame.node or ""]
        starts = [*successors(node), *(_late_entries(node) if isinstance(node, Attempt) else ())]
        return reachable(self.new, starts, inside=True, stop=frame.stop)

    def _seen(self, frame: Frame) -> frozenset[str]:
        own = self._ahead(frame) if frame.node is not None else frozenset()
        return own if frame.parent is None else own | self._seen(self.state.frames[frame.parent])

    def _unseen(self, nodes: frozenset[str] | set[str], seen: frozenset[str]) -> Iterator[Misfit]:
        for name in sorted(nodes):
            yield from self._lacking(name, "step", steps_read_by(self.new.nodes[name]), seen)

    def _lacking(self, name: str, what: str, needed: frozenset[str], coming: frozenset[str]) -> Iterator[Misfit]:
        known = {scope_key(node.id): node for node in self.old.nodes.values()}
        now = {scope_key(node.id): node for node in self.new.nodes.values()}
        to_come = {scope_key(node) for node in coming}
        for step in sorted(needed - to_come - {scope_key(name)}):
            if step not in known:
                reason = (
                    f"This {what} needs the result of `{step}`, which the run has gone past without carrying it out."
                )
                yield Misfit(name, reason)
            elif not _alike(known[step], now[step]):
                yield Misfit(
                    name, f"This {what} needs the result of `{step}`, which did something else in {self.old.version}."
                )


def _late_entries(node: Attempt) -> list[str]:
    return list(entries(node))[1:]


def _rounds(plan: Plan, node: AnyNode) -> frozenset[str]:
    """Return the body of a loop, which may be entered again; nothing for other nodes."""
    return reachable(plan, entries(node), inside=True) if isinstance(node, Foreach | Repeat) else frozenset()


def _branch_names(node: Fork) -> list[str]:
    return [branch.name for branch in node.branches]


def _catch_names(node: Attempt) -> list[str]:
    return [catch.name for catch in node.catches]


def _message_kept(before: Receive, after: Receive, wait: Wait | None, version: str) -> str:
    if (before.signal, before.event) != (after.signal, after.event):
        return f"It waits for {_awaited(before)}, and {version} waits for {_awaited(after)} there."
    if before.correlate != after.correlate:
        return f"It is found by the fields that it waits for, and {version} has other ones."
    if wait is not None and wait.messages and len(wait.messages) >= after.count:
        return f"It has got {len(wait.messages)} messages, and {version} wants {after.count}."
    return ""


def _awaited(node: Receive) -> str:
    return f"the signal `{node.signal}`" if node.signal is not None else f"the event `{node.event}`"


def _keeps_timer(node: AnyNode, operation: Operation) -> bool:
    match operation.role:
        case "remind":
            return isinstance(node, Approval) and node.remind is not None
        case "escalate":
            return isinstance(node, Approval) and node.escalate is not None
        case "timeout":
            return node.timeout is not None
    return True


def _alike(before: AnyNode, after: AnyNode) -> bool:
    if type(before) is not type(after):
        return False
    if isinstance(before, Act) and isinstance(after, Act):
        return before.action == after.action
    if isinstance(before, Child) and isinstance(after, Child):
        return before.workflow.partition("@")[0] == after.workflow.partition("@")[0]
    return True
