"""The car's command language (station 3.3): text -> a list of commands, or a refusal that names the place.

Pure parsing. What a command does to the car is in car.py.
"""

from __future__ import annotations

from dataclasses import dataclass

# name -> argument counts it is registered with. One form: any count is accepted here and fails when executed (as
# EVerest's car does); several forms: one must match.
FORMS: dict[str, tuple[int, ...]] = {
    "sleep": (1,),
    "iec_wait_pwr_ready": (0,),
    "iso_wait_pwm_is_running": (0,),
    "draw_power_regulated": (2,),
    "draw_power_fixed": (2,),
    "iso_draw_power_regulated": (2,),
    "pause": (0,),
    "unplug": (0,),
    "error_e": (0,),
    "diode_fail": (0,),
    "rcd_current": (1,),
    "wait_for_real_plugin": (0,),
    "plugin": (0,),
    "set_soc": (1,),
}

# registered by EVerest's car only where an ISO 15118 stack and SLAC are connected; this car has none
ISO_STACK_COMMANDS = frozenset(
    {
        "iso_wait_slac_matched",
        "iso_start_v2g_session",
        "iso_wait_pwr_ready",
        "iso_dc_power_on",
        "iso_stop_charging",
        "iso_wait_for_stop",
        "iso_wait_v2g_session_stopped",
        "iso_pause_charging",
        "iso_wait_for_resume",
        "iso_start_bcb_toggle",
    }
)


class CommandSyntaxError(ValueError):
    """A command string that cannot be taken: the message says which command and why."""


@dataclass(frozen=True)
class CarCommand:
    """One command, lower case, with its arguments as text."""

    name: str
    arguments: tuple[str, ...] = ()


def parse(text: str) -> list[CarCommand]:
    """Parse a command string; the whole string is refused (CommandSyntaxError) if one command is unknown or empty.

    Separators are `;` and newline (a trailing one is fine), `,` counts as a blank, and parts are split at single
    blanks.
    """
    parts = text.lower().replace("\r\n", ";").replace("\n", ";").split(";")
    if len(parts) > 1 and parts[-1] == "":
        parts.pop()
    return [_parse_one(part, number) for number, part in enumerate(parts, start=1)]


def _parse_one(part: str, number: int) -> CarCommand:
    name, *arguments = part.replace(",", " ").split(" ")
    if not name:
        raise CommandSyntaxError(f"command {number} is empty or begins with a blank ({part!r})")
    if name in ISO_STACK_COMMANDS:
        raise CommandSyntaxError(f"command {number}: {name} needs ISO 15118, which this simulated car does not have")
    if name not in FORMS:
        raise CommandSyntaxError(f"command {number}: unknown command {name!r}; known: {', '.join(sorted(FORMS))}")
    forms = FORMS[name]
    if len(forms) > 1 and len(arguments) not in forms:
        raise CommandSyntaxError(f"command {number}: {name} takes {forms} arguments, not {len(arguments)}")
    return CarCommand(name, tuple(arguments))
