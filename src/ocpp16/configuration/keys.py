"""The table of all configuration keys (libocpp 1.5) as typed objects: `configuration[keys.HeartbeatInterval]` is `int`.

Literal rows only. Access is the effective one, the mismatches of DEPARTURE 3 resolved as declared.
The JSON schemas in `profile_schemas/` are generated from this table (`python -m ocpp16.configuration`).
May import: key, measurands. Must not import: anything else of ocpp16.
"""

from __future__ import annotations

from typing import Any, Unpack

from ocpp16.configuration.key import Access, Effect, Facts, Key, Kind
from ocpp16.configuration.measurands import Wanted, parse_measurands

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
    section: str, name: str, access: Access, effect: Effect = Effect.NONE, **facts: Unpack[Facts]
) -> Key[bool]:
    facts.setdefault("absent", False)
    return Key(section, name, Kind.BOOLEAN, access, effect, **facts)


def _integer(section: str, name: str, access: Access, effect: Effect = Effect.NONE, **facts: Unpack[Facts]) -> Key[int]:
    return Key(section, name, Kind.INTEGER, access, effect, **facts)


def _optional_integer(
    section: str, name: str, access: Access, effect: Effect = Effect.NONE, **facts: Unpack[Facts]
) -> Key[int | None]:
    return Key(section, name, Kind.INTEGER, access, effect, **facts)


def _number(
    section: str, name: str, access: Access, effect: Effect = Effect.NONE, **facts: Unpack[Facts]
) -> Key[float]:
    return Key(section, name, Kind.NUMBER, access, effect, **facts)


def _text(section: str, name: str, access: Access, effect: Effect = Effect.NONE, **facts: Unpack[Facts]) -> Key[str]:
    return Key(section, name, Kind.TEXT, access, effect, **facts)


def _optional_text(
    section: str, name: str, access: Access, effect: Effect = Effect.NONE, **facts: Unpack[Facts]
) -> Key[str | None]:
    return Key(section, name, Kind.TEXT, access, effect, **facts)


def _texts(
    section: str, name: str, access: Access, effect: Effect = Effect.NONE, **facts: Unpack[Facts]
) -> Key[tuple[str, ...]]:
    return Key(section, name, Kind.TEXTS, access, effect, **facts)


def _measurands(
    section: str, name: str, access: Access, effect: Effect = Effect.NONE, **facts: Unpack[Facts]
) -> Key[tuple[Wanted, ...]]:
    return Key(section, name, Kind.TEXT, access, effect, parse=parse_measurands, **facts)


def _mapping(
    section: str, name: str, access: Access, effect: Effect = Effect.NONE, **facts: Unpack[Facts]
) -> Key[dict[str, Any] | None]:
    return Key(section, name, Kind.OBJECT, access, effect, **facts)


# fmt: off

# --- Internal ------------------------------------------------------------------------------------------------------
ChargePointId: Key[str] = _text(_INTERNAL, "ChargePointId", RO, RESTART, required=True, length=(1, None),
    meaning="OCPP identity: end of the websocket URL, user name of HTTP Basic, stem of the database file; no colon")
CentralSystemURI: Key[str] = _text(_INTERNAL, "CentralSystemURI", RO, REBOOT_REQUIRED, required=True, length=(1, None),
    meaning="URL of the CSMS without the identity; the scheme may be missing")
ChargeBoxSerialNumber: Key[str] = _text(_INTERNAL, "ChargeBoxSerialNumber", RO, RESTART, required=True, length=(1, 25),
    meaning="BootNotification chargeBoxSerialNumber; common name in certificate requests")
ChargePointModel: Key[str] = _text(_INTERNAL, "ChargePointModel", RO, RESTART, required=True, length=(1, 20),
    meaning="BootNotification chargePointModel")
ChargePointSerialNumber: Key[str | None] = _optional_text(_INTERNAL, "ChargePointSerialNumber", RO, RESTART,
    length=(1, 25), meaning="BootNotification chargePointSerialNumber")
