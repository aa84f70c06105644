"""The pages about events name what there is: exchanges, queues, headers, tables, outcomes, and the bridge's numbers."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from bridge import passage
from bridge.amqp import delivery, outlets
from bridge.amqp.topology import dead_letter_key
from bridge.archive import archiving
from bridge.envelope import MAX_BYTES, MAX_DEPTH, TRACE_HEADERS, Properties, decode
from bridge.http import app, server, sources
from bridge.selection import PAGE
from bridge.settings import BridgeSettings
from bridge.topology import names
from bridge.topology.file import MAX_WEIGHT, load_topology
from bridge.topology.layout import layout, partitions
from bridge.topology.model import MAX_PARTITIONS, Topology
from store.bridges import SILENCE
from tests.docs.pages import ROOT, Example, examples, first_cells, section, table_rows, text_of
from workflows.engine.mailbox import SEEN_LIMIT
from workflows.language.parse.triggers import MOST_FIELDS
from workflows.language.triggers import HOLD_DEFAULT, HOLD_LONGEST
from workflows.temporal.finding import MOST_MATCHES

PAGES = (
    "dead-letters.md",
    "event-formats.md",
    "event-log.md",
    "events.md",
    "monitoring.md",
    "topology.md",
    "webhooks.md",
)
USUAL = BridgeSettings()
OURS = layout(Topology(), USUAL.bindings, USUAL.dead_letter_retention)
OF_NO_BROKER = {"saga.toml", "saga.retry"}


def declared() -> dict[str, str]:
    """Return the exchanges and queues of ours, with the type of an exchange or `queue`."""
    exchanges = {each.name: each.type for each in OURS.exchanges}
    return {each.name: "queue" for each in OURS.queues} | exchanges


def tables() -> set[str]:
    """Return the tables of the store."""
    files = (ROOT / "store" / "migrations").glob("*.sql")
    return {name for file in files for name in re.findall(r"create table (saga\.\w+)", file.read_text())}


def plain(page: str) -> str:
    """Return the text of a page in one line."""
    return " ".join(text_of(page).split())


def test_names_on_the_bus_are_those_that_are_declared() -> None:
    """Every exchange and queue is in the table, and nothing else is; of the partitions the first and the last."""
    rows = table_rows(section("topology.md", "The names on the bus"))
    listed = [name for row in rows for name in re.findall(r"`([a-z][a-z0-9.-]+)`", row[0]) if "." in name or row[1]]
    queues = partitions(Topology())
    wanted = set(declared()) - set(queues[1:-1])
    assert set(listed) - set(headers_listed("topology.md", "The names on the bus")) == wanted


def test_types_on_the_bus_are_those_that_are_declared() -> None:
    """Each row of the table says what kind of thing it is, as it is declared."""
    for row in table_rows(section("topology.md", "The names on the bus")):
        for name in re.findall(r"`([a-z][a-z0-9.-]+)`", row[0]):
            if kind := declared().get(name):
                assert kind in row[1], name


def test_picture_of_the_way_names_what_is_declared() -> None:
    """The names in the picture are queues, exchanges and tables that there are."""
    [picture] = examples("text", "picture")
    found = set(re.findall(r"(?:saga\.[a-z_-]+(?:\.\w+)?|events|dlx)(?=[\s\]|])", picture.text))
    assert {"saga.inlet", "saga.low.7", "saga.dead-letters"} <= found
    assert found - set(declared()) - tables() == set()


@pytest.mark.parametrize("page", PAGES)
def test_names_of_ours_exist(page: str) -> None:
    """What a page calls `saga.` something is on the broker, or a table, or a file."""
    found = set(re.findall(r"`(saga\.[a-z_-]+(?:\.\w+)?)`", text_of(page)))
    assert found - set(declared()) - tables() - OF_NO_BROKER == set()


def headers_listed(page: str, heading: str) -> set[str]:
    """Return the headers in the tables of a section."""
    cells = [row[0] for row in table_rows(section(page, heading))]
    return {name for cell in cells for name in re.findall(r"`(x-[a-z-]+|trace\w+)`", cell)}


def test_headers_are_those_that_are_written() -> None:
    """Each header of ours is in one of the two tables."""
    ours = {value for module in (names, delivery, outlets) for value in vars(module).values() if _is_header(value)}
    listed = headers_listed("topology.md", "The names on the bus") | headers_listed("dead-letters.md", "On the bus")
    assert listed == ours | set(TRACE_HEADERS)


def _is_header(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"x-[a-z-]+", value) is not None and "death" not in value


def test_key_of_dead_letters_is_that_of_the_layout() -> None:
    """What a queue of the reader's own has to say to put its dead letters there."""
    assert f"`{dead_letter_key('')}` and the queue's name" in plain("topology.md")
    assert f"{{exchange: {names.EXCHANGE_DEAD_LETTERS}, key: {dead_letter_key('NAME')}}}" in plain("dead-letters.md")


def test_outcomes_are_those_of_the_log() -> None:
    """The table of outcomes has what is marked."""
    assert set(first_cells(text_of("event-log.md"))) == vars(passage)["_LOGGED"]


