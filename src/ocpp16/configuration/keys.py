"""The table of all configuration keys (libocpp 1.5), as typed objects: `configuration[keys.HeartbeatInterval]` is an int.

Literal rows only. Access is the effective one, with the mismatches of DEPARTURE 3 resolved as declared. The JSON schemas
in `profile_schemas/` are generated from this table (`python -m ocpp16.configuration.schemas`).
May import: key. Must not import: anything else.
"""

from __future__ import annotations

from typing import Any

from ocpp16.configuration.key import Access, Effect, Key, Kind


def _boolean(section: str, name: str, meaning: str, *, absent: bool = False, **facts: Any) -> Key[bool]:
    return Key(section, name, Kind.BOOLEAN, meaning, absent=absent, **facts)


def _integer(section: str, name: str, meaning: str, **facts: Any) -> Key[int]:
    return Key(section, name, Kind.INTEGER, meaning, **facts)


def _optional_integer(section: str, name: str, meaning: str, **facts: Any) -> Key[int | None]:
    return Key(section, name, Kind.INTEGER, meaning, **facts)


def _number(section: str, name: str, meaning: str, **facts: Any) -> Key[float]:
    return Key(section, name, Kind.NUMBER, meaning, **facts)


def _text(section: str, name: str, meaning: str, **facts: Any) -> Key[str]:
    return Key(section, name, Kind.TEXT, meaning, **facts)


def _optional_text(section: str, name: str, meaning: str, **facts: Any) -> Key[str | None]:
    return Key(section, name, Kind.TEXT, meaning, **facts)


def _texts(section: str, name: str, meaning: str, **facts: Any) -> Key[tuple[str, ...]]:
    return Key(section, name, Kind.TEXTS, meaning, **facts)


def _mapping(section: str, name: str, meaning: str, **facts: Any) -> Key[dict[str, Any] | None]:
    return Key(section, name, Kind.OBJECT, meaning, **facts)


