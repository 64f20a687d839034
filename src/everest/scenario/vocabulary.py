"""The words that a scenario file may misspell: actions, fields and values of OCPP 1.6 and its security whitepaper,
what the simulated car does and which errors it takes. Pure, but for the schemas that are read.

Lives here: the tables, and `mistakes`, which holds a step against them. What fields and values OCPP has is in
schemas.py; what the station's bus calls its things is in stack.py.
May not be imported here: ocpp16 (the judge has words of its own), any module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from everest.manager.problems import one_of
from everest.scenario import matching, schemas
from everest.scenario.model import Mistake
from everest.scenario.schemas import Place, Schema
from everest.scenario.steps import CAR_WORDS


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STATION = _words(
    "Authorize BootNotification DataTransfer DiagnosticsStatusNotification FirmwareStatusNotification Heartbeat "
    "LogStatusNotification MeterValues SecurityEventNotification SignCertificate SignedFirmwareStatusNotification "
    "StartTransaction StatusNotification StopTransaction"
)
"""CALLs of a station."""

CSMS = _words(
    "CancelReservation CertificateSigned ChangeAvailability ChangeConfiguration ClearCache ClearChargingProfile "
    "DataTransfer DeleteCertificate ExtendedTriggerMessage GetCompositeSchedule GetConfiguration GetDiagnostics "
    "GetInstalledCertificateIds GetLocalListVersion GetLog InstallCertificate RemoteStartTransaction "
    "RemoteStopTransaction ReserveNow Reset SendLocalList SetChargingProfile SignedUpdateFirmware TriggerMessage "
    "UnlockConnector UpdateFirmware"
)
"""CALLs of a central system."""

CAR_COMMANDS: dict[str, tuple[int, ...]] = {
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
    "need_ventilation": (0,),
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
"""The car's command language (station 3.3): name -> how many arguments it takes."""

FAULTS = _words(
    "DiodeFault BrownOut EnergyManagement PermanentFault MREC2GroundFailure MREC3HighTemperature "
    "MREC4OverCurrentFailure MREC5OverVoltage MREC6UnderVoltage MREC8EmergencyStop MREC10InvalidVehicleMode "
    "MREC14PilotFault MREC15PowerLoss MREC17EVSEContactorFault MREC18CableOverTempDerate MREC19CableOverTempStop "
    "MREC20PartialInsertion MREC23ProximityFault MREC24ConnectorVoltageHigh MREC25BrokenLatch MREC26CutCable "
    "TiltDetected WaterIngressDetected EnclosureOpen "
    "ac_rcd_MREC2GroundFailure ac_rcd_VendorError ac_rcd_Selftest ac_rcd_AC ac_rcd_DC "
    "lock_ConnectorLockCapNotCharged lock_ConnectorLockUnexpectedOpen lock_ConnectorLockUnexpectedClose "
    "lock_ConnectorLockFailedLock lock_ConnectorLockFailedUnlock lock_MREC1ConnectorLockFailure lock_VendorError "
    "powermeter/CommunicationFault"
)
"""Errors that the simulated EVSE raises and clears when it is told (station 3.5)."""

UPLOAD: Schema = {"type": "object", "properties": {"name": {"type": "string"}, "size": {"type": "integer"}}}
ERROR_CODES = _words(
    "NotImplemented NotSupported InternalError ProtocolError SecurityError FormationViolation "
    "PropertyConstraintViolation OccurenceConstraintViolation TypeConstraintViolation GenericError"
)
"""Error codes of a CALLERROR (OCPP-J 1.6 §4.2.3), one spelled as it is there."""
ERROR_CODE: Schema = {"type": "string", "enum": sorted(ERROR_CODES)}
ERROR: Schema = {"type": "object", "properties": {"error": ERROR_CODE, "description": {"type": "string"}}}
ANYTHING: Schema = {"type": "object", "properties": {}}


def mistakes(kind: str, value: Any, options: Mapping[str, Any]) -> Iterator[Mistake]:
    """What of a step is no word of OCPP or of the car. A `csms` step that awaits an error may say anything."""
    fields = options.get("with", {})
    match kind:
        case "expect":
            yield from _call(value, fields, (kind,), ("with",))
            yield from schemas.saves(options, value, schemas.request(value), schemas.response(value))
        case "none":
            for action in [value] if isinstance(value, str) else value:
                yield from _call(action, fields, (kind,), ("with",))
        case "order":
            for number, item in enumerate(value):
                action, fits = next(iter(item.items())) if isinstance(item, dict) else (item, {})
                yield from _call(action, fits, (kind, number), (kind, number, action))
                yield from _signs(fits, (kind, number, action))
        case "rising":
            yield from _rising(value, fields)
        case "upload":
            yield from schemas.fits(UPLOAD, fields, ("with",), "an upload")
            yield from schemas.saves(options, "an upload", UPLOAD)
        case "csms":
            yield from _csms(value, options)
        case _:
            yield from _said(kind, value, options)
    for key in ("with", "answer", "result"):
        yield from _signs(options.get(key), (key,))


def _said(kind: str, value: Any, options: Mapping[str, Any]) -> Iterator[Mistake]:
    """What a step tells the station or the central system."""
    match kind:
        case "car":
            yield from _car(value, (kind,)) if value not in CAR_WORDS else ()
            yield from _car(options["commands"], ("commands",)) if "commands" in options else ()
        case "fault" | "clear":
            if matching.is_plain(value) and value not in FAULTS:
                yield Mistake((kind,), f'the simulated EVSE has no error "{value}"', one_of(FAULTS, value))
        case "answers":
            yield from answers(value, (kind,))
        case "tags":
            yield from tags(value, (kind,))


