"""Topic patterns, as AMQP's topic exchange defines them.

Words are separated by dots; `*` stands for exactly one word, `#` for none or more. The bridge routes by them and
`receive` waits by them, so they must agree with the broker.
"""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=4096)
def topic_matches(pattern: str, topic: str) -> bool:
    """Tell whether `topic`, such as `order.paid`, matches `pattern`, such as `order.*` or `#.paid`."""
    words = topic.split(".")
    reachable = {0}
    for part in pattern.split("."):
        reachable = _advance(part, words, reachable)
    return len(words) in reachable


def _advance(part: str, words: list[str], reachable: set[int]) -> set[int]:
    if part == "#":
        return set(range(min(reachable), len(words) + 1)) if reachable else set()
    return {position + 1 for position in reachable if position < len(words) and part in ("*", words[position])}
