"""Encoding and decoding of payloads, and what is said of a payload that cannot be decoded.

A well-formed payload is decoded in one pass, validated by decoding. A refused one is looked at again: deviations that
`tolerance.py` names are repaired and reported, anything else raises `PayloadError`. Of duplicate keys the last counts.
May import: base, tolerance. Must not import: anything of ocpp16 outside `messages`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from ocpp16.messages.base import Request, Response, Timestamp, Type, format_timestamp, parse_timestamp
from ocpp16.messages.tolerance import LogOnce, Report, decode_json, repair

T = TypeVar("T", bound=Type)


class Violation(StrEnum):
    """What is wrong with a payload, in the words of OCPP-J 1.6 (libocpp 3.3)."""

    TypeConstraintViolation = "TypeConstraintViolation"
    """Another JSON type than expected (`"x"` for an integer), or no JSON at all."""
    OccurenceConstraintViolation = "OccurenceConstraintViolation"
    """A required member is missing, or an array has too few items."""
    PropertyConstraintViolation = "PropertyConstraintViolation"
    """The right type with a wrong value: too long, not in the enumeration, out of range, no time, too many decimals."""


class PayloadError(ValueError):
    """A payload breaks its message's schema. `path` is a JSON pointer, empty for the payload as a whole."""

    def __init__(self, violation: Violation, path: str, expected: str, text: str) -> None:
        super().__init__(text)
        self.violation = violation
        self.path = path
        self.expected = expected
        self.text = text


def _from_wire(expected: type, value: Any) -> Any:
    if expected is not Timestamp or not isinstance(value, str):
        raise ValueError(f"Expected `str`, got `{type(value).__name__}`")
    return parse_timestamp(value)


def _to_wire(value: Any) -> Any:
    if isinstance(value, Timestamp):
        return format_timestamp(value)
    raise NotImplementedError(f"{type(value)} is no OCPP type")


_encoder = msgspec.json.Encoder(enc_hook=_to_wire)
_log_once = LogOnce()


