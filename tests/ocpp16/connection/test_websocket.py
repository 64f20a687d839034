"""The real websocket against real servers on this machine: good ones and bad ones."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from http import HTTPStatus

import pytest
import trustme
from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from ocpp16.connection.options import ConnectionOptions, ConnectionSettings, build_options
from ocpp16.connection.websocket import LARGEST_FRAME, dial, local_address
from ocpp16.errors import ConfigurationError, ConnectionFailed, ConnectionLost

Behaviour = Callable[[ServerConnection], Awaitable[None]]


@contextlib.asynccontextmanager
async def server(behaviour: Behaviour, **options: object) -> AsyncIterator[ConnectionOptions]:
    options.setdefault("subprotocols", ["ocpp1.6"])
    async with serve(behaviour, "127.0.0.1", 0, **options) as running:  # type: ignore[arg-type]
        port = running.sockets[0].getsockname()[1]
        yield ConnectionOptions(f"ws://127.0.0.1:{port}/cp001")


async def echo(connection: ServerConnection) -> None:
    async for frame in connection:
        await connection.send(frame)


async def test_frames_go_both_ways() -> None:
    async with server(echo) as options:
        connection = await dial(options)
        assert connection.subprotocol == "ocpp1.6"
        await connection.send('[2,"1","Heartbeat",{}]')
        assert await connection.receive() == '[2,"1","Heartbeat",{}]'
        await connection.close()


async def test_binary_frames_are_read_as_text_and_bad_utf_8_keeps_the_connection_open() -> None:
    async def behave(connection: ServerConnection) -> None:
        await connection.send(b'[3,"1",{}]')
        await connection.send(b"\xff\xfe", text=True)
        await connection.send("ok")
        await connection.wait_closed()

    async with server(behave) as options:
        connection = await dial(options)
        assert [await connection.receive() for _ in range(3)] == ['[3,"1",{}]', b"\xff\xfe", "ok"]
        await connection.close()


async def test_the_upgrade_carries_credentials_and_headers_and_no_compression() -> None:
    seen: dict[str, str] = {}

    async def behave(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.update(connection.request.headers.raw_items())
        seen["path"] = connection.request.path

    key = bytes(range(236, 256))
    async with server(behave) as options:
        settings = ConnectionSettings("DE*ABC%1", options.url, 1, authorization_key=key, host_name="station")
        connection = await dial(build_options(settings))
        with pytest.raises(ConnectionLost):
            await connection.receive()
    assert seen["path"] == "/cp001/DE*ABC%1"
    assert base64.b64decode(seen["Authorization"].removeprefix("Basic ")) == b"DE*ABC%1:" + key
    assert seen["User-Host"] == "station"
    assert seen["Sec-WebSocket-Protocol"] == "ocpp1.6"
    assert "Sec-WebSocket-Extensions" not in seen


@pytest.mark.parametrize("status", [401, 403, 404, 503])
async def test_a_refused_upgrade_tells_its_status(status: int) -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(HTTPStatus(status), "no\n")

    async with server(echo, process_request=refuse) as options:
        with pytest.raises(ConnectionFailed, match=str(status)) as failed:
            await dial(options)
    assert failed.value.status == status


async def test_a_redirect_is_not_followed() -> None:
    def redirect(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(HTTPStatus.FOUND, "")
        response.headers["Location"] = f"ws://127.0.0.1:1{request.path}"
        return response

    async with server(echo, process_request=redirect) as options:
        with pytest.raises(ConnectionFailed) as failed:
            await dial(options)
    assert failed.value.status == 302


@pytest.mark.parametrize("subprotocols", [None, ["ocpp2.0.1"]])
async def test_without_the_agreed_subprotocol_the_connection_is_closed(subprotocols: list[str] | None) -> None:
    codes: asyncio.Queue[int | None] = asyncio.Queue()

    async def behave(connection: ServerConnection) -> None:
        await connection.wait_closed()
        codes.put_nowait(connection.close_code)

    def choose_none(connection: ServerConnection, offered: object) -> None:
        return None

    async with server(behave, subprotocols=subprotocols, select_subprotocol=choose_none) as options:
        with pytest.raises(ConnectionFailed, match=r"ocpp1\.6"):
            await dial(options)
        async with asyncio.timeout(5):
            assert await codes.get() == 1002


async def test_nobody_listening_is_a_failed_attempt() -> None:
    async with server(echo) as options:
        pass
    with pytest.raises(ConnectionFailed, match="no connection"):
        await dial(options)


async def raw_server(answer: bytes | None) -> asyncio.Server:
    """A server that knows no HTTP: it says `answer` and hangs up, or says nothing at all."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
            await writer.drain()
        writer.close()

    return await asyncio.start_server(behave, "127.0.0.1", 0)


