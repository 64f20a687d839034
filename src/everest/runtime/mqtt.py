"""The bus over a real MQTT broker: aiomqtt, MQTT 5, TCP or unix socket (bus 1.2).

Lives here: `MqttTransport`. It never reconnects: a lost broker is `BrokerLost`, which ends the process (bus 1.2).
Outgoing messages leave in program order with at most `WINDOW` unconfirmed publications, which is what a broker with
default limits accepts (receive maximum 20). Above `INBOX_LIMIT` of messages that nobody takes the socket is not read,
so that the broker holds the rest. May not be imported here: wire, modules.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple, cast

import aiomqtt
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from everest.runtime.errors import BrokerLost, BrokerRefused, TransportError
from everest.runtime.transport import Message, can_publish, check_filters

KEEPALIVE = 20
WINDOW = 20
CONNECT_TIMEOUT = 10.0
PROBE_TIMEOUT = 1.0
PROBE_PATIENCE = 0.3

UNSPECIFIED = 128
"""Reason code of an end that was not explained (MQTT 5 §2.4)."""

INBOX_LIMIT = 4 * 1024 * 1024
"""Bytes of received and not yet taken messages above which the socket is not read."""
OVERHEAD = 400
"""Bytes that a message takes beside its payload."""
GLANCE_PERIOD = KEEPALIVE / 4
GLANCE_PACKETS = 200
"""While the socket is not read, so much is read so often all the same: what the keep-alive needs, and a broker that
goes away shows. Unacknowledged messages are few, so the answer to a ping is not far behind."""

NODELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
"""Without it every QoS 2 handshake waits for a delayed acknowledgement (about 40 ms)."""

_quiet = logging.getLogger(f"{__name__}.client")
_quiet.setLevel(logging.CRITICAL)
"""What aiomqtt would log is said by our exceptions, in one line."""


class _Outgoing(NamedTuple):
    topic: str
    payload: bytes
    qos: int
    retain: bool


class _Inbox(asyncio.Queue[aiomqtt.Message]):
    """Takes messages from aiomqtt without a task per message; nothing is ever got from it the ordinary way."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: deque[Message] = deque()
        self.changed = asyncio.Event()
        self.size = 0
        self.too_much: Callable[[], None] = lambda: None
        self._identifiers: dict[tuple[str, ...], int] = {}
        self._filters: dict[int, tuple[str, ...]] = {}

    def identify(self, topic_filters: tuple[str, ...]) -> int:
        """An identifier that the broker puts on every message it sends for these filters (MQTT 5 §3.8.2.1.2)."""
        identifier = self._identifiers.setdefault(topic_filters, len(self._identifiers) + 1)
        self._filters[identifier] = topic_filters
        return identifier

    def put_nowait(self, item: aiomqtt.Message) -> None:
        payload = item.payload if isinstance(item.payload, bytes) else bytes(item.payload or b"")
        identifiers = getattr(item.properties, "SubscriptionIdentifier", ())
        filters = tuple(name for number in identifiers for name in self._filters.get(number, ())) or None
        self.messages.append(Message(item.topic.value, payload, bool(item.retain), filters))
        self.size += len(payload) + OVERHEAD
        if self.size >= INBOX_LIMIT:
            self.too_much()
        self.changed.set()

    def take(self) -> Message:
        """The oldest message."""
        message = self.messages.popleft()
        self.size -= len(message.payload) + OVERHEAD
        return message


