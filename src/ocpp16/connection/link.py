"""The reconnect machine: dials, watches, pings, waits, dials again, until it is told to stop (libocpp 4.6, 4.7, 12.4).

                    connect()                          websocket open
    stopped  --------------------->  dialling  --------------------------->  connected
       ^                              ^    |                                     |
       | disconnect(), from           |    | attempt failed                      | lost, no pong,
       | everywhere                   |    v                                     v reconnect()
       +----------------------------  waiting  <---------------------------------+

What a dial is comes from outside, so that tests need no socket; all waits are the event loop's.
May import: backoff, errors, ports, tasks. Must not import: websocket, any capability.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import ParamSpec, Protocol

from ocpp16.connection import backoff
from ocpp16.connection.backoff import NO_WAITS, Backoff, BackoffSettings
from ocpp16.errors import ConfigurationError, ConnectionFailed, ConnectionLost
from ocpp16.ports import Connection, Randomness
from ocpp16.tasks import TaskOwner

logger = logging.getLogger(__name__)

P = ParamSpec("P")

RECONNECT_WAIT = 2.0
"""Seconds, at least, between an own close and the next dial (libocpp 4.6)."""

NETWORK_RETRY_WAIT = 2.0
"""Seconds until the network profile is asked for again (libocpp 4.6)."""

CLOSE_TIMEOUT = 5.0
"""Seconds the closing handshake may go on in the background; nobody waits for it."""

FRAMES_IN_A_ROW = 50
"""Frames that are taken before others have their turn, when so many have come at once that none is waited for."""

_PING_CHECK = 1.0

Dial = Callable[[], Awaitable[Connection]]
"""One attempt, with the options of this moment. Raises ConnectionFailed or ConfigurationError."""

BeforeDial = Callable[[], Awaitable[bool]]
"""The network profile hook: False means that the network is not there yet (libocpp 2.6)."""


class LinkSettings(BackoffSettings, Protocol):
    """Read at each use."""

    @property
    def websocket_ping_interval(self) -> int: ...
    @property
    def websocket_ping_payload(self) -> str: ...
    @property
    def websocket_pong_timeout(self) -> int: ...


class LinkHandler(Protocol):
    """Told what happens. Plain functions: they return at once and start tasks for what takes time."""

    def on_connected(self, connection: Connection) -> None: ...

    def on_frame(self, frame: str | bytes) -> None: ...

    async def ready_for_frame(self) -> None:
        """Returns when the next frame may be read: until then the peer's frames wait in the network."""
        ...

    def on_disconnected(self) -> None:
        """Once per `on_connected`, as soon as the loss is known or `disconnect` is called (libocpp 12.5)."""
        ...

    def on_attempt_failed(self, reason: ConnectionFailed | ConfigurationError) -> None: ...


