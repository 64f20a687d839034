"""Errors of the EVSE: which can be injected, which are fatal, and what Inoperative then says (station 2.7, 3.5).

Pure tables and a book of active errors; raising them on the bus is the shell's (faces.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass

BOARD_ERRORS = (
    "DiodeFault", "BrownOut", "EnergyManagement", "PermanentFault", "MREC2GroundFailure", "MREC3HighTemperature",
    "MREC4OverCurrentFailure", "MREC5OverVoltage", "MREC6UnderVoltage", "MREC8EmergencyStop",
    "MREC10InvalidVehicleMode", "MREC14PilotFault", "MREC15PowerLoss", "MREC17EVSEContactorFault",
    "MREC18CableOverTempDerate", "MREC19CableOverTempStop", "MREC20PartialInsertion", "MREC23ProximityFault",
    "MREC24ConnectorVoltageHigh", "MREC25BrokenLatch", "MREC26CutCable", "TiltDetected", "WaterIngressDetected",
    "EnclosureOpen",
)  # fmt: skip
RCD_ERRORS = ("MREC2GroundFailure", "VendorError", "Selftest", "AC", "DC")
LOCK_ERRORS = (
    "ConnectorLockCapNotCharged", "ConnectorLockUnexpectedOpen", "ConnectorLockUnexpectedClose",
    "ConnectorLockFailedLock", "ConnectorLockFailedUnlock", "MREC1ConnectorLockFailure", "VendorError",
)  # fmt: skip

# error_type of carsim/error -> error type on the bus (station 3.5; DEPARTURE S1 for lock_*)
INJECTABLE: dict[str, str] = {
    **{name: f"evse_board_support/{name}" for name in BOARD_ERRORS},
    **{f"ac_rcd_{name}": f"ac_rcd/{name}" for name in RCD_ERRORS},
    **{f"lock_{name}": f"connector_lock/{name}" for name in LOCK_ERRORS},
    "powermeter/CommunicationFault": "powermeter/CommunicationFault",
}

NOT_FATAL = frozenset(
    {
        "evse_manager/Inoperative",
        "evse_board_support/MREC3HighTemperature",
        "evse_board_support/MREC18CableOverTempDerate",
        "evse_board_support/VendorWarning",
        "connector_lock/VendorWarning",
        "ac_rcd/VendorWarning",
        "isolation_monitor/VendorWarning",
        "power_supply_DC/VendorWarning",
        "over_voltage_monitor/VendorWarning",
        "generic/VendorWarning",
    }
)

# namespaces in the order in which Inoperative lists its causes; slac and hlc raise generic errors
CAUSE_ORDER = (
    "evse_manager", "evse_board_support", "connector_lock", "ac_rcd", "isolation_monitor", "power_supply_DC",
    "powermeter", "generic", "over_voltage_monitor",
)  # fmt: skip

# errors of devices whose interfaces have no definition in this project
OTHER_ERRORS = (
    *(f"generic/{name}" for name in ("CommunicationFault", "VendorError", "VendorWarning")),
    *(f"isolation_monitor/{name}" for name in ("DeviceFault", "CommunicationFault", "VendorError", "VendorWarning")),
    *(f"power_supply_DC/{name}" for name in (
        "HardwareFault", "OverTemperature", "UnderTemperature", "UnderVoltageAC", "OverVoltageAC", "UnderVoltageDC",
        "OverVoltageDC", "OverCurrentAC", "OverCurrentDC", "CommunicationFault", "VendorError", "VendorWarning",
    )),
    *(f"over_voltage_monitor/{name}" for name in (
        "MREC5OverVoltage", "DeviceFault", "CommunicationFault", "VendorError", "VendorWarning",
    )),
)  # fmt: skip

DIODE_FAULT = "evse_board_support/DiodeFault"
RCD_DC = "ac_rcd/DC"
VENTILATION = "evse_board_support/VentilationNotAvailable"

# what a board of board_support_AC calls an error -> the error type it stands for
AC_EVENT_ERRORS: dict[str, str] = {
    "ErrorDF": DIODE_FAULT,
    "ErrorRelais": "evse_board_support/MREC17EVSEContactorFault",
    "ErrorRCD": "ac_rcd/AC",
    "ErrorRCD_DC": RCD_DC,
    "ErrorVentilationNotAvailable": VENTILATION,
    "ErrorOverCurrent": "evse_board_support/MREC4OverCurrentFailure",
    "ErrorOverVoltage": "evse_board_support/MREC5OverVoltage",
    "ErrorUnderVoltage": "evse_board_support/MREC6UnderVoltage",
    "ErrorMotorLock": "connector_lock/MREC1ConnectorLockFailure",
    "ErrorOverTemperature": "evse_board_support/MREC19CableOverTempStop",
    "ErrorBrownOut": "evse_board_support/BrownOut",
    "ErrorCablePP": "evse_board_support/MREC23ProximityFault",
    "ErrorEnergyManagement": "evse_board_support/EnergyManagement",
    "ErrorNeutralPEN": "evse_board_support/MREC2GroundFailure",
    "ErrorCpDriver": "evse_board_support/MREC14PilotFault",
    "PermanentFault": "evse_board_support/PermanentFault",
}


@dataclass(frozen=True)
class Injection:
    """A wish of carsim/error: raise or clear an error type."""

    type: str
    raised: bool


class InjectionError(ValueError):
    """A payload of carsim/error that means nothing; the message says why."""


def parse_injection(payload: str) -> Injection:
    """`{"error_type": NAME, "raise": "true"|"false"}`, both strings; a missing `raise` clears (station 3.5)."""
    try:
        wish = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise InjectionError(f"not JSON: {error}") from None
    if not isinstance(wish, dict) or not isinstance(wish.get("error_type"), str):
        raise InjectionError('expected {"error_type": "<name>", "raise": "true"|"false"}')
    raised = wish.get("raise", "false")
    if not isinstance(raised, str):
        raise InjectionError(f'"raise" must be the string "true" or "false", not {raised!r}')
    error_type = INJECTABLE.get(wish["error_type"])
    if error_type is None:
        raise InjectionError(f"unknown error_type {wish['error_type']!r}")
    return Injection(error_type, raised == "true")


class OverCurrentWatch:
    """Soft over current (station 2.7): a phase above (offered + noise) * (1 + tolerance) for `timeout_s`."""

    def __init__(self, *, noise_A: float, tolerance_percent: float, timeout_s: float) -> None:
        self._noise_A = noise_A
        self._factor = 1.0 + tolerance_percent / 100.0
        self._timeout_s = timeout_s
        self._since: float | None = None

    def tripped(self, now: float, amps: float, offered_A: float) -> bool:
        """Feed the highest phase current; True once the time is over."""
        if amps <= (offered_A + self._noise_A) * self._factor:
            self._since = None
            return False
        if self._since is None:
            self._since = now
        return now - self._since + 1e-6 >= self._timeout_s


@dataclass(frozen=True)
class Inoperative:
    """Message, description and vendor of evse_manager/Inoperative."""

    message: str
    description: str
    vendor_id: str


class FaultBook:
    """Active errors by (type, sub_type, source), in the order in which they were raised, with their vendor."""

    def __init__(self, *, use_vendor_id: bool = False, fail_on_powermeter_errors: bool = True) -> None:
        self._active: dict[tuple[str, str, str], str] = {}
        self._use_vendor_id = use_vendor_id
        self._fail_on_powermeter_errors = fail_on_powermeter_errors

    def raised(self, error_type: str, sub_type: str = "", vendor_id: str = "everest", source: str = "") -> None:
        self._active.setdefault((error_type, sub_type, source), vendor_id)

    def cleared(self, error_type: str, sub_type: str = "", source: str = "") -> None:
        self._active.pop((error_type, sub_type, source), None)

    def inoperative(self) -> Inoperative | None:
        """What Inoperative must say now; None while no fatal error is active."""
        causes = sorted((key for key in self._active if self._fatal(key[0])), key=lambda key: _order(key[0]))
        if not causes:
            return None
        names = [_short(kind) + (f"/{sub_type}" if sub_type else "") for kind, sub_type, _ in causes]
        vendor = self._active[causes[0]] if self._use_vendor_id else "EVerest"
        return Inoperative(message=causes[0][0], description=", ".join(names), vendor_id=vendor)

    def _fatal(self, error_type: str) -> bool:
        if error_type.startswith("powermeter/") and not self._fail_on_powermeter_errors:
            return False
        return error_type not in NOT_FATAL


def _order(error_type: str) -> int:
    namespace = error_type.partition("/")[0]
    return CAUSE_ORDER.index(namespace) if namespace in CAUSE_ORDER else len(CAUSE_ORDER)


def _short(error_type: str) -> str:
    return error_type.partition("/")[2]
