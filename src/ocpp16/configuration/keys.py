"""The table of all configuration keys (libocpp 1.5) as typed objects: `configuration[keys.HeartbeatInterval]` is an int.

Literal rows only, hence the length. Access is the effective one, the mismatches of DEPARTURE 3 resolved as declared.
The JSON schemas in `profile_schemas/` are generated from this table (`python -m ocpp16.configuration.schemas`).
May import: key. Must not import: anything else.
"""

from __future__ import annotations

from typing import Any, Unpack

from ocpp16.configuration.key import Access, Effect, Facts, Key, Kind

RO, RW, WO = Access.RO, Access.RW, Access.WO
IMMEDIATE, RESTART, REBOOT_REQUIRED, RECONNECT = (
    Effect.IMMEDIATE,
    Effect.RESTART,
    Effect.REBOOT_REQUIRED,
    Effect.RECONNECT,
)
NEXT_CONNECT_CYCLE, NEXT_CSR, NEXT_RESET, NEXT_SWITCH, FIRST_USE = (
    Effect.NEXT_CONNECT_CYCLE,
    Effect.NEXT_CSR,
    Effect.NEXT_RESET,
    Effect.NEXT_SWITCH,
    Effect.FIRST_USE,
)
_INTERNAL, _CORE, _SECURITY, _FIRMWARE, _LOCAL_LIST = (
    "Internal",
    "Core",
    "Security",
    "FirmwareManagement",
    "LocalAuthListManagement",
)
_RESERVATION, _SMART, _PNC, _COST = "Reservation", "SmartCharging", "PnC", "CostAndPrice"


def _boolean(
    section: str, name: str, meaning: str, access: Access, effect: Effect = Effect.NONE, **facts: Unpack[Facts]
) -> Key[bool]:
    facts.setdefault("absent", False)
    return Key(section, name, Kind.BOOLEAN, meaning, access, effect, **facts)


def _integer(
    section: str, name: str, meaning: str, access: Access, effect: Effect = Effect.NONE, **facts: Unpack[Facts]
) -> Key[int]:
    return Key(section, name, Kind.INTEGER, meaning, access, effect, **facts)


def _optional_integer(
    section: str, name: str, meaning: str, access: Access, effect: Effect = Effect.NONE, **facts: Unpack[Facts]
) -> Key[int | None]:
    return Key(section, name, Kind.INTEGER, meaning, access, effect, **facts)


def _number(
    section: str, name: str, meaning: str, access: Access, effect: Effect = Effect.NONE, **facts: Unpack[Facts]
) -> Key[float]:
    return Key(section, name, Kind.NUMBER, meaning, access, effect, **facts)


def _text(
    section: str, name: str, meaning: str, access: Access, effect: Effect = Effect.NONE, **facts: Unpack[Facts]
) -> Key[str]:
    return Key(section, name, Kind.TEXT, meaning, access, effect, **facts)


def _optional_text(
    section: str, name: str, meaning: str, access: Access, effect: Effect = Effect.NONE, **facts: Unpack[Facts]
) -> Key[str | None]:
    return Key(section, name, Kind.TEXT, meaning, access, effect, **facts)


def _texts(
    section: str, name: str, meaning: str, access: Access, effect: Effect = Effect.NONE, **facts: Unpack[Facts]
) -> Key[tuple[str, ...]]:
    return Key(section, name, Kind.TEXTS, meaning, access, effect, **facts)


def _mapping(
    section: str, name: str, meaning: str, access: Access, effect: Effect = Effect.NONE, **facts: Unpack[Facts]
) -> Key[dict[str, Any] | None]:
    return Key(section, name, Kind.OBJECT, meaning, access, effect, **facts)


