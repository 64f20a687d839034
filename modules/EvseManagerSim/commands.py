"""The car's command language (station 3.3): text -> a list of commands, or a refusal that names the place.

Pure parsing, and the bounds of every number that a command takes. What a command does to the car is in car.py.
"""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_SHOWN = 80
"""So many characters of what somebody sent stand in a log line."""

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


class NotNowError(CommandSyntaxError):
    """The car takes no command string now, whatever it says."""


@dataclass(frozen=True)
class Bounds:
    """What a number of a command may be."""

    what: str
    least: float
    most: float
    unit: str
    whole: bool = False

    def read(self, text: str) -> float:
        """The number that `text` is. Errors: ValueError that names it, for none, or one out of bounds."""
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"{self.what} {shown(text)!r} is no number") from None
        if not self.least <= value <= self.most or (self.whole and value != int(value)):  # neither holds for a nan
            kind = "a whole number, " if self.whole else ""
            raise ValueError(
                f"{self.what} {shown(text)} is not {kind}{self.least:.15g} to {self.most:.15g} {self.unit}"
            )
        return value


SECONDS = Bounds("the time", 0.0, 1e9, "s")
CURRENT = Bounds("the current", 0.0, 1000.0, "A per phase")
RESIDUAL = Bounds("the residual current", -10000.0, 10000.0, "mA")
CHARGE = Bounds("the state of charge", 0.0, 100.0, "percent")
TOGGLES = Bounds("the count", 0.0, 1e9, "times", whole=True)
DEPARTURE = Bounds("the departure", 0.0, 4294967295.0, "s")
"""DepartureTime of ISO 15118-2 is an unsignedInt."""
AMOUNT = Bounds("the amount", 0.0, 32767000.0, "Wh")
"""EAmount of ISO 15118-2: 16 bits, in steps of up to 1 kWh."""


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


def shown(text: str) -> str:
    """`text` as a log line carries it: cut where it is long."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}... ({len(text)} characters)"


def check_count(command: CarCommand) -> None:
    """When it is executed, a command has as many arguments as it takes. Errors: ValueError."""
    forms = {**FORMS, **ISO_FORMS}[command.name]
    if len(command.arguments) not in forms:
        raise ValueError(f"it takes {forms[0]} arguments, not {len(command.arguments)}")


def _parse_one(part: str, number: int, iso: bool) -> CarCommand:
    name, *arguments = part.replace(",", " ").split(" ")
    if not name:
        raise CommandSyntaxError(f"command {number} is empty or begins with a blank ({shown(part)!r})")
    known = {**FORMS, **ISO_FORMS} if iso else FORMS
    if name in ISO_FORMS and not iso:
        raise CommandSyntaxError(
            f"command {number}: {name} needs ISO 15118; set ac_hlc_enabled, ac_with_soc or charge_mode DC"
        )
    if name not in known:
        raise CommandSyntaxError(
            f"command {number}: unknown command {shown(name)!r}; known: {', '.join(sorted(known))}"
        )
    forms = known[name]
    if len(forms) > 1 and len(arguments) not in forms:
        raise CommandSyntaxError(f"command {number}: {name} takes {forms} arguments, not {len(arguments)}")
    return CarCommand(name, tuple(arguments))
