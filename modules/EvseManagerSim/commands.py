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
    "need_ventilation": (0,),  # our own: EVerest's car knows no state D
}

# registered only with ISO 15118, as in EVerest; this car plays what of it shows outside (station 4.4)
ISO_FORMS: dict[str, tuple[int, ...]] = {
    "iso_wait_slac_matched": (0,),
    "iso_start_v2g_session": (1, 2, 3, 4),
    "iso_wait_pwr_ready": (0,),
    "iso_dc_power_on": (0,),
    "iso_stop_charging": (0,),
    "iso_wait_for_stop": (1,),
    "iso_wait_v2g_session_stopped": (0,),
    "iso_pause_charging": (0,),
    "iso_wait_for_resume": (0,),
    "iso_start_bcb_toggle": (1,),
}


class CommandSyntaxError(ValueError):
    """A command string that cannot be taken: the message says which command and why."""


@dataclass(frozen=True)
class CarCommand:
    """One command, lower case, with its arguments as text."""

    name: str
    arguments: tuple[str, ...] = ()


def parse(text: str, *, iso: bool = False) -> list[CarCommand]:
    """Parse a command string; the whole string is refused (CommandSyntaxError) if one command is unknown or empty.

    Separators are `;` and newline (a trailing one is fine), `,` counts as a blank, and parts are split at single
    blanks. iso: the commands of ISO 15118 are known too.
    """
    parts = text.lower().replace("\r\n", ";").replace("\n", ";").split(";")
    if len(parts) > 1 and parts[-1] == "":
        parts.pop()
    return [_parse_one(part, number, iso) for number, part in enumerate(parts, start=1)]


def check_count(command: CarCommand) -> None:
    """When it is executed, a command has as many arguments as it takes. Errors: ValueError."""
    forms = {**FORMS, **ISO_FORMS}[command.name]
    if len(command.arguments) not in forms:
        raise ValueError(f"it takes {forms[0]} arguments, not {len(command.arguments)}")


def _parse_one(part: str, number: int, iso: bool) -> CarCommand:
    name, *arguments = part.replace(",", " ").split(" ")
    if not name:
        raise CommandSyntaxError(f"command {number} is empty or begins with a blank ({part!r})")
    known = {**FORMS, **ISO_FORMS} if iso else FORMS
    if name in ISO_FORMS and not iso:
        raise CommandSyntaxError(
            f"command {number}: {name} needs ISO 15118; set ac_hlc_enabled, ac_with_soc or charge_mode DC"
        )
    if name not in known:
        raise CommandSyntaxError(f"command {number}: unknown command {name!r}; known: {', '.join(sorted(known))}")
    forms = known[name]
    if len(forms) > 1 and len(arguments) not in forms:
        raise CommandSyntaxError(f"command {number}: {name} takes {forms} arguments, not {len(arguments)}")
    return CarCommand(name, tuple(arguments))