ChargePointVendor: Key[str] = _text(_INTERNAL, "ChargePointVendor", RO, RESTART, required=True, length=(1, 20),
    meaning="BootNotification chargePointVendor")
FirmwareVersion: Key[str] = _text(_INTERNAL, "FirmwareVersion", RO, RESTART, required=True, length=(1, 50),
    meaning="BootNotification firmwareVersion")
ICCID: Key[str | None] = _optional_text(_INTERNAL, "ICCID", RO, RESTART, length=(1, 20),
    meaning="BootNotification iccid")
HostName: Key[str | None] = _optional_text(_INTERNAL, "HostName", RO, RESTART, length=(1, None),
    meaning="Sent as the HTTP header User-Host; has no influence on the address dialled")
IFace: Key[str | None] = _optional_text(_INTERNAL, "IFace", RO, RESTART, length=(1, None),
    meaning="Local network interface, by name or address, that the websocket is bound to")
IMSI: Key[str | None] = _optional_text(_INTERNAL, "IMSI", RO, RESTART, length=(1, 20), meaning="BootNotification imsi")
MeterSerialNumber: Key[str | None] = _optional_text(_INTERNAL, "MeterSerialNumber", RO, RESTART, length=(1, 25),
    meaning="BootNotification meterSerialNumber")
MeterType: Key[str | None] = _optional_text(_INTERNAL, "MeterType", RO, RESTART, length=(1, 25),
    meaning="BootNotification meterType")
SupportedCiphers12: Key[tuple[str, ...]] = _texts(_INTERNAL, "SupportedCiphers12", RO, RESTART,
    default=("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "AES128-GCM-SHA256",
             "AES256-GCM-SHA384"),
    separator=":", meaning="TLS 1.2 ciphers by their OpenSSL names")
SupportedCiphers13: Key[tuple[str, ...]] = _texts(_INTERNAL, "SupportedCiphers13", RO, RESTART,
    default=("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"), separator=":", meaning="TLS 1.3 cipher suites")
UseTPM: Key[bool] = _boolean(_INTERNAL, "UseTPM", RO, RESTART, default=False,
    meaning="Keep the key of the charge point certificate in a TPM")
UseTPMSeccLeafCertificate: Key[bool] = _boolean(_INTERNAL, "UseTPMSeccLeafCertificate", RO, RESTART, default=False,
    meaning="Keep the key of the ISO 15118 SECC leaf in a TPM")
RetryBackoffRandomRange: Key[int] = _integer(_INTERNAL, "RetryBackoffRandomRange", RW, NEXT_CONNECT_CYCLE, default=10,
    unit="s", meaning="Greatest random part of a reconnect wait")
RetryBackoffRepeatTimes: Key[int] = _integer(_INTERNAL, "RetryBackoffRepeatTimes", RW, NEXT_CONNECT_CYCLE, default=3,
    meaning="How many times the reconnect wait doubles")
RetryBackoffWaitMinimum: Key[int] = _integer(_INTERNAL, "RetryBackoffWaitMinimum", RW, NEXT_CONNECT_CYCLE, default=3,
    unit="s", meaning="First reconnect wait")
AuthorizeConnectorZeroOnConnectorOne: Key[bool] = _boolean(_INTERNAL, "AuthorizeConnectorZeroOnConnectorOne", RO,
    default=True, meaning="Kept for compatibility; counts only with one connector")
LogMessages: Key[bool] = _boolean(_INTERNAL, "LogMessages", RO, RESTART, default=True,
    meaning="Write the message log at all")
LogMessagesRaw: Key[bool] = _boolean(_INTERNAL, "LogMessagesRaw", RO, RESTART, default=False,
    meaning="Also write frames as they come, unparsed")
LogMessagesFormat: Key[tuple[str, ...]] = _texts(_INTERNAL, "LogMessagesFormat", RO, RESTART,
    default=("log", "html", "session_logging", "security"), meaning="Sinks of the message log")
LogRotation: Key[bool] = _boolean(_INTERNAL, "LogRotation", RO, RESTART, default=False,
    meaning="Rotate the message log")