# --- Internal ------------------------------------------------------------------------------------------------------
ChargePointId: Key[str] = _text(
    _INTERNAL,
    "ChargePointId",
    "OCPP identity: end of the websocket URL, user name of HTTP Basic, stem of the database file; no colon",
    RO,
    RESTART,
    required=True,
    length=(1, None),
)
CentralSystemURI: Key[str] = _text(
    _INTERNAL,
    "CentralSystemURI",
    "URL of the CSMS without the identity; the scheme may be missing",
    RO,
    REBOOT_REQUIRED,
    required=True,
    length=(1, None),
)
ChargeBoxSerialNumber: Key[str] = _text(
    _INTERNAL,
    "ChargeBoxSerialNumber",
    "BootNotification chargeBoxSerialNumber; common name in certificate requests",
    RO,
    RESTART,
    required=True,
    length=(1, 25),
)
ChargePointModel: Key[str] = _text(
    _INTERNAL, "ChargePointModel", "BootNotification chargePointModel", RO, RESTART, required=True, length=(1, 20)
)
ChargePointSerialNumber: Key[str | None] = _optional_text(
    _INTERNAL, "ChargePointSerialNumber", "BootNotification chargePointSerialNumber", RO, RESTART, length=(1, 25)
)
ChargePointVendor: Key[str] = _text(
    _INTERNAL, "ChargePointVendor", "BootNotification chargePointVendor", RO, RESTART, required=True, length=(1, 20)
)
FirmwareVersion: Key[str] = _text(
    _INTERNAL, "FirmwareVersion", "BootNotification firmwareVersion", RO, RESTART, required=True, length=(1, 50)
)
ICCID: Key[str | None] = _optional_text(_INTERNAL, "ICCID", "BootNotification iccid", RO, RESTART, length=(1, 20))
HostName: Key[str | None] = _optional_text(
    _INTERNAL,
    "HostName",
    "Sent as the HTTP header User-Host; has no influence on the address dialled",
    RO,
    RESTART,
    length=(1, None),
)
IFace: Key[str | None] = _optional_text(
    _INTERNAL,
    "IFace",
    "Local network interface, by name or address, that the websocket is bound to",
    RO,
    RESTART,
    length=(1, None),
)
IMSI: Key[str | None] = _optional_text(_INTERNAL, "IMSI", "BootNotification imsi", RO, RESTART, length=(1, 20))
MeterSerialNumber: Key[str | None] = _optional_text(
    _INTERNAL, "MeterSerialNumber", "BootNotification meterSerialNumber", RO, RESTART, length=(1, 25)
)
MeterType: Key[str | None] = _optional_text(
    _INTERNAL, "MeterType", "BootNotification meterType", RO, RESTART, length=(1, 25)
)
SupportedCiphers12: Key[tuple[str, ...]] = _texts(
    _INTERNAL,
    "SupportedCiphers12",
    "TLS 1.2 ciphers by their OpenSSL names",
    RO,
    RESTART,
    default=(
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
    ),
    separator=":",
)
SupportedCiphers13: Key[tuple[str, ...]] = _texts(
    _INTERNAL,
    "SupportedCiphers13",
    "TLS 1.3 cipher suites",
    RO,
    RESTART,
    default=("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"),
    separator=":",
)
UseTPM: Key[bool] = _boolean(
    _INTERNAL, "UseTPM", "Keep the key of the charge point certificate in a TPM", RO, RESTART, default=False
)
UseTPMSeccLeafCertificate: Key[bool] = _boolean(
    _INTERNAL,
    "UseTPMSeccLeafCertificate",
    "Keep the key of the ISO 15118 SECC leaf in a TPM",
    RO,
    RESTART,
    default=False,
)
RetryBackoffRandomRange: Key[int] = _integer(
    _INTERNAL,
    "RetryBackoffRandomRange",
    "Greatest random part of a reconnect wait",
    RW,
    NEXT_CONNECT_CYCLE,
    default=10,
    unit="s",
)
RetryBackoffRepeatTimes: Key[int] = _integer(
    _INTERNAL, "RetryBackoffRepeatTimes", "How many times the reconnect wait doubles", RW, NEXT_CONNECT_CYCLE, default=3
)
RetryBackoffWaitMinimum: Key[int] = _integer(
    _INTERNAL, "RetryBackoffWaitMinimum", "First reconnect wait", RW, NEXT_CONNECT_CYCLE, default=3, unit="s"
)
AuthorizeConnectorZeroOnConnectorOne: Key[bool] = _boolean(
    _INTERNAL,
    "AuthorizeConnectorZeroOnConnectorOne",
    "Kept for compatibility; counts only with one connector",
    RO,
    default=True,
)
LogMessages: Key[bool] = _boolean(_INTERNAL, "LogMessages", "Write the message log at all", RO, RESTART, default=True)
LogMessagesRaw: Key[bool] = _boolean(
    _INTERNAL, "LogMessagesRaw", "Also write frames as they come, unparsed", RO, RESTART, default=False
)
LogMessagesFormat: Key[tuple[str, ...]] = _texts(
    _INTERNAL,
    "LogMessagesFormat",
    "Sinks of the message log",
    RO,
    RESTART,
    default=("log", "html", "session_logging", "security"),
)
LogRotation: Key[bool] = _boolean(_INTERNAL, "LogRotation", "Rotate the message log", RO, RESTART, default=False)
LogRotationDateSuffix: Key[bool] = _boolean(
    _INTERNAL, "LogRotationDateSuffix", "Name rotated files by date instead of by number", RO, RESTART, default=False
)
LogRotationMaximumFileSize: Key[int] = _integer(
    _INTERNAL,
    "LogRotationMaximumFileSize",
    "Size at which a log file is rotated; 0 turns rotation off",
    RO,
    RESTART,
    default=0,
    bounds=(0, None),
    unit="byte",
)
LogRotationMaximumFileCount: Key[int] = _integer(
    _INTERNAL,
    "LogRotationMaximumFileCount",
    "Rotated files kept of each sort; 0 keeps all",
    RO,
    RESTART,
    default=0,
    bounds=(0, None),
)
SupportedChargingProfilePurposeTypes: Key[tuple[str, ...]] = _texts(
    _INTERNAL,
    "SupportedChargingProfilePurposeTypes",
    "Purposes that SetChargingProfile accepts",
    RO,
    RESTART,
    default=("ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"),
)
IgnoredProfilePurposesOffline: Key[str] = _text(
    _INTERNAL,
    "IgnoredProfilePurposesOffline",
    "Purposes that a composite schedule leaves out while offline, separated by commas",
    RW,
    IMMEDIATE,
    absent="",
)
MaxCompositeScheduleDuration: Key[int] = _integer(
    _INTERNAL,
    "MaxCompositeScheduleDuration",
    "Longest duration of a composite schedule",
    RO,
    default=31536000,
    unit="s",
)
CompositeScheduleDefaultLimitAmps: Key[float] = _number(
    _INTERNAL,
    "CompositeScheduleDefaultLimitAmps",
    "Current limit where no profile applies",
    RW,
    IMMEDIATE,
    default=48,
    bounds=(0, None),
    unit="A",
)
CompositeScheduleDefaultLimitWatts: Key[float] = _number(
    _INTERNAL,
    "CompositeScheduleDefaultLimitWatts",
    "Power limit where no profile applies",
    RW,
    IMMEDIATE,
    default=33120,
    bounds=(0, None),
    unit="W",
)
CompositeScheduleDefaultNumberPhases: Key[float] = _number(
    _INTERNAL,
    "CompositeScheduleDefaultNumberPhases",
    "Phases for the conversion between A and W where a period names none",
    RW,
    IMMEDIATE,
    default=3,
    bounds=(1, 3),
)
SupplyVoltage: Key[float] = _number(
    _INTERNAL,
    "SupplyVoltage",
    "Voltage for the conversion between A and W",
    RW,
    IMMEDIATE,
    default=230,
    bounds=(0, None),
    unit="V",
)
WebsocketPingPayload: Key[str] = _text(
    _INTERNAL, "WebsocketPingPayload", "Text inside ping frames", RO, RESTART, default="hello there"
)
WebsocketPongTimeout: Key[int] = _integer(
    _INTERNAL, "WebsocketPongTimeout", "How long a pong may take", RO, RESTART, default=5, unit="s"
)
UseSslDefaultVerifyPaths: Key[bool] = _boolean(
    _INTERNAL,
    "UseSslDefaultVerifyPaths",
    "Trust the certificate authorities of the operating system too",
    RO,
    RESTART,
    default=True,
)
VerifyCsmsCommonName: Key[bool] = _boolean(
    _INTERNAL, "VerifyCsmsCommonName", "Compare the host name with the server certificate", RO, RESTART, default=True
)
VerifyCsmsAllowWildcards: Key[bool] = _boolean(
    _INTERNAL,
    "VerifyCsmsAllowWildcards",
    "Let a wildcard label in the server certificate match",
    RW,
    RESTART,
    default=False,
)
OcspRequestInterval: Key[int] = _integer(
    _INTERNAL,
    "OcspRequestInterval",
    "Time between refreshes of OCSP answers",
    RW,
    IMMEDIATE,
    default=604800,
    bounds=(86400, None),
    unit="s",
)
SeccLeafSubjectCommonName: Key[str | None] = _optional_text(
    _INTERNAL,
    "SeccLeafSubjectCommonName",
    "Common name in requests for the SECC certificate",
    RW,
    NEXT_CSR,
    length=(7, 64),
)
SeccLeafSubjectCountry: Key[str | None] = _optional_text(
    _INTERNAL, "SeccLeafSubjectCountry", "Country in certificate requests", RW, NEXT_CSR, length=(2, 2)
)
SeccLeafSubjectOrganization: Key[str | None] = _optional_text(
    _INTERNAL,
    "SeccLeafSubjectOrganization",
    "Organization in requests for the SECC certificate",
    RW,
    NEXT_CSR,
    length=(None, 64),
)
ConnectorEvseIds: Key[str | None] = _optional_text(
    _INTERNAL, "ConnectorEvseIds", "EVSE ids in the order of the connectors, separated by commas", RW, length=(7, 1000)
)
AllowChargingProfileWithoutStartSchedule: Key[bool] = _boolean(
    _INTERNAL,
    "AllowChargingProfileWithoutStartSchedule",
    "Let absolute and recurring profiles without startSchedule begin at once",
    RW,
    IMMEDIATE,
)
RejectRemoteStartTransactionWithoutConnectorId: Key[bool] = _boolean(
    _INTERNAL,
    "RejectRemoteStartTransactionWithoutConnectorId",
    "Refuse a remote start that names no connector",
    RW,
    IMMEDIATE,
)
RemoteStartTransactionWithoutConnectorIdFindFirst: Key[bool] = _boolean(
    _INTERNAL,
    "RemoteStartTransactionWithoutConnectorIdFindFirst",
    "Give a remote start that names no connector to the first usable one",
    RW,
    IMMEDIATE,
)
WaitForStopTransactionsOnResetTimeout: Key[int] = _integer(
    _INTERNAL,
    "WaitForStopTransactionsOnResetTimeout",
    "How long a reset waits for transactions to end",
    RW,
    NEXT_RESET,
    default=60,
    bounds=(0, None),
    unit="s",
)
SwitchSecurityProfileConnectionTimeout: Key[int] = _integer(
    _INTERNAL,
    "SwitchSecurityProfileConnectionTimeout",
    "Time to connect with a new SecurityProfile before the old one returns",
    RW,
    NEXT_SWITCH,
    bounds=(1, None),
    absent=20,
    unit="s",
)
QueueAllMessages: Key[bool] = _boolean(
    _INTERNAL, "QueueAllMessages", "Keep messages of every sort while they cannot be sent", RO, RESTART
)
ReportClearedErrors: Key[bool] = _boolean(
    _INTERNAL, "ReportClearedErrors", "Report each cleared error by a StatusNotification", RO, RESTART
)
ReportSuspendedEVSEReasonChange: Key[bool] = _boolean(
    _INTERNAL,
    "ReportSuspendedEVSEReasonChange",
    "Report SuspendedEVSE again when only its reason changes",
    RW,
    IMMEDIATE,
    default=False,
)
MessageTypesDiscardForQueueing: Key[str] = _text(
    _INTERNAL,
    "MessageTypesDiscardForQueueing",
    "Messages that QueueAllMessages leaves out, separated by commas",
    RO,
    RESTART,
    absent="",
)
MessageQueueSizeThreshold: Key[int] = _integer(
    _INTERNAL,
    "MessageQueueSizeThreshold",
    "Messages that both queues hold together before thinning",
    RO,
    RESTART,
    bounds=(1, None),
    absent=1000,
)
SupportedMeasurands: Key[str] = _text(
    _INTERNAL,
    "SupportedMeasurands",
    "Measurands the station can measure, separated by commas",
    RO,
    RESTART,
    default="Energy.Active.Import.Register,Energy.Active.Export.Register,Power.Active.Import,Voltage,Current.Import,Frequency,Current.Offered,Power.Offered,SoC,Temperature",
)
MaxMessageSize: Key[int] = _integer(
    _INTERNAL,
    "MaxMessageSize",
    "Size above which transactionData is thinned",
    RO,
    default=65000,
    bounds=(32000, None),
    unit="byte",
)
TLSKeylogFile: Key[str] = _text(
    _INTERNAL,
    "TLSKeylogFile",
    "Where TLS secrets are written for debugging",
    RO,
    RESTART,
    default="/tmp/ocpp_tls_keylog.txt",
)
EnableTLSKeylog: Key[bool] = _boolean(
    _INTERNAL, "EnableTLSKeylog", "Write TLS secrets, for debugging only", RO, RESTART, default=False
)
StopTransactionIfUnlockNotSupported: Key[bool] = _boolean(
    _INTERNAL,
    "StopTransactionIfUnlockNotSupported",
    "UnlockConnector ends a transaction even without a lock",
    RW,
    IMMEDIATE,
    default=False,
)
MeterPublicKeys: Key[tuple[str, ...]] = _texts(
    _INTERNAL,
    "MeterPublicKeys",
    "Public keys of the meters in the order of the connectors, shown as MeterPublicKey1, MeterPublicKey2, ...",
    RO,
    absent=(),
)

