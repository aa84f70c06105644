"""What `saga events top` shows: one look at the log, the queues and the bridges, as data, as JSON and as tables.

A look is taken whole and drawn by pure functions, so that the live view, `--once` and `--json` say the same. A broker
that is away leaves the queues out; everything else comes from PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bridge.depths import Depths, QueueDepth
from cli.output import clean, counted, duration, shortened
from contracts.json import Json
from store.bridges import BridgeRow, alive
from store.database import Database
from store.top import Figures, Rate, read_figures, read_rates

WINDOW = timedelta(minutes=1)
_MOST_TYPES = 15
_MOST_QUEUES = 15
_TYPE_WIDTH = 40
_HOST_WIDTH = 30
_STATES = {"closed": "green", "half-open": "yellow", "open": "red"}
_SLOW_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Look:
    """How things stood at a moment; `queues` is None where the broker did not answer."""

    at: datetime
    rates: Sequence[Rate]
    figures: Figures
    queues: Sequence[QueueDepth] | None
    bridges: Sequence[BridgeRow]


async def take_look(database: Database, depths: Depths) -> Look:
    """Ask PostgreSQL and the broker.

    Raises:
        SagaError: PostgreSQL does not answer.
    """
    await depths.sample()
    rates, figures, bridges = await read_rates(database, WINDOW), await read_figures(database), await alive(database)
    return Look(datetime.now(UTC), rates, figures, depths.read() or None, bridges)


def to_json(look: Look) -> dict[str, Json]:
    """Return a look for scripts; ages in seconds."""
    figures = look.figures
    return {
        "at": look.at.isoformat(),
        "window_seconds": WINDOW.total_seconds(),
        "types": [
            {"type": rate.event_type, "events": rate.events, "open": rate.open, "outcomes": dict(rate.outcomes)}
            for rate in look.rates
        ],
        "lag_seconds": figures.lag.total_seconds(),
        "dead_letters": figures.dead_letters,
        "outbox": {
            "depth": figures.outbox,
            "age_seconds": figures.outbox_age.total_seconds(),
            "parked": figures.parked,
        },
        "held": figures.held,
        "delayed": figures.delayed,
        "queues": _queues_json(look.queues),
        "bridges": [_bridge_json(bridge) for bridge in look.bridges],
    }


def drawn(look: Look) -> Group:
    """Return a look for people."""
    parts: list[RenderableType] = [_headline(look), Text(""), _types(look.rates)]
    parts += [Text(""), _queues(look.queues), Text(""), _bridges(look.bridges, look.at)]
    return Group(*parts)


def _queues_json(queues: Sequence[QueueDepth] | None) -> Json:
    if queues is None:
        return None
    return [{"queue": one.name, "messages": one.messages, "consumers": one.consumers} for one in queues]


def _bridge_json(bridge: BridgeRow) -> dict[str, Json]:
    return {
        "id": str(bridge.id),
        "host": bridge.host,
        "pid": bridge.pid,
        "started_at": bridge.started_at.isoformat(),
        "seen_at": bridge.seen_at.isoformat(),
        "state": dict(bridge.state),
    }


def _headline(look: Look) -> Text:
    figures = look.figures
    events = sum(rate.events for rate in look.rates)
    line = Text(f"{look.at.astimezone():%H:%M:%S}  {counted(events, 'event')} in the last minute  ")
    line.append(f"lag {_span(figures.lag)}", "red" if figures.lag.total_seconds() > _SLOW_SECONDS else "green")
    line.append(f"\ndead letters {figures.dead_letters}", "red" if figures.dead_letters else "")
    line.append(f"  outbox {figures.outbox} ({_span(figures.outbox_age)})", "yellow" if figures.outbox else "")
    line.append(f"  parked {figures.parked}", "red" if figures.parked else "")
    line.append(f"  held {figures.held}  delayed {figures.delayed}")
    return line


def _types(rates: Sequence[Rate]) -> Table:
    table = _table("EVENT TYPE", "A MINUTE", "A SECOND", "UNDER WAY", "OUTCOMES")
    for rate in rates[:_MOST_TYPES]:
        outcomes = ", ".join(f"{count} {word}" for word, count in rate.outcomes.items())
        name = shortened(clean(rate.event_type), _TYPE_WIDTH)
        per_second = rate.events / WINDOW.total_seconds()
        table.add_row(Text(name), str(rate.events), f"{per_second:.1f}", str(rate.open), Text(clean(outcomes)))
    return _with_rest(table, len(rates) - _MOST_TYPES, "more types")


def _queues(queues: Sequence[QueueDepth] | None) -> RenderableType:
    if queues is None:
        return Text("RabbitMQ does not answer: the queues are not known.", "red")
    table = _table("QUEUE", "MESSAGES", "CONSUMERS")
    fullest = sorted(queues, key=lambda one: -one.messages)
    for one in fullest[:_MOST_QUEUES]:
        table.add_row(Text(one.name), str(one.messages), str(one.consumers))
    return _with_rest(table, len(queues) - _MOST_QUEUES, "queues with fewer")


def _bridges(bridges: Sequence[BridgeRow], at: datetime) -> RenderableType:
    if not bridges:
        return Text("No bridge is alive: start one with `saga bridge`.", "red")
    table = _table("BRIDGE", "UP", "IN HAND", "BREAKERS")
    for bridge in bridges:
        name = f"{shortened(clean(bridge.host), _HOST_WIDTH)}:{bridge.pid}"
        in_hand = bridge.state.get("in_hand")
        table.add_row(Text(name), _span(at - bridge.started_at), clean(str(in_hand or 0)), _breakers(bridge))
    return table


def _breakers(bridge: BridgeRow) -> Text:
    breakers = bridge.state.get("breakers")
    line = Text()
    for service, state in (breakers if isinstance(breakers, dict) else {}).items():
        line.append(f"{clean(service)} ")
        line.append(f"{clean(str(state))}  ", _STATES.get(str(state), ""))
    return line


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="left" if name in {"OUTCOMES", "BREAKERS"} else "right")
    return table


def _with_rest(table: Table, more: int, what: str) -> Table:
    if more > 0:
        table.add_row(Text(f"and {more} {what}", "bright_black"))
    return table


def _span(span: timedelta) -> str:
    return duration(max(round(span.total_seconds() * 1000), 0))