LogRotationDateSuffix: Key[bool] = _boolean(_INTERNAL, "LogRotationDateSuffix", RO, RESTART, default=False,
    meaning="Name rotated files by date instead of by number")
LogRotationMaximumFileSize: Key[int] = _integer(_INTERNAL, "LogRotationMaximumFileSize", RO, RESTART, default=0,
    bounds=(0, None), unit="byte", meaning="Size at which a log file is rotated; 0 turns rotation off")
LogRotationMaximumFileCount: Key[int] = _integer(_INTERNAL, "LogRotationMaximumFileCount", RO, RESTART, default=0,
    bounds=(0, None), meaning="Rotated files kept of each sort; 0 keeps all")
SupportedChargingProfilePurposeTypes: Key[tuple[str, ...]] = _texts(_INTERNAL, "SupportedChargingProfilePurposeTypes",
    RO, RESTART, default=("ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"),
    meaning="Purposes that SetChargingProfile accepts")
IgnoredProfilePurposesOffline: Key[str] = _text(_INTERNAL, "IgnoredProfilePurposesOffline", RW, IMMEDIATE, absent="",
    meaning="Purposes that a composite schedule leaves out while offline, separated by commas")
MaxCompositeScheduleDuration: Key[int] = _integer(_INTERNAL, "MaxCompositeScheduleDuration", RO, default=31536000,
    unit="s", meaning="Longest duration of a composite schedule")
CompositeScheduleDefaultLimitAmps: Key[float] = _number(_INTERNAL, "CompositeScheduleDefaultLimitAmps", RW, IMMEDIATE,
    default=48, bounds=(0, None), unit="A", meaning="Current limit where no profile applies")
CompositeScheduleDefaultLimitWatts: Key[float] = _number(_INTERNAL, "CompositeScheduleDefaultLimitWatts", RW, IMMEDIATE,
    default=33120, bounds=(0, None), unit="W", meaning="Power limit where no profile applies")
CompositeScheduleDefaultNumberPhases: Key[float] = _number(_INTERNAL, "CompositeScheduleDefaultNumberPhases", RW,
    IMMEDIATE, default=3, bounds=(1, 3), meaning="Phases for the conversion between A and W where a period names none")
SupplyVoltage: Key[float] = _number(_INTERNAL, "SupplyVoltage", RW, IMMEDIATE, default=230, bounds=(0, None), unit="V",
    meaning="Voltage for the conversion between A and W")
WebsocketPingPayload: Key[str] = _text(_INTERNAL, "WebsocketPingPayload", RO, RESTART, default="hello there",
    meaning="Text inside ping frames")
WebsocketPongTimeout: Key[int] = _integer(_INTERNAL, "WebsocketPongTimeout", RO, RESTART, default=5, unit="s",
    meaning="How long a pong may take")
UseSslDefaultVerifyPaths: Key[bool] = _boolean(_INTERNAL, "UseSslDefaultVerifyPaths", RO, RESTART, default=True,
    meaning="Trust the certificate authorities of the operating system too")
VerifyCsmsCommonName: Key[bool] = _boolean(_INTERNAL, "VerifyCsmsCommonName", RO, RESTART, default=True,
    meaning="Compare the host name with the server certificate")
VerifyCsmsAllowWildcards: Key[bool] = _boolean(_INTERNAL, "VerifyCsmsAllowWildcards", RW, RESTART, default=False,
    meaning="Let a wildcard label in the server certificate match")
OcspRequestInterval: Key[int] = _integer(_INTERNAL, "OcspRequestInterval", RW, IMMEDIATE, default=604800,
    bounds=(86400, None), unit="s", meaning="Time between refreshes of OCSP answers")
SeccLeafSubjectCommonName: Key[str | None] = _optional_text(_INTERNAL, "SeccLeafSubjectCommonName", RW, NEXT_CSR,
    length=(7, 64), meaning="Common name in requests for the SECC certificate")
SeccLeafSubjectCountry: Key[str | None] = _optional_text(_INTERNAL, "SeccLeafSubjectCountry", RW, NEXT_CSR,
    length=(2, 2), meaning="Country in certificate requests")
