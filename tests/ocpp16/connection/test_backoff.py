"""The waits before redialling, against the formula of libocpp 4.6."""

from __future__ import annotations

from dataclasses import dataclass

from ocpp16.connection.backoff import NO_WAITS, next_wait


@dataclass
class Settings:
    retry_backoff_wait_minimum: int = 3
    retry_backoff_random_range: int = 10
    retry_backoff_repeat_times: int = 3


def waits(settings: Settings, chances: list[int]) -> list[float]:
    taken, state = [], NO_WAITS
    for chance in chances:
        state = next_wait(state, settings, chance)
        taken.append(state.last_wait)
    return taken


def test_the_wait_doubles_as_often_as_configured_and_then_stays_flat() -> None:
    assert waits(Settings(), [0] * 7) == [3, 6, 12, 24, 24, 24, 24]


def test_chance_is_added_to_the_first_wait_and_to_each_doubling_only() -> None:
    assert waits(Settings(), [1, 2, 3, 4, 9, 9]) == [4, 10, 23, 50, 50, 50]


def test_without_repetitions_every_wait_equals_the_first() -> None:
    assert waits(Settings(retry_backoff_repeat_times=0), [5, 9, 9]) == [8, 8, 8]


def test_a_changed_minimum_counts_from_the_next_loss_on() -> None:
    settings = Settings()
    state = next_wait(NO_WAITS, settings, 0)
    settings.retry_backoff_wait_minimum = 100
    assert next_wait(state, settings, 0).last_wait == 6
    assert next_wait(NO_WAITS, settings, 0).last_wait == 100
