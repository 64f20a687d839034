"""A bench for one module: it runs on the in-memory bus, the test plays every peer and the manager.

Lives here: `ModuleBench`, for authors of modules. Everything goes over the bus as the same envelopes that a real stack
sends, so the module's start-up, decoding and replies are the real ones; works in virtual time (looptime).
May not be imported here: contracts, manager.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from everest.runtime import bench_manager, wire
from everest.runtime.clock import Clock, SystemClock, new_uuid, timestamp
from everest.runtime.codec import PayloadError
from everest.runtime.config_access import Verdict
from everest.runtime.error_state import Error, read_error
from everest.runtime.errors import CommandError, HandlerException, WireError
from everest.runtime.memory import MemoryBroker, Published
from everest.runtime.module import Module
from everest.runtime.run import ModuleRun
from everest.runtime.topics import Topics
from everest.runtime.wire import Dialect, MessageType

logger = logging.getLogger(__name__)

Answer = Callable[[dict[str, Any]], Any]
BENCH_ID = "bench"


class ModuleBench:
    """Runs one module; `async with` starts it and sends global ready, leaving the block ends it.

    `module`: the module's folder (`"modules/System"`) or its class together with `manifest`. `config` and
    `implementation_config`: values where they differ from the manifest's defaults. `connections`: requirement id ->
    `["module_id/implementation_id", ...]`. `mappings`: module id -> `{"evse": 1}` or `{"module": ..,
    "implementations": ..}`. `peers`: further implementations of the stack, `"module_id/implementation_id"` ->
    interface, for modules that follow global errors. `interfaces`: distributed interface definitions (bus 6.4) beside
    those found in an `interfaces/` folder above the module or above the working directory. `settings`: run-time
    settings such as `validate_schema`, which needs `types` (type path -> type name -> JSON schema), or
    `telemetry_enabled`, which needs a `telemetry_id`.

    Answers may be registered before the block for what the module calls in `init`; what it calls in `ready` runs after
    the first `await` of the block. If the module crashes, the next waiting method and the end of the block raise.
    """

    module: Module
    """The instance under test."""
    broker: MemoryBroker
    """The broker everything passes; for tests that look at single messages."""

    def __init__(
        self,
        module: str | Path | type[Module],
        *,
        module_id: str = "under_test",
        manifest: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        implementation_config: Mapping[str, Mapping[str, Any]] | None = None,
        connections: Mapping[str, Sequence[str]] | None = None,
        mappings: Mapping[str, Mapping[str, Any]] | None = None,
        peers: Mapping[str, str] | None = None,
        interfaces: Mapping[str, Any] | None = None,
        types: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        telemetry_id: int | None = None,
        external_prefix: str = "",
        clock: Clock | None = None,
        global_ready: bool = True,
    ) -> None:
        self._source: Path | type[Module] = module if isinstance(module, type) else Path(module)
        self._stack = bench_manager.Stack.of(
            self._source,
            module_id,
            manifest=manifest,
            config=config or {},
            implementation_config=implementation_config or {},
            connections=connections or {},
            mappings=mappings or {},
            peers=peers or {},
            interfaces=interfaces or {},
            types=types or {},
            settings=settings or {},
        )
        self._stack.telemetry_id = telemetry_id
        self.module_id = module_id
        self.topics = Topics()
        self._external_prefix = external_prefix
        self._clock = clock or SystemClock()
        self._global_ready = global_ready
        self.broker = MemoryBroker()
        self.broker.watch(self._seen)
        self._answers: dict[tuple[str, str], Answer] = {}
        self._verdicts: list[wire.ConfigurationResponse] = []
        self._calls: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        self._published: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        self._externals: defaultdict[str, list[str]] = defaultdict(list)
        self._taken: defaultdict[tuple[str, ...], int] = defaultdict(int)
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._errors: dict[tuple[str, str, str], Error] = {}
        self._peer_errors: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._own_external = 0
        self._is_ready = False
        self._end_expected = False
        self._tasks: set[asyncio.Task[None]] = set()

    # --- life --------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._changed = asyncio.Event()
        self._run = ModuleRun(
            self._source,
            self.module_id,
            self.broker.transport(),
            self.topics.prefix,
            self._external_prefix,
            Dialect.B,
            self._clock,
            self._set_module,
        )
        for topic, data in self._stack.metadata(self.topics):
            self._send("metadata", topic, wire.build_metadata(data, dialect=Dialect.B))
        self._task = asyncio.create_task(self._run.run(), name=f"bench {self.module_id}")
        try:
            await self._until(lambda: self._is_ready, 60, "the module to report ready")
        except BaseException:
            await self._stop()
            raise
        if self._global_ready:
            self.make_ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stop()
        if error is None and not self._end_expected:
            self._raise_failure()

    async def _stop(self) -> None:
        for task in (self._task, *self._tasks):
            task.cancel()
        await asyncio.gather(self._task, *self._tasks, return_exceptions=True)

    def make_ready(self) -> None:
        """Send global ready (done by the bench itself unless `global_ready=False`)."""
        self._send("global_ready", self.topics.global_ready, wire.build_global_ready())

    def send_shutdown(self) -> None:
        """Ask for a graceful shutdown on the bus; see `ended`."""
        self._send("shutdown", self.topics.shutdown, wire.build_shutdown())

    async def ended(self, timeout: float = 5) -> int:
        """Wait for the module's own end and return its exit status; an end is then no failure of the test."""
        self._end_expected = True
        async with asyncio.timeout(timeout):
            return await asyncio.shield(self._task)

    @property
    def failure(self) -> BaseException | None:
        """Why the module ended with status 1, if it did."""
        return self._run.failure

    # --- peers -------------------------------------------------------------------------------------------------------

    def answer(self, peer: str, command: str, handler: Answer) -> None:
        """Answer a command the module calls at `peer` (`"module_id/implementation_id"`).

        `handler(args)` is plain or async and returns the JSON result; a CommandError it raises becomes the error reply.
        Unanswered commands fail with a HandlerException that says so.
        """
        self._answers[peer, command] = handler

    def calls(self, peer: str, command: str) -> list[dict[str, Any]]:
        """The arguments of all calls of that command so far, answered or not."""
        return list(self._calls[peer, command])

    async def next_call(self, peer: str, command: str, timeout: float = 5) -> dict[str, Any]:
        """The arguments of the next call not yet taken."""
        found: dict[str, Any] = await self._next(
            ("call", peer, command), self._calls[peer, command], timeout, f"a call of {peer} {command}"
        )
        return found

    def publish(self, peer: str, variable: str, value: Any) -> None:
        """Publish a variable of a peer, as JSON (structs are fine)."""
        topic = self.topics.variable(*_split(peer), variable)
        self._send("variable", topic, wire.build_var(value))

    def raise_error(self, peer: str, error: Mapping[str, Any]) -> dict[str, Any]:
        """Raise an error of a peer; `type` is needed, the other nine fields have defaults. Returns what was sent."""
        module_id, implementation_id = _split(peer)
        full = {
            "sub_type": "",
            "message": "",
            "description": "",
            "severity": "Low",
            "state": "Active",
            "origin": self._stack.origin(module_id, implementation_id),
            "timestamp": timestamp(self._clock.now()),
            "uuid": new_uuid(),
            "vendor_id": "everest",
            **error,
        }
        self._peer_errors[peer, full["type"], full["sub_type"]] = full
        topic = self.topics.error(module_id, implementation_id, full["type"])
        self._send("error", topic, wire.build_error(full, cleared=False))
        return full

    def clear_error(self, peer: str, type: str, sub_type: str = "") -> None:
        """Clear an error that `raise_error` raised."""
        error = {**self._peer_errors.pop((peer, type, sub_type)), "state": "ClearedByModule"}
        self._send("error", self.topics.error(*_split(peer), type), wire.build_error(error, cleared=True))

    @property
    def peer_config(self) -> dict[tuple[str, str, str], Any]:
        """(module id, scope, parameter) -> value: what the module may read and set of others at run time.

        The scope is an implementation id or `!module`.
        """
        return self._stack.peer_config

    async def change_config(
        self, parameter: str, value: str, implementation_id: str | None = None, *, timeout: float = 5
    ) -> Verdict:
        """Offer the module a new value of its own parameter, as the manager does at run time; its verdict."""
        identifier = {"module_id": self.module_id, "configuration_parameter_name": parameter}
        if implementation_id is not None:
            identifier["module_implementation_id"] = implementation_id
        before = len(self._verdicts)
        payload = wire.build_set_request(identifier, value, dialect=Dialect.B)
        self._send("set_request", self.topics.set_request(self.module_id), payload)
        await self._until(lambda: len(self._verdicts) > before, timeout, f"the verdict on {parameter}")
        answer = self._verdicts[before]
        return Verdict(answer.response["status"], answer.status_info)

    def external(self, topic: str, payload: str) -> None:
        """Publish text on an external topic (the external prefix is put in front)."""
        self._own_external += 1
        try:
            self._send("external", self._external_prefix + topic, payload.encode())
        finally:
            self._own_external -= 1

    # --- the module --------------------------------------------------------------------------------------------------

    async def call(
        self, implementation_id: str, command: str, args: Mapping[str, Any] | None = None, *, timeout: float = 310
    ) -> Any:
        """Call a command of the module; JSON in, JSON out. Errors: CommandError as the module answered."""
        call_id = new_uuid()
        waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[call_id] = waiting
        topic = self.topics.command(self.module_id, implementation_id, command)
        self._send("command", topic, wire.build_command(call_id, args or {}, BENCH_ID))
        await self._until(waiting.done, timeout, f"the result of {implementation_id}.{command}")
        return waiting.result()

    def published(self, implementation_id: str, variable: str) -> list[Any]:
        """All values of a variable so far, as JSON."""
        return list(self._published[implementation_id, variable])

    async def next(self, implementation_id: str, variable: str, timeout: float = 5) -> Any:
        """The next value of a variable not yet taken, as JSON."""
        key = ("var", implementation_id, variable)
        values = self._published[implementation_id, variable]
        return await self._next(key, values, timeout, f"variable {implementation_id}.{variable}")

    async def next_external(self, topic: str, timeout: float = 5) -> str:
        """The next payload the module published on an external topic, not yet taken."""
        values = self._externals[topic]
        text: str = await self._next(("external", topic), values, timeout, f"external {topic}")
        return text

    def errors(self, implementation_id: str) -> list[Error]:
        """The errors of an implementation that are active now, oldest first."""
        return [error for (owner, *_), error in self._errors.items() if owner == implementation_id]

    async def until(self, condition: Callable[[], bool], timeout: float = 5, what: str = "the condition") -> None:
        """Wait until `condition()` holds; it is looked at after every message on the bus and now and then."""
        await self._until(condition, timeout, what, poll=0.02)

    # --- behind it ---------------------------------------------------------------------------------------------------

    def _set_module(self, module: Module) -> None:
        self.module = module

    def _send(self, kind: str, topic: str, payload: bytes) -> None:
        delivery = wire.DELIVERY[kind]
        self.broker.publish(topic, payload, qos=delivery.qos, retain=delivery.retain)

    def _seen(self, message: Published) -> None:
        """Look at every message that passes the broker, whoever sent it."""
        if not message.topic.startswith(self.topics.prefix):
            if not self._own_external:
                text = message.payload.decode(errors="replace")
                self._externals[message.topic.removeprefix(self._external_prefix)].append(text)
        else:
            try:
                self._note(wire.parse(message.topic, message.payload))
            except (WireError, PayloadError) as error:
                logger.debug("the bench saw a malformed message: %s", error)
        if hasattr(self, "_changed"):
            self._changed.set()

    def _note(self, envelope: wire.Envelope) -> None:
        levels = envelope.topic.removeprefix(f"{self.topics.prefix}modules/").split("/")
        own = levels[0] == self.module_id
        match envelope.kind:
            case MessageType.ConfigurationRequest if envelope.topic == self.topics.config_request:
                request = wire.parse_configuration_request(envelope)
                answer = wire.build_configuration_response(**self._stack.answer(request), dialect=Dialect.B)
                self._send("configuration_response", self.topics.config_response(self.module_id), answer)
            case MessageType.ConfigurationResponse if envelope.topic == self.topics.set_response(self.module_id):
                self._verdicts.append(wire.parse_configuration_response(envelope))
            case MessageType.ModuleReady if own:
                self._is_ready = True
            case MessageType.Var if own:
                value = wire.parse_data(wire.Envelope(envelope.topic, envelope.kind, wire.parse_var(envelope)))
                self._published[levels[2], levels[4]].append(value)
            case MessageType.RaiseError | MessageType.ClearError if own:
                self._note_error(levels[2], read_error(envelope.data))
            case MessageType.Cmd if not own:
                self._serve(f"{levels[0]}/{levels[2]}", levels[4], envelope)
            case MessageType.CmdResult if own and levels[-1] == BENCH_ID:
                self._resolve(wire.parse_command_result(envelope), envelope)

    def _note_error(self, implementation_id: str, error: Error) -> None:
        if error.active:
            self._errors[implementation_id, *error.key] = error
        else:
            self._errors.pop((implementation_id, *error.key), None)

    def _resolve(self, reply: wire.CommandReply, envelope: wire.Envelope) -> None:
        waiting = self._waiting.pop(reply.id, None)
        if waiting is None:
            return
        if reply.error is not None:
            waiting.set_exception(reply.error)
        else:
            waiting.set_result(wire.parse_data(wire.Envelope(envelope.topic, envelope.kind, reply.retval)))

    def _serve(self, peer: str, command: str, envelope: wire.Envelope) -> None:
        request = wire.parse_command(envelope)
        args = wire.parse_data(wire.Envelope(envelope.topic, envelope.kind, request.args)) or {}
        self._calls[peer, command].append(args)
        task = asyncio.get_running_loop().create_task(self._reply(peer, command, request, args))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, peer: str, command: str, request: wire.CommandRequest, args: dict[str, Any]) -> None:
        module_id, implementation_id = _split(peer)
        handler = self._answers.get((peer, command))
        try:
            if handler is None:
                raise HandlerException(f"the test has no answer for {command} of {peer}")
            result = handler(args)
            if inspect.isawaitable(result):
                result = await result
            payload = wire.build_command_result(request.id, module_id, result)
        except CommandError as error:
            payload = wire.build_command_error(request.id, module_id, error)
        except Exception as error:
            logger.exception("the answer to %s of %s raised", command, peer)
            payload = wire.build_command_error(request.id, module_id, HandlerException(repr(error)))
        topic = self.topics.command_response(module_id, implementation_id, command, request.origin)
        self._send("command_result", topic, payload)

    async def _next(self, key: tuple[str, ...], values: list[Any], timeout: float, what: str) -> Any:
        position = self._taken[key]
        self._taken[key] += 1
        try:
            await self._until(lambda: len(values) > position, timeout, what)
        except BaseException:
            self._taken[key] -= 1
            raise
        return values[position]

    async def _until(
        self, condition: Callable[[], bool], timeout: float, what: str, *, poll: float | None = None
    ) -> None:
        """Wait for a condition, a failure of the module or the time limit, whichever comes first."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while not condition():
            if self._task.done():
                self._raise_failure()
                raise AssertionError(f"the module ended while the test waited for {what}")
            left = deadline - loop.time()
            if left <= 0:
                raise TimeoutError(f"waited {timeout:g} s in vain for {what}")
            self._changed.clear()
            changed = asyncio.ensure_future(self._changed.wait())
            await asyncio.wait(
                (changed, self._task),
                timeout=left if poll is None else min(left, poll),
                return_when=asyncio.FIRST_COMPLETED,
            )
            changed.cancel()

    def _raise_failure(self) -> None:
        failure = self._run.failure
        if failure is not None:
            self._end_expected = True
            raise failure


def _split(peer: str) -> tuple[str, str]:
    module_id, _, implementation_id = peer.partition("/")
    if not module_id or not implementation_id:
        raise ValueError(f'{peer!r}: a peer is named "module_id/implementation_id"')
    return module_id, implementation_id