SeccLeafSubjectOrganization: Key[str | None] = _optional_text(_INTERNAL, "SeccLeafSubjectOrganization", RW, NEXT_CSR,
    length=(None, 64), meaning="Organization in requests for the SECC certificate")
ConnectorEvseIds: Key[str | None] = _optional_text(_INTERNAL, "ConnectorEvseIds", RW, length=(7, 1000),
    meaning="EVSE ids in the order of the connectors, separated by commas")
AllowChargingProfileWithoutStartSchedule: Key[bool] = _boolean(_INTERNAL, "AllowChargingProfileWithoutStartSchedule",
    RW, IMMEDIATE, meaning="Let absolute and recurring profiles without startSchedule begin at once")
RejectRemoteStartTransactionWithoutConnectorId: Key[bool] = _boolean(_INTERNAL,
    "RejectRemoteStartTransactionWithoutConnectorId", RW, IMMEDIATE,
    meaning="Refuse a remote start that names no connector")
RemoteStartTransactionWithoutConnectorIdFindFirst: Key[bool] = _boolean(_INTERNAL,
    "RemoteStartTransactionWithoutConnectorIdFindFirst", RW, IMMEDIATE,
    meaning="Give a remote start that names no connector to the first usable one")
WaitForStopTransactionsOnResetTimeout: Key[int] = _integer(_INTERNAL, "WaitForStopTransactionsOnResetTimeout", RW,
    NEXT_RESET, default=60, bounds=(0, None), unit="s", meaning="How long a reset waits for transactions to end")
SwitchSecurityProfileConnectionTimeout: Key[int] = _integer(_INTERNAL, "SwitchSecurityProfileConnectionTimeout", RW,
    NEXT_SWITCH, bounds=(1, None), absent=20, unit="s",
    meaning="Time to connect with a new SecurityProfile before the old one returns")
QueueAllMessages: Key[bool] = _boolean(_INTERNAL, "QueueAllMessages", RO, RESTART,
    meaning="Keep messages of every sort while they cannot be sent")
ReportClearedErrors: Key[bool] = _boolean(_INTERNAL, "ReportClearedErrors", RO, RESTART,
    meaning="Report each cleared error by a StatusNotification")
ReportSuspendedEVSEReasonChange: Key[bool] = _boolean(_INTERNAL, "ReportSuspendedEVSEReasonChange", RW, IMMEDIATE,
    default=False, meaning="Report SuspendedEVSE again when only its reason changes")
MessageTypesDiscardForQueueing: Key[str] = _text(_INTERNAL, "MessageTypesDiscardForQueueing", RO, RESTART, absent="",
    meaning="Messages that QueueAllMessages leaves out, separated by commas")
MessageQueueSizeThreshold: Key[int] = _integer(_INTERNAL, "MessageQueueSizeThreshold", RO, RESTART, bounds=(1, None),
    absent=1000, meaning="Messages that both queues hold together before thinning")
SupportedMeasurands: Key[tuple[Wanted, ...]] = _measurands(_INTERNAL, "SupportedMeasurands", RO, RESTART,
    default="Energy.Active.Import.Register,Energy.Active.Export.Register,Power.Active.Import,Voltage,Current.Import,Frequency,Current.Offered,Power.Offered,SoC,Temperature",
    meaning="Measurands the station can measure, separated by commas")
MaxMessageSize: Key[int] = _integer(_INTERNAL, "MaxMessageSize", RO, default=65000, bounds=(32000, None), unit="byte",
    meaning="Size above which transactionData is thinned")
TLSKeylogFile: Key[str] = _text(_INTERNAL, "TLSKeylogFile", RO, RESTART, default="/tmp/ocpp_tls_keylog.txt",
    meaning="Where TLS secrets are written for debugging")
EnableTLSKeylog: Key[bool] = _boolean(_INTERNAL, "EnableTLSKeylog", RO, RESTART, default=False,
    meaning="Write TLS secrets, for debugging only")
