"""The port between the runtime and a broker.

Lives here: `Message`, the protocol `Transport`, and what both kinds of it check; implemented by `mqtt.MqttTransport`
and `memory.MemoryTransport`, which pass the same tests. A transport belongs to one module (or to the manager) and has
one reader.
May not be imported here: wire, modules.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple, Protocol

from everest.runtime.errors import TransportError
from everest.runtime.topics import filter_problem, topic_problem

logger = logging.getLogger(__name__)


class Message(NamedTuple):
    """One message as it came from the broker; `retain` is true when the broker had kept it.

    Brokers may send one copy per matching subscription. `filters`: this copy was sent for these subscriptions and no
    others; None: it is the only one and stands for every subscription that matches its topic.
    """

    topic: str
    payload: bytes
    retain: bool = False
    filters: tuple[str, ...] | None = None


class Transport(Protocol):
    """A connection to a broker. Everything is used from one event loop."""

    async def connect(self) -> None:
        """Connect. Errors: BrokerRefused with one line that names address and reason."""
        ...

    def messages(self) -> AsyncIterator[Message]:
        """All messages of all subscriptions, in the broker's order; used by one reader.

        Ends when `close` is called. Errors: BrokerLost when the connection ends otherwise.
        """
        ...

    async def subscribe(self, *topic_filters: str, qos: int = 2) -> None:
        """Subscribe and wait until the broker has confirmed; retained messages follow. Errors: BrokerLost.

        Filters of one call share their mark in `Message.filters`: those that may overlap take a call each.
        """
        ...

    async def unsubscribe(self, *topic_filters: str) -> None:
        """Unsubscribe and wait for the confirmation. Errors: BrokerLost."""
        ...

    def publish(self, topic: str, payload: bytes, *, qos: int = 2, retain: bool = False) -> None:
        """Queue a message; messages leave in the order of the calls. Never blocks, never raises."""
        ...

    async def flush(self) -> None:
        """Wait until everything queued so far has been handed to the broker and confirmed. Errors: BrokerLost."""
        ...

    async def close(self) -> None:
        """Disconnect; queued messages are not waited for (see `flush`). May be called more than once."""
        ...


def check_filters(topic_filters: Iterable[str]) -> None:
    """Errors: TransportError for what no broker takes."""
    for topic_filter in topic_filters:
        problem = filter_problem(topic_filter)
        if problem:
            raise TransportError(f"cannot subscribe {topic_filter[:200]!r}: {problem}")


def can_publish(topic: str) -> bool:
    """Whether a broker takes the topic; logged if not, as publishing never raises."""
    problem = topic_problem(topic)
    if problem:
        logger.error("cannot publish on %r: %s", topic[:200], problem)
    return not problem