# --- Internal ------------------------------------------------------------------------------------------------------
ChargePointId: Key[str] = _text(
    "Internal",
    "ChargePointId",
    "OCPP identity: end of the websocket URL, user name of HTTP Basic, stem of the database file; no colon",
    effect=Effect.RESTART,
    required=True,
    min_length=1,
)
CentralSystemURI: Key[str] = _text(
    "Internal",
    "CentralSystemURI",
    "URL of the CSMS without the identity; the scheme may be missing",
    effect=Effect.REBOOT_REQUIRED,
    required=True,
    min_length=1,
)
ChargeBoxSerialNumber: Key[str] = _text(
    "Internal",
    "ChargeBoxSerialNumber",
    "BootNotification chargeBoxSerialNumber; common name in certificate requests",
    effect=Effect.RESTART,
    required=True,
    min_length=1,
    max_length=25,
)
ChargePointModel: Key[str] = _text(
    "Internal",
    "ChargePointModel",
    "BootNotification chargePointModel",
    effect=Effect.RESTART,
    required=True,
    min_length=1,
    max_length=20,
)
ChargePointSerialNumber: Key[str | None] = _optional_text(
    "Internal",
    "ChargePointSerialNumber",
    "BootNotification chargePointSerialNumber",
    effect=Effect.RESTART,
    min_length=1,
    max_length=25,
)
ChargePointVendor: Key[str] = _text(
    "Internal",
    "ChargePointVendor",
    "BootNotification chargePointVendor",
    effect=Effect.RESTART,
    required=True,
    min_length=1,
    max_length=20,
)
FirmwareVersion: Key[str] = _text(
    "Internal",
    "FirmwareVersion",
    "BootNotification firmwareVersion",
    effect=Effect.RESTART,
    required=True,
    min_length=1,
    max_length=50,
)
ICCID: Key[str | None] = _optional_text(
    "Internal", "ICCID", "BootNotification iccid", effect=Effect.RESTART, min_length=1, max_length=20
)
HostName: Key[str | None] = _optional_text(
    "Internal",
    "HostName",
    "Sent as the HTTP header User-Host; has no influence on the address dialled",
    effect=Effect.RESTART,
    min_length=1,
)
IFace: Key[str | None] = _optional_text(
    "Internal",
    "IFace",
    "Local network interface, by name or address, that the websocket is bound to",
    effect=Effect.RESTART,
    min_length=1,
)
IMSI: Key[str | None] = _optional_text(
    "Internal", "IMSI", "BootNotification imsi", effect=Effect.RESTART, min_length=1, max_length=20
)
MeterSerialNumber: Key[str | None] = _optional_text(
    "Internal",
    "MeterSerialNumber",
    "BootNotification meterSerialNumber",
    effect=Effect.RESTART,
    min_length=1,
    max_length=25,
)
MeterType: Key[str | None] = _optional_text(
    "Internal", "MeterType", "BootNotification meterType", effect=Effect.RESTART, min_length=1, max_length=25
)
SupportedCiphers12: Key[tuple[str, ...]] = _texts(
    "Internal",
    "SupportedCiphers12",
    "TLS 1.2 ciphers by their OpenSSL names",
    effect=Effect.RESTART,
    default=(
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
    ),
    separator=":",
)
SupportedCiphers13: Key[tuple[str, ...]] = _texts(
    "Internal",
    "SupportedCiphers13",
    "TLS 1.3 cipher suites",
    effect=Effect.RESTART,
    default=("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"),
    separator=":",
)
UseTPM: Key[bool] = _boolean(
    "Internal", "UseTPM", "Keep the key of the charge point certificate in a TPM", effect=Effect.RESTART, default=False
)
UseTPMSeccLeafCertificate: Key[bool] = _boolean(
    "Internal",
    "UseTPMSeccLeafCertificate",
    "Keep the key of the ISO 15118 SECC leaf in a TPM",
    effect=Effect.RESTART,
    default=False,
)
RetryBackoffRandomRange: Key[int] = _integer(
    "Internal",
    "RetryBackoffRandomRange",
    "Greatest random part of a reconnect wait",
    access=Access.RW,
    effect=Effect.NEXT_CONNECT_CYCLE,
    default=10,
    unit="s",
)
RetryBackoffRepeatTimes: Key[int] = _integer(
    "Internal",
    "RetryBackoffRepeatTimes",
    "How many times the reconnect wait doubles",
    access=Access.RW,
    effect=Effect.NEXT_CONNECT_CYCLE,
    default=3,
)
RetryBackoffWaitMinimum: Key[int] = _integer(
    "Internal",
    "RetryBackoffWaitMinimum",
    "First reconnect wait",
    access=Access.RW,
    effect=Effect.NEXT_CONNECT_CYCLE,
    default=3,
    unit="s",
)
AuthorizeConnectorZeroOnConnectorOne: Key[bool] = _boolean(
    "Internal",
    "AuthorizeConnectorZeroOnConnectorOne",
    "Kept for compatibility; counts only with one connector",
    default=True,
)
LogMessages: Key[bool] = _boolean(
    "Internal", "LogMessages", "Write the message log at all", effect=Effect.RESTART, default=True
)
LogMessagesRaw: Key[bool] = _boolean(
    "Internal", "LogMessagesRaw", "Also write frames as they come, unparsed", effect=Effect.RESTART, default=False
)
LogMessagesFormat: Key[tuple[str, ...]] = _texts(
    "Internal",
    "LogMessagesFormat",
    "Sinks of the message log",
    effect=Effect.RESTART,
    default=("log", "html", "session_logging", "security"),
)
LogRotation: Key[bool] = _boolean(
    "Internal", "LogRotation", "Rotate the message log", effect=Effect.RESTART, default=False
)
LogRotationDateSuffix: Key[bool] = _boolean(
    "Internal",
    "LogRotationDateSuffix",
    "Name rotated files by date instead of by number",
    effect=Effect.RESTART,
    default=False,
)
LogRotationMaximumFileSize: Key[int] = _integer(
    "Internal",
    "LogRotationMaximumFileSize",
    "Size at which a log file is rotated; 0 turns rotation off",
    effect=Effect.RESTART,
    default=0,
    minimum=0,
    unit="byte",
)
LogRotationMaximumFileCount: Key[int] = _integer(
    "Internal",
    "LogRotationMaximumFileCount",
    "Rotated files kept of each sort; 0 keeps all",
    effect=Effect.RESTART,
    default=0,
    minimum=0,
)
SupportedChargingProfilePurposeTypes: Key[tuple[str, ...]] = _texts(
    "Internal",
    "SupportedChargingProfilePurposeTypes",
    "Purposes that SetChargingProfile accepts",
    effect=Effect.RESTART,
    default=("ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"),
)
IgnoredProfilePurposesOffline: Key[str] = _text(
    "Internal",
    "IgnoredProfilePurposesOffline",
    "Purposes that a composite schedule leaves out while offline, separated by commas",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    absent="",
)
MaxCompositeScheduleDuration: Key[int] = _integer(
    "Internal", "MaxCompositeScheduleDuration", "Longest duration of a composite schedule", default=31536000, unit="s"
)
CompositeScheduleDefaultLimitAmps: Key[float] = _number(
    "Internal",
    "CompositeScheduleDefaultLimitAmps",
    "Current limit where no profile applies",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    default=48,
    minimum=0,
    unit="A",
)
CompositeScheduleDefaultLimitWatts: Key[float] = _number(
    "Internal",
    "CompositeScheduleDefaultLimitWatts",
    "Power limit where no profile applies",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    default=33120,
    minimum=0,
    unit="W",
)
CompositeScheduleDefaultNumberPhases: Key[float] = _number(
    "Internal",
    "CompositeScheduleDefaultNumberPhases",
    "Phases for the conversion between A and W where a period names none",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    default=3,
    minimum=1,
    maximum=3,
)
SupplyVoltage: Key[float] = _number(
    "Internal",
    "SupplyVoltage",
    "Voltage for the conversion between A and W",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    default=230,
    minimum=0,
    unit="V",
)
WebsocketPingPayload: Key[str] = _text(
    "Internal", "WebsocketPingPayload", "Text inside ping frames", effect=Effect.RESTART, default="hello there"
)
WebsocketPongTimeout: Key[int] = _integer(
    "Internal", "WebsocketPongTimeout", "How long a pong may take", effect=Effect.RESTART, default=5, unit="s"
)
UseSslDefaultVerifyPaths: Key[bool] = _boolean(
    "Internal",
    "UseSslDefaultVerifyPaths",
    "Trust the certificate authorities of the operating system too",
    effect=Effect.RESTART,
    default=True,
)
VerifyCsmsCommonName: Key[bool] = _boolean(
    "Internal",
    "VerifyCsmsCommonName",
    "Compare the host name with the server certificate",
    effect=Effect.RESTART,
    default=True,
)
VerifyCsmsAllowWildcards: Key[bool] = _boolean(
    "Internal",
    "VerifyCsmsAllowWildcards",
    "Let a wildcard label in the server certificate match",
    access=Access.RW,
    effect=Effect.RESTART,
    default=False,
)
OcspRequestInterval: Key[int] = _integer(
    "Internal",
    "OcspRequestInterval",
    "Time between refreshes of OCSP answers",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    default=604800,
    minimum=86400,
    unit="s",
)
SeccLeafSubjectCommonName: Key[str | None] = _optional_text(
    "Internal",
    "SeccLeafSubjectCommonName",
    "Common name in requests for the SECC certificate",
    access=Access.RW,
    effect=Effect.NEXT_CSR,
    min_length=7,
    max_length=64,
)
SeccLeafSubjectCountry: Key[str | None] = _optional_text(
    "Internal",
    "SeccLeafSubjectCountry",
    "Country in certificate requests",
    access=Access.RW,
    effect=Effect.NEXT_CSR,
    min_length=2,
    max_length=2,
)
SeccLeafSubjectOrganization: Key[str | None] = _optional_text(
    "Internal",
    "SeccLeafSubjectOrganization",
    "Organization in requests for the SECC certificate",
    access=Access.RW,
    effect=Effect.NEXT_CSR,
    max_length=64,
)
ConnectorEvseIds: Key[str | None] = _optional_text(
    "Internal",
    "ConnectorEvseIds",
    "EVSE ids in the order of the connectors, separated by commas",
    access=Access.RW,
    min_length=7,
    max_length=1000,
)
AllowChargingProfileWithoutStartSchedule: Key[bool] = _boolean(
    "Internal",
    "AllowChargingProfileWithoutStartSchedule",
    "Let absolute and recurring profiles without startSchedule begin at once",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
)
RejectRemoteStartTransactionWithoutConnectorId: Key[bool] = _boolean(
    "Internal",
    "RejectRemoteStartTransactionWithoutConnectorId",
    "Refuse a remote start that names no connector",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
)
RemoteStartTransactionWithoutConnectorIdFindFirst: Key[bool] = _boolean(
    "Internal",
    "RemoteStartTransactionWithoutConnectorIdFindFirst",
    "Give a remote start that names no connector to the first usable one",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
)
WaitForStopTransactionsOnResetTimeout: Key[int] = _integer(
    "Internal",
    "WaitForStopTransactionsOnResetTimeout",
    "How long a reset waits for transactions to end",
    access=Access.RW,
    effect=Effect.NEXT_RESET,
    default=60,
    minimum=0,
    unit="s",
)
SwitchSecurityProfileConnectionTimeout: Key[int] = _integer(
    "Internal",
    "SwitchSecurityProfileConnectionTimeout",
    "Time to connect with a new SecurityProfile before the old one returns",
    access=Access.RW,
    effect=Effect.NEXT_SWITCH,
    minimum=1,
    absent=20,
    unit="s",
)
QueueAllMessages: Key[bool] = _boolean(
    "Internal", "QueueAllMessages", "Keep messages of every sort while they cannot be sent", effect=Effect.RESTART
)
ReportClearedErrors: Key[bool] = _boolean(
    "Internal", "ReportClearedErrors", "Report each cleared error by a StatusNotification", effect=Effect.RESTART
)
ReportSuspendedEVSEReasonChange: Key[bool] = _boolean(
    "Internal",
    "ReportSuspendedEVSEReasonChange",
    "Report SuspendedEVSE again when only its reason changes",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    default=False,
)
MessageTypesDiscardForQueueing: Key[str] = _text(
    "Internal",
    "MessageTypesDiscardForQueueing",
    "Messages that QueueAllMessages leaves out, separated by commas",
    effect=Effect.RESTART,
    absent="",
)
MessageQueueSizeThreshold: Key[int] = _integer(
    "Internal",
    "MessageQueueSizeThreshold",
    "Messages that both queues hold together before thinning",
    effect=Effect.RESTART,
    minimum=1,
    absent=1000,
)
SupportedMeasurands: Key[str] = _text(
    "Internal",
    "SupportedMeasurands",
    "Measurands the station can measure, separated by commas",
    effect=Effect.RESTART,
    default="Energy.Active.Import.Register,Energy.Active.Export.Register,Power.Active.Import,Voltage,Current.Import,Frequency,Current.Offered,Power.Offered,SoC,Temperature",
)
MaxMessageSize: Key[int] = _integer(
    "Internal",
    "MaxMessageSize",
    "Size above which transactionData is thinned",
    default=65000,
    minimum=32000,
    unit="byte",
)
TLSKeylogFile: Key[str] = _text(
    "Internal",
    "TLSKeylogFile",
    "Where TLS secrets are written for debugging",
    effect=Effect.RESTART,
    default="/tmp/ocpp_tls_keylog.txt",
)
EnableTLSKeylog: Key[bool] = _boolean(
    "Internal", "EnableTLSKeylog", "Write TLS secrets, for debugging only", effect=Effect.RESTART, default=False
)
StopTransactionIfUnlockNotSupported: Key[bool] = _boolean(
    "Internal",
    "StopTransactionIfUnlockNotSupported",
    "UnlockConnector ends a transaction even without a lock",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    default=False,
)
MeterPublicKeys: Key[tuple[str, ...]] = _texts(
    "Internal",
    "MeterPublicKeys",
    "Public keys of the meters in the order of the connectors, shown as MeterPublicKey1, MeterPublicKey2, ...",
    absent=(),
)