StopTransactionIfUnlockNotSupported: Key[bool] = _boolean(_INTERNAL, "StopTransactionIfUnlockNotSupported", RW,
    IMMEDIATE, default=False, meaning="UnlockConnector ends a transaction even without a lock")
MeterPublicKeys: Key[tuple[str, ...]] = _texts(_INTERNAL, "MeterPublicKeys", RO, absent=(),
    meaning="Public keys of the meters in the order of the connectors, shown as MeterPublicKey1, MeterPublicKey2, ...")

# --- Core ----------------------------------------------------------------------------------------------------------
AllowOfflineTxForUnknownId: Key[bool] = _boolean(_CORE, "AllowOfflineTxForUnknownId", RW, IMMEDIATE,
    meaning="Charge unknown id tags while offline")
AuthorizationCacheEnabled: Key[bool] = _boolean(_CORE, "AuthorizationCacheEnabled", RW, IMMEDIATE,
    meaning="Use the authorization cache")
AuthorizeRemoteTxRequests: Key[bool] = _boolean(_CORE, "AuthorizeRemoteTxRequests", RW, IMMEDIATE, required=True,
    meaning="Authorize the id tag of a remote start before charging")
BlinkRepeat: Key[int | None] = _optional_integer(_CORE, "BlinkRepeat", RW, bounds=(0, None),
    meaning="How often the lighting blinks")
ClockAlignedDataInterval: Key[int] = _integer(_CORE, "ClockAlignedDataInterval", RW, IMMEDIATE, required=True,
    bounds=(0, None), unit="s",
    meaning="Time between clock-aligned meter values, counted from midnight UTC; 0 turns them off")
ConnectionTimeOut: Key[int] = _integer(_CORE, "ConnectionTimeOut", RW, IMMEDIATE, required=True, bounds=(0, None),
    unit="s", meaning="Time between a card and the plug, in either order")
ConnectorPhaseRotation: Key[str] = _text(_CORE, "ConnectorPhaseRotation", RW, required=True,
    meaning="Wiring of the phases as connector.rotation, separated by commas")
ConnectorPhaseRotationMaxLength: Key[int | None] = _optional_integer(_CORE, "ConnectorPhaseRotationMaxLength", RO,
    bounds=(0, None), meaning="Greatest number of items in ConnectorPhaseRotation")
GetConfigurationMaxKeys: Key[int] = _integer(_CORE, "GetConfigurationMaxKeys", RO, required=True, bounds=(0, None),
    meaning="Greatest number of keys in one GetConfiguration")
HeartbeatInterval: Key[int] = _integer(_CORE, "HeartbeatInterval", RW, IMMEDIATE, required=True, bounds=(0, None),
    unit="s", meaning="Time between heartbeats; 0 sends none; overwritten by the answer to BootNotification")
LightIntensity: Key[int | None] = _optional_integer(_CORE, "LightIntensity", RW, bounds=(0, 100), unit="%",
    meaning="Brightness of the lighting")
LocalAuthorizeOffline: Key[bool] = _boolean(_CORE, "LocalAuthorizeOffline", RW, IMMEDIATE, required=True,
    meaning="Use local list and cache while offline")
LocalPreAuthorize: Key[bool] = _boolean(_CORE, "LocalPreAuthorize", RW, IMMEDIATE, required=True,
    meaning="Use local list and cache while online")
MaxEnergyOnInvalidId: Key[int | None] = _optional_integer(_CORE, "MaxEnergyOnInvalidId", RW, bounds=(0, None),
    unit="Wh", meaning="Energy still delivered after an id tag was refused")
MeterValuesAlignedData: Key[tuple[Wanted, ...]] = _measurands(_CORE, "MeterValuesAlignedData", RW, IMMEDIATE,
    required=True, meaning="Measurands of clock-aligned meter values, separated by commas")
MeterValuesAlignedDataMaxLength: Key[int | None] = _optional_integer(_CORE, "MeterValuesAlignedDataMaxLength", RO,
    bounds=(0, None), meaning="Greatest number of items in MeterValuesAlignedData")