class Link:
    """Keeps a connection open. Its methods return at once."""

    def __init__(
        self,
        dial: Dial,
        settings: LinkSettings,
        randomness: Randomness,
        handler: LinkHandler,
        *,
        before_dial: BeforeDial | None = None,
    ) -> None:
        self._dial = dial
        self._settings = settings
        self._randomness = randomness
        self._handler = handler
        self._before_dial = before_dial
        self._tasks = TaskOwner("ocpp16.link")
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._connection: Connection | None = None
        self._dialling = False

    @property
    def connected(self) -> bool:
        return self._connection is not None

    @property
    def active(self) -> bool:
        """Connected, or trying to be."""
        return self._task is not None

    def connect(self) -> None:
        """Dial at once, unless connected or dialling already. Ends a wait; the back-off starts anew (libocpp 12.4)."""
        if self._connection is None and not self._dialling:
            self._restart(NO_WAITS, 0.0)

    def redial(self) -> None:
        """Drop whatever is under way, an unfinished attempt too, and dial at once (libocpp 12.22)."""
        self._restart(NO_WAITS, 0.0)

    def reconnect(self, min_wait: float = RECONNECT_WAIT) -> None:
        """Close, and dial with the options of then, after the larger of `min_wait` and the first back-off wait.

        Does nothing while stopped.
        """
        if self.active:
            waits = backoff.next_wait(NO_WAITS, self._settings, self._chance())
            self._restart(waits, max(min_wait, waits.last_wait))

    def disconnect(self) -> None:
        """Offline from now on, until `connect`. The closing handshake is not waited for."""
        task, self._task = self._task, None
        self._dialling = False
        if task is not None:
            task.cancel()
        connection = self._connection
        if connection is not None:
            self._lost(connection)
            self._closing = self._tasks.spawn(_close(connection), name="close")

    async def close(self, *, patience: float = 0.0) -> None:
        """Disconnect, and end all tasks; for at most `patience` seconds the closing handshake is waited for.

        A socket that is dropped with unread bytes in it takes what was written last with it: an orderly stop waits, so
        that the answer before it (Reset.conf) arrives. The end of a process does not wait (libocpp 12.1, 12.5).
        """
        self.disconnect()
        await asyncio.sleep(0)  # lets the close frame out
        if patience and self._closing is not None:
            await asyncio.wait([self._closing], timeout=patience)
        await self._tasks.close()

    # --- inside ------------------------------------------------------------------------------------------------------

    def _restart(self, waits: Backoff, first_wait: float) -> None:
        self.disconnect()
        self._task = self._tasks.spawn(self._run(waits, first_wait), name="run")

    async def _run(self, waits: Backoff, first_wait: float) -> None:
        await asyncio.sleep(first_wait)
        while True:
            connection = await self._attempt()
            if connection is not None:
                await self._serve(connection)
                waits = NO_WAITS
            waits = backoff.next_wait(waits, self._settings, self._chance())
            logger.info("Next connection attempt in %g s", waits.last_wait)
            await asyncio.sleep(waits.last_wait)

    def _chance(self) -> int:
        return self._randomness.whole_seconds(self._settings.retry_backoff_random_range)

    async def _attempt(self) -> Connection | None:
        self._dialling = True
        try:
            await self._network_ready()
            return await self._dial()
        except (ConnectionFailed, ConfigurationError) as error:
            failure: ConnectionFailed | ConfigurationError = error
        except Exception as error:
            logger.exception("The connection attempt failed in an unforeseen way")
            failure = ConnectionFailed(repr(error))
        finally:
            if self._task is asyncio.current_task():
                self._dialling = False
        logger.warning("The connection attempt failed: %s", failure)
        _tell(self._handler.on_attempt_failed, failure)
        return None

    async def _network_ready(self) -> None:
        while self._before_dial is not None and not await self._before_dial():
            logger.warning("The network is not ready, asking again in %g s", NETWORK_RETRY_WAIT)
            await asyncio.sleep(NETWORK_RETRY_WAIT)

    async def _serve(self, connection: Connection) -> None:
        """From the open websocket to its loss."""
        self._connection = connection
        pings = self._tasks.spawn(self._ping(connection), name="ping")
        try:
            _tell(self._handler.on_connected, connection)
            for number in itertools.count(1):
                _tell(self._handler.on_frame, await connection.receive())
                await self._handler.ready_for_frame()
                if number % FRAMES_IN_A_ROW == 0:
                    await asyncio.sleep(0)
        except ConnectionLost as error:
            logger.warning("The connection is lost: %s", error)
        except Exception:
            logger.exception("The connection is given up, it failed in an unforeseen way")
            connection.abort()
        finally:
            pings.cancel()
            self._lost(connection)

    def _lost(self, connection: Connection) -> None:
        if self._connection is connection:
            self._connection = None
            _tell(self._handler.on_disconnected)

    async def _ping(self, connection: Connection) -> None:
        """Send a ping every WebSocketPingInterval seconds; no pong in time ends the connection (libocpp 4.7)."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            due = last + self._settings.websocket_ping_interval - loop.time()
            await asyncio.sleep(due if 0 < due < _PING_CHECK else _PING_CHECK)
            interval = self._settings.websocket_ping_interval
            if interval <= 0 or loop.time() - last < interval:
                continue
            last = loop.time()
            try:
                async with asyncio.timeout(max(1, self._settings.websocket_pong_timeout)):
                    await connection.ping(self._settings.websocket_ping_payload.encode()[:125])
            except TimeoutError:
                logger.warning("No pong within %d s", self._settings.websocket_pong_timeout)
                self._lost(connection)
                connection.abort()
                return
            except ConnectionLost:
                return


def _tell(told: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """A handler that fails must not end the link: the station would never come back."""
    try:
        told(*args, **kwargs)
    except Exception:
        logger.exception("%s failed", told.__qualname__)


async def _close(connection: Connection) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await connection.close()
    except (TimeoutError, ConnectionLost):
        pass
    finally:
        connection.abort()