# --- Core ----------------------------------------------------------------------------------------------------------
AllowOfflineTxForUnknownId: Key[bool] = _boolean(
    "Core",
    "AllowOfflineTxForUnknownId",
    "Charge unknown id tags while offline",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
)
AuthorizationCacheEnabled: Key[bool] = _boolean(
    "Core", "AuthorizationCacheEnabled", "Use the authorization cache", access=Access.RW, effect=Effect.IMMEDIATE
)
AuthorizeRemoteTxRequests: Key[bool] = _boolean(
    "Core",
    "AuthorizeRemoteTxRequests",
    "Authorize the id tag of a remote start before charging",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    required=True,
)
BlinkRepeat: Key[int | None] = _optional_integer(
    "Core", "BlinkRepeat", "How often the lighting blinks", access=Access.RW, minimum=0
)
ClockAlignedDataInterval: Key[int] = _integer(
    "Core",
    "ClockAlignedDataInterval",
    "Time between clock-aligned meter values, counted from midnight UTC; 0 turns them off",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    required=True,
    minimum=0,
    unit="s",
)
ConnectionTimeOut: Key[int] = _integer(
    "Core",
    "ConnectionTimeOut",
    "Time between a card and the plug, in either order",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    required=True,
    minimum=0,
    unit="s",
)
ConnectorPhaseRotation: Key[str] = _text(
    "Core",
    "ConnectorPhaseRotation",
    "Wiring of the phases as connector.rotation, separated by commas",
    access=Access.RW,
    required=True,
)
ConnectorPhaseRotationMaxLength: Key[int | None] = _optional_integer(
    "Core", "ConnectorPhaseRotationMaxLength", "Greatest number of items in ConnectorPhaseRotation", minimum=0
)
GetConfigurationMaxKeys: Key[int] = _integer(
    "Core", "GetConfigurationMaxKeys", "Greatest number of keys in one GetConfiguration", required=True, minimum=0
)
HeartbeatInterval: Key[int] = _integer(
    "Core",
    "HeartbeatInterval",
    "Time between heartbeats; 0 sends none; overwritten by the answer to BootNotification",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    required=True,
    minimum=0,
    unit="s",
)
LightIntensity: Key[int | None] = _optional_integer(
    "Core", "LightIntensity", "Brightness of the lighting", access=Access.RW, minimum=0, maximum=100, unit="%"
)
LocalAuthorizeOffline: Key[bool] = _boolean(
    "Core",
    "LocalAuthorizeOffline",
    "Use local list and cache while offline",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    required=True,
)
LocalPreAuthorize: Key[bool] = _boolean(
    "Core",
    "LocalPreAuthorize",
    "Use local list and cache while online",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    required=True,
)
MaxEnergyOnInvalidId: Key[int | None] = _optional_integer(
    "Core",
    "MaxEnergyOnInvalidId",
    "Energy still delivered after an id tag was refused",
    access=Access.RW,
    minimum=0,
    unit="Wh",
)
MeterValuesAlignedData: Key[str] = _text(
    "Core",
    "MeterValuesAlignedData",
    "Measurands of clock-aligned meter values, separated by commas",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    required=True,
)
MeterValuesAlignedDataMaxLength: Key[int | None] = _optional_integer(
    "Core", "MeterValuesAlignedDataMaxLength", "Greatest number of items in MeterValuesAlignedData", minimum=0
)
MeterValuesSampledData: Key[str] = _text(
    "Core",
    "MeterValuesSampledData",
    "Measurands of periodic and triggered meter values, separated by commas",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    required=True,
)
MeterValuesSampledDataMaxLength: Key[int | None] = _optional_integer(
    "Core", "MeterValuesSampledDataMaxLength", "Greatest number of items in MeterValuesSampledData", minimum=0
)
MeterValueSampleInterval: Key[int] = _integer(
    "Core",
    "MeterValueSampleInterval",
    "Time between meter values during a transaction; 0 turns them off",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    required=True,
    minimum=0,
    unit="s",
)
MinimumStatusDuration: Key[int] = _integer(
    "Core",
    "MinimumStatusDuration",
    "How long a status must last before it is reported",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    minimum=0,
    absent=0,
    unit="s",
)
NumberOfConnectors: Key[int] = _integer(
    "Core", "NumberOfConnectors", "Number of connectors", effect=Effect.RESTART, required=True, minimum=0
)
ResetRetries: Key[int] = _integer(
    "Core", "ResetRetries", "How often an unsuccessful reset is tried again", access=Access.RW, required=True, minimum=0
)
StopTransactionOnEVSideDisconnect: Key[bool] = _boolean(
    "Core",
    "StopTransactionOnEVSideDisconnect",
    "End the transaction when the cable is pulled at the car",
)
StopTransactionOnInvalidId: Key[bool] = _boolean(
    "Core",
    "StopTransactionOnInvalidId",
    "End the transaction when the CSMS refuses its id tag",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    required=True,
)
StopTxnAlignedData: Key[str] = _text(
    "Core",
    "StopTxnAlignedData",
    "Measurands of clock-aligned values in transactionData, separated by commas",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    required=True,
)
StopTxnAlignedDataMaxLength: Key[int | None] = _optional_integer(
    "Core", "StopTxnAlignedDataMaxLength", "Greatest number of items in StopTxnAlignedData", minimum=0
)
StopTxnSampledData: Key[str] = _text(
    "Core",
    "StopTxnSampledData",
    "Measurands of all other values in transactionData, separated by commas",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    required=True,
)
StopTxnSampledDataMaxLength: Key[int | None] = _optional_integer(
    "Core", "StopTxnSampledDataMaxLength", "Greatest number of items in StopTxnSampledData", minimum=0
)
SupportedFeatureProfiles: Key[str] = _text(
    "Core",
    "SupportedFeatureProfiles",
    "Feature profiles, separated by commas; Core is a must",
    effect=Effect.RESTART,
    required=True,
)
SupportedFeatureProfilesMaxLength: Key[int | None] = _optional_integer(
    "Core", "SupportedFeatureProfilesMaxLength", "Greatest number of items in SupportedFeatureProfiles", minimum=0
)
TransactionMessageAttempts: Key[int] = _integer(
    "Core",
    "TransactionMessageAttempts",
    "How many times a transaction message is sent altogether",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    required=True,
    minimum=0,
)
TransactionMessageRetryInterval: Key[int] = _integer(
    "Core",
    "TransactionMessageRetryInterval",
    "Wait before a transaction message is sent again, times the attempts made",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    required=True,
    minimum=0,
    unit="s",
)
UnlockConnectorOnEVSideDisconnect: Key[bool] = _boolean(
    "Core",
    "UnlockConnectorOnEVSideDisconnect",
    "Unlock the station's side when the cable is pulled at the car",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    required=True,
)
WebSocketPingInterval: Key[int] = _integer(
    "Core",
    "WebSocketPingInterval",
    "Time between pings; 0 sends none",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    minimum=0,
    absent=0,
    unit="s",
)

