"""The manager's seat on the bus: metadata out, configuration requests answered, ready messages in (bus 2.2 to 2.4).

One transport, one reader. `ManagerBus` knows topics and envelopes; what a state change means is decided by its listener
(`lifecycle.Lifecycle`). A malformed message is logged once per topic and reason, and survived (bus 8, item 7).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from everest.manager import distribution
from everest.manager.configuration import Answer, ConfigurationService, ForwardResult, ModuleSilent, unknown_origin
from everest.manager.model import Stack
from everest.runtime import wire
from everest.runtime.diagnostics import OnceLog
from everest.runtime.errors import TransportError, WireError
from everest.runtime.topics import Topics
from everest.runtime.transport import Message, Transport
from everest.runtime.wire import DELIVERY, Dialect, Envelope, MessageType

logger = logging.getLogger(__name__)

SET_ANSWER_S = 5.0
"""How long a module may take to answer a forwarded Set, twice (bus 6.7)."""


class ManagerBus:
    """Speaks for the manager on one connected transport."""

    def __init__(self, transport: Transport, prefix: str, *, dialect: Dialect = Dialect.B) -> None:
        self._transport = transport
        self._topics = Topics(prefix)
        self.dialect = dialect
        self._service: ConfigurationService | None = None
        self._ready_topics: dict[str, str] = {}
        self._on_ready: Callable[[str], None] = lambda module_id: None
        self._metadata_topics: list[str] = []
        self._set_answers: dict[str, asyncio.Future[ForwardResult]] = {}
        self._sets: set[asyncio.Task[None]] = set()
        self._deviations = OnceLog()

    async def connect(self) -> None:
        """Connect and listen for configuration requests. Errors: BrokerRefused."""
        await self._transport.connect()
        await self._transport.subscribe(self._topics.config_request)

    async def serve(self) -> None:
        """Handle messages until the transport is closed. Errors: BrokerLost."""
        try:
            async for message in self._transport.messages():
                self._handle(message)
        finally:
            for task in self._sets:
                task.cancel()
            await asyncio.gather(*self._sets, return_exceptions=True)

    async def close(self) -> None:
        await self._transport.close()

    def answer_with(self, service: ConfigurationService) -> None:
        """Answer configuration requests from `service` from now on."""
        self._service = service

    # --- what the manager says ---

    async def distribute(self, stack: Stack, service: ConfigurationService) -> None:
        """Answer for `stack` from now on and publish its metadata, retained, in the order of bus 2.3."""
        self.answer_with(service)
        delivery = DELIVERY["metadata"]
        self._metadata_topics = []
        for name, data in distribution.metadata(stack):
            topic = f"{self._topics.prefix}{name}"
            self._metadata_topics.append(topic)
            payload = wire.build_metadata(data, dialect=self.dialect)
            self._transport.publish(topic, payload, qos=delivery.qos, retain=delivery.retain)
        await self._transport.flush()

    async def expect_ready(self, module_ids: Sequence[str], on_ready: Callable[[str], None]) -> None:
        """Subscribe the ready topics; `on_ready(module_id)` for each `true` that arrives, repetitions included."""
        self._ready_topics = {self._topics.module_ready(module_id): module_id for module_id in module_ids}
        self._on_ready = on_ready
        if self._ready_topics:
            await self._transport.subscribe(*self._ready_topics)

    def clear_metadata(self) -> None:
        """Take the retained metadata off the broker."""
        delivery = DELIVERY["metadata_clear"]
        for topic in self._metadata_topics:
            self._transport.publish(topic, b"", qos=delivery.qos, retain=delivery.retain)
        self._metadata_topics = []

    def publish_global_ready(self) -> None:
        self._transport.publish(self._topics.global_ready, wire.build_global_ready())

    def publish_shutdown(self) -> None:
        self._transport.publish(self._topics.shutdown, wire.build_shutdown())

    async def flush(self) -> None:
        await self._transport.flush()

    # --- what the manager hears ---

    def _handle(self, message: Message) -> None:
        try:
            envelope = wire.parse(message.topic, message.payload)
            self._route(envelope)
        except WireError as error:
            self._deviations.warn(error.topic, f"dropped a malformed message: {error.reason}")

    def _route(self, envelope: Envelope) -> None:
        module_id = self._ready_topics.get(envelope.topic)
        if module_id is not None:
            if envelope.kind is MessageType.ModuleReady and wire.parse_data(envelope) is True:
                self._on_ready(module_id)
        elif envelope.topic == self._topics.config_request and envelope.kind is MessageType.ConfigurationRequest:
            self._answer_request(wire.parse_configuration_request(envelope))
        elif envelope.topic in self._set_answers and envelope.kind is MessageType.ConfigurationResponse:
            self._take_set_answer(envelope)

    def _answer_request(self, request: wire.ConfigurationRequest) -> None:
        service = self._service
        if service is None or not service.knows(request.origin):
            self._respond(request.origin, unknown_origin(request.origin))
        elif request.type == "Get":
            self._respond(request.origin, service.get(request.origin, request.request))
        elif request.type == "Set":
            task = asyncio.create_task(self._answer_set(service, request), name=f"set for {request.origin}")
            self._sets.add(task)
            task.add_done_callback(self._sets.discard)
        else:
            self._respond(request.origin, Answer(None, None, "Error", f"unknown request {request.type!r}"))

    async def _answer_set(self, service: ConfigurationService, request: wire.ConfigurationRequest) -> None:
        try:
            self._respond(request.origin, await service.set(request.origin, request.request))
        except TransportError as error:
            # the reader notices the loss as well, and ends the manager
            logger.debug("no answer to %s: %s", request.origin, error)

    def _respond(self, origin: str, answer: Answer) -> None:
        response = answer.response
        if self.dialect is Dialect.A and answer.type == "Set":
            response = {"status": response["status"]}  # dialect A has no inner status_info (bus 8)
        payload = wire.build_configuration_response(
            response,
            type=answer.type,
            status=answer.status,
            status_info=answer.status_info,
            dialect=self.dialect,
        )
        self._transport.publish(self._topics.config_response(origin), payload)

    # --- forwarding a Set to its module ---

    async def forward_set(self, module_id: str, identifier: Mapping[str, Any], value: str) -> ForwardResult:
        """Hand a run-time change to its module and wait for the verdict. Errors: ModuleSilent after two tries."""
        topic = self._topics.set_response(module_id)
        payload = wire.build_set_request(identifier, value, dialect=self.dialect)
        for _ in range(2):
            answer: asyncio.Future[ForwardResult] = asyncio.get_running_loop().create_future()
            self._set_answers[topic] = answer
            await self._transport.subscribe(topic)
            try:
                self._transport.publish(self._topics.set_request(module_id), payload)
                async with asyncio.timeout(SET_ANSWER_S):
                    return await answer
            except TimeoutError:
                logger.warning("module %s did not answer a change of its configuration", module_id)
            finally:
                self._set_answers.pop(topic, None)
                await self._transport.unsubscribe(topic)
        raise ModuleSilent(f"module {module_id} did not answer a change of its configuration")

    def _take_set_answer(self, envelope: Envelope) -> None:
        response = wire.parse_configuration_response(envelope)
        inner = response.response if isinstance(response.response, dict) else {}
        answer = self._set_answers[envelope.topic]
        if not answer.done():
            answer.set_result(ForwardResult(response.status, response.status_info, str(inner.get("status", ""))))
