"""Whether a message fits what a scenario expects of it, and placeholders. Pure.

An expectation names some of the fields; the others are free. A text may be `*` (any value that is there), `absent`,
a comparison (`>= 5`), or `/regular expression/`. A list matches item by item from the front;
a mapping where a list is said means "some item that fits" (`sampledValue: {measurand: SoC}`).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

MISSING = object()

COMPARISON = re.compile(r"(>=|<=|>|<|!=)\s*(.+)")
WRONG_SIGN = re.compile(r"(=>|=<|==|<>|=!|≥|≤|=)\s*(.+)")
"""What people write for a comparison that is none."""
MEANT = {"=>": ">=", "=<": "<=", "<>": "!=", "=!": "!=", "≥": ">=", "≤": "<="}
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "!=": operator.ne,
}
NOW = re.compile(r"\$now(?:([+-])\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d))?")
NAME = re.compile(r"\$(\w+)(/\S*)?")
SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)")
UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


class UnknownName(ValueError):
    """A placeholder names what no step has saved."""


def seconds(text: Any) -> float | None:
    """`10 s`, `1.5 min`, `2 h`, a bare number of seconds; None for anything else."""
    if isinstance(text, bool):
        return None
    if isinstance(text, int | float):
        return float(text) if text >= 0 else None
    found = SPAN.fullmatch(text.strip()) if isinstance(text, str) else None
    return float(found[1]) * UNITS[found[2]] if found else None


def difference(expected: Any, actual: Any, path: str = "") -> str:
    """Empty when `actual` fits; else the first place that does not, in words."""
    if isinstance(expected, dict):
        return _mapping(expected, actual, path)
    if isinstance(expected, list):
        return _list(expected, actual, path)
    if isinstance(expected, str) and (special := _special(expected, actual)) is not None:
        return "" if special else f"{path or 'value'} is {_shown(actual)}, expected {expected}"
    if actual is MISSING or not _equal(expected, actual):
        return f"{path or 'value'} is {_shown(actual)}, expected {expected!r}"
    return ""


def as_fields(value: Any) -> dict[str, Any]:
    """A value of the bus as fields: one that is no object is called `value`."""
    return value if isinstance(value, dict) else {"value": value}


def differences(expected: dict[str, Any], actual: Any) -> list[str]:
    """Every field that does not fit, in words."""
    if not isinstance(actual, dict):
        return [wrong] if (wrong := difference(expected, actual)) else []
    found = (difference(value, actual.get(key, MISSING), key) for key, value in expected.items())
    return [wrong for wrong in found if wrong]


def is_plain(expected: Any) -> bool:
    """A text that only its equal fits: no `*`, comparison, regular expression or placeholder."""
    if not isinstance(expected, str) or expected in ("*", "absent") or expected.startswith("$"):
        return False
    return COMPARISON.fullmatch(expected) is None and pattern(expected) is None


def bad_patterns(expected: Any) -> Iterator[str]:
    """The regular expressions in an expectation that are none, with what is wrong."""
    if isinstance(expected, dict | list):
        for item in expected.values() if isinstance(expected, dict) else expected:
            yield from bad_patterns(item)
    elif isinstance(expected, str) and (found := pattern(expected)) is not None:
        try:
            re.compile(found)
        except re.error as error:
            yield f"{expected} is no regular expression: {error}"


def wrong_signs(expected: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Where an expectation has a comparison that does not exist: path, text, and what was meant."""
    if isinstance(expected, dict | list):
        for key, item in expected.items() if isinstance(expected, dict) else enumerate(expected):
            yield from wrong_signs(item, (*path, key))
    elif isinstance(expected, str) and (found := WRONG_SIGN.fullmatch(expected)) is not None:
        meant = MEANT.get(found[1])
        yield path, expected, f"{meant} {found[2]}" if meant else found[2]


