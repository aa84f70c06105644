"""The page in a real browser: what people need to read lies within the window, wide or narrow."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from cli.report.comparison import compare
from cli.report.page import page
from tests.cli.report.figures import STEP, VERSION, plan_of, report_of

LONG = "a-step-whose-name-is-as-long-as-names-may-sensibly-be"
PLAN = f"""
id: order
version: 1.0.0
steps:
  - {{id: charge, action: data.transform, with: {{value: 1}}}}
  - id: both
    type: parallel
    branches:
      left: [{{id: {LONG}, action: data.transform, with: {{value: 1}}}}]
      right: [{{id: pack, action: data.transform, with: {{value: 1}}}}]
  - {{id: ship, action: data.transform, with: {{value: 1}}}}
"""
MEASURE = """
<iframe style="border: 0; width: WIDTHpx; height: 4000px" srcdoc="PAGE"></iframe>
<script>
addEventListener("load", () => {
  const inside = document.querySelector("iframe").contentDocument, root = inside.documentElement;
  const overflow = (node) => getComputedStyle(node).overflowX;
  const scrolls = (node) => node && (/auto|scroll/.test(overflow(node)) || scrolls(node.parentElement));
  const texts = [...inside.body.querySelectorAll("*")].filter(
    (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
  const isOutside = (node) => node.getBoundingClientRect().right > root.clientWidth && !scrolls(node);
  const size = (node) => parseFloat(getComputedStyle(node).fontSize) * (node.getScreenCTM?.().a ?? 1);
  const said = {
    tooWide: root.scrollWidth - root.clientWidth,
    outside: texts.filter(isOutside).map((node) => node.textContent),
    small: texts.filter((node) => size(node) < 10.5).map((node) => node.textContent),
    texts: texts.length,
  };
  document.body.innerHTML = "<pre>" + JSON.stringify(said).replaceAll("<", "") + "</pre>";
});
</script>
"""
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def measured(page: str, width: int, folder: Path) -> Mapping[str, object]:
    """Lay a page out in a window of so many pixels, and return what is where."""
    program = shutil.which("chromium")
    assert program is not None, "chromium is missing: deploy/bootstrap test installs it"
    file = folder / "frame.html"
    file.write_text(MEASURE.replace("WIDTH", str(width)).replace("PAGE", html.escape(page)))
    command = [program, *QUIET, f"--user-data-dir={folder / 'profile'}", "--dump-dom", file.as_uri()]
    dumped = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout  # noqa: S603 - ours
    found = re.search(r"<pre>(.*)</pre>", dumped, re.DOTALL)
    assert found is not None, dumped[-2_000:]
    said: dict[str, object] = json.loads(html.unescape(found[1]))
    return said


@pytest.mark.integration
@pytest.mark.parametrize("width", [1280, 390])
def test_page_is_readable_at_this_width(tmp_path: Path, width: int) -> None:
    """Nothing makes the page itself scroll sideways, no words are cut off, none are too small to read."""
    steps = tuple(replace(STEP, step=name) for name in ("charge", "both", LONG, "pack", "ship"))
    versions = replace(VERSION, steps=steps), replace(VERSION, version="2.0.0-rc.1", steps=steps)
    text = page(report_of(*versions), compare(*versions), {("order", "1.0.0"): plan_of(PLAN)})
    said = measured(text, width, tmp_path)
    assert said["tooWide"] == 0
    assert said["outside"] == []
    assert said["small"] == []
    assert isinstance(said["texts"], int)
    assert said["texts"] > 100


@pytest.mark.integration
def test_page_that_is_too_wide_is_noticed(tmp_path: Path) -> None:
    """The measure itself sees a word that is too wide, and one that is too small."""
    said = measured("<p style='width: 2000px; text-align: right; font-size: 5px'>far away", 390, tmp_path)
    assert said == {"tooWide": 2008 - 390, "outside": ["far away"], "small": ["far away"], "texts": 1}