# --- FirmwareManagement --------------------------------------------------------------------------------------------
SupportedFileTransferProtocols: Key[str | None] = _optional_text(
    "FirmwareManagement",
    "SupportedFileTransferProtocols",
    "Protocols for firmware and diagnostics, separated by commas",
)

# --- LocalAuthListManagement ---------------------------------------------------------------------------------------
LocalAuthListEnabled: Key[bool] = _boolean(
    "LocalAuthListManagement",
    "LocalAuthListEnabled",
    "Use the local authorization list",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    required=True,
)
LocalAuthListMaxLength: Key[int] = _integer(
    "LocalAuthListManagement",
    "LocalAuthListMaxLength",
    "Greatest number of entries in the local list",
    required=True,
    minimum=0,
    absent=0,
)
SendLocalListMaxLength: Key[int] = _integer(
    "LocalAuthListManagement",
    "SendLocalListMaxLength",
    "Greatest number of entries in one SendLocalList",
    required=True,
    minimum=0,
    absent=0,
)

# --- Reservation ---------------------------------------------------------------------------------------------------
ReserveConnectorZeroSupported: Key[bool] = _boolean(
    "Reservation",
    "ReserveConnectorZeroSupported",
    "Reservations of connector 0 are possible",
)

# --- SmartCharging -------------------------------------------------------------------------------------------------
ChargeProfileMaxStackLevel: Key[int] = _integer(
    "SmartCharging",
    "ChargeProfileMaxStackLevel",
    "Highest stackLevel of a charging profile",
    required=True,
    minimum=0,
    absent=0,
)
ChargingScheduleAllowedChargingRateUnit: Key[str] = _text(
    "SmartCharging",
    "ChargingScheduleAllowedChargingRateUnit",
    "Units of schedules, Current and Power, separated by commas; the first one is preferred",
    required=True,
    default="Current,Power",
)
ChargingScheduleMaxPeriods: Key[int] = _integer(
    "SmartCharging",
    "ChargingScheduleMaxPeriods",
    "Greatest number of periods in one schedule",
    required=True,
    default=1440,
    minimum=0,
)
ConnectorSwitch3to1PhaseSupported: Key[bool] = _boolean(
    "SmartCharging",
    "ConnectorSwitch3to1PhaseSupported",
    "The station can switch from three phases to one",
)
MaxChargingProfilesInstalled: Key[int] = _integer(
    "SmartCharging",
    "MaxChargingProfilesInstalled",
    "Greatest number of profiles installed at a time",
    required=True,
    default=500,
    minimum=0,
)