MeterValuesSampledData: Key[tuple[Wanted, ...]] = _measurands(_CORE, "MeterValuesSampledData", RW, IMMEDIATE,
    required=True, meaning="Measurands of periodic and triggered meter values, separated by commas")
MeterValuesSampledDataMaxLength: Key[int | None] = _optional_integer(_CORE, "MeterValuesSampledDataMaxLength", RO,
    bounds=(0, None), meaning="Greatest number of items in MeterValuesSampledData")
MeterValueSampleInterval: Key[int] = _integer(_CORE, "MeterValueSampleInterval", RW, IMMEDIATE, required=True,
    bounds=(0, None), unit="s", meaning="Time between meter values during a transaction; 0 turns them off")
MinimumStatusDuration: Key[int] = _integer(_CORE, "MinimumStatusDuration", RW, IMMEDIATE, bounds=(0, None), absent=0,
    unit="s", meaning="How long a status must last before it is reported")
NumberOfConnectors: Key[int] = _integer(_CORE, "NumberOfConnectors", RO, RESTART, required=True, bounds=(0, None),
    meaning="Number of connectors")
ResetRetries: Key[int] = _integer(_CORE, "ResetRetries", RW, required=True, bounds=(0, None),
    meaning="How often an unsuccessful reset is tried again")
StopTransactionOnEVSideDisconnect: Key[bool] = _boolean(_CORE, "StopTransactionOnEVSideDisconnect", RO,
    meaning="End the transaction when the cable is pulled at the car")
StopTransactionOnInvalidId: Key[bool] = _boolean(_CORE, "StopTransactionOnInvalidId", RW, IMMEDIATE, required=True,
    meaning="End the transaction when the CSMS refuses its id tag")
StopTxnAlignedData: Key[tuple[Wanted, ...]] = _measurands(_CORE, "StopTxnAlignedData", RW, IMMEDIATE, required=True,
    meaning="Measurands of clock-aligned values in transactionData, separated by commas")
StopTxnAlignedDataMaxLength: Key[int | None] = _optional_integer(_CORE, "StopTxnAlignedDataMaxLength", RO,
    bounds=(0, None), meaning="Greatest number of items in StopTxnAlignedData")
StopTxnSampledData: Key[tuple[Wanted, ...]] = _measurands(_CORE, "StopTxnSampledData", RW, IMMEDIATE, required=True,
    meaning="Measurands of all other values in transactionData, separated by commas")
StopTxnSampledDataMaxLength: Key[int | None] = _optional_integer(_CORE, "StopTxnSampledDataMaxLength", RO,
    bounds=(0, None), meaning="Greatest number of items in StopTxnSampledData")
SupportedFeatureProfiles: Key[str] = _text(_CORE, "SupportedFeatureProfiles", RO, RESTART, required=True,
    meaning="Feature profiles, separated by commas; Core is a must")
SupportedFeatureProfilesMaxLength: Key[int | None] = _optional_integer(_CORE, "SupportedFeatureProfilesMaxLength", RO,
    bounds=(0, None), meaning="Greatest number of items in SupportedFeatureProfiles")
TransactionMessageAttempts: Key[int] = _integer(_CORE, "TransactionMessageAttempts", RW, IMMEDIATE, required=True,
    bounds=(0, None), meaning="How many times a transaction message is sent altogether")
TransactionMessageRetryInterval: Key[int] = _integer(_CORE, "TransactionMessageRetryInterval", RW, IMMEDIATE,
    required=True, bounds=(0, None), unit="s",
    meaning="Wait before a transaction message is sent again, times the attempts made")
UnlockConnectorOnEVSideDisconnect: Key[bool] = _boolean(_CORE, "UnlockConnectorOnEVSideDisconnect", RW, IMMEDIATE,
    required=True, meaning="Unlock the station's side when the cable is pulled at the car")
WebSocketPingInterval: Key[int] = _integer(_CORE, "WebSocketPingInterval", RW, IMMEDIATE, bounds=(0, None), absent=0,
    unit="s", meaning="Time between pings; 0 sends none")