# --- Core ----------------------------------------------------------------------------------------------------------
AllowOfflineTxForUnknownId: Key[bool] = _boolean(
    _CORE, "AllowOfflineTxForUnknownId", "Charge unknown id tags while offline", RW, IMMEDIATE
)
AuthorizationCacheEnabled: Key[bool] = _boolean(
    _CORE, "AuthorizationCacheEnabled", "Use the authorization cache", RW, IMMEDIATE
)
AuthorizeRemoteTxRequests: Key[bool] = _boolean(
    _CORE,
    "AuthorizeRemoteTxRequests",
    "Authorize the id tag of a remote start before charging",
    RW,
    IMMEDIATE,
    required=True,
)
BlinkRepeat: Key[int | None] = _optional_integer(
    _CORE, "BlinkRepeat", "How often the lighting blinks", RW, bounds=(0, None)
)
ClockAlignedDataInterval: Key[int] = _integer(
    _CORE,
    "ClockAlignedDataInterval",
    "Time between clock-aligned meter values, counted from midnight UTC; 0 turns them off",
    RW,
    IMMEDIATE,
    required=True,
    bounds=(0, None),
    unit="s",
)
ConnectionTimeOut: Key[int] = _integer(
    _CORE,
    "ConnectionTimeOut",
    "Time between a card and the plug, in either order",
    RW,
    IMMEDIATE,
    required=True,
    bounds=(0, None),
    unit="s",
)
ConnectorPhaseRotation: Key[str] = _text(
    _CORE,
    "ConnectorPhaseRotation",
    "Wiring of the phases as connector.rotation, separated by commas",
    RW,
    required=True,
)
ConnectorPhaseRotationMaxLength: Key[int | None] = _optional_integer(
    _CORE, "ConnectorPhaseRotationMaxLength", "Greatest number of items in ConnectorPhaseRotation", RO, bounds=(0, None)
)
GetConfigurationMaxKeys: Key[int] = _integer(
    _CORE,
    "GetConfigurationMaxKeys",
    "Greatest number of keys in one GetConfiguration",
    RO,
    required=True,
    bounds=(0, None),
)
HeartbeatInterval: Key[int] = _integer(
    _CORE,
    "HeartbeatInterval",
    "Time between heartbeats; 0 sends none; overwritten by the answer to BootNotification",
    RW,
    IMMEDIATE,
    required=True,
    bounds=(0, None),
    unit="s",
)
LightIntensity: Key[int | None] = _optional_integer(
    _CORE, "LightIntensity", "Brightness of the lighting", RW, bounds=(0, 100), unit="%"
)
LocalAuthorizeOffline: Key[bool] = _boolean(
    _CORE, "LocalAuthorizeOffline", "Use local list and cache while offline", RW, IMMEDIATE, required=True
)
LocalPreAuthorize: Key[bool] = _boolean(
    _CORE, "LocalPreAuthorize", "Use local list and cache while online", RW, IMMEDIATE, required=True
)
MaxEnergyOnInvalidId: Key[int | None] = _optional_integer(
    _CORE, "MaxEnergyOnInvalidId", "Energy still delivered after an id tag was refused", RW, bounds=(0, None), unit="Wh"
)
MeterValuesAlignedData: Key[str] = _text(
    _CORE,
    "MeterValuesAlignedData",
    "Measurands of clock-aligned meter values, separated by commas",
    RW,
    IMMEDIATE,
    required=True,
)
MeterValuesAlignedDataMaxLength: Key[int | None] = _optional_integer(
    _CORE, "MeterValuesAlignedDataMaxLength", "Greatest number of items in MeterValuesAlignedData", RO, bounds=(0, None)
)
MeterValuesSampledData: Key[str] = _text(
    _CORE,
    "MeterValuesSampledData",
    "Measurands of periodic and triggered meter values, separated by commas",
    RW,
    IMMEDIATE,
    required=True,
)
MeterValuesSampledDataMaxLength: Key[int | None] = _optional_integer(
    _CORE, "MeterValuesSampledDataMaxLength", "Greatest number of items in MeterValuesSampledData", RO, bounds=(0, None)
)
MeterValueSampleInterval: Key[int] = _integer(
    _CORE,
    "MeterValueSampleInterval",
    "Time between meter values during a transaction; 0 turns them off",
    RW,
    IMMEDIATE,
    required=True,
    bounds=(0, None),
    unit="s",
)
MinimumStatusDuration: Key[int] = _integer(
    _CORE,
    "MinimumStatusDuration",
    "How long a status must last before it is reported",
    RW,
    IMMEDIATE,
    bounds=(0, None),
    absent=0,
    unit="s",
)
NumberOfConnectors: Key[int] = _integer(
    _CORE, "NumberOfConnectors", "Number of connectors", RO, RESTART, required=True, bounds=(0, None)
)
ResetRetries: Key[int] = _integer(
    _CORE, "ResetRetries", "How often an unsuccessful reset is tried again", RW, required=True, bounds=(0, None)
)
StopTransactionOnEVSideDisconnect: Key[bool] = _boolean(
    _CORE, "StopTransactionOnEVSideDisconnect", "End the transaction when the cable is pulled at the car", RO
)
StopTransactionOnInvalidId: Key[bool] = _boolean(
    _CORE,
    "StopTransactionOnInvalidId",
    "End the transaction when the CSMS refuses its id tag",
    RW,
    IMMEDIATE,
    required=True,
)
StopTxnAlignedData: Key[str] = _text(
    _CORE,
    "StopTxnAlignedData",
    "Measurands of clock-aligned values in transactionData, separated by commas",
    RW,
    IMMEDIATE,
    required=True,
)
StopTxnAlignedDataMaxLength: Key[int | None] = _optional_integer(
    _CORE, "StopTxnAlignedDataMaxLength", "Greatest number of items in StopTxnAlignedData", RO, bounds=(0, None)
)
StopTxnSampledData: Key[str] = _text(
    _CORE,
    "StopTxnSampledData",
    "Measurands of all other values in transactionData, separated by commas",
    RW,
    IMMEDIATE,
    required=True,
)
StopTxnSampledDataMaxLength: Key[int | None] = _optional_integer(
    _CORE, "StopTxnSampledDataMaxLength", "Greatest number of items in StopTxnSampledData", RO, bounds=(0, None)
)
SupportedFeatureProfiles: Key[str] = _text(
    _CORE,
    "SupportedFeatureProfiles",
    "Feature profiles, separated by commas; Core is a must",
    RO,
    RESTART,
    required=True,
)
SupportedFeatureProfilesMaxLength: Key[int | None] = _optional_integer(
    _CORE,
    "SupportedFeatureProfilesMaxLength",
    "Greatest number of items in SupportedFeatureProfiles",
    RO,
    bounds=(0, None),
)
TransactionMessageAttempts: Key[int] = _integer(
    _CORE,
    "TransactionMessageAttempts",
    "How many times a transaction message is sent altogether",
    RW,
    IMMEDIATE,
    required=True,
    bounds=(0, None),
)
TransactionMessageRetryInterval: Key[int] = _integer(
    _CORE,
    "TransactionMessageRetryInterval",
    "Wait before a transaction message is sent again, times the attempts made",
    RW,
    IMMEDIATE,
    required=True,
    bounds=(0, None),
    unit="s",
)
UnlockConnectorOnEVSideDisconnect: Key[bool] = _boolean(
    _CORE,
    "UnlockConnectorOnEVSideDisconnect",
    "Unlock the station's side when the cable is pulled at the car",
    RW,
    IMMEDIATE,
    required=True,
)
WebSocketPingInterval: Key[int] = _integer(
    _CORE,
    "WebSocketPingInterval",
    "Time between pings; 0 sends none",
    RW,
    IMMEDIATE,
    bounds=(0, None),
    absent=0,
    unit="s",
)