# --- Security ------------------------------------------------------------------------------------------------------
AdditionalRootCertificateCheck: Key[bool] = _boolean(
    "Security",
    "AdditionalRootCertificateCheck",
    "A new CSMS root must be signed by the present one",
)
AuthorizationKey: Key[str | None] = _optional_text(
    "Security",
    "AuthorizationKey",
    "Password of HTTP Basic; can be written, never read",
    access=Access.WO,
    effect=Effect.RECONNECT,
    min_length=8,
    max_length=40,
)
CertificateSignedMaxChainSize: Key[int | None] = _optional_integer(
    "Security", "CertificateSignedMaxChainSize", "Longest chain in CertificateSigned", maximum=10000, unit="byte"
)
CertificateStoreMaxLength: Key[int | None] = _optional_integer(
    "Security", "CertificateStoreMaxLength", "Greatest number of certificates installed", minimum=0
)
CpoName: Key[str | None] = _optional_text(
    "Security",
    "CpoName",
    "Organization in requests for the charge point certificate",
    access=Access.RW,
    effect=Effect.NEXT_CSR,
)
SecurityProfile: Key[int] = _integer(
    "Security",
    "SecurityProfile",
    "Security profile of the connection; the CSMS can only raise it",
    access=Access.RW,
    effect=Effect.RECONNECT,
    required=True,
    default=0,
    minimum=0,
    maximum=3,
)
DisableSecurityEventNotifications: Key[bool] = _boolean(
    "Security",
    "DisableSecurityEventNotifications",
    "Log security events without sending them",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    default=False,
)

