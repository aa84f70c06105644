"""What a regular expression costs: an upper estimate of the program that RE2 makes of it.

RE2 matches in linear time, but a repetition is written out: `(a|b){1000}` is a thousand times as large as it looks, and
where its automaton becomes too large, every character is held against every instruction. So the cost of a match is
the length of the text times the size of the program. Classes of Unicode are small to match and slow to build.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

LARGEST: Final = 10**9
"""What is larger counts as this large."""

_ANY = (4, 12)
_UNICODE = (4, 3_000)
_TOKEN = re.compile(
    r"""
    \\Q(?P<quoted>.*?)(?:\\E|$)
  | (?P<unicode>\\[pP](?:\{[^}]*\}|.))
  | (?P<negated>\\[DWSC])
  | \\(?:x\{[^}]*\}|.)
  | (?P<set>\[\^?\]?(?:\[:\w*:\]|\\[pP]\{[^}]*\}|\\.|[^\]\\])*\])
  | \{(?P<from>\d+)(?P<comma>,)?(?P<to>\d*)\}
  | (?P<open>\((?:\?[^():]*[:>])?)
  | (?P<close>\))
  | (?P<more>[*+?])
  | (?P<or>\|)
  | (?P<any>\.)
  | .
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(slots=True)
class Cost:
    """What an expression costs.

    Attributes:
        run: Instructions; a match costs so much for each character.
        build: What it costs to make the program.
    """

    run: int = 0
    build: int = 0

    def add(self, run: int, build: int, times: int = 1) -> None:
        """Count a part."""
        self.run = min(self.run + run * times, LARGEST)
        self.build = min(self.build + build * times, LARGEST)


def cost_of(pattern: str) -> Cost:
    """Return what a pattern costs; what is no pattern costs what it looks like."""
    whole, groups = Cost(), list[Cost]()
    last = Cost(1, 1)
    for token in _TOKEN.finditer(pattern):
        here = groups[-1] if groups else whole
        if token["open"]:
            groups.append(Cost(2, 2))
            continue
        if token["close"]:
            last = groups.pop() if groups else Cost(1, 1)
            here = groups[-1] if groups else whole
            here.add(last.run, last.build)
        elif token["from"]:
            times = max(int(token["to"] or 0), int(token["from"]), 1)
            here.add(last.run, last.build, times - 1)
            last = Cost(min(last.run * times, LARGEST), min(last.build * times, LARGEST))
        elif token["more"] or token["or"]:
            here.add(1, 1)
        else:
            last = _atom(token)
            here.add(last.run, last.build)
    for group in groups:
        whole.add(group.run, group.build)
    return whole


def _atom(token: re.Match[str]) -> Cost:
    if token["unicode"]:
        return Cost(*_UNICODE)
    if token["any"] or token["negated"]:
        return Cost(*_ANY)
    if token["set"]:
        names = token["set"].count("\\p") + token["set"].count("\\P")
        return Cost(*_ANY) if not names else Cost(_UNICODE[0], _UNICODE[1] * names)
    text = token["quoted"] if token["quoted"] is not None else token[0]
    return Cost(max(len(text.encode(errors="replace")), 1), max(len(text), 1))