# --- FirmwareManagement --------------------------------------------------------------------------------------------
SupportedFileTransferProtocols: Key[str | None] = _optional_text(
    _FIRMWARE, "SupportedFileTransferProtocols", "Protocols for firmware and diagnostics, separated by commas", RO
)

# --- LocalAuthListManagement ---------------------------------------------------------------------------------------
LocalAuthListEnabled: Key[bool] = _boolean(
    _LOCAL_LIST, "LocalAuthListEnabled", "Use the local authorization list", RW, IMMEDIATE, required=True
)
LocalAuthListMaxLength: Key[int] = _integer(
    _LOCAL_LIST,
    "LocalAuthListMaxLength",
    "Greatest number of entries in the local list",
    RO,
    required=True,
    bounds=(0, None),
    absent=0,
)
SendLocalListMaxLength: Key[int] = _integer(
    _LOCAL_LIST,
    "SendLocalListMaxLength",
    "Greatest number of entries in one SendLocalList",
    RO,
    required=True,
    bounds=(0, None),
    absent=0,
)

# --- Reservation ---------------------------------------------------------------------------------------------------
ReserveConnectorZeroSupported: Key[bool] = _boolean(
    _RESERVATION, "ReserveConnectorZeroSupported", "Reservations of connector 0 are possible", RO
)

