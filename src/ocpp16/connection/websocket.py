"""One websocket on the `websockets` package: `dial` opens it, `WebsocketConnection` is `ocpp16.ports.Connection`.

Pings and reconnecting are not done here but in `link.py`, and frames are not read as JSON.
May import: websockets, options, errors. Must not import: anything else of the charge point.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import struct
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from ocpp16.connection.options import SUBPROTOCOL, ConnectionOptions
from ocpp16.errors import ConfigurationError, ConnectionFailed, ConnectionLost

OPEN_TIMEOUT = 30.0
"""Seconds for TCP, TLS and the upgrade (libocpp 12.4)."""

SEND_TIMEOUT = 10.0
"""Seconds one write may take (libocpp 4.6)."""

LARGEST_FRAME = 2**20
"""Bytes; a larger message ends the connection with code 1009."""

_PROTOCOL_ERROR = 1002


class _Connect(connect):
    """A refused upgrade is a failed attempt, redirects too: credentials go to the configured CSMS only."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class WebsocketConnection:
    """An open websocket. `send`, `receive` and `ping` raise ConnectionLost once it is gone."""

    def __init__(self, websocket: ClientConnection, *, send_timeout: float = SEND_TIMEOUT) -> None:
        self._websocket = websocket
        self._send_timeout = send_timeout

    @property
    def subprotocol(self) -> str | None:
        return self._websocket.subprotocol

    async def send(self, frame: str) -> None:
        """Write one text frame. A write that takes longer than 10 s ends the connection."""
        try:
            async with asyncio.timeout(self._send_timeout):
                await self._websocket.send(frame)
        except TimeoutError as error:
            self.abort()
            raise ConnectionLost(f"a frame could not be written within {self._send_timeout:g} s") from error
        except (ConnectionClosed, OSError) as error:
            raise ConnectionLost(str(error)) from error

    async def receive(self) -> str | bytes:
        """The next frame, text or binary alike: as text, or as bytes if it is not UTF-8 (libocpp 12.14)."""
        try:
            octets = await self._websocket.recv(decode=False)
        except (ConnectionClosed, OSError) as error:
            raise ConnectionLost(str(error)) from error
        try:
            return octets.decode()
        except UnicodeDecodeError:
            return octets

    async def ping(self, payload: bytes) -> None:
        try:
            await (await self._websocket.ping(payload))
        except (ConnectionClosed, OSError) as error:
            raise ConnectionLost(str(error)) from error

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._websocket.close(code, reason)

    def abort(self) -> None:
        self._websocket.transport.abort()


async def dial(
    options: ConnectionOptions, *, open_timeout: float = OPEN_TIMEOUT, send_timeout: float = SEND_TIMEOUT
) -> WebsocketConnection:
    """Open a websocket. Raises ConnectionFailed, with the HTTP status of a refused upgrade."""
    extra: dict[str, Any] = {} if options.tls is None else {"ssl": options.tls}
    if options.interface:
        extra["local_addr"] = (local_address(options.interface), 0)
    try:
        websocket = await _Connect(
            options.url,
            additional_headers=list(options.headers),
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            ping_interval=None,
            open_timeout=open_timeout,
            max_size=LARGEST_FRAME,
            proxy=None,
            **extra,
        )
    except (OSError, WebSocketException, ValueError) as error:
        raise _failure(error, open_timeout) from error
    connection = WebsocketConnection(websocket, send_timeout=send_timeout)
    if connection.subprotocol != SUBPROTOCOL:
        await _refuse(connection)
        raise ConnectionFailed(f"the CSMS did not select the subprotocol {SUBPROTOCOL}")
    return connection


async def _refuse(connection: WebsocketConnection) -> None:
    """RFC 6455 and OCPP-J want the agreed subprotocol: close, and do not wait for the answer."""
    try:
        async with asyncio.timeout(1):
            await connection.close(_PROTOCOL_ERROR, "subprotocol ocpp1.6 required")
    except TimeoutError:
        pass
    finally:
        connection.abort()


def _failure(error: Exception, open_timeout: float) -> ConnectionFailed:
    match error:
        case InvalidStatus():
            status = error.response.status_code
            return ConnectionFailed(f"the CSMS refused the upgrade with HTTP status {status}", status=status)
        case InvalidMessage():
            return ConnectionFailed(f"the CSMS ended the connection during the upgrade ({error.__cause__ or error})")
        case InvalidHandshake():
            return ConnectionFailed(f"the upgrade failed: {error}")
        case TimeoutError():
            return ConnectionFailed(f"no websocket within {open_timeout:g} s")
        case ssl.SSLError():
            return ConnectionFailed(f"TLS failed: {error}")
        case _:
            return ConnectionFailed(f"no connection: {error}")


def local_address(interface: str) -> str:
    """The address to dial from: IFace is one already, or the name of an interface with an IPv4 address."""
    try:
        return str(ipaddress.ip_address(interface))
    except ValueError:
        return _address_of(interface)


def _address_of(name: str) -> str:
    import fcntl  # not on every system; only needed for an interface given by name

    siocgifaddr = 0x8915
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            answer = fcntl.ioctl(probe.fileno(), siocgifaddr, struct.pack("256s", name.encode()[:15]))
    except OSError as error:
        raise ConfigurationError(f"IFace {name!r} is no address and no interface with an IPv4 address") from error
    return socket.inet_ntoa(answer[20:24])
