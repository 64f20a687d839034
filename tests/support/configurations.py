"""A small valid configuration for tests, and a clock that stands still."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)

_SMALL: dict[str, dict[str, Any]] = {
    "Internal": {
        "ChargePointId": "cp001",
        "CentralSystemURI": "ws://127.0.0.1:9000/",
        "ChargeBoxSerialNumber": "cp001",
        "ChargePointModel": "M1",
        "ChargePointVendor": "V",
        "FirmwareVersion": "1.0",
    },
    "Core": {
        "AuthorizeRemoteTxRequests": False,
        "ClockAlignedDataInterval": 900,
        "ConnectionTimeOut": 60,
        "ConnectorPhaseRotation": "0.RST,1.RST",
        "GetConfigurationMaxKeys": 100,
        "HeartbeatInterval": 3600,
        "LocalAuthorizeOffline": True,
        "LocalPreAuthorize": False,
        "MeterValuesAlignedData": "Energy.Active.Import.Register",
        "MeterValuesSampledData": "Energy.Active.Import.Register",
        "MeterValueSampleInterval": 60,
        "NumberOfConnectors": 1,
        "ResetRetries": 1,
        "StopTransactionOnInvalidId": True,
        "StopTxnAlignedData": "",
        "StopTxnSampledData": "Energy.Active.Import.Register",
        "SupportedFeatureProfiles": "Core,RemoteTrigger",
        "TransactionMessageAttempts": 3,
        "TransactionMessageRetryInterval": 10,
        "UnlockConnectorOnEVSideDisconnect": True,
    },
    "Security": {"SecurityProfile": 0},
}


def document(**sections: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The minimal example of libocpp 1.2, each section given merged into its own."""
    merged = copy.deepcopy(_SMALL)
    for section, content in sections.items():
        merged[section] = {**merged.get(section, {}), **content}
    return merged


class FixedClock:
    """Always `NOW`."""

    def now(self) -> datetime:
        return NOW
