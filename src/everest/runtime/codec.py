"""JSON text into the Python types of the contracts, leniently: types and required fields count (bus 3.4, design 7).

Lives here: `decode`, `PayloadError` and the cached msgspec decoders.
May not be imported here: transports, modules, contracts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec import Raw

from everest.runtime.errors import EverestError


class PayloadError(EverestError):
    """A payload does not have the type it is declared with; the text says where and what."""


@cache
def _decoder(type: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type)


_plain = msgspec.json.Decoder()


def decode(payload: Raw | bytes, type: Any) -> Any:
    """Decode `payload` into `type`. Whole floats are taken for integers (JSON knows no difference).

    Errors: PayloadError.
    """
    try:
        return _decoder(type).decode(payload)
    except msgspec.ValidationError as error:
        return _decode_again(payload, type, str(error))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PayloadError(f"undecodable JSON: {error}") from None
    except RecursionError:
        raise PayloadError("undecodable JSON: nested too deeply") from None


def _decode_again(payload: Raw | bytes, type: Any, reason: str) -> Any:
    """Second try with whole floats as integers; `reason` is what was wrong at first."""
    try:
        return msgspec.convert(_whole(_plain.decode(payload)), type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise PayloadError(reason) from None


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return value


@cache
def _arguments_type(name: str, arguments: tuple[tuple[str, Any], ...]) -> Any:
    """A struct with one field per argument; fields are numbered so that any argument name is possible."""
    fields = [(f"a{index}", type) for index, (_, type) in enumerate(arguments)]
    names = {f"a{index}": argument for index, (argument, _) in enumerate(arguments)}
    return msgspec.defstruct(name, fields, rename=names, kw_only=True)


def decode_arguments(command: str, arguments: Mapping[str, Any] | None, payload: Raw | bytes) -> dict[str, Any]:
    """The typed arguments of a command call, by name; extra ones are ignored, null means none. Errors: PayloadError.

    With `arguments` None all of them are plain JSON values.
    """
    text = payload if payload and bytes(payload) != b"null" else b"{}"
    if not arguments:
        values = decode(text, dict[str, Any])
        return dict(values) if arguments is None else {}
    values = decode(text, _arguments_type(command, tuple(arguments.items())))
    return {argument: getattr(values, f"a{index}") for index, argument in enumerate(arguments)}
