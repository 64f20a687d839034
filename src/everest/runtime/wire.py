"""Envelopes of the EVerest bus: pure functions between bytes and messages.

Lives here: `Dialect`, `MessageType`, `DELIVERY` (QoS and retain per kind), `parse` with one reader per message kind,
and one builder per message kind. Sent JSON is compact UTF-8, never NaN or Infinity (written as null); received
garbage of any sort is a `WireError` and nothing else. Payloads stay `Raw` bytes here: they are decoded once, by the
type they are meant for.
May not be imported here: transports, modules, contracts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import Raw

from everest.runtime.errors import COMMAND_ERRORS, CommandError, HandlerException, WireError

T = TypeVar("T")


class Dialect(Enum):
    """The two wire dialects: they differ in the strings of the configuration messages only (bus 8)."""

    A = "A"
    B = "B"

    @property
    def configuration_request(self) -> str:
        return "GetConfig" if self is Dialect.A else "ConfigurationRequest"

    @property
    def configuration_response(self) -> str:
        return "GetConfigResponse" if self is Dialect.A else "ConfigurationResponse"


class MessageType(Enum):
    """What a message is, whatever its dialect calls it (bus 1.3)."""

    Var = "Var"
    Cmd = "Cmd"
    CmdResult = "CmdResult"
    ExternalMQTT = "ExternalMQTT"
    RaiseError = "RaiseError"
    ClearError = "ClearError"
    ConfigurationRequest = "ConfigurationRequest"
    ConfigurationResponse = "ConfigurationResponse"
    Heartbeat = "Heartbeat"
    ModuleReady = "ModuleReady"
    GlobalReady = "GlobalReady"


MESSAGE_TYPES: Mapping[str, MessageType] = {
    **{kind.value: kind for kind in MessageType},
    "GetConfig": MessageType.ConfigurationRequest,
    "GetConfigResponse": MessageType.ConfigurationResponse,
}
"""`msg_type` as received -> kind; both dialects are understood (bus 8 item 3)."""


class Delivery(NamedTuple):
    """How a kind of message is published."""

    qos: int
    retain: bool


DELIVERY: Mapping[str, Delivery] = {
    "metadata": Delivery(2, True),
    "metadata_clear": Delivery(0, True),
    "configuration_request": Delivery(2, False),
    "configuration_response": Delivery(2, False),
    "set_request": Delivery(2, False),
    "set_response": Delivery(2, False),
    "module_metadata": Delivery(2, False),
    "module_ready": Delivery(2, False),
    "global_ready": Delivery(2, False),
    "shutdown": Delivery(2, False),
    "variable": Delivery(2, False),
    "command": Delivery(2, False),
    "command_result": Delivery(2, False),
    "error": Delivery(2, False),
    "external": Delivery(2, False),
    "telemetry": Delivery(0, False),
}
"""The table of bus 1.4. `metadata` are the retained `<P>interfaces` and so on.

