"""The mark of a replay as it travels, and what of it is ours."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest

from bridge.replay_mark import ReplayMark, mark_of, marked
from contracts.json import Json
from tests.bridge.library import event

ID, OTHER = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    "mark", [ReplayMark(ID), ReplayMark(ID, True), ReplayMark(ID, True, date(2030, 1, 31), 7, OTHER)]
)
def test_mark_travels_in_the_metadata(mark: ReplayMark) -> None:
    """Beside what the producer sent, instead of what was there."""
    told = marked(event(metadata={"tenant": "t", "replay": "old"}), mark)
    assert mark_of(told) == mark
    assert told.metadata["tenant"] == "t"
    assert marked(told, None).metadata == {"tenant": "t"}


@pytest.mark.parametrize(
    ("member", "mark"),
    [
        (None, None),
        ("r", None),
        ([], None),
        ({"id": "r-1"}, None),
        ({"id": 7}, None),
        ({"again": True}, None),
        ({"id": str(ID), "again": "yes", "since": "soon", "letter": True, "retry": 1}, ReplayMark(ID)),
        ({"id": str(ID), "since": 3, "letter": 2**70}, ReplayMark(ID)),
        ({"id": str(ID), "letter": -1, "retry": "x"}, ReplayMark(ID)),
    ],
)
def test_what_is_none_of_ours_is_passed_over(member: Json, mark: ReplayMark | None) -> None:
    """Anybody may write there what they like."""
    assert mark_of(event(metadata={"replay": member})) == mark
