"""Python values to JSON values as EVerest's binding converts them (bus 7).

Lives here: `to_json`. May not be imported here: anything of this project.
"""

from __future__ import annotations

import base64
from typing import Any

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**64 - 1
"""What a JSON integer of the original can hold: signed or unsigned 64 bits."""


def to_json(value: Any) -> Any:
    """Plain JSON values: tuples become lists, bytes base64 text, dictionary keys text.

    Errors: RuntimeError for any other object, an integer beyond 64 bits, a structure nested too deeply.
    """
    try:
        return _convert(value)
    except RecursionError:
        raise RuntimeError("a value that is nested too deeply (or contains itself) cannot be sent") from None


def _convert(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _integer(int(value))
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, tuple | list):
        return [_convert(item) for item in value]
    if isinstance(value, dict):
        return {_text(str(key)): _convert(item) for key, item in value.items()}
    raise RuntimeError(f"{value!r} ({type(value).__name__}) cannot be sent: it is no JSON value")


def _integer(value: int) -> int:
    if not INTEGER_MIN <= value <= INTEGER_MAX:
        raise RuntimeError(f"the integer {value} cannot be sent: it does not fit 64 bits")
    return value


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RuntimeError(f"the text {value!r} cannot be sent: {error.reason}") from None
    return str.__str__(value)
