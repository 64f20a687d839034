"""How a value lies in the table KVS: a text and the name of its type (station 7.3). Pure.

The texts are EVerest's: bool as `true`/`false`, a number with six decimals, objects and arrays as JSON. Where six
decimals would lose something of a number, it is written in full, so that what is loaded is what was stored.
"""

from __future__ import annotations

import json
import math
from typing import Any

NULL, ARRAY, OBJECT, BOOL, DOUBLE, INT, STRING = "nullptr_t", "Array", "Object", "bool", "double", "int", "std::string"


def encode(value: Any) -> tuple[str, str]:
    """The (VALUE, TYPE) of a JSON value. Errors: `ValueError` for what JSON cannot carry (NaN, infinity, other
    types).
    """
    match value:
        case None:
            return "null", NULL
        case bool():
            return ("true" if value else "false"), BOOL
        case int():
            return str(value), INT
        case float():
            return _number(value), DOUBLE
        case str():
            return value, STRING
        case list():
            return _json(value), ARRAY
        case dict():
            return _json(value), OBJECT
    raise ValueError(f"a {type(value).__name__} cannot be stored")


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _from_json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _finite(text: str) -> float:
    """A number that JSON can carry; also called for NaN and Infinity, which Python's JSON reads."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number of JSON")
    return number


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} cannot be stored")
    text = f"{value:.6f}"
    return text if float(text) == value else repr(value)


def decode(text: Any, type_name: Any) -> Any:
    """The value of a row. Errors: `ValueError` naming the type if the text does not fit it or the type is unknown.

    SQLite keeps what it is given: text and type may be NULL or bytes in a file that another hand wrote.
    """
    if not isinstance(text, str) and type_name != NULL:
        raise ValueError(f"the value of type {type_name!r} is no text: {text!r:.80}")
    try:
        match type_name:
            case "nullptr_t":
                return None
            case "bool":
                return {"true": True, "false": False}[text]
            case "int":
                return int(text)
            case "double":
                return _finite(text)
            case "std::string":
                return text
            case "Array" | "Object":
                return _from_json(text)
    except (ValueError, KeyError) as error:
        raise ValueError(f"the text is no {type_name}: {text[:80]!r}") from error
    raise ValueError(f"unknown type {type_name!r}")
