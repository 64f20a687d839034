"""Times in the bus's text form, and back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from everest.runtime.clock import parse_timestamp, timestamp


def test_a_time_is_written_in_utc_with_three_decimals_that_are_cut() -> None:
    moment = datetime(2026, 1, 5, 11, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert timestamp(moment) == "2026-01-05T10:00:00.999Z"


@pytest.mark.parametrize("text", ["2026-01-05T10:00:00Z", "2026-01-05T11:00:00.000+01:00", "2026-01-05T10:00:00"])
def test_a_time_is_read_as_utc(text: str) -> None:
    moment = parse_timestamp(text)
    assert moment == datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert moment.tzinfo is UTC


@pytest.mark.parametrize("text", [None, "", "soon", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_on_the_calendar_is_none(text: str | None) -> None:
    assert parse_timestamp(text) is None