# --- SmartCharging -------------------------------------------------------------------------------------------------
ChargeProfileMaxStackLevel: Key[int] = _integer(
    _SMART,
    "ChargeProfileMaxStackLevel",
    "Highest stackLevel of a charging profile",
    RO,
    required=True,
    bounds=(0, None),
    absent=0,
)
ChargingScheduleAllowedChargingRateUnit: Key[str] = _text(
    _SMART,
    "ChargingScheduleAllowedChargingRateUnit",
    "Units of schedules, Current and Power, separated by commas; the first one is preferred",
    RO,
    required=True,
    default="Current,Power",
)
ChargingScheduleMaxPeriods: Key[int] = _integer(
    _SMART,
    "ChargingScheduleMaxPeriods",
    "Greatest number of periods in one schedule",
    RO,
    required=True,
    default=1440,
    bounds=(0, None),
)
ConnectorSwitch3to1PhaseSupported: Key[bool] = _boolean(
    _SMART, "ConnectorSwitch3to1PhaseSupported", "The station can switch from three phases to one", RO
)
MaxChargingProfilesInstalled: Key[int] = _integer(
    _SMART,
    "MaxChargingProfilesInstalled",
    "Greatest number of profiles installed at a time",
    RO,
    required=True,
    default=500,
    bounds=(0, None),
)

