"""The page: well-formed, harmless whatever stands in the data, and complete."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from cli.report.comparison import compare
from cli.report.markup import Markup, element
from cli.report.page import page
from store.critical_path import CriticalPath, Stop
from store.report_figures import Failure, VersionReport
from tests.cli.report.figures import STEP, VERSION, plan_of, report_of

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&\x00\x1b[2J"
VOID = frozenset({"meta", "rect", "path"})
PLAN = """
id: order
version: 1.0.0
steps:
  - {id: charge, name: "</text><script>alert(1)</script>", action: data.transform, with: {value: 1}}
  - {id: ship, action: data.transform, with: {value: 1}, compensate: {action: data.transform, with: {value: 1}}}
"""


class Reader(HTMLParser):
    """Reads a page strictly: what is opened is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        """All words of the page."""
        return " ".join(" ".join(self.words).split())


def rendered(*versions: VersionReport) -> Reader:
    """Read the page of some versions."""
    return Reader(page(report_of(*versions), None, {}))


def hostile_version() -> VersionReport:
    """A version in which every text is an attack."""
    return replace(
        VERSION,
        definition=HOSTILE,
        version=HOSTILE,
        outcomes={HOSTILE: 100},
        steps=(replace(STEP, step=HOSTILE, kind=HOSTILE), replace(STEP, step=HOSTILE, is_compensation=True)),
        failures=(Failure(HOSTILE, False, HOSTILE, 1, 1, HOSTILE, HOSTILE, HOSTILE),),
        path=CriticalPath(1, 1.0, 0.0, (Stop(HOSTILE, False, 1, 1, 1.0, 1.0),)),
    )


def test_page_shows_all_figures() -> None:
    """Rates, percentiles, parts of steps, critical path, failures with example, compensations, cost."""
    text = Reader(page(report_of(VERSION), None, {("order", "1.0.0"): plan_of(PLAN)})).text
    for words in (
        "order 1.0.0",
        "94.7 %",
        "completed 90 · 90.0 %",
        "Duration p50 2.0 s",
        "queueing 200 ms · running 1.2 s · retrying 400 ms · hand-over 200 ms",
        "action, 100 times, 7 retried",
        "charge bottleneck on 100 % of runs, longest on 100 % 83.3 %",
        "between steps hand-over 16.7 %",
        "declined 5 4 order/A1 No money.",
        "Compensations the undoing of steps",
        "Cost 10.1 actions per run",
    ):
        assert words in text, words


def test_page_lets_nothing_hostile_in() -> None:
    """Names, ids, problems and details of anybody's making add no element and no attribute."""
    version = hostile_version()
    comparison = compare(version, replace(version, version="2"))
    report = report_of(version, replace(VERSION, definition=HOSTILE), definition=HOSTILE)
    reader = Reader(page(report, comparison, {(HOSTILE, "1.0.0"): plan_of(PLAN)}))
    assert {"script", "img"}.isdisjoint(tag for tag, _ in reader.tags)
    assert not any(name.startswith("on") for _, attributes in reader.tags for name in attributes)
    assert "alert(1)" in reader.text
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", page(report, comparison, {}))


def test_page_refers_to_nothing_outside() -> None:
    """No script, no address, no import; only fragments of its own, and each of them is there."""
    text = page(report_of(VERSION, replace(VERSION, version="2.0.0")), None, {("order", "1.0.0"): plan_of(PLAN)})
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<script|<link|<iframe|\bsrc=", text)
    reader = Reader(text)
    targets = {attributes["href"] for _, attributes in reader.tags if "href" in attributes}
    assert targets == {f"#{attributes['id']}" for _, attributes in reader.tags if "id" in attributes}
    assert "default-src 'none'" in str(reader.tags)


def test_page_explains_what_is_missing() -> None:
    """No runs, no end yet, no steps, no failure, no definition: each in a sentence."""
    assert "No run began in this time" in rendered().text
    bare = replace(
        VERSION, outcomes={"running": 1}, ended=0, durations=None, steps=(), failures=(), path=CriticalPath()
    )
    text = rendered(bare).text
    for sentence in (
        "No run has ended yet.",
        "No step was carried out.",
        "No step failed.",
        "No run with steps has ended yet.",
        "The definition order@1.0.0 is not among those on this machine",
    ):
        assert sentence in text


def test_page_shows_a_comparison() -> None:
    """The figures of both, and a mark at what matters."""
    better = replace(VERSION, version="2.0.0", succeeded=95)
    reader = Reader(page(report_of(better, VERSION), compare(VERSION, better), {}))
    assert "1.0.0 against 2.0.0 1 difference beyond chance and large enough to care" in reader.text
    assert "success rate 94.7 % 100 % +5.3 points better" in reader.text


def test_page_fits_a_telephone_and_the_dark() -> None:
    """It says its width to the browser, wide things scroll in their own box, and both schemes have colours."""
    text = page(report_of(VERSION), None, {("order", "1.0.0"): plan_of(PLAN)})
    assert '<meta name="viewport" content="width=device-width, initial-scale=1"/>' in text
    assert "@media (max-width: 560px)" in text
    assert "@media (prefers-color-scheme: dark)" in text
    assert ".scroll { overflow-x: auto; }" in text
    assert len(re.findall('<div class="scroll"><(?:table|svg)', text)) == len(
        re.findall(r"<table|<svg class=\"graph", text)
    )


def test_graph_is_coloured_by_time() -> None:
    """The step that takes all the time is the hottest; one that was never entered has no colour."""
    text = page(report_of(VERSION), None, {("order", "1.0.0"): plan_of(PLAN)})
    assert re.findall(r'class="node (heat-\w+)"', text) == ["heat-4", "heat-none"]
    assert "not entered" in text


@pytest.mark.parametrize(
    ("made", "html"),
    [
        (element("p", "<b>", Markup("<i></i>"), None, ["&", Markup("<u></u>")]), "<p>&lt;b&gt;<i></i>&amp;<u></u></p>"),
        (element("p", class_='"', data_x=1.5, hidden=True, title=None), '<p class="&quot;" data-x="1.5" hidden></p>'),
        (element("rect", x=2.0), '<rect x="2"/>'),
        (element("p", "a\x00\x1bb\nc"), "<p>a\ufffd\ufffdb\nc</p>"),
    ],
)
def test_element_escapes_all_but_markup(made: Markup, html: str) -> None:
    """Text and attributes; what is None or False is left out; control characters are replaced."""
    assert made == html