`module_metadata` is `<P>modules/<mid>/metadata`.
"""

SUBSCRIBE_QOS = 2
EXTERNAL_SUBSCRIBE_QOS = 0


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Envelope:
    """One decoded message: its kind and its payload, still as JSON text.

    `kind` None: JSON without a string `msg_type`, offered to external handlers (bus 1.3); `data` is then the whole
    text. `name` is the `msg_type` as received. `data` is empty when the key is absent.
    """

    topic: str
    kind: MessageType | None
    data: Raw
    name: str = ""

    @property
    def dialect(self) -> Dialect | None:
        """The dialect of the sender, where the message gives it away."""
        for dialect in Dialect:
            if self.name in (dialect.configuration_request, dialect.configuration_response):
                return dialect
        return None


class _Envelope(msgspec.Struct):
    msg_type: Any = None
    data: Raw = Raw(b"")


_envelope = msgspec.json.Decoder(_Envelope)
_any = msgspec.json.Decoder()


def _guard(topic: str, decode: Callable[[bytes], T], payload: bytes) -> T:
    """Decode, turning every way in which bytes can be wrong into a `WireError`."""
    try:
        return decode(payload)
    except msgspec.ValidationError as error:
        raise WireError(topic, f"unexpected shape: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(topic, f"undecodable JSON: {error}") from None
    except RecursionError:
        raise WireError(topic, "undecodable JSON: nested too deeply") from None


def parse(topic: str, payload: bytes) -> Envelope:
    """The envelope of a message on an everest topic. Errors: WireError for undecodable JSON and unknown `msg_type`."""
    first = payload.lstrip(b" \t\r\n")[:1]
    if first != b"{":
        _guard(topic, _any.decode, payload)
        return Envelope(topic, None, Raw(payload))
    message = _guard(topic, _envelope.decode, payload)
    if not isinstance(message.msg_type, str):
        _guard(topic, _any.decode, payload)
        return Envelope(topic, None, Raw(payload))
    kind = MESSAGE_TYPES.get(message.msg_type)
    if kind is None:
        raise WireError(topic, f"unknown msg_type {message.msg_type[:80]!r}")
    return Envelope(topic, kind, message.data, message.msg_type)


def parse_data(envelope: Envelope) -> Any:
    """The payload of any envelope as plain Python values. Errors: WireError."""
    if not bytes(envelope.data):
        raise WireError(envelope.topic, f"{envelope.name} without data")
    return _guard(envelope.topic, _any.decode, envelope.data)


class _Var(msgspec.Struct):
    data: Raw = Raw(b"")


_var = msgspec.json.Decoder(_Var)


def parse_var(envelope: Envelope) -> Raw:
    """The value of a variable, as JSON text (bus 3.3). Errors: WireError when there is no `data.data`."""
    value = _guard(envelope.topic, _var.decode, envelope.data).data
    if not bytes(value):
        raise WireError(envelope.topic, "Var without data.data")
    return value


class CommandRequest(msgspec.Struct, frozen=True):
    """A command call (bus 3.1). `args` is JSON text of an object or null; empty when absent."""

    id: str
    origin: str
    args: Raw = Raw(b"")


_cmd = msgspec.json.Decoder(CommandRequest)


def parse_command(envelope: Envelope) -> CommandRequest:
    """Errors: WireError when `id` or `origin` is missing or no string, so that no reply can be addressed."""
    request = _guard(envelope.topic, _cmd.decode, envelope.data)
    if not request.origin or any(sign in request.origin for sign in "+#/\0"):
        raise WireError(envelope.topic, f"Cmd with unusable origin {request.origin[:80]!r}")
    return request


@dataclass(frozen=True, slots=True)
class CommandReply:
    """The answer to a command call (bus 3.2). `error` None: success, `retval` is JSON text (`null` without result)."""

    id: str
    origin: str
    retval: Raw
    error: CommandError | None


class _Failure(msgspec.Struct):
    type: str = msgspec.field(name="__everest__error_type", default="HandlerException")
    message: str = msgspec.field(name="__everest__error_msg", default="")


class _Result(msgspec.Struct):
    id: str
    origin: str = ""
    retval: Raw = Raw(b"")
    error: _Failure | msgspec.UnsetType = msgspec.UNSET


class _CmdResult(msgspec.Struct):
    data: _Result


_cmd_result = msgspec.json.Decoder(_CmdResult)


def parse_command_result(envelope: Envelope) -> CommandReply:
    """Errors: WireError without `data.data.id`. An unknown error type counts as HandlerException."""
    result = _guard(envelope.topic, _cmd_result.decode, envelope.data).data
    error = None
    if isinstance(result.error, _Failure):
        kind = COMMAND_ERRORS.get(result.error.type, HandlerException)
        error = kind(result.error.message)
    return CommandReply(result.id, result.origin, result.retval if bytes(result.retval) else Raw(b"null"), error)


class ConfigurationRequest(msgspec.Struct, frozen=True):
    """What a module asks the manager (bus 2.3, 6.7). `request` is the body: `{"type": "Module"}`, an identifier, ..."""

    origin: str
    type: str = "Get"
    request: dict[str, Any] = {}


_configuration_request = msgspec.json.Decoder(ConfigurationRequest)


def parse_configuration_request(envelope: Envelope) -> ConfigurationRequest:
    """Errors: WireError without a usable `origin`, since the answer's topic is made from it."""
    request = _guard(envelope.topic, _configuration_request.decode, envelope.data)
    if not request.origin or any(sign in request.origin for sign in "+#/\0"):
        raise WireError(envelope.topic, f"configuration request with unusable origin {request.origin[:80]!r}")
    return request


class SetRequest(msgspec.Struct, frozen=True):
    """What the manager forwards to a module on `.../config/set_request` (bus 6.7)."""

    identifier: dict[str, Any]
    value: str


_set_request = msgspec.json.Decoder(SetRequest)


def parse_set_request(envelope: Envelope) -> SetRequest:
    """Errors: WireError when identifier or value are missing or of another type."""
    return _guard(envelope.topic, _set_request.decode, envelope.data)