@pytest.mark.parametrize("answer", [b"garbage\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"])
async def test_a_server_that_speaks_something_else_is_a_failed_attempt(answer: bytes) -> None:
    async with await raw_server(answer) as running:
        port = running.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionFailed):
            await dial(ConnectionOptions(f"ws://127.0.0.1:{port}/cp001"))


async def test_a_server_that_never_answers_the_upgrade_is_given_up() -> None:
    async with await raw_server(None) as running:
        port = running.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionFailed, match="no websocket within"):
            await dial(ConnectionOptions(f"ws://127.0.0.1:{port}/cp001"), open_timeout=0.05)


async def test_a_server_that_goes_away_ends_receiving_and_sending() -> None:
    async def behave(connection: ServerConnection) -> None:
        connection.transport.abort()

    async with server(behave) as options:
        connection = await dial(options)
        with pytest.raises(ConnectionLost):
            await connection.receive()
        with pytest.raises(ConnectionLost):
            await connection.send("x")
        with pytest.raises(ConnectionLost):
            await connection.ping(b"x")


async def test_a_frame_that_is_too_large_ends_the_connection_with_1009() -> None:
    codes: asyncio.Queue[int | None] = asyncio.Queue()

    async def behave(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await connection.send("x" * (LARGEST_FRAME + 1))
            await connection.wait_closed()
        codes.put_nowait(connection.close_code)

    async with server(behave) as options:
        connection = await dial(options)
        with pytest.raises(ConnectionLost, match="1009"):
            await connection.receive()
        async with asyncio.timeout(5):
            assert await codes.get() == 1009


async def test_the_largest_frame_still_fits() -> None:
    async with server(echo, max_size=None) as options:
        connection = await dial(options)
        await connection.send("x" * LARGEST_FRAME)
        assert len(await connection.receive()) == LARGEST_FRAME
        connection.abort()


async def test_a_ping_returns_with_its_pong() -> None:
    async with server(echo) as options:
        connection = await dial(options)
        async with asyncio.timeout(5):
            await connection.ping(b"hello there")
        await connection.close()


async def test_a_silent_server_gives_no_pong() -> None:
    async with await raw_server(None) as running, server(echo) as options:
        assert running.sockets
        connection = await dial(options)
        connection._websocket.protocol.send_ping = lambda data: None  # type: ignore[method-assign]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await connection.ping(b"lost on the way")
        connection.abort()


async def test_a_write_that_hangs_ends_the_connection() -> None:
    async def behave(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await connection.wait_closed()

    async with server(behave, close_timeout=0.05) as options:
        connection = await dial(options, send_timeout=0.05)
        with pytest.raises(ConnectionLost, match="could not be written"):
            while True:
                await connection.send("x" * 1_000_000)
        with pytest.raises(ConnectionLost):
            await connection.receive()


async def test_an_aborted_connection_is_gone() -> None:
    async with server(echo) as options:
        connection = await dial(options)
        connection.abort()
        with pytest.raises(ConnectionLost):
            await connection.receive()


async def test_tls_is_checked_with_the_context_that_is_passed_in() -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(server_context)
    trusting, doubting = ssl.create_default_context(), ssl.create_default_context()
    authority.configure_trust(trusting)
    async with server(echo, ssl=server_context) as options:
        secure = replace(options, url=options.url.replace("ws://", "wss://"), tls=trusting)
        connection = await dial(secure)
        await connection.send("x")
        assert await connection.receive() == "x"
        await connection.close()
        with pytest.raises(ConnectionFailed, match=r"TLS failed.*CERTIFICATE_VERIFY_FAILED"):
            await dial(replace(secure, tls=doubting))


async def test_it_dials_from_the_interface_that_is_named() -> None:
    async with server(echo) as options:
        for interface in ("127.0.0.1", "lo"):
            connection = await dial(replace(options, interface=interface))
            connection.abort()


def test_an_interface_that_does_not_exist_names_its_key() -> None:
    with pytest.raises(ConfigurationError, match="IFace"):
        local_address("nosuchif0")