# --- Security ------------------------------------------------------------------------------------------------------
AdditionalRootCertificateCheck: Key[bool] = _boolean(
    _SECURITY, "AdditionalRootCertificateCheck", "A new CSMS root must be signed by the present one", RO
)
AuthorizationKey: Key[str | None] = _optional_text(
    _SECURITY, "AuthorizationKey", "Password of HTTP Basic; can be written, never read", WO, RECONNECT, length=(8, 40)
)
CertificateSignedMaxChainSize: Key[int | None] = _optional_integer(
    _SECURITY,
    "CertificateSignedMaxChainSize",
    "Longest chain in CertificateSigned",
    RO,
    bounds=(None, 10000),
    unit="byte",
)
CertificateStoreMaxLength: Key[int | None] = _optional_integer(
    _SECURITY, "CertificateStoreMaxLength", "Greatest number of certificates installed", RO, bounds=(0, None)
)
CpoName: Key[str | None] = _optional_text(
    _SECURITY, "CpoName", "Organization in requests for the charge point certificate", RW, NEXT_CSR
)
SecurityProfile: Key[int] = _integer(
    _SECURITY,
    "SecurityProfile",
    "Security profile of the connection; the CSMS can only raise it",
    RW,
    RECONNECT,
    required=True,
    default=0,
    bounds=(0, 3),
)
DisableSecurityEventNotifications: Key[bool] = _boolean(
    _SECURITY,
    "DisableSecurityEventNotifications",
    "Log security events without sending them",
    RW,
    IMMEDIATE,
    default=False,
)