# --- FirmwareManagement --------------------------------------------------------------------------------------------
SupportedFileTransferProtocols: Key[str | None] = _optional_text(_FIRMWARE, "SupportedFileTransferProtocols", RO,
    meaning="Protocols for firmware and diagnostics, separated by commas")

# --- LocalAuthListManagement ---------------------------------------------------------------------------------------
LocalAuthListEnabled: Key[bool] = _boolean(_LOCAL_LIST, "LocalAuthListEnabled", RW, IMMEDIATE, required=True,
    meaning="Use the local authorization list")
LocalAuthListMaxLength: Key[int] = _integer(_LOCAL_LIST, "LocalAuthListMaxLength", RO, required=True, bounds=(0, None),
    absent=0, meaning="Greatest number of entries in the local list")
SendLocalListMaxLength: Key[int] = _integer(_LOCAL_LIST, "SendLocalListMaxLength", RO, required=True, bounds=(0, None),
    absent=0, meaning="Greatest number of entries in one SendLocalList")

# --- Reservation ---------------------------------------------------------------------------------------------------
ReserveConnectorZeroSupported: Key[bool] = _boolean(_RESERVATION, "ReserveConnectorZeroSupported", RO,
    meaning="Reservations of connector 0 are possible")

# --- SmartCharging -------------------------------------------------------------------------------------------------
ChargeProfileMaxStackLevel: Key[int] = _integer(_SMART, "ChargeProfileMaxStackLevel", RO, required=True,
    bounds=(0, None), absent=0, meaning="Highest stackLevel of a charging profile")
ChargingScheduleAllowedChargingRateUnit: Key[str] = _text(_SMART, "ChargingScheduleAllowedChargingRateUnit", RO,
    required=True, default="Current,Power",
    meaning="Units of schedules, Current and Power, separated by commas; the first one is preferred")
ChargingScheduleMaxPeriods: Key[int] = _integer(_SMART, "ChargingScheduleMaxPeriods", RO, required=True, default=1440,
    bounds=(0, None), meaning="Greatest number of periods in one schedule")
ConnectorSwitch3to1PhaseSupported: Key[bool] = _boolean(_SMART, "ConnectorSwitch3to1PhaseSupported", RO,
    meaning="The station can switch from three phases to one")
MaxChargingProfilesInstalled: Key[int] = _integer(_SMART, "MaxChargingProfilesInstalled", RO, required=True,
    default=500, bounds=(0, None), meaning="Greatest number of profiles installed at a time")

# --- Security ------------------------------------------------------------------------------------------------------
AdditionalRootCertificateCheck: Key[bool] = _boolean(_SECURITY, "AdditionalRootCertificateCheck", RO,
    meaning="A new CSMS root must be signed by the present one")
AuthorizationKey: Key[str | None] = _optional_text(_SECURITY, "AuthorizationKey", WO, RECONNECT, length=(8, 40),
    meaning="Password of HTTP Basic; can be written, never read")
CertificateSignedMaxChainSize: Key[int | None] = _optional_integer(_SECURITY, "CertificateSignedMaxChainSize", RO,
    bounds=(None, 10000), unit="byte", meaning="Longest chain in CertificateSigned")
CertificateStoreMaxLength: Key[int | None] = _optional_integer(_SECURITY, "CertificateStoreMaxLength", RO,
    bounds=(0, None), meaning="Greatest number of certificates installed")
CpoName: Key[str | None] = _optional_text(_SECURITY, "CpoName", RW, NEXT_CSR,
    meaning="Organization in requests for the charge point certificate")
SecurityProfile: Key[int] = _integer(_SECURITY, "SecurityProfile", RW, RECONNECT, required=True, default=0,
    bounds=(0, 3), meaning="Security profile of the connection; the CSMS can only raise it")
DisableSecurityEventNotifications: Key[bool] = _boolean(_SECURITY, "DisableSecurityEventNotifications", RW, IMMEDIATE,
    default=False, meaning="Log security events without sending them")