# --- PnC -----------------------------------------------------------------------------------------------------------
ISO15118CertificateManagementEnabled: Key[bool] = _boolean(
    "PnC",
    "ISO15118CertificateManagementEnabled",
    "Manage ISO 15118 certificates over DataTransfer",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    default=False,
)
ISO15118PnCEnabled: Key[bool] = _boolean(
    "PnC", "ISO15118PnCEnabled", "Plug & Charge", access=Access.RW, effect=Effect.IMMEDIATE, required=True
)
CentralContractValidationAllowed: Key[bool] = _boolean(
    "PnC",
    "CentralContractValidationAllowed",
    "Let the CSMS check a contract that cannot be checked here",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
)
CertSigningWaitMinimum: Key[int] = _integer(
    "PnC",
    "CertSigningWaitMinimum",
    "First wait before a certificate request is repeated",
    access=Access.RW,
    minimum=0,
    absent=0,
    unit="s",
)
CertSigningRepeatTimes: Key[int] = _integer(
    "PnC",
    "CertSigningRepeatTimes",
    "How often a certificate request is repeated",
    access=Access.RW,
    minimum=0,
    absent=0,
)
ContractValidationOffline: Key[bool] = _boolean(
    "PnC",
    "ContractValidationOffline",
    "Check contracts here while offline",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    required=True,
)