# --- PnC -----------------------------------------------------------------------------------------------------------
ISO15118CertificateManagementEnabled: Key[bool] = _boolean(
    _PNC,
    "ISO15118CertificateManagementEnabled",
    "Manage ISO 15118 certificates over DataTransfer",
    RW,
    IMMEDIATE,
    default=False,
)
ISO15118PnCEnabled: Key[bool] = _boolean(_PNC, "ISO15118PnCEnabled", "Plug & Charge", RW, IMMEDIATE, required=True)
CentralContractValidationAllowed: Key[bool] = _boolean(
    _PNC, "CentralContractValidationAllowed", "Let the CSMS check a contract that cannot be checked here", RW, IMMEDIATE
)
CertSigningWaitMinimum: Key[int] = _integer(
    _PNC,
    "CertSigningWaitMinimum",
    "First wait before a certificate request is repeated",
    RW,
    bounds=(0, None),
    absent=0,
    unit="s",
)
CertSigningRepeatTimes: Key[int] = _integer(
    _PNC, "CertSigningRepeatTimes", "How often a certificate request is repeated", RW, bounds=(0, None), absent=0
)
ContractValidationOffline: Key[bool] = _boolean(
    _PNC, "ContractValidationOffline", "Check contracts here while offline", RW, IMMEDIATE, required=True
)