class _Client(aiomqtt.Client):
    """aiomqtt's client with a socket that may be left unread for a while.

    Besides, a socket is written to without a detour over the selector, and one that was closed meanwhile is not
    registered for writing: otherwise the loop logs a traceback (bad file descriptor) when the broker goes away.
    """

    confirmed: Callable[[int], None]
    _thread = 0
    _unread: Any = None
    _glance: asyncio.TimerHandle | None = None

    def pause(self) -> None:
        """Stop reading the socket, but for a glance now and then."""
        sock = self._client.socket()
        if self._unread is None and sock is not None and sock.fileno() >= 0:
            self._unread = sock
            self._loop.remove_reader(sock.fileno())
            self._glance = self._loop.call_later(GLANCE_PERIOD, self._glance_now)

    def resume(self) -> None:
        """Read again."""
        sock, self._unread = self._unread, None
        if self._glance is not None:
            self._glance.cancel()
        if sock is not None and sock.fileno() >= 0:
            self._loop.add_reader(sock.fileno(), self._read)

    def _glance_now(self) -> None:
        for _ in range(GLANCE_PACKETS):
            self._read()
        if self._unread is not None:
            self._glance = self._loop.call_later(GLANCE_PERIOD, self._glance_now)

    def _read(self) -> None:
        try:
            self._client.loop_read()
        except Exception as error:
            if not self._disconnected.done():
                self._disconnected.set_exception(error)

    def _on_socket_close(self, client: Any, userdata: Any, sock: Any) -> None:
        self._unread = None
        if self._glance is not None:
            self._glance.cancel()
        super()._on_socket_close(client, userdata, sock)

    def _on_socket_register_write(self, client: Any, userdata: Any, sock: Any) -> None:
        """Write at the next turn of the loop; only a socket that takes no more is waited for."""

        def write() -> None:
            try:
                client.loop_write()
            except Exception as error:
                if not self._disconnected.done():
                    self._disconnected.set_exception(error)

        def write_or_wait() -> None:
            write()
            if client.want_write() and sock.fileno() >= 0:
                self._loop.add_writer(sock.fileno(), write)

        if threading.get_ident() == self._thread:
            self._loop.call_soon(write_or_wait)
        else:
            self._loop.call_soon_threadsafe(write_or_wait)

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: Any, properties: Any) -> None:
        self.confirmed(mid)

    def send(self, message: _Outgoing) -> int:
        """Hand a message to the client; `confirmed` is called with the number returned when the broker has it.

        Errors: ValueError for a topic or payload that MQTT cannot carry, aiomqtt.MqttError.
        """
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise aiomqtt.MqttCodeError(info.rc, "could not publish")
        return info.mid


def _because(reason: BaseException) -> str:
    """The reason in brackets; nothing where it says nothing, as for a connection that the broker just dropped."""
    code = getattr(reason, "rc", None)
    if isinstance(code, ReasonCode):
        return "" if code.value == UNSPECIFIED else f" ({code})"
    return f" ({reason})"


