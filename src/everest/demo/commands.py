"""The words of the hand-driven station: `plug 1`, `swipe DEADBEEF 1`, ... Pure: words in, bus messages out.

Each command publishes EVerest's own external topics (station 3.2, 3.3, 3.5, 3.6), as its Node-RED panel does.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass

HELP = """\
plug EVSE                 plug the car in; it draws up to 16 A on three phases
swipe TAG [EVSE]          hold a card to the reader; again to stop
unplug EVSE               unplug the car
pause EVSE, resume EVSE   the car pauses and resumes
fault EVSE ERROR          raise an error, for example: fault 1 MREC6UnderVoltage
clear EVSE ERROR          clear it
offline, online           take the connection to the CSMS away and give it back
wait SECONDS              let time pass
help                      this text
quit                      end everything (so do Ctrl-D and Ctrl-C)"""

USAGE = {
    form.split()[0]: form for line in HELP.splitlines() for form in line.split("  ")[0].replace(", ", "\n").splitlines()
}
"""Command -> how it is written."""

_BOARD = """
DiodeFault BrownOut EnergyManagement PermanentFault MREC2GroundFailure MREC3HighTemperature MREC4OverCurrentFailure
MREC5OverVoltage MREC6UnderVoltage MREC8EmergencyStop MREC10InvalidVehicleMode MREC14PilotFault MREC15PowerLoss
MREC17EVSEContactorFault MREC18CableOverTempDerate MREC19CableOverTempStop MREC20PartialInsertion MREC23ProximityFault
MREC24ConnectorVoltageHigh MREC25BrokenLatch MREC26CutCable TiltDetected WaterIngressDetected EnclosureOpen
"""
_RCD = "MREC2GroundFailure VendorError Selftest AC DC"
_LOCK = """
ConnectorLockCapNotCharged ConnectorLockUnexpectedOpen ConnectorLockUnexpectedClose ConnectorLockFailedLock
ConnectorLockFailedUnlock MREC1ConnectorLockFailure VendorError
"""
FAULTS = (
    *_BOARD.split(),
    *(f"ac_rcd_{name}" for name in _RCD.split()),
    *(f"lock_{name}" for name in _LOCK.split()),
    "powermeter/CommunicationFault",
)
"""What the simulated board takes as `error_type` (station 3.5)."""

CAR = "everest_external/nodered/{evse}/carsim/"
TOKEN_TOPIC = "everest_api/dummy_token_provider/cmd/provide"
PLUG_IN = "sleep 1;iec_wait_pwr_ready;sleep 1;draw_power_regulated 16,3;sleep 36000"


class CommandError(ValueError):
    """The command cannot be understood; the text says how it is written."""


@dataclass(frozen=True)
class Publish:
    topic: str
    payload: str


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Help:
    pass


@dataclass(frozen=True)
class Quit:
    pass


@dataclass(frozen=True)
class Nothing:
    """An empty line or a comment."""


Command = Publish | Wait | Help | Quit | Nothing


def parse(line: str, *, evses: int) -> Command:
    """Understand one line. `evses` is the number of EVSEs. Raises CommandError."""
    words = line.split("#", 1)[0].split()
    if not words:
        return Nothing()
    name, arguments = words[0].lower(), words[1:]
    match name, arguments:
        case "help" | "?", []:
            return Help()
        case "quit" | "exit" | "end", []:
            return Quit()
        case "wait", [seconds]:
            return Wait(_seconds(seconds))
        case "swipe", [tag]:
            return swipe(tag, None)
        case "swipe", [tag, evse]:
            return swipe(tag, _evse(evse, evses))
        case "plug", [evse]:
            return _car(_evse(evse, evses), "cmd/execute_charging_session", PLUG_IN)
        case "unplug", [evse]:
            return _car(_evse(evse, evses), "cmd/modify_charging_session", "unplug")
        case "pause", [evse]:
            return _car(_evse(evse, evses), "cmd/modify_charging_session", "pause;sleep 36000")
        case "resume", [evse]:
            return _car(_evse(evse, evses), "cmd/modify_charging_session", "draw_power_regulated 16,3;sleep 36000")
        case "fault", [evse, error]:
            return _fault(_evse(evse, evses), error, raised=True)
        case "clear", [evse, error]:
            return _fault(_evse(evse, evses), error, raised=False)
        case "offline", []:
            return Publish("everest_api/ocpp/cmd/disconnect", "off")
        case "online", []:
            return Publish("everest_api/ocpp/cmd/connect", "on")
    if name in USAGE:
        raise CommandError(f"not understood: {line.strip()!r}; it is written: {USAGE[name]}")
    raise CommandError(f"not understood: {line.strip()!r}; the commands are {', '.join(USAGE)}")


def swipe(tag: str, evse: int | None) -> Publish:
    """An RFID card at the reader, for one EVSE or for whichever fits."""
    token: dict[str, object] = {"id_token": {"value": tag, "type": "ISO14443"}, "authorization_type": "RFID"}
    if evse is not None:
        token["connectors"] = [evse]
    return Publish(TOKEN_TOPIC, json.dumps(token))


def _car(evse: int, topic: str, payload: str) -> Publish:
    return Publish(CAR.format(evse=evse) + topic, payload)


def _fault(evse: int, error: str, *, raised: bool) -> Publish:
    known = {name.lower(): name for name in FAULTS}
    if error.lower() not in known:
        close = difflib.get_close_matches(error.lower(), known, n=1)
        hint = f"did you mean {known[close[0]]}? " if close else ""
        raise CommandError(f"no fault is called {error!r}; {hint}the board knows {', '.join(FAULTS)}")
    error = known[error.lower()]
    # Both values are strings: that is how the original board simulator reads them.
    return _car(evse, "error", json.dumps({"error_type": error, "raise": "true" if raised else "false"}))


def _evse(word: str, evses: int) -> int:
    if not word.isdecimal() or not 1 <= int(word) <= evses:
        raise CommandError(f"EVSE {word!r} does not exist; there are 1 to {evses}")
    return int(word)


def _seconds(word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86400:
        raise CommandError(f"wait takes seconds from 0 to 86400, not {word!r}")
    return seconds