@cache
def _decoder(struct: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(struct, dec_hook=_from_wire)


def _by_action(base: type[Any]) -> dict[str, type[Any]]:
    return {message.action: message for message in base.__subclasses__()}


@cache
def request_types() -> dict[str, type[Request]]:
    """The request class of every action."""
    return _by_action(Request)


@cache
def response_types() -> dict[str, type[Response]]:
    """The response class of every action."""
    return _by_action(Response)


def encode(value: Type) -> bytes:
    """Compact JSON of any message or data type; absent members are left out."""
    return _encoder.encode(value)


def encode_payload(message: Request | Response) -> bytes:
    """Compact JSON of a message. Lengths are not looked at: who fills in a text cuts it; `check` looks."""
    return _encoder.encode(message)


def decode_request(action: str, raw: bytes | str | msgspec.Raw, report: Report | None = None) -> Request:
    """The request of this action. PayloadError if the payload breaks the schema; KeyError for an unknown action.

    `report` gets the tolerated deviations; without it each is logged once.
    """
    return decode(request_types()[action], raw, report)


def decode_response(action: str, raw: bytes | str | msgspec.Raw, report: Report | None = None) -> Response:
    """The response of this action; otherwise like `decode_request`."""
    return decode(response_types()[action], raw, report)


def decode(struct: type[T], raw: bytes | str | msgspec.Raw, report: Report | None = None) -> T:
    """Decode a message or any data type (`IdTagInfo`, `MeterValue`, ...) from JSON. PayloadError, as above."""
    try:
        if b"null" not in (octets := raw.encode() if isinstance(raw, str) else bytes(raw)):
            message: T = _decoder(struct).decode(octets)
            return message
    except msgspec.ValidationError:
        pass
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _unreadable(error) from error
    return _decode_tolerantly(struct, raw, report or _log_once.reporter(struct.__name__))


def check(message: Type) -> None:
    """Raise PayloadError if this message would not be valid on the wire (a text too long, for example)."""
    _decode_tolerantly(type(message), encode(message), lambda deviation, path: None)


def _decode_tolerantly(struct: type[T], raw: bytes | str | msgspec.Raw, report: Report) -> T:
    try:
        value = repair(decode_json(raw), struct, report)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _unreadable(error) from error
    try:
        return msgspec.convert(value, struct, dec_hook=_from_wire)
    except msgspec.ValidationError as error:
        raise _explain(struct, str(error)) from error


def _unreadable(error: Exception) -> PayloadError:
    what = "nested too deeply" if isinstance(error, RecursionError) else str(error).partition(" - at `")[0]
    return PayloadError(
        Violation.TypeConstraintViolation, "", "JSON object", f"The payload is no readable JSON: {what}"
    )


# --- from msgspec's words to OCPP's ----------------------------------------------------------------------------------

_WORDS = {"int": "integer", "str": "string", "bool": "boolean", "float": "number", "Timestamp": "string"}

_Rule = tuple[re.Pattern[str], Violation, Callable[[re.Match[str], inspect.Type], str], Callable[[re.Match[str]], str]]


def _type_words(match: re.Match[str], _: inspect.Type) -> str:
    names = [name for name in match["type"].split(" | ") if name != "null"]
    rest = match.groupdict().get("rest") or ""
    return " or ".join(_WORDS.get(name, name) for name in names) + rest


def _enum_words(_: re.Match[str], info: inspect.Type) -> str:
    return "one of " + ", ".join(str(member.value) for member in info.cls) if isinstance(info, inspect.EnumType) else ""


def _here(_: re.Match[str]) -> str:
    return ""


def _member(match: re.Match[str]) -> str:
    return f"/{match['member']}"


_RULES: tuple[_Rule, ...] = (
    (
        re.compile(r"Object missing required field `(?P<member>.*)`"),
        Violation.OccurenceConstraintViolation,
        lambda match, info: "a required member",
        _member,
    ),
    (
        re.compile(r"Expected `(?P<type>array)`(?P<rest> of length .*)"),
        Violation.OccurenceConstraintViolation,
        _type_words,
        _here,
    ),
    (
        re.compile(r"Expected `(?P<type>[^`]*)`(?P<rest> (?:of length )?(?:<|>|=|!).*)"),
        Violation.PropertyConstraintViolation,
        _type_words,
        _here,
    ),
    (
        re.compile(r"Expected `(?P<type>[^`]*)`, got `.*`"),
        Violation.TypeConstraintViolation,
        _type_words,
        _here,
    ),
    (
        re.compile(r"Invalid enum value .*", re.DOTALL),
        Violation.PropertyConstraintViolation,
        _enum_words,
        _here,
    ),
    (
        re.compile(r"(?P<member>\w+) \S+ must have at most one decimal"),
        Violation.PropertyConstraintViolation,
        lambda match, info: "number with at most one decimal",
        _member,
    ),
    (
        re.compile(r".*", re.DOTALL),
        Violation.PropertyConstraintViolation,
        lambda match, info: "RFC 3339 time" if isinstance(info, inspect.CustomType) else "another value",
        _here,
    ),
)


def _explain(struct: type[Type], message: str) -> PayloadError:
    """Find the rule for msgspec's message, which ends in a place such as ` - at `$.meterValue[0].timestamp``."""
    text, _, place = message.partition(" - at `$")
    steps = [name or index for name, index in re.findall(r"\.(\w+)|\[([^\]]*)\]", place)]
    info = _type_at(inspect.type_info(struct), steps)
    path = "".join(f"/{step}" for step in steps)
    for pattern, violation, expected, suffix in _RULES:
        if match := pattern.fullmatch(text):
            path += suffix(match)
            words = expected(match, info)
            said = _got(text) if text.startswith("Expected") else f"{text[:150]}, "
            return PayloadError(violation, path, words, f"{path or 'payload'}: {said}expected {words}")
    raise AssertionError("the last rule fits everything")


def _got(text: str) -> str:
    match = re.search(r"got `(\w+)`", text)
    return f"got {_WORDS.get(match[1], match[1])}, " if match else ""


def _type_at(info: inspect.Type, steps: list[str]) -> inspect.Type:
    for step in steps:
        if isinstance(info, inspect.StructType):
            info = _required(next(field.type for field in info.fields if field.encode_name == step))
        elif isinstance(info, inspect.VarTupleType):
            info = _required(info.item_type)
    return info


def _required(info: inspect.Type) -> inspect.Type:
    """`X` for the type `X | None`."""
    if isinstance(info, inspect.UnionType):
        return next(member for member in info.types if not isinstance(member, inspect.NoneType))
    return info