class MqttTransport:
    """One connection to a broker; see `transport.Transport` for the contract."""

    def __init__(self, host: str = "localhost", port: int = 1883, *, socket_path: str | None = None) -> None:
        self._host = host
        self._port = port
        self._socket_path = socket_path
        self._client: _Client | None = None
        self._inbox = _Inbox()
        self._outbox: deque[_Outgoing] = deque()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._underway: set[int] = set()
        self._lost: BrokerLost | None = None
        self._closed = False

    @property
    def address(self) -> str:
        """The broker as messages name it."""
        return self._socket_path or f"{self._host}:{self._port}"

    async def connect(self) -> None:
        client = _Client(
            hostname=self._socket_path or self._host,
            port=self._port,
            transport="unix" if self._socket_path else "tcp",
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=True,
            keepalive=KEEPALIVE,
            timeout=CONNECT_TIMEOUT,
            logger=_quiet,
            queue_type=cast("Any", lambda maxsize: self._inbox),
            socket_options=() if self._socket_path else (NODELAY,),
        )
        client.pending_calls_threshold = 10 * WINDOW
        client.confirmed = self._confirmed
        client._thread = threading.get_ident()
        try:
            await client.__aenter__()
        except (aiomqtt.MqttError, ValueError, OSError) as error:
            raise BrokerRefused(f"cannot connect to the MQTT broker at {self.address}: {error}") from None
        self._client = client
        self._inbox.too_much = client.pause
        self._start(self._watch(client), "mqtt watch")
        self._send()

    def _start(self, coroutine: Any, name: str) -> None:
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)

    async def _watch(self, client: aiomqtt.Client) -> None:
        """Wait for the end of the connection; messages go past this iterator, straight into the inbox."""
        try:
            async for _ in client.messages:
                pass
        except aiomqtt.MqttError as error:
            self._lose(error.__cause__ or error)

    def _lose(self, reason: BaseException) -> None:
        if self._lost is None and not self._closed:
            self._lost = BrokerLost(f"lost the connection to the MQTT broker at {self.address}{_because(reason)}")
            self._inbox.changed.set()
            self._idle.set()

    async def broker_is_gone(self) -> bool:
        """Whether nobody listens at the address any more: then everybody has lost the broker, not this client alone.

        A broker waits for our first word; one that is just dying may still take the connection, and drops it at once.
        """
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                if self._socket_path is not None:
                    reader, writer = await asyncio.open_unix_connection(self._socket_path)
                else:
                    reader, writer = await asyncio.open_connection(self._host, self._port)
        except (OSError, TimeoutError):
            return True
        try:
            async with asyncio.timeout(PROBE_PATIENCE):
                return not await reader.read(1)
        except TimeoutError:
            return False
        except OSError:
            return True
        finally:
            writer.close()

    async def messages(self) -> AsyncIterator[Message]:
        inbox = self._inbox
        while not self._closed:
            while inbox.messages:
                yield inbox.take()
                if inbox.size < INBOX_LIMIT // 2 and self._client is not None:
                    self._client.resume()
            if self._lost is not None:
                raise self._lost
            inbox.changed.clear()
            await inbox.changed.wait()

    async def subscribe(self, *topic_filters: str, qos: int = 2) -> None:
        client = self._connected()
        check_filters(topic_filters)
        properties = Properties(PacketTypes.SUBSCRIBE)  # type: ignore[no-untyped-call]
        properties.SubscriptionIdentifier = self._inbox.identify(topic_filters)
        wanted = [(topic_filter, SubscribeOptions(qos=qos)) for topic_filter in topic_filters]
        try:
            codes = await client.subscribe(wanted, properties=properties)
        except aiomqtt.MqttError as error:
            raise self._lost or BrokerLost(f"the MQTT broker at {self.address} does not answer ({error})") from None
        for topic_filter, code in zip(topic_filters, codes, strict=False):
            if isinstance(code, ReasonCode) and code.is_failure:
                raise TransportError(f"the MQTT broker at {self.address} refuses to subscribe {topic_filter}: {code}")

    async def unsubscribe(self, *topic_filters: str) -> None:
        try:
            await self._connected().unsubscribe(list(topic_filters))
        except aiomqtt.MqttError as error:
            raise self._lost or BrokerLost(f"the MQTT broker at {self.address} does not answer ({error})") from None

    def _connected(self) -> aiomqtt.Client:
        if self._lost is not None:
            raise self._lost
        if self._client is None or self._closed:
            raise BrokerLost(f"not connected to the MQTT broker at {self.address}")
        return self._client

    # --- sending -----------------------------------------------------------------------------------------------------

    def publish(self, topic: str, payload: bytes, *, qos: int = 2, retain: bool = False) -> None:
        if self._lost is not None or self._closed or not can_publish(topic):
            return
        self._outbox.append(_Outgoing(topic, payload, qos, retain))
        self._idle.clear()
        self._send()

    def _send(self) -> None:
        """Hand over what the window allows, in program order."""
        if self._client is None or self._closed or self._lost is not None:
            return
        while self._outbox and len(self._underway) < WINDOW:
            message = self._outbox.popleft()
            try:
                self._underway.add(self._client.send(message))
            except aiomqtt.MqttError as error:
                self._lose(error)
            except ValueError as error:
                logging.getLogger(__name__).error("cannot publish on %r: %s", message.topic[:200], error)
        if not self._outbox and not self._underway:
            self._idle.set()

    def _confirmed(self, number: int) -> None:
        self._underway.discard(number)
        self._send()

    async def flush(self) -> None:
        await self._idle.wait()
        if self._lost is not None:
            raise self._lost

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._inbox.changed.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None and self._lost is None:
            try:
                await self._client.__aexit__(None, None, None)
            except aiomqtt.MqttError as error:
                _quiet.debug("the broker did not take leave: %s", error)