# --- CostAndPrice --------------------------------------------------------------------------------------------------
CustomDisplayCostAndPrice: Key[bool] = _boolean(
    "CostAndPrice",
    "CustomDisplayCostAndPrice",
    "Show cost and price (California Pricing)",
    effect=Effect.RESTART,
    required=True,
)
NumberOfDecimalsForCostValues: Key[int] = _integer(
    "CostAndPrice", "NumberOfDecimalsForCostValues", "Decimals inside integer costs", effect=Effect.FIRST_USE, absent=3
)
DefaultPrice: Key[dict[str, Any] | None] = _mapping(
    "CostAndPrice",
    "DefaultPrice",
    "Price text and tariff shown before anything better is known",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
)
DefaultPriceText: Key[dict[str, Any] | None] = _mapping(
    "CostAndPrice",
    "DefaultPriceText",
    "The default price in several languages, shown as DefaultPriceText,<language>",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
)
TimeOffset: Key[str | None] = _optional_text(
    "CostAndPrice",
    "TimeOffset",
    "Offset of the display's time from UTC, +HH:MM",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    min_length=1,
    max_length=10,
)
NextTimeOffsetTransitionDateTime: Key[str | None] = _optional_text(
    "CostAndPrice",
    "NextTimeOffsetTransitionDateTime",
    "When TimeOffsetNextTransition takes the place of TimeOffset",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    min_length=1,
    max_length=40,
)
TimeOffsetNextTransition: Key[str | None] = _optional_text(
    "CostAndPrice",
    "TimeOffsetNextTransition",
    "The offset after the next transition, +HH:MM",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    min_length=1,
    max_length=40,
)
CustomIdleFeeAfterStop: Key[bool] = _boolean(
    "CostAndPrice", "CustomIdleFeeAfterStop", "An idle fee runs on until the car is unplugged", access=Access.RW
)
SupportedLanguages: Key[str] = _text(
    "CostAndPrice", "SupportedLanguages", "Languages of DefaultPriceText, separated by commas", min_length=1, absent=""
)
CustomMultiLanguageMessages: Key[bool] = _boolean(
    "CostAndPrice",
    "CustomMultiLanguageMessages",
    "Price texts in several languages",
)
Language: Key[str | None] = _optional_text(
    "CostAndPrice", "Language", "Language of texts that have only one", access=Access.RW, min_length=1
)
WaitForSetUserPriceTimeout: Key[int] = _integer(
    "CostAndPrice",
    "WaitForSetUserPriceTimeout",
    "How long an authorization waits for SetUserPrice",
    access=Access.RW,
    effect=Effect.IMMEDIATE,
    minimum=0,
    maximum=30000,
    absent=0,
    unit="ms",
)


TABLE: dict[str, Key[Any]] = {key.name: key for key in list(globals().values()) if isinstance(key, Key)}
"""All keys by name, in the order above."""

BY_FOLDED_NAME: dict[str, Key[Any]] = {name.casefold(): key for name, key in TABLE.items()}
"""CiString: the CSMS may write a key in any case (libocpp 1.6)."""
