"""The reconnect machine in virtual time, with a dialer that the test plays (libocpp 4.6, 4.7, 12.4, 12.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ocpp16.connection.link import Link
from ocpp16.errors import ConfigurationError, ConnectionFailed, ConnectionLost
from ocpp16.ports import Connection
from tests.support.ocpp16.doubles import MemoryConnection

pytestmark = pytest.mark.looptime(start=0)


@dataclass
class Settings:
    retry_backoff_wait_minimum: int = 3
    retry_backoff_random_range: int = 10
    retry_backoff_repeat_times: int = 3
    websocket_ping_interval: int = 0
    websocket_ping_payload: str = "hello there"
    websocket_pong_timeout: int = 5


class Chance:
    """Always the same number of seconds, whatever the range."""

    def __init__(self, seconds: int = 0) -> None:
        self.seconds = seconds
        self.asked: list[int] = []

    def whole_seconds(self, upper: int) -> int:
        self.asked.append(upper)
        return self.seconds

    def message_id(self) -> str:
        raise AssertionError

    def internal_transaction_id(self) -> int:
        raise AssertionError


class Bench:
    """A link, the attempts it made, and what it told its handler."""

    def __init__(self, settings: Settings | None = None, chance: int = 0) -> None:
        self.settings = settings or Settings()
        self.chance = Chance(chance)
        self.attempts: list[float] = []
        self.log: list[tuple[float, str]] = []
        self.frames: list[str | bytes] = []
        self.central: list[MemoryConnection] = []
        self.failure: Exception | None = ConnectionFailed("refused")
        self.dial_takes = 0.0
        self.network_ready: Callable[[], bool] = lambda: True
        self.asked_network: list[float] = []
        self.link = Link(self.dial, self.settings, self.chance, self, before_dial=self.before_dial)

    @property
    def now(self) -> float:
        return round(asyncio.get_running_loop().time(), 3)

    async def before_dial(self) -> bool:
        self.asked_network.append(self.now)
        return self.network_ready()

    async def dial(self) -> Connection:
        self.attempts.append(self.now)
        await asyncio.sleep(self.dial_takes)
        if self.failure is not None:
            raise self.failure
        station, central = MemoryConnection.pair()
        self.central.append(central)
        return station

    def on_connected(self, connection: Connection) -> None:
        self.log.append((self.now, "connected"))

    async def ready_for_frame(self) -> None:
        pass

    def on_frame(self, frame: str | bytes) -> None:
        self.frames.append(frame)

    def on_disconnected(self) -> None:
        self.log.append((self.now, "disconnected"))

    def on_attempt_failed(self, reason: ConnectionFailed | ConfigurationError) -> None:
        self.log.append((self.now, str(reason)))


async def test_the_first_dial_is_at_once_and_the_waits_follow_the_formula() -> None:
    bench = Bench()
    bench.link.connect()
    await asyncio.sleep(100)
    assert bench.attempts == [0, 3, 9, 21, 45, 69, 93]
    assert bench.log[0] == (0, "refused")
    await bench.link.close()


async def test_chance_makes_the_waits_longer() -> None:
    bench = Bench(chance=10)
    bench.link.connect()
    await asyncio.sleep(500)
    assert bench.attempts == [0, 13, 49, 131, 305, 479]
    assert set(bench.chance.asked) == {10}
    await bench.link.close()


async def test_after_a_loss_the_first_redial_waits_too_and_the_count_starts_anew() -> None:
    bench = Bench()
    bench.link.connect()
    await asyncio.sleep(22)
    bench.failure = None
    await asyncio.sleep(30)
    assert bench.log[-1] == (45, "connected")
    bench.failure = ConnectionFailed("refused")
    bench.central[-1].abort()
    await asyncio.sleep(20)
    assert bench.attempts == [0, 3, 9, 21, 45, 55, 61]
    assert (52, "disconnected") in bench.log
    await bench.link.close()


async def test_a_lost_connection_is_known_at_once() -> None:
    bench = Bench()
    bench.failure = None
    bench.link.connect()
    await asyncio.sleep(1)
    assert bench.link.connected
    bench.central[0].abort()
    await asyncio.sleep(0.01)
    assert bench.log == [(0, "connected"), (1, "disconnected")]
    assert not bench.link.connected
    await bench.link.close()


async def test_frames_reach_the_handler_in_order() -> None:
    bench = Bench()
    bench.failure = None
    bench.link.connect()
    await asyncio.sleep(1)
    for frame in ("a", b"\xff", "c"):
        await bench.central[0].send(frame)
    await asyncio.sleep(1)
    assert bench.frames == ["a", b"\xff", "c"]
    await bench.link.close()


async def test_disconnect_is_offline_at_once_sends_a_close_and_ends_redialling() -> None:
    bench = Bench()
    bench.failure = None
    bench.link.connect()
    await asyncio.sleep(1)
    bench.link.disconnect()
    assert bench.log == [(0, "connected"), (1, "disconnected")]
    await asyncio.sleep(1000)
    assert bench.attempts == [0]
    assert bench.central[0].close_code == 1000
    bench.link.connect()
    await asyncio.sleep(1)
    assert bench.attempts == [0, 1001]
    await bench.link.close()


async def test_closing_does_not_wait_for_a_peer_that_never_answers_the_close() -> None:
    bench = Bench()
    bench.failure = None
    bench.link.connect()
    await asyncio.sleep(1)
    station = bench.central[0].other

    async def never(code: int = 1000, reason: str = "") -> None:
        await asyncio.sleep(3600)

    station.close = never  # type: ignore[method-assign]
    await bench.link.close()
    assert bench.now == 1
    assert not station.is_open
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("ocpp16")] == []


async def test_disconnect_while_waiting_or_dialling_ends_it_without_a_word() -> None:
    bench = Bench()
    bench.link.connect()
    await asyncio.sleep(1)
    bench.link.disconnect()
    bench.dial_takes = 5
    bench.link.connect()
    await asyncio.sleep(1)
    bench.link.disconnect()
    await asyncio.sleep(100)
    assert bench.attempts == [0, 1]
    assert [what for _, what in bench.log] == ["refused"]
    assert not bench.link.active
    await bench.link.close()


async def test_connect_ends_a_wait_and_starts_the_count_anew() -> None:
    bench = Bench()
    bench.link.connect()
    await asyncio.sleep(22)
    bench.link.connect()
    await asyncio.sleep(10)
    assert bench.attempts == [0, 3, 9, 21, 22, 25, 31]
    await bench.link.close()


async def test_connect_leaves_an_attempt_under_way_and_an_open_connection_alone() -> None:
    bench = Bench()
    bench.failure = None
    bench.dial_takes = 29
    bench.link.connect()
    await asyncio.sleep(10)
    bench.link.connect()
    await asyncio.sleep(30)
    bench.link.connect()
    await asyncio.sleep(1)
    assert bench.attempts == [0]
    assert bench.log == [(29, "connected")]
    await bench.link.close()


async def test_a_connect_after_disconnecting_during_an_attempt_dials_again() -> None:
    bench = Bench()
    bench.dial_takes = 5
    bench.link.connect()
    await asyncio.sleep(1)
    bench.link.disconnect()
    bench.link.connect()
    await asyncio.sleep(1)
    assert bench.attempts == [0, 1]
    await bench.link.close()


@pytest.mark.parametrize(("chance", "wait"), [(0, 3), (4, 7)])
async def test_an_own_close_waits_for_the_larger_of_2_s_and_the_first_wait(chance: int, wait: int) -> None:
    bench = Bench(chance=chance)
    bench.failure = None
    bench.link.connect()
    await asyncio.sleep(1)
    bench.link.reconnect()
    assert bench.log[-1] == (1, "disconnected")
    await asyncio.sleep(20)
    assert bench.attempts == [0, 1 + wait]
    await bench.link.close()


async def test_an_own_close_waits_2_s_at_least() -> None:
    bench = Bench(Settings(retry_backoff_wait_minimum=0))
    bench.failure = None
    bench.link.connect()
    await asyncio.sleep(1)
    bench.link.reconnect()
    await asyncio.sleep(20)
    assert bench.attempts == [0, 3]
    await bench.link.close()


async def test_reconnect_while_stopped_does_nothing() -> None:
    bench = Bench()
    bench.link.reconnect()
    await asyncio.sleep(100)
    assert bench.attempts == []
    await bench.link.close()


async def test_redial_drops_even_an_attempt_under_way_and_dials_at_once() -> None:
    bench = Bench()
    bench.dial_takes = 25
    bench.failure = None
    bench.link.connect()
    await asyncio.sleep(20)
    bench.link.redial()
    await asyncio.sleep(30)
    assert bench.attempts == [0, 20]
    assert bench.log == [(45, "connected")]
    await bench.link.close()


async def test_the_network_is_asked_before_each_dial_and_again_after_2_s() -> None:
    bench = Bench()
    bench.network_ready = lambda: len(bench.asked_network) > 3
    bench.link.connect()
    await asyncio.sleep(10)
    assert bench.asked_network == [0, 2, 4, 6, 9]
    assert bench.attempts == [6, 9]
    await bench.link.close()


async def test_a_configuration_error_is_an_attempt_that_failed() -> None:
    bench = Bench()
    bench.failure = ConfigurationError("AuthorizationKey is missing")
    bench.link.connect()
    await asyncio.sleep(4)
    assert bench.log == [(0, "AuthorizationKey is missing"), (3, "AuthorizationKey is missing")]
    await bench.link.close()


async def test_an_unforeseen_failure_of_the_dialer_does_not_end_the_link() -> None:
    bench = Bench()
    bench.failure = RuntimeError("oops")
    bench.link.connect()
    await asyncio.sleep(4)
    assert bench.attempts == [0, 3]
    await bench.link.close()


async def test_a_handler_that_fails_does_not_end_the_link() -> None:
    bench = Bench()
    bench.failure = None

    def fail(frame: str | bytes) -> None:
        raise RuntimeError("oops")

    bench.on_frame = fail  # type: ignore[method-assign]
    bench.link.connect()
    await asyncio.sleep(1)
    await bench.central[0].send("a")
    await asyncio.sleep(1)
    assert bench.link.connected
    await bench.link.close()


# --- pings -----------------------------------------------------------------------------------------------------------


async def pinged(settings: Settings) -> Bench:
    bench = Bench(settings)
    bench.failure = None
    bench.link.connect()
    while not bench.link.connected:
        await asyncio.sleep(0)
    return bench


async def test_pings_go_out_at_the_interval_with_the_payload() -> None:
    bench = await pinged(Settings(websocket_ping_interval=10))
    await asyncio.sleep(35)
    assert bench.central[0].other.pings == [b"hello there"] * 3
    await bench.link.close()


async def test_interval_0_means_no_pings_and_a_change_takes_effect() -> None:
    bench = await pinged(Settings(websocket_ping_interval=0))
    await asyncio.sleep(100)
    station = bench.central[0].other
    assert station.pings == []
    bench.settings.websocket_ping_interval = 10
    await asyncio.sleep(2)
    assert len(station.pings) == 1
    await bench.link.close()


async def test_no_pong_in_time_ends_the_connection_and_redials() -> None:
    bench = await pinged(Settings(websocket_ping_interval=10))
    bench.central[0].other.answers_pings = False
    await asyncio.sleep(20)
    assert bench.log == [(0, "connected"), (15, "disconnected"), (18, "connected")]
    assert not bench.central[0].is_open
    await bench.link.close()


async def test_a_connection_that_goes_during_a_ping_is_one_loss() -> None:
    bench = await pinged(Settings(websocket_ping_interval=10))
    bench.central[0].other.answers_pings = False
    await asyncio.sleep(12)
    bench.central[0].abort()
    await asyncio.sleep(100)
    assert bench.log[:3] == [(0, "connected"), (12, "disconnected"), (15, "connected")]
    await bench.link.close()


async def test_sending_on_a_lost_connection_raises(recwarn: pytest.WarningsRecorder) -> None:
    station, central = MemoryConnection.pair()
    central.abort()
    with pytest.raises(ConnectionLost):
        await station.send("x")
