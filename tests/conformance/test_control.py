"""What the central system orders of a station: unlock, cache, configuration, reset, availability (OCPP 1.6 §5)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from ocpp16.messages import DataTransferResponse, DataTransferStatus, Reason, ResetType
from tests.support.conformance import Rig

Make = Callable[..., Rig]


# --- UnlockConnector -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["Unlocked", "UnlockFailed", "NotSupported"])
async def test_an_unlock_is_answered_with_what_the_lock_did(rig: Make, csms: CentralSystem, status: str) -> None:
    async with rig() as station:
        station.answers["unlock_connector"] = status
        assert (await csms.call(call.UnlockConnector(connector_id=1))).status == status
        assert station.orders("unlock_connector") == [(1,)]


async def test_a_connector_that_does_not_exist_cannot_be_unlocked(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        for connector in (0, 3):
            assert (await csms.call(call.UnlockConnector(connector_id=connector))).status == "NotSupported"
        assert station.orders("unlock_connector") == []


@pytest.mark.parametrize("status", ["Unlocked", "UnlockFailed"])
async def test_an_unlock_while_charging_ends_the_transaction(rig: Make, csms: CentralSystem, status: str) -> None:
    async with rig() as station:
        await station.charging()
        station.answers["unlock_connector"] = status
        assert (await csms.call(call.UnlockConnector(connector_id=1))).status == status
        assert await station.order("stop_transaction") == (1, Reason.UnlockCommand)
        await station.stop(reason=Reason.UnlockCommand)
        assert (await station.told("StopTransaction"))["reason"] == "UnlockCommand"


@pytest.mark.parametrize("stop_it", [True, False])
async def test_a_station_without_lock_goes_on_charging_unless_told_otherwise(
    rig: Make, csms: CentralSystem, stop_it: bool
) -> None:
    async with rig(StopTransactionIfUnlockNotSupported=stop_it) as station:
        await station.charging()
        station.answers["unlock_connector"] = "NotSupported"
        assert (await csms.call(call.UnlockConnector(connector_id=1))).status == "NotSupported"
        if stop_it:
            assert await station.order("stop_transaction") == (1, Reason.UnlockCommand)
        else:
            await csms.call(call.GetConfiguration(key=["NumberOfConnectors"]))
            assert station.orders("stop_transaction") == []


# --- ClearCache ------------------------------------------------------------------------------------------------------


async def test_a_cleared_cache_knows_nobody_offline(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        assert await station.identify() == "Accepted"
        assert (await csms.call(call.ClearCache())).status == "Accepted"
        await station.charge_point.disconnect_websocket()
        assert await station.identify() == "Invalid"


async def test_a_disabled_cache_cannot_be_cleared(rig: Make, csms: CentralSystem) -> None:
    async with rig(AuthorizationCacheEnabled=False):
        assert (await csms.call(call.ClearCache())).status == "Rejected"


async def test_the_cache_saves_the_question_with_local_pre_authorize(rig: Make, csms: CentralSystem) -> None:
    async with rig(LocalPreAuthorize=True) as station:
        assert [await station.identify(), await station.identify()] == ["Accepted", "Accepted"]
        assert len(csms.calls("Authorize")) == 1


# --- configuration ---------------------------------------------------------------------------------------------------


async def test_all_keys_are_listed_and_the_password_is_not(rig: Make, csms: CentralSystem) -> None:
    async with rig(AuthorizationKey="0123456789abcdef"):
        answer = await csms.call(call.GetConfiguration())
        listed = {entry["key"]: entry for entry in answer.configuration_key}
        required = {
            "AuthorizeRemoteTxRequests", "ClockAlignedDataInterval", "ConnectionTimeOut", "ConnectorPhaseRotation",
            "GetConfigurationMaxKeys", "HeartbeatInterval", "LocalAuthorizeOffline", "LocalPreAuthorize",
            "MeterValuesAlignedData", "MeterValuesSampledData", "MeterValueSampleInterval", "NumberOfConnectors",
            "ResetRetries", "StopTransactionOnEVSideDisconnect", "StopTransactionOnInvalidId", "StopTxnAlignedData",
            "StopTxnSampledData", "SupportedFeatureProfiles", "TransactionMessageAttempts",
            "TransactionMessageRetryInterval", "UnlockConnectorOnEVSideDisconnect", "LocalAuthListEnabled",
            "LocalAuthListMaxLength", "SendLocalListMaxLength",
        }  # fmt: skip
        assert required <= set(listed)
        assert "AuthorizationKey" not in listed
        assert listed["NumberOfConnectors"]["readonly"] is True
        assert listed["HeartbeatInterval"]["readonly"] is False


async def test_named_keys_and_unknown_ones(rig: Make, csms: CentralSystem) -> None:
    async with rig():
        answer = await csms.call(call.GetConfiguration(key=["heartbeatinterval", "NoSuchKey", "NumberOfConnectors"]))
        assert [entry["key"] for entry in answer.configuration_key] == ["HeartbeatInterval", "NumberOfConnectors"]
        assert answer.unknown_key == ["NoSuchKey"]


@pytest.mark.parametrize(
    ("key", "value", "status"),
    [
        ("MeterValueSampleInterval", "42", "Accepted"),
        ("MeterValueSampleInterval", "-1", "Rejected"),
        ("MeterValueSampleInterval", "often", "Rejected"),
        ("MeterValuesSampledData", "Voltage,SoC", "Accepted"),
        ("MeterValuesSampledData", "Voltage.L1", "Accepted"),
        ("MeterValuesSampledData", "Loudness", "Rejected"),
        ("LocalPreAuthorize", "TRUE", "Accepted"),
        ("LocalPreAuthorize", "1", "Rejected"),
        ("NumberOfConnectors", "7", "Rejected"),
        ("NoSuchKey", "1", "NotSupported"),
    ],
)
async def test_a_change_of_configuration(rig: Make, csms: CentralSystem, key: str, value: str, status: str) -> None:
    async with rig():
        assert (await csms.call(call.ChangeConfiguration(key=key, value=value))).status == status


# --- Reset -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Hard", "Soft"])
async def test_a_reset_of_an_idle_station(rig: Make, csms: CentralSystem, kind: str) -> None:
    async with rig() as station:
        assert (await csms.call(call.Reset(type=kind))).status == "Accepted"
        assert await station.order("reset") == (ResetType(kind),)
        await station.power_cut()
        await station.states(2)
        assert len(csms.calls("BootNotification")) == 2


@pytest.mark.parametrize("kind", ["Hard", "Soft"])
async def test_a_reset_ends_running_transactions_first(rig: Make, csms: CentralSystem, kind: str) -> None:
    async with rig() as station:
        await station.charging()
        assert (await csms.call(call.Reset(type=kind))).status == "Accepted"
        assert await station.order("stop_transaction") == (1, Reason(f"{kind}Reset"))
        assert station.orders("reset") == []
        await station.stop(reason=Reason(f"{kind}Reset"))
        assert (await station.told("StopTransaction"))["reason"] == f"{kind}Reset"
        assert await station.order("reset") == (ResetType(kind),)


async def test_a_reset_that_the_station_does_not_allow_is_rejected(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        station.answers["is_reset_allowed"] = False
        assert (await csms.call(call.Reset(type="Soft"))).status == "Rejected"
        assert station.orders("reset") == []


# --- ChangeAvailability ----------------------------------------------------------------------------------------------


async def available(csms: CentralSystem, connector: int, *, operative: bool) -> str:
    kind = "Operative" if operative else "Inoperative"
    return str((await csms.call(call.ChangeAvailability(connector_id=connector, type=kind))).status)


async def test_a_connector_out_of_service_and_back(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        assert await available(csms, 1, operative=False) == "Accepted"
        await station.status(1, "Unavailable")
        assert await available(csms, 1, operative=True) == "Accepted"
        await station.status(1, "Available")
        assert station.statuses(2) == ["Available"]


async def test_the_whole_station_out_of_service_and_back(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        assert await available(csms, 0, operative=False) == "Accepted"
        for connector in (0, 1, 2):
            await station.status(connector, "Unavailable")
        assert await available(csms, 0, operative=True) == "Accepted"
        for connector in (0, 1, 2):
            await station.status(connector, "Available")


async def test_a_charging_connector_goes_out_of_service_when_it_is_free(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await station.charging()
        assert await available(csms, 1, operative=False) == "Scheduled"
        assert station.statuses(1)[-1] == "Charging"
        await station.stop()
        await station.leave()
        await station.status(1, "Unavailable")
        assert station.statuses(1)[-1] == "Unavailable"


async def test_availability_outlives_a_power_cut(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        await available(csms, 2, operative=False)
        await station.status(2, "Unavailable")
        await station.power_cut()
        await csms.wait_for(lambda: len(station.statuses(2)) == 3)
        assert station.statuses(1)[-1] == "Available"
        assert station.statuses(2)[-1] == "Unavailable"


async def test_a_connector_that_does_not_exist_has_no_availability(rig: Make, csms: CentralSystem) -> None:
    async with rig():
        assert await available(csms, 3, operative=False) == "Rejected"


# --- DataTransfer ----------------------------------------------------------------------------------------------------


async def test_data_of_an_unknown_vendor_or_message_is_named_so(rig: Make, csms: CentralSystem) -> None:
    async with rig() as station:
        assert (await csms.call(call.DataTransfer(vendor_id="nobody"))).status == "UnknownVendorId"

        async def answer(data: str | None) -> DataTransferResponse:
            return DataTransferResponse(status=DataTransferStatus.Accepted, data=f"got {data}")

        station.charge_point.register_data_transfer_callback("org.example", "hello", answer)
        unknown = await csms.call(call.DataTransfer(vendor_id="org.example", message_id="bye"))
        known = await csms.call(call.DataTransfer(vendor_id="org.example", message_id="hello", data="x"))
        assert unknown.status == "UnknownMessageId"
        assert (known.status, known.data) == ("Accepted", "got x")
