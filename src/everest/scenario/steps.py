"""The kinds of steps and the keys that each may have: the table that reading.py checks files against. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from everest.scenario import chance, files, matching
from everest.scenario.csms import NETWORKS

CAR_WORDS = {
    "plug": "sleep 1;iec_wait_pwr_ready;sleep 1;draw_power_regulated 16,3;sleep 360000",
    "plug dc": "sleep 1;iso_wait_slac_matched;iso_start_v2g_session dc;iso_wait_pwr_ready;iso_dc_power_on;sleep 360000",
    "unplug": "unplug",
    "pause": "pause;sleep 360000",
    "resume": "draw_power_regulated 16,3;sleep 360000",
}
"""Words for testers; any other text goes to the car as its command language has it."""

PLUGS = ("plug", "plug dc")
"""A car that comes; it may do other `commands`."""

EVSE_WORDS = {
    "pause": "pause_charging",
    "resume": "resume_charging",
    "enable": "enable",
    "disable": "disable",
}

Check = Callable[[Any], str]
"""Empty when the value is fine, else what it should be."""

MOST_ROUNDS = 1000
MOMENT = re.compile(r"until\s+([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")


def is_text(value: Any) -> str:
    return "" if isinstance(value, str) and value else "write a text"


def is_number(value: Any) -> str:
    return "" if isinstance(value, int) and not isinstance(value, bool) and value >= 1 else "write a number from 1"


def is_time(value: Any) -> str:
    """With its unit, or seconds that `choose` has picked; what stands in a file must have one (`without_unit`)."""
    return "" if matching.seconds(value) is not None else "write a time, for example 10 s, 2 min or 500 ms"


def without_unit(item: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and fix of each time of a step that is a bare number: everybody reads it otherwise."""
    for key in ("wait", "within", "for"):
        if _is_bare(item.get(key)):
            yield key, f"write its unit: {item[key]} s"
    network = item.get("network")
    if isinstance(network, dict) and _is_bare(network.get("late")):
        yield "network", f"write {{late: {network['late']} s}}"


def _is_bare(value: Any) -> bool:
    return isinstance(value, int | float) and matching.seconds(value) is not None


def is_wait(value: Any) -> str:
    """A length, or `until 22:00`."""
    until = isinstance(value, str) and MOMENT.fullmatch(value) is not None
    return "" if until or not is_time(value) else "write a time, for example 10 s or 2 min, or `until 22:00`"


def is_rounds(value: Any) -> str:
    return is_number(value) or ("" if value <= MOST_ROUNDS else f"write a number up to {MOST_ROUNDS}")


def is_steps(value: Any) -> str:
    return "" if isinstance(value, list) and value else "write a list of steps"


def is_choice(value: Any) -> str:
    fine = isinstance(value, dict) and value and all(_is_pool(pool) for pool in value.values())
    return "" if fine else "write `name: [one, other]` or `name: 5 min .. 2 h`"


def _is_pool(pool: Any) -> bool:
    return (isinstance(pool, list) and bool(pool)) or chance.bounds(pool) is not None


def is_files(value: Any) -> str:
    fine = isinstance(value, dict) and all(state in files.STATES for state in value.values())
    return "" if fine else f"write `file name: state`, with a state of {', '.join(files.STATES)}"


def is_flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "write true or false"


def is_topic(value: Any) -> str:
    wild = isinstance(value, str) and ("+" in value or "#" in value)
    return "write a topic without the wildcards + and #" if wild else is_text(value)


def is_yes(value: Any) -> str:
    return "" if value is True else "write true"


def named(check: Check) -> Check:
    """`check`, or the name of what an earlier step saved or chose."""
    return lambda value: "" if isinstance(value, str) and matching.NAME.fullmatch(value) else check(value)


def is_mapping(value: Any) -> str:
    return "" if isinstance(value, dict) else "write `field: value` lines"


def is_answer(value: Any) -> str:
    return "" if isinstance(value, dict) or not is_text(value) else "write a status, or `field: value` lines"


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


def is_command(value: Any) -> str:
    fine = isinstance(value, str) and value.count("/") == 2
    return "" if fine else "write <module id>/<implementation id>/<command>"


@dataclass(frozen=True)
class Kind:
    """What may stand after the leading key and beside it. `does`: it begins a new look at what is said."""

    check: Check
    options: Mapping[str, Check]
    does: bool = False


CONNECTOR: Mapping[str, Check] = {"connector": named(is_number)}
WITHIN: Mapping[str, Check] = {"within": named(is_time)}
FITS: Mapping[str, Check] = {"with": is_mapping, "save": is_mapping, **WITHIN}

KINDS: dict[str, Kind] = {
    "car": Kind(is_text, {"commands": is_text, **CONNECTOR}, does=True),
    "card": Kind(is_text, CONNECTOR, does=True),
    "evse": Kind(named(one_of(*EVSE_WORDS)), CONNECTOR, does=True),
    "network": Kind(named(is_network), {}, does=True),
    "fault": Kind(is_text, CONNECTOR, does=True),
    "clear": Kind(is_text, CONNECTOR, does=True),
    "csms": Kind(is_text, {"payload": is_mapping, "answer": is_answer, "save": is_mapping, **WITHIN}, does=True),
    "answers": Kind(is_mapping, {}),
    "tags": Kind(is_mapping, {}),
    "files": Kind(is_files, {}),
    "call": Kind(is_command, {"arguments": is_mapping, "result": is_anything, "save": is_mapping, **WITHIN}, does=True),
    "publish": Kind(is_topic, {"payload": is_anything}, does=True),
    "power": Kind(one_of("off", "on"), {}, does=True),
    "restarts": Kind(is_yes, WITHIN, does=True),
    "wait": Kind(named(is_wait), {}),
    "choose": Kind(is_choice, {}),
    "repeat": Kind(is_rounds, {"steps": is_steps}),
    "expect": Kind(is_text, FITS),
    "none": Kind(is_actions, {"with": is_mapping, "for": named(is_time)}),
    "order": Kind(is_order, {"strict": is_flag, **WITHIN}),
    "rising": Kind(is_text, {"with": is_mapping, "times": is_number, **WITHIN}),
    "upload": Kind(is_text, FITS),
    "event": Kind(is_text, {**CONNECTOR, **FITS}),
    "variable": Kind(is_variable, FITS),
    "error": Kind(is_text, {"state": one_of("raised", "cleared"), **CONNECTOR, **WITHIN}),
}