def test_numbers_of_the_bridge_are_those_of_its_settings() -> None:
    """What the page says about tries, delays and deliveries is what the bridge does."""
    text = plain("events.md")
    assert f"{USUAL.attempts} times within about 4 hours" in text
    assert f"given up after {USUAL.deliveries} deliveries" in text
    assert f"at most {USUAL.concurrency} requests to Temporal" in text
    assert f"delays that grow to {USUAL.longest_delay.seconds} s" in text
    assert f"at least every {USUAL.longest_reconnect.seconds} s" in text
    assert f"signs of life in PostgreSQL (every {USUAL.sign_of_life.seconds} s)" in text
    assert f"`SAGA_DEDUP_WINDOW`, {USUAL.window // timedelta(hours=1)} hours by default" in text
    assert f"sign of life in the last {SILENCE.seconds} s" in text_of("monitoring.md")


def test_retries_are_those_of_the_delay_queues() -> None:
    """The delays that the page names, and how long all tries take together."""
    delays = [names.retry_exchange(level).removeprefix("saga.retry.") for level in range(len(names.RETRY_DELAYS))]
    first, *middle, last = delays
    spelt = ", ".join([f"`saga.retry.{first}`", *(f"`{each}`" for each in middle)])
    assert f"{spelt} and `{last}`" in plain("events.md")
    waits = [names.RETRY_DELAYS[min(tries, len(delays) - 1)] for tries in range(USUAL.attempts - 1)]
    assert timedelta(hours=4) < sum(waits, timedelta()) < timedelta(hours=4.5)


def test_classes_are_those_of_the_topology() -> None:
    """Limits, weights, partitions and the number of queues."""
    usual, text = Topology(), plain("events.md")
    high, normal, low = usual.classes
    assert f"`high` from {high.lowest}, `normal` from {normal.lowest}, `low` below" in text
    assert f"by weight, {high.weight} : {normal.weight} : {low.weight}" in text
    assert (
        f"1 + {len(usual.classes)} x `partitions` queues can be shared, {1 + len(partitions(usual))} by default" in text
    )
    rows = plain("topology.md")
    assert f"1 to {MAX_PARTITIONS}; default {usual.partitions}" in rows
    assert f"`weight`, 1 to {MAX_WEIGHT}" in rows


def test_limits_of_events_are_those_of_the_decoder() -> None:
    """Size and depth of an event, what is held, what is correlated, what a run remembers."""
    text = plain("events.md")
    assert f"at most {MAX_BYTES >> 10} KiB and {MAX_DEPTH} levels deep" in text
    assert f"The last {SEEN_LIMIT:,} messages" in text
    assert f"At most {MOST_MATCHES:,} runs are signalled" in text
    triggers = " ".join(section("language.md", "Triggers").split())
    assert f"`hold` for {HOLD_DEFAULT.seconds // 60} minutes" in triggers
    assert f"at most {HOLD_LONGEST.days} days" in triggers
    assert f"Up to {MOST_FIELDS} fields" in triggers


def test_numbers_of_the_archive_are_those_of_the_code() -> None:
    """Page of a replay, size of a file, retention, how long a restored day stays."""
    text = plain("event-log.md")
    assert f"kept after every {PAGE} events" in text
    assert f"at most {archiving.Bounds().file_bytes >> 20} MiB unpacked" in text
    assert f"for {archiving.KEEP.days} days" in text
    assert timedelta(weeks=1) == archiving.KEEP_RESTORED


def test_numbers_of_webhooks_are_those_of_the_code() -> None:
    """How much is taken at once and how long it may take; the schemes."""
    text = plain("webhooks.md")
    deliveries, patience = app.AppLimits().deliveries, app.AppLimits().patience
    assert f"{deliveries} deliveries are in hand" in text
    assert f"did not arrive within {patience.seconds} s; within {app.AppLimits().grace.seconds} s, where" in text
    assert f"within {server.ServerLimits().head_timeout.seconds} s is cut" in text
    assert f"at most {server.ServerLimits().connections} connections" in text
    assert f"at most {sources.MOST_BODY_BYTES}" in text
    assert {row[0].strip("` ") for row in table_rows(section("webhooks.md", "Schemes"))} - {"scheme"} == set(
        sources.SCHEME_NAMES
    )


@pytest.mark.parametrize("example", examples("yaml", "topology"), ids=str)
def test_topologies_can_be_read(example: Example) -> None:
    """A topology file in the documentation is one."""
    assert load_topology(example.text, example.page).own.queues


@pytest.mark.parametrize("example", examples("yaml", "webhooks"), ids=str)
def test_sources_of_webhooks_can_be_read(example: Example) -> None:
    """A file of sources is one."""
    found = sources.read_sources(example.page, example.text)
    assert found.diagnostics == () and len(found.by_name) == 2


@pytest.mark.parametrize("example", examples("json", "cloudevent"), ids=str)
def test_cloudevents_can_be_decoded(example: Example) -> None:
    """A CloudEvent in the documentation is read as the table beside it says."""
    event = decode(example.text.encode(), Properties())
    assert (event.id, event.type, event.group_id) == ("A234-1234-1234", "order.placed", "A1")
