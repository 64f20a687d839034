"""CALLs of the CSMS: whether they are taken up, by whom, and how refusals look (libocpp 3.3, 1.4, 12.21).

One CALL after the other: decode, handle, answer, then what follows the answer. Own CALLs are held back until the answer
has been written. Owns: `Reply`, `Router`. May import: boot, actions, wire, messages. Must not import: the handlers.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ocpp16 import actions
from ocpp16.boot import CALLS, Boot, Treatment
from ocpp16.context import Context
from ocpp16.errors import ConnectionLost
from ocpp16.messages import (
    RemoteStartStopStatus,
    RemoteStartTransactionResponse,
    RemoteStopTransactionResponse,
    Request,
    Response,
)
from ocpp16.messages.codec import PayloadError, check, decode_request, decode_response, encode_payload
from ocpp16.security_events import SecurityEvents
from ocpp16.wire import (
    Call,
    CallError,
    CallResult,
    ErrorCode,
    Frame,
    FrameError,
    call_error_for,
    encode_call_error,
    encode_call_result,
    parse,
)

After = Callable[[], Awaitable[None]]
Handler = Callable[[Any], Awaitable["Reply"]]
Writer = Callable[[str, str], Awaitable[None]]
"""Writes a frame to the connection the CALL came from: `(frame, name for the log)`."""


@dataclass(frozen=True)
class Reply:
    """The answer to a CALL, and what is done once it has been written."""

    response: Response
    after: After | None = None


class NotSupported(Exception):
    """Raised by a handler whose capability this station does not have: CALLERROR NotSupported."""


REMOTE_REJECTED: Mapping[str, Response] = {
    "RemoteStartTransaction": RemoteStartTransactionResponse(status=RemoteStartStopStatus.Rejected),
    "RemoteStopTransaction": RemoteStopTransactionResponse(status=RemoteStartStopStatus.Rejected),
}
"""While Pending (libocpp 3.1)."""


MOST_WAITING = 2**24
"""Bytes of CALLs that wait for their turn, about; above that no frame is read until the line is shorter."""

BESIDE_A_FRAME = 1024
"""Bytes that a CALL that waits takes besides its characters."""

REMEMBERED_IDS = 100
"""Message ids of CALLs among which a repetition is noticed."""


def worth_saying(count: int) -> bool:
    """Whether the `count`th deviation of its kind gets a log line: the first ten, then 100, 1000, ..."""
    return count <= 10 or str(count).strip("0") == "1"


class Router:
    """Takes received frames, and answers CALLs one after the other."""

    def __init__(
        self, context: Context, boot: Boot, security_events: SecurityEvents, handlers: Mapping[str, Handler]
    ) -> None:
        self._context = context
        self._boot = boot
        self._security_events = security_events
        self._handlers = handlers
        self._calls: asyncio.Queue[tuple[str | bytes, Call | CallError, Writer]] = asyncio.Queue()
        self._waiting = 0
        self._holding = False
        self._following = False
        """What follows an answer is under way, and may need the CSMS."""
        self._shorter = asyncio.Event()
        self._deviations: Counter[str] = Counter()
        self._recent_ids: deque[str] = deque(maxlen=REMEMBERED_IDS)

    def start(self) -> None:
        self._context.tasks.spawn(self._serve(), name="calls")

    def connected(self) -> None:
        """A new connection: message ids are unique on one connection only (OCPP-J 1.6 §4.1.4)."""
        self._recent_ids.clear()

    async def room(self) -> None:
        """Return when so little waits that another frame may be read: a CSMS that floods us waits, not our memory."""
        while self._waiting > MOST_WAITING:
            self._shorter.clear()
            await self._shorter.wait()

    def received(self, frame: str | bytes, write: Writer) -> None:
        """A frame came in: answers go to the dispatcher at once, CALLs wait for their turn."""
        log = self._context.message_log
        log.raw(frame, sent=False)
        self._context.observer.frame(frame, sent=False)
        try:
            parsed = parse(frame)
        except FrameError as error:
            log.received(_text(frame), "")
            self._deviation("Broken frame", error.reason)
            if error.answer is not None:
                self._take(frame, error.answer, write)
            return
        log.received(_text(frame), self._frame_name(parsed))
        if isinstance(parsed, Call):
            self._take(frame, parsed, write)
            return
        sent = self._context.dispatcher.in_flight
        if self._context.dispatcher.received(parsed):
            if isinstance(parsed, CallResult) and sent is not None and sent.message_id == parsed.message_id:
                self._look_at_result(frame, sent.action, parsed)
        else:
            kind = "CALLRESULT" if isinstance(parsed, CallResult) else "CALLERROR"
            self._deviation(f"{kind} for no CALL in flight ignored", parsed.message_id)

    def _deviation(self, kind: str, what: str) -> None:
        """Log what the CSMS does wrong; in a flood by samples, with the number so far."""
        self._deviations[kind] += 1
        count = self._deviations[kind]
        if worth_saying(count):
            self._context.log.warning("%s: %s%s", kind, what[:255], f" ({count} times so far)" if count > 10 else "")

    def _look_at_result(self, frame: str | bytes, action: str, result: CallResult) -> None:
        """An answer that breaks its schema is a security event (libocpp 3.3)."""
        try:
            decode_response(action, result.payload)
        except PayloadError as error:
            self._deviation(f"{action}.conf is malformed", error.text)
            event = self._security_events.raise_event("InvalidMessages", _text(frame))
            self._context.tasks.spawn(event, name="invalid_message")

    def _frame_name(self, frame: Frame) -> str:
        """The action of a CALL; `<Action>Response` for an answer, found by the CALL in flight (libocpp 8.2)."""
        if isinstance(frame, Call):
            return frame.action
        sent = self._context.dispatcher.in_flight
        known = sent is not None and sent.message_id == frame.message_id
        return f"{sent.action}Response" if known and sent is not None else "Response"

    def _take(self, frame: str | bytes, call: Call | CallError, write: Writer) -> None:
        if isinstance(call, Call):
            if call.message_id in self._recent_ids:
                self._deviation("Message id used again", call.message_id)
            self._recent_ids.append(call.message_id)
        self._waiting += len(frame) + BESIDE_A_FRAME
        self._calls.put_nowait((frame, call, write))
        self._hold(not self._following)

    def _hold(self, hold: bool) -> None:
        """Own CALLs wait while a CALL of the CSMS does (libocpp 3.8.2), but not while it waits for what follows the
        one before: a RemoteStartTransaction is followed by Authorize.req."""
        if hold is not self._holding:
            self._holding = hold
            (self._context.dispatcher.hold if hold else self._context.dispatcher.release)()

    async def _serve(self) -> None:
        while True:
            frame, call, write = await self._calls.get()
            after: After | None = None
            try:
                await self._context.dispatcher.settled()
                after = await self._answer(frame, call, write)
            finally:
                self._waiting -= len(frame) + BESIDE_A_FRAME
                self._shorter.set()
                self._hold(after is None and not self._calls.empty())
            if after is not None:
                await self._run_after(call, after)
            if not self._calls.empty():
                await asyncio.sleep(0)  # a flood that is answered without ever waiting must not starve the rest

    async def _run_after(self, call: Call | CallError, after: After) -> None:
        self._following = True
        try:
            await after()
        except Exception:
            self._context.log.exception("What follows the answer to %s failed", _name(call))
        finally:
            self._following = False
            self._hold(not self._calls.empty())

    async def _answer(self, frame: str | bytes, call: Call | CallError, write: Writer) -> After | None:
        treatment = CALLS[self._boot.state]
        if treatment is Treatment.Ignore:
            self._context.log.warning("%s ignored while %s", _name(call), self._boot.state)
            return None
        if isinstance(call, CallError):
            await self._write(write, encode_call_error(call), "CallError")
            return None
        result = await self._handle(frame, call, treatment)
        if isinstance(result, CallError):
            await self._write(write, encode_call_error(result), "CallError")
            return None
        payload = encode_payload(result.response)
        await self._write(write, encode_call_result(call.message_id, payload), f"{call.action}Response")
        return result.after

    async def _write(self, write: Writer, frame: str, name: str) -> None:
        try:
            await write(frame, name)
        except ConnectionLost:
            self._context.log.warning("%s could not be written: the connection is gone", name)

    async def _handle(self, frame: str | bytes, call: Call, treatment: Treatment) -> Reply | CallError:
        handler = self._handlers.get(call.action)
        if handler is None or not actions.accepted(call.action, self._context.configuration.active_profiles):
            self._deviation("CALL that this station does not take up", call.action)
            return CallError(call.message_id, ErrorCode.NotSupported)
        if treatment is Treatment.RefuseRemote and call.action in REMOTE_REJECTED:
            return Reply(REMOTE_REJECTED[call.action])
        try:
            request = decode_request(call.action, call.payload)
        except PayloadError as error:
            self._deviation(f"{call.action} refused", error.text)
            await self._security_events.raise_event("InvalidMessages", _text(frame))
            return call_error_for(call.message_id, error)
        return await self._run(call, handler, request)

    async def _run(self, call: Call, handler: Handler, request: Request) -> Reply | CallError:
        """The handler's reply. Whatever it raises is our fault, not the peer's: InternalError, and a traceback here."""
        try:
            reply = await handler(request)
            check(reply.response)
        except NotSupported:
            return CallError(call.message_id, ErrorCode.NotSupported)
        except Exception as error:
            self._context.log.exception("The handler of %s failed", call.action)
            return CallError(call.message_id, ErrorCode.InternalError, f"{type(error).__name__}: {error}"[:255])
        return reply


def _name(call: Call | CallError) -> str:
    return call.action if isinstance(call, Call) else "a broken CALL"


def _text(frame: str | bytes) -> str:
    return frame if isinstance(frame, str) else frame.decode(errors="replace")