def _signs(expected: Any, place: Place) -> Iterator[Mistake]:
    for path, text, meant in matching.wrong_signs(expected):
        yield Mistake((*place, *path), f"{text!r} is no comparison", f'did you mean "{meant}"?')


# --- OCPP ----------------------------------------------------------------------------------------------------------


def _call(action: str, fields: Mapping[str, Any], place: Place, below: Place) -> Iterator[Mistake]:
    """A CALL of the station that is expected."""
    schema = schemas.request(action) if action in STATION else None
    if schema is None:
        yield Mistake(place, f'"{action}" is no message of a station', one_of(STATION, action))
    else:
        yield from schemas.fits(schema, fields, below, action)


def _rising(measurand: str, fields: Mapping[str, Any]) -> Iterator[Mistake]:
    schema = schemas.request("MeterValues") or ANYTHING
    yield from schemas.fits(schema, fields, ("with",), "MeterValues")
    sample = schema["properties"]["meterValue"]["items"]["properties"]["sampledValue"]["items"]
    known = sample["properties"]["measurand"]["enum"]
    if matching.is_plain(measurand) and measurand not in known:
        yield Mistake(("rising",), f'"{measurand}" is no measurand', one_of(known, measurand))


def _csms(action: str, options: Mapping[str, Any]) -> Iterator[Mistake]:
    """A CALL of the central system and its answer."""
    expected = options.get("answer", {})
    if isinstance(expected, dict) and "error" in expected:
        yield from schemas.fits(ERROR, expected, ("answer",), "a CALLERROR")
        yield from schemas.saves(options, "a CALLERROR", ERROR)
        return
    call, answer = schemas.request(action), schemas.response(action)
    if action not in CSMS or call is None or answer is None:
        yield Mistake(("csms",), f'"{action}" is no message of a central system', one_of(CSMS, action))
        return
    yield from schemas.sent(call, options.get("payload", {}), ("payload",), action)
    name = f"the answer to {action}"
    if isinstance(expected, dict):
        yield from schemas.fits(answer, expected, ("answer",), name)
    else:
        below = schemas.fits(answer, {"status": expected}, ("answer",), name)
        yield from (Mistake(("answer",), wrong.text, wrong.fix) for wrong in below)
    yield from schemas.saves(options, name, answer)


def answers(told: Mapping[str, Any], place: Place) -> Iterator[Mistake]:
    """`answers` of the head or of a step. Fields that are not told are the ordinary ones."""
    for action, answer in told.items():
        schema = schemas.response(action) if action in STATION else None
        if schema is None:
            yield Mistake((*place, action), f'"{action}" is no message of a station', one_of(STATION, action))
            continue
        for number, item in enumerate(answer if isinstance(answer, list) else [answer]):
            here = (*place, action, number) if isinstance(answer, list) else (*place, action)
            yield from _answer(schema, item, here, action)


def _answer(schema: Schema, item: Any, place: Place, action: str) -> Iterator[Mistake]:
    """`{raw: ...}` and `{error: {raw: ...}}` may say what OCPP does not know."""
    if not isinstance(item, dict):
        yield Mistake(place, f"cannot be {item!r}", "write `{field: value}`, or a list of those")
    elif not ({"error", "raw"} & item.keys()):
        yield from schemas.sent(schema, item, place, f"the answer to {action}", whole=False)
    elif len(item) > 1:
        yield Mistake(place, f"cannot be {item!r}", "write `{error: ...}` or `{raw: {...}}` alone")
    elif "error" in item and not _is_raw(item["error"]):
        yield from schemas.sent(ERROR_CODE, item["error"], (*place, "error"), "the code of a CALLERROR")


def _is_raw(code: Any) -> bool:
    """An error code that is wrong on purpose."""
    return isinstance(code, dict) and list(code) == ["raw"] and isinstance(code["raw"], str)


def tags(told: Mapping[str, Any], place: Place) -> Iterator[Mistake]:
    """`tags` of the head or of a step."""
    info = schemas.properties(schemas.response("Authorize") or ANYTHING)["idTagInfo"]
    known = info["properties"]["status"]["enum"]
    for tag, status in told.items():
        if isinstance(status, dict):
            yield from schemas.sent(info, status, (*place, tag), f'the tag "{tag}"')
        elif not (isinstance(status, str) and (status.startswith("$") or status in known)):
            yield Mistake((*place, tag), f"cannot be {status!r}", f"write a status: {', '.join(sorted(known))}")


# --- the car -------------------------------------------------------------------------------------------------------


def _car(text: str, place: Place) -> Iterator[Mistake]:
    """Commands between `;`, arguments behind single blanks or commas, as the car reads them (station 3.3)."""
    if text.startswith("$"):
        return
    commands = text.lower().replace("\r\n", ";").replace("\n", ";").split(";")
    for command in commands[:-1] if len(commands) > 1 and not commands[-1] else commands:
        name, *arguments = command.replace(",", " ").split(" ")
        if name not in CAR_COMMANDS:
            said = f'there is no car command "{name}"' if name else f"there is an empty command in {text!r}"
            fix = one_of({*CAR_COMMANDS, *CAR_WORDS}, name) if name else "write one command between two `;`, no blank"
            yield Mistake(place, said, fix)
        elif len(arguments) not in (counts := CAR_COMMANDS[name]):
            takes = " or ".join(map(str, counts))
            yield Mistake(place, f"{name} has {len(arguments)} arguments", f"write {takes}, for example `sleep 1`")
