"""An OCPP 1.6J charge point as a library: `ChargePoint`, its configuration, and the types that go in and out.

`ocpp16.messages` has all OCPP messages and enumerations, `ocpp16.configuration.keys` all configuration keys.
"""

from ocpp16 import messages
from ocpp16.charge_point import ChargePoint
from ocpp16.configuration import Configuration
from ocpp16.connector import ErrorInfo
from ocpp16.errors import (
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    NotSupportedError,
    Ocpp16Error,
    StoreError,
    UsageError,
)
from ocpp16.measurement import (
    Measurement,
    PhaseValues,
    Powermeter,
    Rpm,
    SignedMeterValue,
    SocReading,
    Temperature,
)
from ocpp16.network import ConnectivityManager
from ocpp16.protocol_methods import AuthorizationResult, PncAuthorizeResponse
from ocpp16.remote import ReservationCheckStatus
from ocpp16.security_events import BootReason

__all__ = [
    "AuthorizationResult",
    "BootReason",
    "ChargePoint",
    "Configuration",
    "ConfigurationError",
    "ConnectionFailed",
    "ConnectionLost",
    "ConnectivityManager",
    "ErrorInfo",
    "Measurement",
    "NotSupportedError",
    "Ocpp16Error",
    "PhaseValues",
    "PncAuthorizeResponse",
    "Powermeter",
    "ReservationCheckStatus",
    "Rpm",
    "SignedMeterValue",
    "SocReading",
    "StoreError",
    "Temperature",
    "UsageError",
    "messages",
]