# --- CostAndPrice --------------------------------------------------------------------------------------------------
CustomDisplayCostAndPrice: Key[bool] = _boolean(
    _COST, "CustomDisplayCostAndPrice", "Show cost and price (California Pricing)", RO, RESTART, required=True
)
NumberOfDecimalsForCostValues: Key[int] = _integer(
    _COST, "NumberOfDecimalsForCostValues", "Decimals inside integer costs", RO, FIRST_USE, absent=3
)
DefaultPrice: Key[dict[str, Any] | None] = _mapping(
    _COST, "DefaultPrice", "Price text and tariff shown before anything better is known", RW, IMMEDIATE
)
DefaultPriceText: Key[dict[str, Any] | None] = _mapping(
    _COST,
    "DefaultPriceText",
    "The default price in several languages, shown as DefaultPriceText,<language>",
    RW,
    IMMEDIATE,
)
TimeOffset: Key[str | None] = _optional_text(
    _COST, "TimeOffset", "Offset of the display's time from UTC, +HH:MM", RW, IMMEDIATE, length=(1, 10)
)
NextTimeOffsetTransitionDateTime: Key[str | None] = _optional_text(
    _COST,
    "NextTimeOffsetTransitionDateTime",
    "When TimeOffsetNextTransition takes the place of TimeOffset",
    RW,
    IMMEDIATE,
    length=(1, 40),
)
TimeOffsetNextTransition: Key[str | None] = _optional_text(
    _COST, "TimeOffsetNextTransition", "The offset after the next transition, +HH:MM", RW, IMMEDIATE, length=(1, 40)
)
CustomIdleFeeAfterStop: Key[bool] = _boolean(
    _COST, "CustomIdleFeeAfterStop", "An idle fee runs on until the car is unplugged", RW
)
SupportedLanguages: Key[str] = _text(
    _COST, "SupportedLanguages", "Languages of DefaultPriceText, separated by commas", RO, length=(1, None), absent=""
)
CustomMultiLanguageMessages: Key[bool] = _boolean(
    _COST, "CustomMultiLanguageMessages", "Price texts in several languages", RO
)
Language: Key[str | None] = _optional_text(
    _COST, "Language", "Language of texts that have only one", RW, length=(1, None)
)
WaitForSetUserPriceTimeout: Key[int] = _integer(
    _COST,
    "WaitForSetUserPriceTimeout",
    "How long an authorization waits for SetUserPrice",
    RW,
    IMMEDIATE,
    bounds=(0, 30000),
    absent=0,
    unit="ms",
)


TABLE: dict[str, Key[Any]] = {key.name: key for key in list(globals().values()) if isinstance(key, Key)}
"""All keys by name, in the order above."""

BY_FOLDED_NAME: dict[str, Key[Any]] = {name.casefold(): key for name, key in TABLE.items()}
"""CiString: the CSMS may write a key in any case (libocpp 1.6)."""
