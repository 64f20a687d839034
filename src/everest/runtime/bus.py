"""One module's seat on the bus: reads the transport, routes by kind and topic, keeps order per topic.

Lives here: `Bus` with its single reader, the FIFO worker per topic, the "get" primitive of bus 2.3 and command calls
(bus 3). Handlers run one message at a time per topic, topics in parallel; external messages are strictly serial (bus
7.5). When too much waits the reader stops (see `backlog`), so that the transport stops and the broker holds the rest.
May not be imported here: modules, contracts, manager.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from msgspec import Raw

from everest.runtime import wire
from everest.runtime.backlog import Backlog, Handler, Job, Listener
from everest.runtime.clock import new_uuid
from everest.runtime.diagnostics import OnceLog
from everest.runtime.errors import CmdTimeout, Shutdown, StartupError, WireError
from everest.runtime.topics import Topics, has_wildcard, matches
from everest.runtime.transport import Message, Transport
from everest.runtime.wire import Dialect, Envelope, MessageType

logger = logging.getLogger(__name__)

T = TypeVar("T")

GET_TIMEOUT = 5.0
GET_ATTEMPTS = 2
COMMAND_TIMEOUT = 300.0
DIALECT_TIMEOUT = 1.0
STALL = 1.0
"""Seconds without any handled message after which a full backlog is read past: a handler may wait for what comes."""
BREATH = 100
"""So many messages of one topic are handled before other tasks have their turn."""

ExternalHandler = Callable[[str, str], Awaitable[None] | None]
EXTERNAL_QUEUE = ""
"""Queue key of external messages: no topic is empty, so it cannot clash."""


class Bus:
    """See the module docstring. `failed(error, place)` is called when a handler or an owned task raises."""

    def __init__(
        self,
        transport: Transport,
        topics: Topics,
        module_id: str,
        *,
        external_prefix: str = "",
        dialect: Dialect = Dialect.B,
        failed: Callable[[BaseException, str], None],
    ) -> None:
        self.transport = transport
        self.topics = topics
        self.module_id = module_id
        self.external_prefix = external_prefix
        self.dialect = dialect
        self.deviations = OnceLog()
        self._failed = failed
        self._listeners: dict[str, list[Listener]] = {}
        self._wild_listeners: dict[str, list[Listener]] = {}
        self._external: list[tuple[str, Listener]] = []
        self.backlog = Backlog()
        self._expected = 0
        self._stalled = False
        self._stir = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._gets: dict[str, asyncio.Future[Envelope]] = {}
        self._calls: dict[str, asyncio.Future[wire.CommandReply]] = {}
        self._subscribed: dict[str, asyncio.Task[None]] = {}
        self._shutdown = False
        self._muted = False
        self.on_global_ready: Callable[[], None] = lambda: None
        self.on_shutdown: Callable[[], None] = lambda: None

    # --- reading -----------------------------------------------------------------------------------------------------

    async def read(self) -> None:
        """The one reader: routes until the transport is closed. Errors: BrokerLost."""
        async for message in self.transport.messages():
            self._route(message)
            if self.backlog.full:
                await self._hold()

    async def _hold(self) -> None:
        """Read no further while too much waits; but what somebody waits for may be behind it, so then read on.

        That is: answers to calls and gets, confirmations of subscriptions and publications (`expecting`), and anything
        else when no message was handled for a while (a handler may wait for another one).
        """
        while self.backlog.full and not self._expected and not self._stalled:
            handled = self.backlog.handled
            self._stir.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STALL):
                    await self._stir.wait()
            self._stalled = self.backlog.handled == handled and not self._expected

    @contextlib.contextmanager
    def _expecting(self) -> Iterator[None]:
        """Something is waited for that comes by reading."""
        self._expected += 1
        self._stir.set()
        try:
            yield
        finally:
            self._expected -= 1

    def _route(self, message: Message) -> None:
        """Bus 1.3: everest topics are JSON, all others text for the external handlers."""
        if not message.topic.startswith(self.topics.prefix):
            self._deliver_external(message)
            return
        try:
            envelope = wire.parse(message.topic, message.payload)
            self._dispatch(envelope, message)
        except WireError as error:
            self.deviations.warn(error.topic, error.reason)

    def _dispatch(self, envelope: Envelope, message: Message) -> None:
        if envelope.topic == self.topics.shutdown:
            self.on_shutdown()
            return
        match envelope.kind:
            case None:
                self._deliver_external(message)
            case MessageType.CmdResult:
                self._resolve(wire.parse_command_result(envelope))
            case MessageType.GlobalReady:
                if wire.parse_data(envelope) is True:
                    self.on_global_ready()
                else:
                    self.deviations.warn(envelope.topic, "GlobalReady that is not true")
            case MessageType.ConfigurationResponse if envelope.topic in self._gets:
                waiting = self._gets[envelope.topic]
                if not waiting.done():
                    waiting.set_result(envelope)
            case _:
                self._deliver(envelope, message)

    def _deliver(self, envelope: Envelope, message: Message) -> None:
        listeners = [item for item in self._listening(envelope.topic, message.filters) if envelope.kind in item.kinds]
        if not listeners:
            self.deviations.warn(envelope.topic, f"unexpected {envelope.name}", level=logging.INFO)
        for listener in listeners:
            self._enqueue(envelope.topic, Job(listener, envelope, len(message.payload)))

    def _listening(self, topic: str, filters: tuple[str, ...] | None) -> list[Listener]:
        """Who hears a copy: all that match, or of those the ones it was sent for."""
        found = self._listeners.get(topic, []) if filters is None or topic in filters else []
        if not self._wild_listeners:
            return found
        wild = [name for name in self._wild_listeners if (matches(name, topic) if filters is None else name in filters)]
        return found + [item for name in wild for item in self._wild_listeners[name]]

    def _deliver_external(self, message: Message) -> None:
        wanted = message.filters
        listeners = [
            listener
            for topic_filter, listener in self._external
            if (matches(topic_filter, message.topic) if wanted is None else topic_filter in wanted)
        ]
        if not listeners:
            level = logging.WARNING if message.topic.startswith(self.topics.prefix) else logging.DEBUG
            self.deviations.warn(message.topic, "unexpected message without envelope", level=level)
        envelope = Envelope(message.topic, None, Raw(message.payload))
        for listener in listeners:
            self._enqueue(EXTERNAL_QUEUE, Job(listener, envelope, len(message.payload)))

    def _resolve(self, reply: wire.CommandReply) -> None:
        waiting = self._calls.get(reply.id)
        if waiting is None or waiting.done():
            logger.debug("dropped the result of unknown call %s from %s", reply.id[:80], reply.origin[:80])
            return
        waiting.set_result(reply)

    # --- workers -----------------------------------------------------------------------------------------------------

    def _enqueue(self, queue: str, job: Job) -> None:
        """Append a job to its queue; a queue has a worker task while it has jobs."""
        if self.backlog.put(queue, job):
            self.start(self._work(queue), name=f"{self.module_id} {queue or 'external'}")

    async def _work(self, queue: str) -> None:
        backlog = self.backlog
        while (job := backlog.first(queue)) is not None:
            if not await self.guard(partial(job.listener.handler, job.envelope), job.place):
                return
            backlog.finished(queue)
            self._stalled = False
            if not backlog.full:
                self._stir.set()
            if backlog.handled % BREATH == 0:
                await asyncio.sleep(0)

    async def guard(self, run: Callable[[], Awaitable[None] | None], place: str) -> bool:
        """Run user code; an escaping exception is reported as a crash and False is returned."""
        try:
            result = run()
            if result is not None:
                await result
        except Exception as error:
            self._failed(error, place)
            return False
        return True

    def start(self, coroutine: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """A named task owned by this bus: `stop` cancels it, an exception that escapes it fails the module."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error, f"task {task.get_name()}")

    async def stop(self) -> None:
        """Cancel every task and wait for them."""
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.backlog.close()

    # --- subscribing and publishing ----------------------------------------------------------------------------------

    def listen(self, topic_filter: str, kinds: frozenset[MessageType], handler: Handler, place: str) -> None:
        """Register a handler and see to the subscription (`settled` waits for it)."""
        table = self._wild_listeners if has_wildcard(topic_filter) else self._listeners
        table.setdefault(topic_filter, []).append(Listener(kinds, handler, place))
        self.subscribe(topic_filter)

    def listen_external(self, topic: str, handler: ExternalHandler) -> Callable[[], None]:
        """Register an external handler; the prefix is put in front as it is (bus 5). Returns what removes it."""
        topic_filter = self.external_prefix + topic

        def hear(envelope: Envelope) -> Awaitable[None] | None:
            return handler(envelope.topic, self._text(envelope))

        entry = (topic_filter, Listener(frozenset(), hear, "external MQTT handler"))
        self._external.append(entry)
        self.subscribe(topic_filter, qos=wire.EXTERNAL_SUBSCRIBE_QOS)

        def end() -> None:
            if entry in self._external:
                self._external.remove(entry)

        return end

    def _text(self, envelope: Envelope) -> str:
        payload = bytes(envelope.data)
        try:
            return payload.decode()
        except UnicodeDecodeError:
            self.deviations.warn(envelope.topic, "external payload is not UTF-8; unreadable bytes replaced")
            return payload.decode(errors="replace")

    def subscribe(self, topic_filter: str, *, qos: int = wire.SUBSCRIBE_QOS) -> asyncio.Task[None]:
        """Subscribe once; the task ends with the broker's confirmation."""
        task = self._subscribed.get(topic_filter)
        if task is None:
            task = self.start(self._subscribe(topic_filter, qos), name=f"subscribe {topic_filter}")
            self._subscribed[topic_filter] = task
        return task

    async def _subscribe(self, topic_filter: str, qos: int) -> None:
        with self._expecting():
            await self.transport.subscribe(topic_filter, qos=qos)

    async def settled(self) -> None:
        """Wait until every subscription made so far is confirmed. Errors: BrokerLost."""
        pending = [task for task in self._subscribed.values() if not task.done()]
        if pending:
            await asyncio.gather(*(asyncio.shield(task) for task in pending))

    def publish(self, kind: str, topic: str, payload: bytes) -> None:
        """Publish with the QoS and retain flag of its kind (`wire.DELIVERY`)."""
        delivery = wire.DELIVERY[kind]
        self.send(topic, payload, qos=delivery.qos, retain=delivery.retain)

    def send(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """Publish as told; nothing is sent any more once the bus is muted."""
        if not self._muted:
            self.transport.publish(topic, payload, qos=qos, retain=retain)

    async def flush(self) -> None:
        """Wait until the broker has confirmed all that was sent. Errors: BrokerLost."""
        with self._expecting():
            await self.transport.flush()

    def mute(self) -> None:
        """From now on send nothing and fail all calls: the module ends without a word to others."""
        self._muted = True
        self.shut_down()

    # --- asking ------------------------------------------------------------------------------------------------------

    async def get(self, topic: str, request: Callable[[], None] | None = None) -> Any:
        """Bus 2.3: subscribe, ask (optionally), wait 5 s for one answer on `topic`, unsubscribe; one retry.

        Returns the `data` of the answer. Gets are to be made one after the other. Errors: StartupError after both
        tries.
        """
        for _ in range(GET_ATTEMPTS):
            try:
                return wire.parse_data(await self._answer(topic, GET_TIMEOUT, request))
            except TimeoutError:
                logger.info("no answer on %s within %g s", topic, GET_TIMEOUT)
            except WireError as error:
                self.deviations.warn(error.topic, error.reason)
        raise StartupError(f"no manager answered on {topic} within {GET_TIMEOUT * GET_ATTEMPTS:g} s")

    async def find_dialect(self) -> None:
        """Bus 8 item 3: speak as the manager does, by a look at the retained settings before anything is sent.

        When nothing is there in time the dialect stays as configured.
        """
        try:
            settings = await self._answer(self.topics.settings, DIALECT_TIMEOUT)
        except TimeoutError:
            logger.info("no retained settings on %s: dialect %s", self.topics.settings, self.dialect.value)
            return
        if settings.dialect not in (None, self.dialect):
            self.dialect = settings.dialect
            logger.info("the manager speaks dialect %s", self.dialect.value)

    async def _answer(self, topic: str, timeout: float, request: Callable[[], None] | None = None) -> Envelope:
        """Subscribe, ask, wait for one message, unsubscribe. Errors: TimeoutError, BrokerLost."""
        answer: asyncio.Future[Envelope] = asyncio.get_running_loop().create_future()
        self._gets[topic] = answer
        with self._expecting():
            await self.transport.subscribe(topic)
            try:
                if request is not None:
                    request()
                async with asyncio.timeout(timeout):
                    return await answer
            finally:
                del self._gets[topic]
                await self.transport.unsubscribe(topic)

    async def call(self, module_id: str, implementation_id: str, command: str, args: Mapping[str, Any]) -> Raw:
        """Call a command; returns the JSON text of its result.

        Errors: CommandError subclasses; TypeError and ValueError for arguments that JSON cannot express.
        """
        if self._shutdown:
            raise Shutdown(f"module {self.module_id} is shutting down")
        call_id = new_uuid()
        payload = wire.build_command(call_id, args, self.module_id)
        response = self.topics.command_response(module_id, implementation_id, command, self.module_id)
        await asyncio.shield(self.subscribe(response))
        waiting: asyncio.Future[wire.CommandReply] = asyncio.get_running_loop().create_future()
        self._calls[call_id] = waiting
        try:
            self.publish("command", self.topics.command(module_id, implementation_id, command), payload)
            with self._expecting():
                async with asyncio.timeout(COMMAND_TIMEOUT):
                    reply = await waiting
        except TimeoutError:
            where = f"{module_id}->{implementation_id}.{command}"
            raise CmdTimeout(f"no result from {where} within {COMMAND_TIMEOUT:g} s") from None
        finally:
            del self._calls[call_id]
        if reply.error is not None:
            raise reply.error
        return reply.retval

    def shut_down(self) -> None:
        """Fail every waiting and every later call with `Shutdown` (bus 2.4)."""
        self._shutdown = True
        for waiting in self._calls.values():
            if not waiting.done():
                waiting.set_exception(Shutdown(f"module {self.module_id} is shutting down"))