# --- PnC -----------------------------------------------------------------------------------------------------------
ISO15118CertificateManagementEnabled: Key[bool] = _boolean(_PNC, "ISO15118CertificateManagementEnabled", RW, IMMEDIATE,
    default=False, meaning="Manage ISO 15118 certificates over DataTransfer")
ISO15118PnCEnabled: Key[bool] = _boolean(_PNC, "ISO15118PnCEnabled", RW, IMMEDIATE, required=True,
    meaning="Plug & Charge")
CentralContractValidationAllowed: Key[bool] = _boolean(_PNC, "CentralContractValidationAllowed", RW, IMMEDIATE,
    meaning="Let the CSMS check a contract that cannot be checked here")
CertSigningWaitMinimum: Key[int] = _integer(_PNC, "CertSigningWaitMinimum", RW, bounds=(0, None), absent=0, unit="s",
    meaning="First wait before a certificate request is repeated")
CertSigningRepeatTimes: Key[int] = _integer(_PNC, "CertSigningRepeatTimes", RW, bounds=(0, None), absent=0,
    meaning="How often a certificate request is repeated")
ContractValidationOffline: Key[bool] = _boolean(_PNC, "ContractValidationOffline", RW, IMMEDIATE, required=True,
    meaning="Check contracts here while offline")

# --- CostAndPrice --------------------------------------------------------------------------------------------------
CustomDisplayCostAndPrice: Key[bool] = _boolean(_COST, "CustomDisplayCostAndPrice", RO, RESTART, required=True,
    meaning="Show cost and price (California Pricing)")
NumberOfDecimalsForCostValues: Key[int] = _integer(_COST, "NumberOfDecimalsForCostValues", RO, FIRST_USE, absent=3,
    meaning="Decimals inside integer costs")
DefaultPrice: Key[dict[str, Any] | None] = _mapping(_COST, "DefaultPrice", RW, IMMEDIATE,
    meaning="Price text and tariff shown before anything better is known")
DefaultPriceText: Key[dict[str, Any] | None] = _mapping(_COST, "DefaultPriceText", RW, IMMEDIATE,
    meaning="The default price in several languages, shown as DefaultPriceText,<language>")
TimeOffset: Key[str | None] = _optional_text(_COST, "TimeOffset", RW, IMMEDIATE, length=(1, 10),
    meaning="Offset of the display's time from UTC, +HH:MM")
NextTimeOffsetTransitionDateTime: Key[str | None] = _optional_text(_COST, "NextTimeOffsetTransitionDateTime", RW,
    IMMEDIATE, length=(1, 40), meaning="When TimeOffsetNextTransition takes the place of TimeOffset")
TimeOffsetNextTransition: Key[str | None] = _optional_text(_COST, "TimeOffsetNextTransition", RW, IMMEDIATE,
    length=(1, 40), meaning="The offset after the next transition, +HH:MM")
CustomIdleFeeAfterStop: Key[bool] = _boolean(_COST, "CustomIdleFeeAfterStop", RW,
    meaning="An idle fee runs on until the car is unplugged")
SupportedLanguages: Key[str] = _text(_COST, "SupportedLanguages", RO, length=(1, None), absent="",
    meaning="Languages of DefaultPriceText, separated by commas")
CustomMultiLanguageMessages: Key[bool] = _boolean(_COST, "CustomMultiLanguageMessages", RO,
    meaning="Price texts in several languages")
Language: Key[str | None] = _optional_text(_COST, "Language", RW, length=(1, None),
    meaning="Language of texts that have only one")
WaitForSetUserPriceTimeout: Key[int] = _integer(_COST, "WaitForSetUserPriceTimeout", RW, IMMEDIATE, bounds=(0, 30000),
    absent=0, unit="ms", meaning="How long an authorization waits for SetUserPrice")
# fmt: on


TABLE: dict[str, Key[Any]] = {key.name: key for key in list(globals().values()) if isinstance(key, Key)}
"""All keys by name, in the order above."""

BY_FOLDED_NAME: dict[str, Key[Any]] = {name.casefold(): key for name, key in TABLE.items()}
"""CiString: the CSMS may write a key in any case (libocpp 1.6)."""
