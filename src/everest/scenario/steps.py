"""The kinds of steps and the keys that each may have: the table that reading.py checks files against. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from everest.scenario import matching
from everest.scenario.csms import NETWORKS

CAR_WORDS = {
    "plug": "sleep 1;iec_wait_pwr_ready;sleep 1;draw_power_regulated 16,3;sleep 360000",
    "unplug": "unplug",
    "pause": "pause;sleep 360000",
    "resume": "draw_power_regulated 16,3;sleep 360000",
}
"""Words for testers; any other text goes to the car as its command language has it."""

EVSE_WORDS = {
    "pause": "pause_charging",
    "resume": "resume_charging",
    "enable": "enable",
    "disable": "disable",
}

Check = Callable[[Any], str]
"""Empty when the value is fine, else what it should be."""


def is_text(value: Any) -> str:
    return "" if isinstance(value, str) and value else "write a text"


def is_number(value: Any) -> str:
    return "" if isinstance(value, int) and not isinstance(value, bool) and value >= 1 else "write a number from 1"


def is_time(value: Any) -> str:
    return "" if matching.seconds(value) is not None else "write a time, for example 10 s, 2 min or 500 ms"


def is_mapping(value: Any) -> str:
    return "" if isinstance(value, dict) else "write `field: value` lines"


def is_anything(_value: Any) -> str:
    return ""


def one_of(*words: str) -> Check:
    return lambda value: "" if value in words else f"write one of: {', '.join(words)}"


def is_network(value: Any) -> str:
    if isinstance(value, dict):
        return "" if list(value) == ["late"] and not is_time(value["late"]) else "write {late: 5 s}"
    return one_of(*NETWORKS)(value) + (" or {late: 5 s}" if value not in NETWORKS else "")


def is_actions(value: Any) -> str:
    fine = isinstance(value, list) and value and not any(map(is_text, value))
    return "" if fine or not is_text(value) else "write an action, or a list of actions"


def is_order(value: Any) -> str:
    fine = isinstance(value, list) and value and all(map(_is_order_item, value))
    return "" if fine else "write a list of actions, each alone or as `Action: {field: value}`"


def _is_order_item(item: Any) -> bool:
    if isinstance(item, dict):
        return len(item) == 1 and all(isinstance(fields, dict) for fields in item.values())
    return not is_text(item)


def is_variable(value: Any) -> str:
    fine = isinstance(value, str) and value.count("/") == 2
    return "" if fine else "write <module id>/<implementation id>/<variable>"


@dataclass(frozen=True)
class Kind:
    """What may stand after the leading key and beside it. `does`: it begins a new look at what is said."""

    check: Check
    options: Mapping[str, Check]
    does: bool = False


CONNECTOR: Mapping[str, Check] = {"connector": is_number}
WITHIN: Mapping[str, Check] = {"within": is_time}
FITS: Mapping[str, Check] = {"with": is_mapping, "save": is_mapping, **WITHIN}

KINDS: dict[str, Kind] = {
    "car": Kind(is_text, CONNECTOR, does=True),
    "card": Kind(is_text, CONNECTOR, does=True),
    "evse": Kind(one_of(*EVSE_WORDS), CONNECTOR, does=True),
    "network": Kind(is_network, {}, does=True),
    "fault": Kind(is_text, CONNECTOR, does=True),
    "clear": Kind(is_text, CONNECTOR, does=True),
    "csms": Kind(is_text, {"payload": is_mapping, "answer": is_anything, **WITHIN}, does=True),
    "answers": Kind(is_mapping, {}),
    "tags": Kind(is_mapping, {}),
    "publish": Kind(is_text, {"payload": is_anything}, does=True),
    "power": Kind(one_of("off", "on"), {}, does=True),
    "restarts": Kind(is_anything, WITHIN, does=True),
    "wait": Kind(is_time, {}),
    "expect": Kind(is_text, FITS),
    "none": Kind(is_actions, {"with": is_mapping, "for": is_time}),
    "order": Kind(is_order, WITHIN),
    "event": Kind(is_text, {**CONNECTOR, **FITS}),
    "variable": Kind(is_variable, FITS),
    "error": Kind(is_text, {"state": one_of("raised", "cleared"), **CONNECTOR, **WITHIN}),
}
