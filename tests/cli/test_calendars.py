"""When a schedule starts, in words: of what a real Temporal server makes of a cron expression."""

from __future__ import annotations

import uuid

import pytest
from temporalio.client import Client

from cli.calendars import in_words, zone_of
from tests.workers.test_schedules import described, library_of
from workers.schedules import reconcile
from workflows.language.triggers import ScheduleTrigger


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 3 * * 1-5", "Monday to Friday at 03:00"),
        ("0 3 * * *", "every day at 03:00"),
        ("0 9,17 * * sat,sun", "Saturday and Sunday at 09:00 and 17:00"),
        ("0 3 * * 0", "Sunday at 03:00"),
        ("0 3 * * mon,wed,fri-7", "Monday, Wednesday and Friday to Sunday at 03:00"),
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("5-59/15 * * * *", "every 15 minutes from :05 on"),
        ("*/15 9-17 * * 1-5", "every 15 minutes from 09:00 to 17:45, Monday to Friday"),
        ("5-59/15 9-17 * * *", "every 15 minutes from 09:05 to 17:50"),
        ("* 9 * * *", "every minute from 09:00 to 09:59"),
        ("*/20 8,18 * * *", "every 20 minutes of the hours 8 and 18"),
        ("0,7 * * * *", "every hour at :00 and :07"),
        ("15 * * * *", "every hour at :15"),
        ("15 9-17 * * *", "every hour from 09:15 to 17:15"),
        ("0 */3 * * *", "every 3 hours from 00:00"),
        ("0 1,2,3,5,8 * * *", "every day at 01:00, 02:00, 03:00, 05:00 and 08:00"),
        ("30,45 6 * * *", "every day at 06:30 and 06:45"),
        ("0 3 1,15 * *", "on days 1 and 15 of the month at 03:00"),
        ("0 3 1 1,7 *", "on day 1 of January and July at 03:00"),
        ("0 3 * jan-mar mon", "Monday in January to March at 03:00"),
        ("0 3 13 * fri", "on day 13 of the month if it is Friday at 03:00"),
        ("@daily", "every day at 00:00"),
        ("@every 90m", "every 90 minutes"),
        ("@every 1h", "every hour"),
        ("@every 2h/30m", "every 2 hours, 30 minutes after the full interval"),
    ],
)
async def test_schedule_in_words_is_what_the_server_read(client: Client, cron: str, words: str) -> None:
    """Names where there are some, numbers where not."""
    name = f"words-{uuid.uuid4().hex[:8]}"
    await reconcile(client, library_of(name, ScheduleTrigger(cron)), name)
    assert in_words((await described(client, f"saga/{name}/1")).schedule.spec) == words


async def test_schedule_in_words_names_jitter_and_zone(client: Client) -> None:
    """The zone stands by itself."""
    name = f"words-{uuid.uuid4().hex[:8]}"
    await reconcile(client, library_of(name, ScheduleTrigger("0 3 * * *", "Asia/Tokyo", jitter=300)), name)
    spec = (await described(client, f"saga/{name}/1")).schedule.spec
    assert in_words(spec) == "every day at 03:00, up to 5 minutes later"
    assert zone_of(spec) == "Asia/Tokyo"
