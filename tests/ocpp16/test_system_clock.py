"""The real clock and the real chance keep what their ports promise."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from ocpp16.system_clock import SystemClock, SystemRandomness


def test_now_is_aware_and_in_utc() -> None:
    now = SystemClock().now()
    assert now.utcoffset() == timedelta(0)
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)


def test_message_ids_are_uuids_of_36_characters_and_differ() -> None:
    ids = {SystemRandomness().message_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(text) == 36 and uuid.UUID(text).version == 4 for text in ids)


def test_internal_transaction_ids_are_negative_32_bit_integers() -> None:
    ids = [SystemRandomness().internal_transaction_id() for _ in range(1000)]
    assert all(-(2**31) <= number <= -1 for number in ids)
    assert len(set(ids)) > 900


def test_whole_seconds_reach_both_ends_of_their_range() -> None:
    chance = SystemRandomness()
    assert {chance.whole_seconds(3) for _ in range(1000)} == {0, 1, 2, 3}
    assert {chance.whole_seconds(upper) for upper in (0, -5)} == {0}
