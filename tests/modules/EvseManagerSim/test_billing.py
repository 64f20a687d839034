"""Meter, lock and RCD of somebody else, and the signed values of our own meter (station 2.1, 2.10, 9.3)."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from everest.contracts.types.authorization import AuthorizationType, IdToken, IdTokenType, ProvidedIdToken
from modules.EvseManagerSim.billing import transaction_request
from modules.EvseManagerSim.signing import KeyFileError, load_key
from tests.modules.EvseManagerSim.charger import TO_CHARGING, Charger

METER = "meter/main"
LOCK = "lock/main"
virtual = pytest.mark.looptime


def reading(total: float, amps: float = 0.0) -> dict[str, Any]:
    current = {"L1": amps, "L2": amps, "L3": amps}
    return {"timestamp": "2026-01-05T10:00:00Z", "energy_Wh_import": {"total": total}, "current_A": current}


def signed(text: str) -> dict[str, Any]:
    return {"signed_meter_data": text, "signing_method": "real", "encoding_method": "OCMF"}


class Metered(Charger):
    """A charger that is billed by a meter module played by the test."""

    def __init__(self, requirement: str = "powermeter_car_side", start: Any = None, **more: Any) -> None:
        super().__init__(connections={requirement: [METER]}, **more)
        self.answer(
            METER, "start_transaction", start or (lambda args: {"status": "OK", "signed_meter_value": signed("B")})
        )
        stop = {"status": "OK", "signed_meter_value": signed("E"), "start_signed_meter_value": signed("B2")}
        self.answer(METER, "stop_transaction", lambda args: stop)


@virtual
@pytest.mark.parametrize("requirement", ["powermeter_car_side", "powermeter_grid_side"])
async def test_a_connected_meter_bills_the_session(requirement: str) -> None:
    async with Metered(requirement, evse_id="DE*1") as charger:
        charger.publish(METER, "powermeter", reading(1000.5))
        charger.publish(METER, "public_key_ocmf", "THEIRKEY")
        await charger.charge(5)
        charger.publish(METER, "powermeter", reading(1234.5))
        await asyncio.sleep(0.1)
        await charger.stop()
        assert charger.readings() == [reading(1000.5), reading(1234.5)]  # passed on unchanged, and no simulated ones
        assert charger.published("evse", "powermeter_public_key_ocmf") == ["THEIRKEY"]
        started = charger.last("TransactionStarted")
        assert started["transaction_started"]["meter_value"] == reading(1000.5)
        assert started["transaction_started"]["signed_meter_value"] == signed("B")
        finished = charger.last("TransactionFinished")["transaction_finished"]
        assert finished["meter_value"] == reading(1234.5)
        assert (finished["signed_meter_value"], finished["start_signed_meter_value"]) == (signed("E"), signed("B"))
        (request,) = charger.calls(METER, "start_transaction")
        assert request["value"] == {
            "evse_id": "DE*1",
            "transaction_id": started["uuid"],
            "identification_status": "ASSIGNED",
            "identification_flags": [],
            "identification_type": "ISO14443",
            "identification_data": "TAG1",
        }
        cleaned_up, ended = charger.calls(METER, "stop_transaction")
        assert (cleaned_up, ended) == ({"transaction_id": ""}, {"transaction_id": started["uuid"]})


@virtual
async def test_the_first_tariff_text_reaches_the_meter() -> None:
    async with Metered() as charger:
        await asyncio.sleep(6)
        await charger.plug_in()
        await charger.swipe(tariff_messages=[{"content": "0.30 EUR/kWh"}, {"content": "second"}])
        (request,) = charger.calls(METER, "start_transaction")
        assert request["value"]["tariff_text"] == "0.30 EUR/kWh"


@virtual
async def test_a_connected_meter_without_a_reading_counts_as_zero_and_charging_works() -> None:
    async with Metered() as charger:
        await asyncio.sleep(6)  # initial_meter_value_timeout_ms
        await charger.charge(5)
        assert charger.kinds() == TO_CHARGING
        empty = {"timestamp": "", "energy_Wh_import": {"total": 0.0}}
        assert charger.last("TransactionStarted")["transaction_started"]["meter_value"] == empty


@virtual
@pytest.mark.parametrize("start", [lambda args: {"status": "UNEXPECTED_ERROR", "error": "tampered"}, None])
async def test_a_meter_that_cannot_start_means_no_transaction_until_the_car_is_gone(start: Any) -> None:
    def broken(args: dict[str, Any]) -> Any:
        raise RuntimeError("no meter")

    async with Metered(start=start or broken) as charger:
        await asyncio.sleep(6)
        await charger.plug_in()
        await charger.swipe()
        await asyncio.sleep(5)
        assert charger.kinds() == ["SessionStarted", "AuthRequired", "Authorized"]
        raised = {error.type: error.severity for error in charger.errors("evse")}
        assert raised == {"evse_manager/PowermeterTransactionStartFailed": "Medium", "evse_manager/Inoperative": "High"}
        assert not charger.published("board_support", "event").count("PowerOn")
        await charger.unplug()
        assert charger.kinds()[-1] == "SessionFinished"
        assert charger.errors("evse") == []


@virtual
async def test_a_meter_that_cannot_start_is_passed_over_where_the_configuration_says_so() -> None:
    async with Metered(start=lambda args: {"status": "UNEXPECTED_ERROR"}, fail_on_powermeter_errors=False) as charger:
        await asyncio.sleep(6)
        await charger.charge(5)
        assert charger.kinds() == TO_CHARGING
        assert "signed_meter_value" not in charger.last("TransactionStarted")["transaction_started"]


@virtual
async def test_errors_of_connected_meter_lock_and_rcd_make_the_evse_inoperative() -> None:
    connections = {"powermeter_car_side": [METER], "connector_lock": [LOCK], "ac_rcd": ["rcd/main"]}
    faults = {
        METER: "powermeter/CommunicationFault",
        LOCK: "connector_lock/ConnectorLockFailedLock",
        "rcd/main": "ac_rcd/AC",
    }
    async with Charger(connections=connections) as charger:
        await asyncio.sleep(6)
        for peer, fault in faults.items():
            charger.raise_error(peer, {"type": fault})
            await asyncio.sleep(0.5)
            assert [error.message for error in charger.errors("evse")] == [fault]
            charger.clear_error(peer, fault)
            await asyncio.sleep(0.5)
            assert charger.errors("evse") == []


@virtual
async def test_a_connected_lock_is_locked_at_plug_in_and_unlocked_at_unplug() -> None:
    async with Charger(connections={"connector_lock": [LOCK]}) as charger:
        moves: list[str] = []
        charger.answer(LOCK, "lock", lambda args: moves.append("lock"))
        charger.answer(LOCK, "unlock", lambda args: moves.append("unlock"))
        await asyncio.sleep(1)
        moves.clear()
        await charger.plug_in()
        assert moves == ["lock"]
        await charger.unplug()
        assert moves == ["lock", "unlock"]
        assert await charger.call("evse", "force_unlock", {"connector_id": 1}) is True


@virtual
async def test_a_lock_that_holds_only_while_charging() -> None:
    async with Charger(lock_connector_in_state_b=False) as charger:
        lock = charger.module.lock  # type: ignore[attr-defined]
        await asyncio.sleep(1)
        await charger.plug_in()
        assert not lock.locked
        await charger.swipe()
        await charger.until(lambda: "ChargingStarted" in charger.kinds(), what="ChargingStarted")
        assert lock.locked
        charger.car("pause;sleep 99", modify=True)
        await asyncio.sleep(1)
        assert charger.kinds()[-1] == "ChargingPausedEV"
        assert not lock.locked


@virtual
@pytest.mark.parametrize("unlocks", [True, False])
async def test_the_connector_is_unlocked_after_the_transaction_only_where_configured(unlocks: bool) -> None:
    async with Charger(unlock_when_deauthorized=unlocks) as charger:
        await charger.charge(2)
        await charger.stop()
        assert charger.module.lock.locked is not unlocks  # type: ignore[attr-defined]


@virtual
async def test_connections_that_belong_to_iso_15118_and_dc_are_accepted_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    unused = {name: ["somebody/main"] for name in ("slac", "hlc", "imd", "over_voltage_monitor", "powersupply_DC")}
    async with Charger(connections=unused) as charger:
        await charger.charge(2)
        assert all(f"of {name} only the errors count" in caplog.text for name in unused)


@virtual
@pytest.mark.parametrize(
    ("requirement", "fault", "fatal"),
    [
        ("slac", "generic/CommunicationFault", True),
        ("slac", "generic/VendorWarning", False),
        ("hlc", "generic/VendorError", True),
        ("imd", "isolation_monitor/DeviceFault", True),
        ("imd", "isolation_monitor/VendorWarning", False),
        ("powersupply_DC", "power_supply_DC/HardwareFault", True),
        ("powersupply_DC", "power_supply_DC/VendorWarning", False),
        ("over_voltage_monitor", "over_voltage_monitor/MREC5OverVoltage", True),
        ("over_voltage_monitor", "over_voltage_monitor/VendorWarning", False),
        ("powermeter_car_side", "powermeter/VendorWarning", True),
        ("connector_lock", "connector_lock/VendorWarning", False),
        ("ac_rcd", "ac_rcd/VendorWarning", False),
        ("bsp", "evse_board_support/VendorWarning", False),
        ("bsp", "evse_board_support/MREC18CableOverTempDerate", False),
        ("bsp", "evse_board_support/CommunicationFault", True),
    ],
)
async def test_errors_of_everything_that_is_connected_count_and_warnings_do_not(
    requirement: str, fault: str, fatal: bool
) -> None:
    async with Charger(connections={requirement: ["device/main"]}, initial_meter_value_timeout_ms=0) as charger:
        for command in ("enable", "pwm_on", "cp_state_X1", "cp_state_F", "allow_power_on", "stop_transaction"):
            charger.answer("device/main", command, lambda args: None)
        charger.answer("device/main", "ac_set_overcurrent_limit_A", lambda args: None)
        await asyncio.sleep(1)
        charger.raise_error("device/main", {"type": fault})
        await asyncio.sleep(0.5)
        assert [error.message for error in charger.errors("evse")] == ([fault] if fatal else [])
        charger.clear_error("device/main", fault)
        await asyncio.sleep(0.5)
        assert charger.errors("evse") == []


@virtual
async def test_the_same_error_of_two_devices_stands_until_both_are_well() -> None:
    async with Charger(connections={"slac": ["slac/main"], "hlc": ["hlc/main"]}) as charger:
        await asyncio.sleep(1)
        for peer in ("slac/main", "hlc/main"):
            charger.raise_error(peer, {"type": "generic/VendorError"})
        await asyncio.sleep(0.5)
        assert [error.description for error in charger.errors("evse")] == ["VendorError, VendorError"]
        charger.clear_error("slac/main", "generic/VendorError")
        await asyncio.sleep(0.5)
        assert [error.description for error in charger.errors("evse")] == ["VendorError"]


@virtual
async def test_a_transaction_that_a_connected_meter_still_has_is_ended_at_the_start() -> None:
    store: dict[str, Any] = {"evse_manager_1_session": "before"}
    async with Metered(store=store, initial_meter_value_timeout_ms=0) as charger:
        await asyncio.sleep(1)
        told = [call["transaction_id"] for call in charger.calls(METER, "stop_transaction")]
        assert told == ["before", ""]
        finished = charger.last("TransactionFinished")["transaction_finished"]
        assert (finished["reason"], finished["signed_meter_value"]) == ("PowerLoss", signed("E"))
        assert charger.kinds()[-1] == "Enabled"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Central", "CENTRAL"), ("eMAID", "EMAID"), ("ISO14443", "ISO14443"), ("ISO15693", "ISO15693"),
        ("KeyCode", "KEY_CODE"), ("Local", "LOCAL"), ("NoAuthorization", "NONE"), ("MacAddress", "UNDEFINED"),
    ],
)  # fmt: skip
def test_the_kind_of_token_is_told_to_the_meter(kind: str, name: str) -> None:
    token = ProvidedIdToken(
        id_token=IdToken(value="X", type=IdTokenType(kind)), authorization_type=AuthorizationType.OCPP
    )
    assert transaction_request("1", "session", token, None).identification_type == name


# --- signatures


def verified(value: dict[str, Any], public_key: str) -> dict[str, Any]:
    """The payload of an OCMF document, its signature checked as a stranger would."""
    assert (value["encoding_method"], value["signing_method"]) == ("OCMF", "ECDSA-secp256r1-SHA256")
    header, payload, proof = value["signed_meter_data"].split("|")
    assert header == "OCMF"
    key = load_der_public_key(bytes.fromhex(public_key))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    signature = bytes.fromhex(json.loads(proof)["SD"])
    key.verify(signature, payload.encode(), ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        key.verify(signature, payload.replace("kWh", "MWh").encode(), ec.ECDSA(hashes.SHA256()))
    parsed: dict[str, Any] = json.loads(payload)
    return parsed


@virtual
async def test_ocmf_documents_are_signed_with_the_published_key_and_survive_a_restart(tmp_path: Path) -> None:
    config: dict[str, Any] = {"meter_signing": "OCMF", "ocmf_key": str(tmp_path / "keys/meter.pem")}
    store: dict[str, Any] = {}
    async with Charger(store=store, **config) as charger:
        await charger.charge(60)
        await charger.stop()
        (key,) = charger.published("evse", "powermeter_public_key_ocmf")
        started = charger.last("TransactionStarted")["transaction_started"]
        finished = charger.last("TransactionFinished")["transaction_finished"]
        begin = verified(started["signed_meter_value"], key)
        end = verified(finished["signed_meter_value"], key)
        assert [(row["TX"], row["RT"]) for row in begin["RD"]] == [("B", "AC")]
        assert [row["TX"] for row in end["RD"]] == ["B", "E"]
        assert end["RD"][1]["RV"] * 1000 == finished["meter_value"]["energy_Wh_import"]["total"] > 0
        assert (begin["ID"], begin["IT"], begin["CI"]) == ("TAG1", "ISO14443", "DE*PNX*E1234567*1")
        assert finished["start_signed_meter_value"] == started["signed_meter_value"]
        await charger.unplug()
        await charger.charge(10)
        second = charger.last("TransactionStarted")["transaction_started"]["signed_meter_value"]
    async with Charger(store=store, **config) as charger:  # killed in the second transaction
        await asyncio.sleep(1)
        assert charger.published("evse", "powermeter_public_key_ocmf") == [key]
        lost = charger.last("TransactionFinished")["transaction_finished"]
        assert lost["start_signed_meter_value"] == second  # the very document, not another one of the same begin
        assert [row["TX"] for row in verified(lost["signed_meter_value"], key)["RD"]] == ["B", "P"]
        pages = [verified(lost[name], key)["PG"] for name in ("start_signed_meter_value", "signed_meter_value")]
        numbers = [int(page.removeprefix("T")) for page in pages]
        assert numbers == sorted(set(numbers))
        assert numbers[0] > int(end["PG"].removeprefix("T"))


@virtual
async def test_a_dc_meter_signs_as_one_and_an_end_without_known_begin_is_signed_alone(tmp_path: Path) -> None:
    config: dict[str, Any] = {"meter_signing": "OCMF", "ocmf_key": str(tmp_path / "meter.pem"), "charge_mode": "DC"}
    async with Charger(**config) as charger:
        await asyncio.sleep(1)
        (key,) = charger.published("powermeter", "public_key_ocmf")
        answer = await charger.call("powermeter", "stop_transaction", {"transaction_id": "unknown"})
        assert answer["status"] == "OK"
        assert "start_signed_meter_value" not in answer
        request = {
            "evse_id": "1",
            "transaction_id": "barred",
            "identification_status": "ASSIGNED",
            "identification_flags": [],
            "identification_type": "LOCAL",
            "identification_data": "A|B",
        }
        await charger.call("powermeter", "start_transaction", {"value": request})
        barred = await charger.call("powermeter", "stop_transaction", {"transaction_id": "barred"})
        assert verified(barred["signed_meter_value"], key)["ID"] == "A|B"
        end = verified(answer["signed_meter_value"], key)
        assert [(row["TX"], row["RT"]) for row in end["RD"]] == [("E", "DC")]
        assert end["IS"] is False


@virtual
async def test_a_begin_that_is_not_sent_at_once_is_signed_once_all_the_same(tmp_path: Path) -> None:
    config: dict[str, Any] = {"meter_signing": "OCMF", "dummy_meter_value_send_on_transaction_start": False}
    async with Charger(**config) as charger:
        await charger.charge(5)
        assert "signed_meter_value" not in charger.last("TransactionStarted")["transaction_started"]
        uuid = charger.events()[-1]["uuid"]
        answers = [await charger.call("powermeter", "stop_transaction", {"transaction_id": uuid}) for _ in range(2)]
        (key,) = charger.published("evse", "powermeter_public_key_ocmf")
        assert answers[0]["start_signed_meter_value"] == answers[1]["start_signed_meter_value"]
        assert verified(answers[0]["start_signed_meter_value"], key)["PG"] == "T1"
        assert [verified(answer["signed_meter_value"], key)["PG"] for answer in answers] == ["T2", "T3"]


@virtual
async def test_a_begin_stored_without_its_document_is_signed_with_the_stop() -> None:
    """As a store of an earlier release has it."""
    store: dict[str, Any] = {}
    async with Charger(store=store, meter_signing="OCMF") as charger:
        await charger.charge(5)
    del store["evse_manager_1_meter_begin"]["signed"]
    async with Charger(store=store, meter_signing="OCMF") as charger:
        await asyncio.sleep(1)
        (key,) = charger.published("evse", "powermeter_public_key_ocmf")
        lost = charger.last("TransactionFinished")["transaction_finished"]
        assert verified(lost["start_signed_meter_value"], key)["PG"] == "T2"


@virtual
@pytest.mark.parametrize("stored", ["3", -1, 10**400, 1.5, [1]])
async def test_an_unusable_stored_page_is_named(stored: Any, caplog: pytest.LogCaptureFixture) -> None:
    async with Charger(store={"evse_manager_1_meter_page": stored}, meter_signing="OCMF") as charger:
        await charger.charge(2)
        assert charger.store["evse_manager_1_meter_page"] == 1
        assert "the stored evse_manager_1_meter_page is no page" in caplog.text


def test_a_key_file_is_made_for_its_owner_alone_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new/key.pem"
    first = load_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path).private_numbers() == first.private_numbers()


@pytest.mark.parametrize(
    "content", [b"", b"rubbish", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_an_unusable_key_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match=r"key\.pem"):
        load_key(path)


@virtual
async def test_of_two_connected_meters_the_one_on_the_car_s_side_bills() -> None:
    connections = {"powermeter_car_side": [METER], "powermeter_grid_side": ["grid/main"]}
    async with Charger(connections=connections, initial_meter_value_timeout_ms=0) as charger:
        charger.answer(METER, "start_transaction", lambda args: {"status": "OK"})
        charger.answer(METER, "stop_transaction", lambda args: {"status": "OK"})
        charger.publish("grid/main", "powermeter", reading(7.0))
        charger.publish(METER, "powermeter", reading(8.0))
        await charger.charge(2)
        assert charger.readings() == [reading(8.0)]
        assert len(charger.calls(METER, "start_transaction")) == 1


@virtual
@pytest.mark.parametrize(("timeout_ms", "seconds"), [(0, 0.0), (2000, 2.0), (5000, 5.0)])
async def test_the_start_waits_so_long_for_a_first_reading(timeout_ms: int, seconds: float) -> None:
    async with Metered(initial_meter_value_timeout_ms=timeout_ms) as charger:
        began = asyncio.get_running_loop().time()
        await charger.until(lambda: bool(charger.events()), timeout=20, what="Enabled")
        assert asyncio.get_running_loop().time() - began == pytest.approx(seconds, abs=0.2)
        assert charger.published("evse", "ready") == [True]
