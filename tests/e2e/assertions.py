"""The domain assertions of the end-to-end tests, in one place: what a CSMS must have seen of a session."""

from __future__ import annotations

from typing import Any

from everest.demo.csms import CentralSystem
from tests.support.stack import Bus

ENERGY = "Energy.Active.Import.Register"


def distinct(payloads: list[dict[str, Any]], *keys: str) -> set[tuple[Any, ...]]:
    """The different values of these members among the payloads: a resent message counts once."""
    return {tuple(payload.get(key) for key in keys) for payload in payloads}


def starts(csms: CentralSystem) -> set[tuple[Any, ...]]:
    return distinct(csms.calls("StartTransaction"), "connectorId", "idTag", "timestamp", "meterStart")


def stops(csms: CentralSystem) -> set[tuple[Any, ...]]:
    return distinct(csms.calls("StopTransaction"), "transactionId", "timestamp", "meterStop", "reason")


def energies(csms: CentralSystem, transaction_id: int) -> list[float]:
    """The total energy registers of all MeterValues of a transaction, in the order they came."""
    return [
        float(sample["value"])
        for request in csms.calls("MeterValues")
        if request.get("transactionId") == transaction_id
        for value in request["meterValue"]
        for sample in value["sampledValue"]
        if sample.get("measurand", ENERGY) == ENERGY and "phase" not in sample and sample.get("format") != "SignedData"
    ]


def assert_one_clean_session(csms: CentralSystem, bus: Bus, *, reason: str) -> None:
    """Exactly one start and one stop with the right ids and energies, and no CALLERROR anywhere."""
    assert len(starts(csms)) == 1
    assert len(stops(csms)) == 1
    (transaction,) = csms.transactions.values()
    stop = transaction.stop
    assert stop is not None
    assert stop["transaction_id"] == transaction.transaction_id
    assert stop.get("reason", "Local") == reason
    finished = bus.events("TransactionFinished")[-1]["transaction_finished"]
    assert stop["meter_stop"] == round(finished["meter_value"]["energy_Wh_import"]["total"])
    samples = energies(csms, transaction.transaction_id)
    assert samples == sorted(samples)
    assert not samples or stop["meter_stop"] >= samples[-1]
    assert_no_call_error(csms)


def assert_no_call_error(csms: CentralSystem) -> None:
    assert [frame.message for frame in csms.call_errors] == []
    assert csms.garbage == []
