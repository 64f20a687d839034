"""Several connectors per EVSE: real manager, broker and modules, the EVSEs played by a probe module, a real websocket.

EVSE 1 has the OCPP connectors 1 and 2, EVSE 2 has 3 and 4 (libocpp 9.2, DEPARTURE 48).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from tests.e2e.assertions import ENERGY, assert_no_call_error, energies
from tests.support.mosquitto import Mosquitto
from tests.support.probe import Probe, probe_config, running_probe
from tests.support.stack import Bus

pytestmark = [pytest.mark.mosquitto, pytest.mark.stack]


def statuses(csms: CentralSystem, connector: int) -> list[str]:
    """The statuses of a connector that the central system was told, in order."""
    return [p["status"] for p in csms.calls("StatusNotification") if p["connectorId"] == connector]


def latest(csms: CentralSystem) -> dict[int, str]:
    """The last told status of each of the connectors 1 to 4."""
    return {connector: (statuses(csms, connector) or ["never told"])[-1] for connector in (1, 2, 3, 4)}


async def shows(csms: CentralSystem, **expected: str) -> None:
    """Wait until the connectors show this; `c2="Charging"` for connector 2, all others `Available`."""
    want = dict.fromkeys((1, 2, 3, 4), "Available") | {int(name[1:]): status for name, status in expected.items()}
    await csms.wait_for(lambda: latest(csms) == want, what=f"{want}, not {latest(csms)}")


def transaction_of(csms: CentralSystem, connector: int) -> dict[str, Any]:
    (start,) = (t.start for t in csms.transactions.values() if t.start["connector_id"] == connector)
    return dict(start)


async def ordered(bus: Bus, probe: Probe, evse: int, command: str, count: int) -> list[Any]:
    """The first `count` orders of one kind that an EVSE has got."""
    await bus.wait_for(lambda: len(probe.ordered(evse, command)) >= count, what=f"{command} at EVSE {evse}")
    return probe.ordered(evse, command)


async def charging(csms: CentralSystem, probe: Probe, evse: int, connector: int, start: Callable[[], Any]) -> int:
    """Plug in and have `start` authorize; the transactionId."""
    known = set(csms.transactions)
    probe.evses[evse].plug(connector)
    ocpp_connector = 2 * (evse - 1) + connector
    await csms.wait_for(lambda: latest(csms)[ocpp_connector] == "Preparing", what=f"Preparing at {ocpp_connector}")
    start()
    await csms.wait_for(lambda: set(csms.transactions) - known, what="StartTransaction")
    await csms.wait_for(lambda: latest(csms)[ocpp_connector] == "Charging", what=f"Charging at {ocpp_connector}")
    (transaction_id,) = set(csms.transactions) - known
    return transaction_id


async def test_a_session_at_the_second_connector_is_told_of_that_connector_alone(
    tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, bus: Bus
) -> None:
    config = probe_config(
        tmp_path,
        csms.url,
        MeterValuesSampledData=f"{ENERGY},Power.Active.Import,SoC",
        MeterValueSampleInterval=1,
    )
    async with running_probe(config, mosquitto.port) as probe:
        await shows(csms)
        answer = await csms.call(call.GetConfiguration(key=["NumberOfConnectors"]))
        assert answer.configuration_key[0]["value"] == "4"
        evse = probe.evses[1]
        transaction = await charging(csms, probe, 1, 2, lambda: probe.reader.swipe("CARD"))
        evse.measure(50, power=7400, soc=40)
        await csms.wait_for(lambda: 150.0 in energies(csms, transaction), what="a meter value of the transaction")
        await csms.call(call.TriggerMessage(requested_message="MeterValues", connector_id=1))
        resting = await csms.wait_for_call("MeterValues", lambda p: p["connectorId"] == 1)
        evse.measure(25.6, power=7400)
        probe.reader.swipe("CARD")
        stop = await csms.wait_for_call("StopTransaction")
        await shows(csms, c2="Finishing")
        evse.unplug()
        await shows(csms)
        events = bus.values("ocpp_transaction_event")
    start = transaction_of(csms, 2)
    assert (start["id_tag"], start["meter_start"]) == ("CARD", 100)
    assert (stop["transactionId"], stop["meterStop"], stop["idTag"]) == (transaction, 176, "CARD")
    assert statuses(csms, 2) == ["Available", "Preparing", "Charging", "Finishing", "Available"]
    assert [statuses(csms, connector) for connector in (1, 3, 4)] == [["Available"]] * 3
    of_the_session = [p for p in csms.calls("MeterValues") if p.get("transactionId") == transaction]
    assert {p["connectorId"] for p in of_the_session} == {2}
    measured = {s["measurand"]: s["value"] for p in of_the_session for v in p["meterValue"] for s in v["sampledValue"]}
    assert {"Power.Active.Import", "SoC"} <= set(measured)
    assert [s["measurand"] for s in resting["meterValue"][0]["sampledValue"]] == [ENERGY], "power or car of another"
    assert [event["evse"] for event in events] == [{"id": 1, "connector_id": 2}] * 3
    assert_no_call_error(csms)


async def test_both_evses_charge_at_once_at_different_connectors(
    tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, bus: Bus
) -> None:
    async with running_probe(probe_config(tmp_path, csms.url), mosquitto.port) as probe:
        await shows(csms)
        first = await charging(csms, probe, 1, 2, lambda: probe.reader.swipe("CARD1"))
        second = await charging(csms, probe, 2, 1, lambda: probe.reader.swipe("CARD2"))
        await shows(csms, c2="Charging", c3="Charging")
        probe.evses[1].measure(10, power=1000)
        probe.evses[2].measure(20, power=2000)
        await csms.wait_for(lambda: 110.0 in energies(csms, first) and 220.0 in energies(csms, second), what="readings")
        answer = await csms.call(call.RemoteStopTransaction(transaction_id=second))
        assert answer.status == "Accepted"
        await shows(csms, c2="Charging", c3="Finishing")
        probe.reader.swipe("CARD1")
        await shows(csms, c2="Finishing", c3="Finishing")
        await csms.wait_for(lambda: all(t.stop for t in csms.transactions.values()), what="both ended")
    assert probe.ordered(1, "stop_transaction") == ["Local"]
    assert probe.ordered(2, "stop_transaction") == ["Remote"]
    stops = {number: transaction.stop or {} for number, transaction in csms.transactions.items()}
    assert (stops[first]["meter_stop"], stops[first].get("reason", "Local")) == (110, "Local")
    assert (stops[second]["meter_stop"], stops[second]["reason"]) == (220, "Remote")
    assert {p["connectorId"] for p in csms.calls("MeterValues") if p.get("transactionId") == first} == {2}
    assert {p["connectorId"] for p in csms.calls("MeterValues") if p.get("transactionId") == second} == {3}
    assert_no_call_error(csms)


async def test_orders_for_a_connector_reach_that_connector_of_its_evse(
    tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, bus: Bus
) -> None:
    async with running_probe(probe_config(tmp_path, csms.url), mosquitto.port) as probe:
        await shows(csms)
        at_start = [(connector, True) for connector in (1, 2)]
        assert probe.ordered(1, "enable_disable") == probe.ordered(2, "enable_disable") == at_start
        answer = await csms.call(call.ChangeAvailability(connector_id=2, type="Inoperative"))
        assert answer.status == "Accepted"
        await shows(csms, c2="Unavailable")
        await csms.call(call.ChangeAvailability(connector_id=3, type="Inoperative"))
        await shows(csms, c2="Unavailable", c3="Unavailable")
        await csms.call(call.ChangeAvailability(connector_id=2, type="Operative"))
        await shows(csms, c3="Unavailable")
        assert probe.ordered(1, "enable_disable")[2:] == [(2, False), (2, True)]
        assert probe.ordered(2, "enable_disable")[2:] == [(1, False)]

        probe.evses[2].plug(2)
        await shows(csms, c3="Unavailable", c4="Preparing")
        answer = await csms.call(call.RemoteStartTransaction(id_tag="REMOTE", connector_id=4))
        assert answer.status == "Accepted"
        await shows(csms, c3="Unavailable", c4="Charging")
        assert transaction_of(csms, 4)["id_tag"] == "REMOTE"
        assert bus.values("provided_token", module="ocpp")[0]["connectors"] == [2]
        assert probe.ordered(2, "authorize_response") == ["REMOTE"]
        assert probe.ordered(1, "authorize_response") == []

        answer = await csms.call(call.ChangeAvailability(connector_id=4, type="Inoperative"))
        assert answer.status == "Scheduled"
        for connector, status in ((1, "Unlocked"), (4, "Unlocked"), (5, "NotSupported")):
            assert (await csms.call(call.UnlockConnector(connector_id=connector))).status == status
        assert (await csms.wait_for_call("StopTransaction"))["reason"] == "UnlockCommand"
        assert probe.ordered(1, "force_unlock") == [1]
        assert probe.ordered(2, "force_unlock") == [2]
        assert (await ordered(bus, probe, 2, "enable_disable", 4))[3:] == [(2, False)]
        await shows(csms, c3="Unavailable", c4="Unavailable")
    assert_no_call_error(csms)


async def test_errors_and_outages_show_where_they_are(
    tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, bus: Bus
) -> None:
    async with running_probe(probe_config(tmp_path, csms.url), mosquitto.port) as probe:
        await shows(csms)
        probe.reader.raise_error("generic/CommunicationFault", message="no answer")
        fault = await csms.wait_for_call("StatusNotification", lambda p: p["errorCode"] != "NoError")
        assert (fault["connectorId"], fault["status"], fault["info"]) == (2, "Available", "probe->reader_1_2")
        probe.reader.clear_error("generic/CommunicationFault")
        await csms.wait_for(lambda: len(statuses(csms, 2)) == 3, what="the error cleared")
        assert [len(statuses(csms, connector)) for connector in (1, 2, 3, 4)] == [1, 3, 1, 1]

        probe.evses[1].raise_error("evse_manager/Inoperative", message="evse_board_support/MREC6UnderVoltage")
        await shows(csms, c1="Faulted", c2="Faulted")
        probe.evses[1].clear_error("evse_manager/Inoperative")
        await shows(csms)

        await csms.call(call.ChangeAvailability(connector_id=4, type="Inoperative"))
        await shows(csms, c4="Unavailable")
        probe.evses[2].switch(0, enable=False)
        await shows(csms, c3="Unavailable", c4="Unavailable")
        probe.evses[2].switch(0, enable=True)
        await shows(csms, c4="Unavailable")
    assert statuses(csms, 4).count("Available") == 1, "a connector out of service stays so when its EVSE comes back"
    assert_no_call_error(csms)


async def test_a_reservation_keeps_every_connector_of_the_evse_until_it_is_used(
    tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, bus: Bus
) -> None:
    async with running_probe(probe_config(tmp_path, csms.url), mosquitto.port) as probe:
        await shows(csms)
        later = "2099-01-01T00:00:00Z"
        reserve = call.ReserveNow(connector_id=2, expiry_date=later, id_tag="GUEST", reservation_id=7)
        assert (await csms.call(reserve)).status == "Accepted"
        await shows(csms, c1="Reserved", c2="Reserved")
        assert probe.ordered(1, "reserve") == [7]
        probe.evses[1].plug(2)
        await bus.wait_for_event("AuthRequired", module="probe")
        probe.reader.swipe("GUEST")
        await shows(csms, c2="Charging")
        assert transaction_of(csms, 2)["reservation_id"] == 7
    assert_no_call_error(csms)


async def test_a_power_cut_ends_the_transaction_of_the_second_connector(
    tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, bus: Bus
) -> None:
    config = probe_config(tmp_path, csms.url)
    async with running_probe(config, mosquitto.port) as probe:
        await shows(csms)
        transaction = await charging(csms, probe, 1, 2, lambda: probe.reader.swipe("CARD"))
        session = bus.events("TransactionStarted")[0]["uuid"]
    async with running_probe(
        config, mosquitto.port, before=lambda probe: probe.evses[1].resume_after_power_loss(session, 4321.0)
    ):
        stop = await csms.wait_for_call("StopTransaction")
        await csms.wait_for(lambda: len(csms.calls("BootNotification")) == 2, what="second boot")
    assert (stop["transactionId"], stop["meterStop"], stop["reason"]) == (transaction, 4321, "PowerLoss")
    assert len(csms.calls("StopTransaction")) == 1
    assert_no_call_error(csms)