class ConfigurationResponse(msgspec.Struct, frozen=True):
    """Answer to a configuration request (bus 2.3, 6.7). `status` is Ok, Error or AccessDenied."""

    status: str
    status_info: str = ""
    type: str = ""
    response: Any = None


_configuration_response = msgspec.json.Decoder(ConfigurationResponse)


def parse_configuration_response(envelope: Envelope) -> ConfigurationResponse:
    """Errors: WireError when there is no `status`."""
    return _guard(envelope.topic, _configuration_response.decode, envelope.data)


# --- writing ---------------------------------------------------------------------------------------------------------


def encode(value: Any) -> bytes:
    """Compact JSON of plain values and msgspec structs; non-finite floats become null.

    Errors: TypeError (not expressible), ValueError (lone surrogates, nested too deeply): the sender's own mistake.
    """
    try:
        return msgspec.json.encode(value)
    except RecursionError:
        raise ValueError("nested too deeply to be sent") from None


def build(msg_type: str, data: Any) -> bytes:
    """Any enveloped message; `data` may hold `Raw` parts. Prefer the builders below."""
    return encode({"data": data, "msg_type": msg_type})


def build_var(value: Any) -> bytes:
    """A variable's value (bus 3.3)."""
    return build("Var", {"data": value})


def build_command(call_id: str, args: Mapping[str, Any], origin: str) -> bytes:
    """A command call; `origin` is the caller's module id (bus 3.1)."""
    return build("Cmd", {"args": args, "id": call_id, "origin": origin})


def build_command_result(call_id: str, origin: str, retval: Any) -> bytes:
    """A successful reply.

    `origin` is the provider's module id, `retval` None for a command without result (bus 3.2).
    """
    return build("CmdResult", {"data": {"id": call_id, "origin": origin, "retval": retval}, "type": "result"})


def build_command_error(call_id: str, origin: str, error: CommandError) -> bytes:
    """A failed reply: the class of `error` names the type on the wire (bus 3.2)."""
    names = (kind.__name__ for kind in type(error).__mro__)
    kind = next((name for name in names if name in COMMAND_ERRORS), "HandlerException")
    failure = {"__everest__error_msg": str(error), "__everest__error_type": kind}
    return build("CmdResult", {"data": {"error": failure, "id": call_id, "origin": origin}, "type": "result"})


def build_error(error: Any, *, cleared: bool) -> bytes:
    """A raised or cleared error, all ten fields (bus 4.2); `error` is an `everest.runtime.Error` or its JSON."""
    return build("ClearError" if cleared else "RaiseError", error)


def build_configuration_request(origin: str, body: Mapping[str, Any], *, type: str = "Get", dialect: Dialect) -> bytes:
    """A request to the manager (bus 2.3, 6.7)."""
    return build(dialect.configuration_request, {"origin": origin, "request": body, "type": type})


def build_set_request(identifier: Mapping[str, Any], value: str, *, dialect: Dialect) -> bytes:
    """What the manager forwards to a module that may change a parameter at run time (bus 6.7)."""
    return build(dialect.configuration_request, {"identifier": identifier, "value": value})


def build_configuration_response(
    response: Any, *, type: str | None = "Get", status: str = "Ok", status_info: str = "", dialect: Dialect
) -> bytes:
    """An answer to a request; `type` None leaves the key out, as error replies do (bus 2.3)."""
    data: dict[str, Any] = {"response": response, "status": status, "status_info": status_info}
    if type is not None:
        data["type"] = type
    return build(dialect.configuration_response, data)


def build_metadata(data: Any, *, dialect: Dialect) -> bytes:
    """One retained metadata topic (bus 2.3), `data` as distributed."""
    return build(dialect.configuration_response, data)


def build_module_metadata(module_name: str, provides: Mapping[str, str], *, dialect: Dialect) -> bytes:
    """What a module tells about itself once, before init (bus 2.3); `provides`: implementation id -> interface."""
    interfaces = {implementation: {"interface": interface} for implementation, interface in provides.items()}
    return build(dialect.configuration_response, {"module": module_name, "provides": interfaces})


def build_module_ready() -> bytes:
    """`<P>modules/<mid>/ready` (bus 2.4)."""
    return build("ModuleReady", True)


def build_global_ready() -> bytes:
    """`<P>ready` (bus 2.4)."""
    return build("GlobalReady", True)


def build_shutdown() -> bytes:
    """`<P>shutdown`: bare JSON without an envelope (bus 2.4)."""
    return b"true"
