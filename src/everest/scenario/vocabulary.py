"""The words of OCPP 1.6 and its security whitepaper that a scenario file may misspell: actions, fields, values. Pure.

Lives here: the tables, and `mistakes`, which holds a step against them. A field that has a table of values is an
enumeration of OCPP. What the station's bus calls its things is in names.py.
May not be imported here: ocpp16 (the judge has words of its own).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from everest.manager.problems import one_of
from everest.scenario.matching import is_plain

Values = frozenset[str]
ANY: Values = frozenset()


def _words(text: str) -> Values:
    return frozenset(text.split())


STATUS = _words(
    "Available Preparing Charging SuspendedEV SuspendedEVSE Finishing Reserved Unavailable Faulted",
)
ERROR_CODE = _words(
    "ConnectorLockFailure EVCommunicationError GroundFailure HighTemperature InternalError LocalListConflict NoError "
    "OtherError OverCurrentFailure OverVoltage PowerMeterFailure PowerSwitchFailure ReaderFailure ResetFailure "
    "UnderVoltage WeakSignal"
)
REASON = _words(
    "DeAuthorized EmergencyStop EVDisconnected HardReset Local Other PowerLoss Reboot Remote SoftReset UnlockCommand"
)
FIRMWARE = _words("Downloaded DownloadFailed Downloading Idle InstallationFailed Installing Installed")
SIGNED_FIRMWARE = FIRMWARE | _words(
    "DownloadScheduled DownloadPaused InstallRebooting InstallScheduled InstallVerificationFailed InvalidSignature "
    "SignatureVerified"
)
DIAGNOSTICS = _words("Idle Uploaded UploadFailed Uploading")
LOG = _words("BadMessage Idle NotSupportedOperation PermissionDenied Uploaded UploadFailure Uploading")
TAG_STATUS = _words("Accepted Blocked Expired Invalid ConcurrentTx")


def _fields(text: str, **enumerations: Values) -> dict[str, Values]:
    return {**dict.fromkeys(text.split(), ANY), **enumerations}


STATION: dict[str, Mapping[str, Values]] = {
    "Authorize": _fields("idTag"),
    "BootNotification": _fields(
        "chargeBoxSerialNumber chargePointModel chargePointSerialNumber chargePointVendor firmwareVersion iccid imsi "
        "meterSerialNumber meterType"
    ),
    "DataTransfer": _fields("vendorId messageId data"),
    "DiagnosticsStatusNotification": _fields("", status=DIAGNOSTICS),
    "FirmwareStatusNotification": _fields("", status=FIRMWARE),
    "Heartbeat": {},
    "LogStatusNotification": _fields("requestId", status=LOG),
    "MeterValues": _fields("connectorId transactionId meterValue"),
    "SecurityEventNotification": _fields("type timestamp techInfo"),
    "SignCertificate": _fields("csr"),
    "SignedFirmwareStatusNotification": _fields("requestId", status=SIGNED_FIRMWARE),
    "StartTransaction": _fields("connectorId idTag meterStart reservationId timestamp"),
    "StatusNotification": _fields(
        "connectorId info timestamp vendorId vendorErrorCode", status=STATUS, errorCode=ERROR_CODE
    ),
    "StopTransaction": _fields("idTag meterStop timestamp transactionId transactionData", reason=REASON),
}
"""CALLs of a station -> their fields."""

CSMS: dict[str, Mapping[str, Values]] = {
    "CancelReservation": _fields("reservationId"),
    "CertificateSigned": _fields("certificateChain"),
    "ChangeAvailability": _fields("connectorId", type=_words("Inoperative Operative")),
    "ChangeConfiguration": _fields("key value"),
    "ClearCache": {},
    "ClearChargingProfile": _fields("id connectorId chargingProfilePurpose stackLevel"),
    "DataTransfer": _fields("vendorId messageId data"),
    "DeleteCertificate": _fields("certificateHashData"),
    "ExtendedTriggerMessage": _fields("requestedMessage connectorId"),
    "GetCompositeSchedule": _fields("connectorId duration", chargingRateUnit=_words("A W")),
    "GetConfiguration": _fields("key"),
    "GetDiagnostics": _fields("location startTime stopTime retries retryInterval"),
    "GetInstalledCertificateIds": _fields("certificateType"),
    "GetLocalListVersion": {},
    "GetLog": _fields("log requestId retries retryInterval", logType=_words("DiagnosticsLog SecurityLog")),
    "InstallCertificate": _fields("certificateType certificate"),
    "RemoteStartTransaction": _fields("connectorId idTag chargingProfile"),
    "RemoteStopTransaction": _fields("transactionId"),
    "ReserveNow": _fields("connectorId expiryDate idTag parentIdTag reservationId"),
    "Reset": _fields("", type=_words("Hard Soft")),
    "SendLocalList": _fields("listVersion localAuthorizationList", updateType=_words("Differential Full")),
    "SetChargingProfile": _fields("connectorId csChargingProfiles"),
    "SignedUpdateFirmware": _fields("retries retryInterval requestId firmware"),
    "TriggerMessage": _fields("requestedMessage connectorId"),
    "UnlockConnector": _fields("connectorId"),
    "UpdateFirmware": _fields("location retries retrieveDate retryInterval"),
}
"""CALLs of a central system -> their fields."""


class Mistake(NamedTuple):
    """`place` is the path below the step."""

    place: tuple[str | int, ...]
    text: str
    fix: str


def mistakes(kind: str, value: Any, options: Mapping[str, Any]) -> Iterator[Mistake]:
    """What of a step is no word of OCPP. A `csms` step that awaits an error may say anything."""
    match kind:
        case "expect" | "none":
            fits = options.get("with", {})
            for action in [value] if isinstance(value, str) else value:
                yield from _call(STATION, action, fits, (kind,), ("with",))
        case "order":
            for number, item in enumerate(value):
                action, fits = next(iter(item.items())) if isinstance(item, dict) else (item, {})
                place = (kind, number)
                yield from _call(STATION, action, fits, place, (*place, action))
        case "csms":
            expected = options.get("answer")
            if not (isinstance(expected, dict) and "error" in expected):
                yield from _call(CSMS, value, options.get("payload", {}), (kind,), ("payload",))
        case "answers":
            yield from answers(value, (kind,))
        case "tags":
            yield from tags(value, (kind,))


def _call(
    table: Mapping[str, Mapping[str, Values]],
    action: str,
    fits: Mapping[str, Any],
    place: tuple[str | int, ...],
    below: tuple[str | int, ...],
) -> Iterator[Mistake]:
    fields = table.get(action)
    if fields is None:
        who = "station" if table is STATION else "central system"
        yield Mistake(place, f'"{action}" is no message of a {who}', one_of(table, action))
        return
    for name, value in fits.items():
        if name not in fields:
            yield Mistake((*below, name), f'{action} has no field "{name}"', one_of(fields, name))
        elif fields[name] and is_plain(value) and value not in fields[name]:
            yield Mistake((*below, name), f"{name} is never {value!r}", one_of(fields[name], str(value)))


def answers(told: Mapping[str, Any], place: tuple[str | int, ...]) -> Iterator[Mistake]:
    """`answers` of the head or of a step."""
    for action, answer in told.items():
        row = answer if isinstance(answer, list) else [answer]
        if action not in STATION:
            yield Mistake((*place, action), f'"{action}" is no message of a station', one_of(STATION, action))
        elif not all(isinstance(item, dict) for item in row):
            yield Mistake((*place, action), f"cannot be {answer!r}", "write `{field: value}`, or a list of those")


def tags(told: Mapping[str, Any], place: tuple[str | int, ...]) -> Iterator[Mistake]:
    """`tags` of the head or of a step."""
    for tag, known in told.items():
        status = known.get("status") if isinstance(known, dict) else known
        if status not in TAG_STATUS:
            yield Mistake((*place, tag), f"cannot be {known!r}", f"write a status: {', '.join(sorted(TAG_STATUS))}")
