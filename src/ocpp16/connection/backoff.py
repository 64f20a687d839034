"""How long to wait before the next dial (libocpp 4.6), as a function of values. Must not import: asyncio, ports."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class BackoffSettings(Protocol):
    """Read at each use, so that ChangeConfiguration takes effect at the next wait."""

    @property
    def retry_backoff_wait_minimum(self) -> int: ...
    @property
    def retry_backoff_random_range(self) -> int: ...
    @property
    def retry_backoff_repeat_times(self) -> int: ...


class Backoff(NamedTuple):
    """The waits taken since the last open connection, or since the last loss of one."""

    waits: int = 0
    last_wait: float = 0.0


NO_WAITS = Backoff()


def next_wait(before: Backoff, settings: BackoffSettings, random_seconds: int) -> Backoff:
    """The wait before the next attempt is `last_wait` of the result, in seconds.

    The first is the minimum plus chance, the next `retry_backoff_repeat_times` each twice the last plus chance, all
    later ones equal the last. `random_seconds` is uniform in 0..retry_backoff_random_range, drawn each time.
    """
    number = before.waits + 1
    if number == 1:
        wait = float(settings.retry_backoff_wait_minimum + random_seconds)
    elif number <= settings.retry_backoff_repeat_times + 1:
        wait = 2 * before.last_wait + random_seconds
    else:
        wait = before.last_wait
    return Backoff(number, wait)