def placeholders(value: Any) -> Iterator[str]:
    """The names that steps before must have saved for `value`."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from placeholders(item)
    elif isinstance(value, str):
        compared = COMPARISON.fullmatch(value)
        text = compared[2] if compared is not None else value
        if NOW.fullmatch(text) is None and (found := NAME.fullmatch(text)) is not None:
            yield found[1]


def pattern(expected: str) -> str | None:
    """What stands between the slashes of a regular expression; None for any other text."""
    return expected[1:-1] if len(expected) > 2 and expected.startswith("/") and expected.endswith("/") else None


def _mapping(expected: dict[str, Any], actual: Any, path: str) -> str:
    if isinstance(actual, list):
        differences = [difference(expected, item, path) for item in actual]
        return "" if "" in differences else f"no item of {path or 'the list'} fits {expected}"
    if not isinstance(actual, dict):
        return f"{path or 'value'} is {_shown(actual)}, expected {expected}"
    for key, value in expected.items():
        if wrong := difference(value, actual.get(key, MISSING), f"{path}.{key}" if path else key):
            return wrong
    return ""


def _list(expected: list[Any], actual: Any, path: str) -> str:
    if not isinstance(actual, list) or len(actual) < len(expected):
        return f"{path or 'value'} is {_shown(actual)}, expected a list of at least {len(expected)}"
    for number, (left, right) in enumerate(zip(expected, actual, strict=False)):
        if wrong := difference(left, right, f"{path}[{number}]"):
            return wrong
    return ""


def _special(expected: str, actual: Any) -> bool | None:
    """The verdict of a special text, None when the text is an ordinary one."""
    if expected == "absent":
        return actual is MISSING
    if expected == "*":
        return actual is not MISSING
    if (found := COMPARISON.fullmatch(expected)) is not None:
        return actual is not MISSING and _compare(found[1], found[2], actual)
    if (text := pattern(expected)) is not None:
        return isinstance(actual, str) and re.search(text, actual) is not None
    return None


def _compare(sign: str, wanted: str, actual: Any) -> bool:
    try:
        return OPERATORS[sign](float(actual), float(wanted))
    except (TypeError, ValueError):
        return OPERATORS[sign](str(actual), wanted)


def _equal(expected: Any, actual: Any) -> bool:
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, int | float) and isinstance(actual, str):
        return str(expected) == actual
    return bool(expected == actual)


def _shown(actual: Any) -> str:
    return "absent" if actual is MISSING else repr(actual)


def filled(value: Any, names: Mapping[str, Any], now: datetime) -> Any:
    """`value` with `$now`, `$now+60s` and `$name` (saved by a step) put in. Raises UnknownName."""
    if isinstance(value, dict):
        return {key: filled(item, names, now) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, names, now) for item in value]
    if not isinstance(value, str):
        return value
    if (found := NOW.fullmatch(value)) is not None:
        return _moment(now, found)
    if (found := NAME.fullmatch(value)) is not None:
        if found[1] not in names:
            raise UnknownName(
                f"{value}: no step before has saved {found[1]!r}; there are: {', '.join(names) or 'none'}"
            )
        return f"{names[found[1]]}{found[2]}" if found[2] else names[found[1]]
    if (found := COMPARISON.fullmatch(value)) is not None and found[2].startswith("$"):
        return f"{found[1]} {filled(found[2], names, now)}"
    return value


def _moment(now: datetime, found: re.Match[str]) -> str:
    away = float(found[2]) * UNITS[found[3]] if found[1] else 0.0
    moment = now + timedelta(seconds=-away if found[1] == "-" else away)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def picked(payload: Any, path: str) -> Any:
    """The field at a dotted path (`idTagInfo.status`, `meterValue.0.timestamp`); MISSING when it is not there."""
    for part in path.split("."):
        if isinstance(payload, list) and part.isdecimal() and int(part) < len(payload):
            payload = payload[int(part)]
        elif isinstance(payload, dict) and part in payload:
            payload = payload[part]
        else:
            return MISSING
    return payload
