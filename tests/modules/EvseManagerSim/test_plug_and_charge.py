"""Plug and Charge as the bus shows it (station 4): contract, certificate request, token, verdict of Auth."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from evse_security import x509 as values
from modules.EvseManagerSim.exi_grammar import octets
from modules.EvseManagerSim.exi_messages import read_message
from tests.modules.EvseManagerSim.charger import ACCEPTED, TO_CHARGING, Charger, token
from tests.support.mobility_operator import MobilityOperator, issue

pytestmark = pytest.mark.looptime
SECURITY = "security/main"
SESSION = "sleep 1;iso_wait_slac_matched;iso_start_v2g_session AC {};iso_wait_pwr_ready;iso_draw_power_regulated 10,3;"
END = "sleep 30;iso_stop_charging;iso_wait_v2g_session_stopped;unplug"


class Iso(Charger):
    """A car that talks ISO 15118."""

    def __init__(self, **config: Any) -> None:
        super().__init__(ac_hlc_enabled=True, **config)

    async def arrive(self, payment: str = "contract", seconds: float = 4.0, end: str = END) -> None:
        await asyncio.sleep(1)
        self.car(SESSION.format(payment) + end)
        await asyncio.sleep(seconds)

    def tokens(self) -> list[dict[str, Any]]:
        return self.published("token_provider", "provided_token")

    def requests(self) -> list[dict[str, Any]]:
        return self.published("extensions", "iso15118_certificate_request")

    async def verdict(self, status: str = "Accepted", provided: dict[str, Any] | None = None, **more: str) -> None:
        """What Auth says about the token it got."""
        result = {**ACCEPTED, "authorization_status": status, **more}
        arguments = {"provided_token": provided or self.tokens()[-1], "validation_result": result}
        await self.call("evse", "authorize_response", arguments)
        await asyncio.sleep(2)

    async def install(self, operator: MobilityOperator, **how: Any) -> None:
        """The CSMS has the mobility operator answer the car's last request."""
        answer = operator.answer(base64.b64decode(self.requests()[-1]["exi_request"], validate=True), **how)
        await self.answer_request(exi_response=base64.b64encode(answer).decode())

    async def answer_request(self, status: str = "Accepted", **more: str) -> None:
        response = {"status": status, "certificate_action": "Install", **more}
        await self.call("extensions", "set_get_certificate_response", {"certificate_response": response})
        await asyncio.sleep(1.5)

    def failures(self) -> list[dict[str, Any]]:
        return self.published("evse", "hlc_session_failed")


async def test_a_contract_is_presented_and_charging_begins_and_ends_by_the_car(tmp_path: Path) -> None:
    async with Iso() as charger:
        await charger.arrive(seconds=2.0)
        assert charger.published("evse", "ev_info")[-1] == {"evcc_id": "02:00:00:00:00:01"}
        assert charger.published("evse", "car_manufacturer") == ["Unknown"]
        assert charger.tokens() == []  # about one second later
        await asyncio.sleep(2)
        (provided,) = charger.tokens()
        assert provided["id_token"] == {"value": "UKSWI123456791A", "type": "eMAID"}
        assert (provided["authorization_type"], provided["connectors"]) == ("PlugAndCharge", [1])
        assert provided.keys() == {"id_token", "authorization_type", "connectors", "certificate"}
        leaf = x509.load_pem_x509_certificate(provided["certificate"].encode())
        assert "CN=UKSWI123456791A" in leaf.subject.rfc4514_string()
        assert charger.kinds() == ["SessionStarted", "AuthRequired"]
        await charger.verdict()
        assert charger.kinds() == TO_CHARGING
        assert charger.last("TransactionStarted")["transaction_started"]["id_tag"] == provided
        await asyncio.sleep(3)
        assert charger.readings()[-1]["current_A"]["L3"] == pytest.approx(10.0, rel=0.02)
        await asyncio.sleep(40)
        assert charger.kinds()[-1] == "SessionFinished"
        assert charger.last("TransactionFinished")["transaction_finished"]["reason"] == "EVDisconnected"
        assert charger.failures() == []


@pytest.mark.parametrize(
    ("status", "more"), [("Invalid", {}), ("Expired", {"certificate_status": "CertificateExpired"})]
)
async def test_a_refused_contract_ends_the_v2g_session_and_not_the_evse_s(status: str, more: dict[str, str]) -> None:
    async with Iso() as charger:
        await charger.arrive()
        await charger.verdict(status, **more)
        assert charger.kinds() == ["SessionStarted", "AuthRequired"]
        uuid = charger.events()[-1]["uuid"]
        assert charger.failures() == [{"uuid": uuid, "reason": "AuthorizationFailed"}]
        await charger.swipe()  # the next one is a card
        assert charger.kinds()[-1] == "PrepareCharging"
        charger.car("iso_wait_v2g_session_stopped;unplug", modify=True)
        await asyncio.sleep(2)
        assert charger.kinds()[-1] == "SessionFinished"


async def test_while_the_contract_is_waited_for_a_card_does_not_count(caplog: pytest.LogCaptureFixture) -> None:
    async with Iso() as charger:
        await charger.arrive()
        await charger.swipe()
        assert charger.kinds() == ["SessionStarted", "AuthRequired"]
        assert "the car's contract is waited for" in caplog.text
        await charger.verdict()
        assert (
            charger.last("TransactionStarted")["transaction_started"]["id_tag"]["authorization_type"] == "PlugAndCharge"
        )


async def test_nobody_answers_the_contract_and_the_v2g_session_fails_after_55_seconds() -> None:
    async with Iso() as charger:
        await charger.arrive(seconds=50)
        assert charger.failures() == []
        await asyncio.sleep(10)
        assert len(charger.failures()) == 1
        await charger.swipe()
        assert charger.kinds()[-1] == "PrepareCharging"


async def test_a_plug_in_timeout_ends_the_wait_for_a_card() -> None:
    async with Iso() as charger:
        await charger.arrive("externalpayment")
        await charger.call("evse", "withdraw_authorization")
        await asyncio.sleep(1)
        assert charger.kinds()[-1] == "PluginTimeout"
        assert len(charger.failures()) == 1


async def test_external_payment_waits_for_any_token_and_tells_what_the_driver_needs() -> None:
    async with Iso(max_current=20) as charger:
        await charger.arrive("externalpayment 3600 5000")
        assert charger.tokens() == []
        assert charger.kinds() == ["SessionStarted", "AuthRequired"]
        await charger.swipe()
        await asyncio.sleep(2)
        assert charger.kinds() == TO_CHARGING
        info = charger.published("evse", "ev_info")[-1]
        assert (info["evcc_id"], info["remaining_energy_needed"]) == ("02:00:00:00:00:01", 5000.0)
        assert info["maximum_current_limit"] == 20.0
        leaves = datetime.fromisoformat(info["departure_time"])
        assert 3590 < (leaves - datetime(2026, 1, 5, 10, tzinfo=UTC)).total_seconds() < 3620


@pytest.mark.parametrize(
    ("config", "presents"),
    [
        ({}, True),
        ({"payment_enable_contract": False}, False),
        ({"contract_installed": False}, False),
        ({"payment_enable_eim": False, "payment_enable_contract": False}, False),
    ],
)
async def test_auto_presents_a_contract_where_there_is_one_and_it_is_offered(
    config: dict[str, bool], presents: bool
) -> None:
    async with Iso(**config) as charger:
        await charger.arrive("auto")
        assert bool(charger.tokens()) is presents
        assert charger.requests() == []
        assert bool(charger.failures()) is ("payment_enable_eim" in config)


@pytest.mark.parametrize("forced", [False, True])
async def test_a_car_that_is_forced_to_its_payment_option_fails_without_it(forced: bool) -> None:
    async with Iso(payment_enable_contract=False, force_payment_option=forced) as charger:
        await charger.arrive("contract")
        assert bool(charger.failures()) is forced


async def test_who_was_authorized_before_needs_no_contract() -> None:
    async with Iso() as charger:
        await asyncio.sleep(1)
        await charger.swipe()
        await charger.arrive("auto")
        assert charger.tokens() == []
        assert charger.kinds()[-1] == "ChargingStarted"


async def test_a_resumed_session_is_not_authorized_again() -> None:
    async with Iso() as charger:
        await charger.arrive(end="sleep 3600")
        await charger.verdict()
        charger.car("iso_pause_charging;iso_wait_for_resume", modify=True)
        await asyncio.sleep(8)
        assert charger.kinds()[-1] == "ChargingPausedEV"
        resume = "iso_start_bcb_toggle 3;iso_wait_pwm_is_running;iso_start_v2g_session AC 86400 0;iso_wait_pwr_ready;"
        charger.car(resume + "iso_draw_power_regulated 16,3;iso_wait_for_stop 60", modify=True)
        before = len(charger.kinds())
        await asyncio.sleep(4)
        assert charger.kinds()[before:] == ["PrepareCharging", "ChargingStarted"]  # none for each toggle
        assert len(charger.tokens()) == 1


async def test_switched_off_by_the_csms_the_contract_is_not_offered_in_the_next_session() -> None:
    async with Iso() as charger:
        await asyncio.sleep(1)
        arguments = {"plug_and_charge_configuration": {"pnc_enabled": False}}
        await charger.call("evse", "set_plug_and_charge_configuration", arguments)
        await charger.arrive("contract")
        assert charger.tokens() == []
        await charger.swipe()
        await asyncio.sleep(1)
        assert "PrepareCharging" in charger.kinds()


async def test_a_car_without_contract_asks_the_csms_for_one_and_keeps_it() -> None:
    async with Iso(contract_installed=False) as charger:
        await charger.arrive("contract", 2.0)
        (request,) = charger.requests()
        assert request["iso15118_schema_version"] == "urn:iso:15118:2:2013:MsgDef"
        assert request["certificate_action"] == "Install"
        assert base64.b64decode(request["exi_request"], validate=True)[:3] == bytes.fromhex("809802")
        assert len(request["exi_request"]) <= 5600
        assert charger.tokens() == []
        operator = MobilityOperator()
        await charger.install(operator)
        (provided,) = charger.tokens()
        assert provided["id_token"] == {"value": operator.emaid, "type": "eMAID"}
        chain = x509.load_pem_x509_certificates(provided["certificate"].encode())
        assert chain == [operator.contract.certificate, operator.mo_ca.certificate]
        await charger.verdict()
        assert charger.kinds() == TO_CHARGING
        await charger.unplug()
        await asyncio.sleep(2)
        await charger.arrive("auto")
        assert (len(charger.requests()), len(charger.tokens())) == (1, 2)
        assert charger.tokens()[1] == provided


@pytest.mark.parametrize(
    ("status", "more", "why"),
    [
        ("Failed", {}, "the answer is Failed"),
        ("Accepted", {}, "it ends too early"),
        ("Accepted", {"exi_response": "no base64!"}, "base64"),
        ("Accepted", {"exi_response": "gJgCEQ=="}, "V2G_Message/Header/SessionID/#: a value has 8 octets, 0 are left"),
    ],
)
async def test_without_a_usable_answer_the_v2g_session_fails(
    status: str, more: dict[str, str], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Iso(contract_installed=False) as charger:
        await charger.arrive("contract", 2.0)
        await charger.answer_request(status, **more)
        assert (charger.tokens(), len(charger.failures())) == ([], 1)
        (line,) = [record.message for record in caplog.records if "V2G session has failed" in record.message]
        assert "the car got no contract certificate: " in line
        assert why in line


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"code": "FAILED_NoCertificateAvailable"}, "ResponseCode is FAILED_NoCertificateAvailable"),
        ({"signed": False}, "the answer has no signature"),
        ({"sign_by": issue("somebody")}, "SignatureValue is not one of the certificate that is to have signed"),
    ],
)
async def test_an_answer_that_delivers_nothing_ends_the_v2g_session_and_the_car_asks_again(
    how: dict[str, Any], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Iso(contract_installed=False) as charger:
        await charger.arrive("contract", 2.0)
        operator = MobilityOperator()
        await charger.install(operator, **how)
        assert (charger.tokens(), len(charger.failures())) == ([], 1)
        assert why in caplog.text
        await charger.unplug()
        await charger.arrive("contract", 2.0)
        await charger.install(operator)
        assert [provided["id_token"]["value"] for provided in charger.tokens()] == [operator.emaid]
        first, second = (read_message(base64.b64decode(sent["exi_request"])) for sent in charger.requests())
        assert octets(first, "Header", "SessionID") != octets(second, "Header", "SessionID")


async def test_an_answer_after_four_and_a_half_seconds_is_too_late(caplog: pytest.LogCaptureFixture) -> None:
    async with Iso(contract_installed=False) as charger:
        await charger.arrive("contract", 5.4)
        assert charger.failures() == []
        await asyncio.sleep(1)
        assert len(charger.failures()) == 1
        await charger.answer_request(exi_response="gJg=")
        assert "no car is waiting" in caplog.text
        assert charger.tokens() == []


async def test_no_contract_is_asked_for_where_none_can_be_installed() -> None:
    async with Iso(contract_installed=False, contract_certificate_installation_enabled=False) as charger:
        await charger.arrive("contract")
        assert (charger.requests(), len(charger.failures())) == ([], 1)


async def test_a_recorded_request_is_sent_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "request.exi").write_bytes(b"\x80\x98recorded")
    async with Iso(contract_installed=False, certificate_request_file="request.exi") as charger:
        await charger.arrive("contract", 2.0)
        assert base64.b64decode(charger.requests()[0]["exi_request"]) == b"\x80\x98recorded"


@pytest.mark.parametrize(
    ("size", "why"), [(4201, "the certificate request has 4201 octets, 4200 are allowed"), (0, "none.exi")]
)
async def test_a_request_that_cannot_be_sent_ends_the_v2g_session(
    size: int, why: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "long.exi").write_bytes(bytes(size))
    name = "long.exi" if size else "none.exi"
    async with Iso(contract_installed=False, certificate_request_file=name) as charger:
        await charger.arrive("contract", 2.0)
        assert (charger.requests(), len(charger.failures())) == ([], 1)
        assert why in caplog.text


async def test_the_car_may_have_a_contract_of_the_user_s(tmp_path: Path) -> None:
    async with Iso() as charger:
        await charger.arrive()
        (tmp_path / "mine.pem").write_text(charger.tokens()[0]["certificate"])
    async with Iso(contract_chain_file="mine.pem", contract_emaid="OTHER") as other:
        await other.arrive()
        assert other.tokens() == charger.tokens()
    async with Iso(contract_chain_file="missing.pem") as without:
        await without.arrive()
        assert (without.tokens(), len(without.failures())) == ([], 1)


# --- verification


def hashes(chain: str) -> list[dict[str, Any]]:
    """What evse_security answers; beside the entries of the chain one that the token may not have."""
    certificates = values.read_pem(chain)
    found: list[dict[str, Any]] = []
    for certificate in certificates:
        data = values.hash_in(certificate, certificates)
        if data is not None:
            entry = {name: getattr(data, name) for name in data.__struct_fields__}
            found.append({"certificate_hash_data": entry, "responder_url": values.responder_url(certificate)})
    return [*found, {"responder_url": "http://nothing"}]


class Verified(Iso):
    def __init__(self, result: str, **config: Any) -> None:
        super().__init__(verify_contract_cert_chain=True, connections={"security": [SECURITY]}, **config)
        self.asked: list[dict[str, Any]] = []
        self.answer(SECURITY, "verify_certificate", lambda args: self.asked.append(args) or result)  # type: ignore[func-returns-value]
        self.answer(
            SECURITY,
            "get_mo_ocsp_request_data",
            lambda args: {"ocsp_request_data_list": hashes(args["certificate_chain"])},
        )


async def test_a_verified_contract_comes_with_the_data_for_ocsp_leaf_first() -> None:
    async with Verified("Valid") as charger:
        await charger.arrive()
        (provided,) = charger.tokens()
        assert charger.asked == [{"certificate_chain": provided["certificate"], "certificate_types": ["V2G", "MO"]}]
        data = provided["iso15118CertificateHashData"]
        leaf = x509.load_pem_x509_certificate(provided["certificate"].encode())
        assert len(data) == 2  # the root of the second sub CA is not in the chain
        assert data[0]["serialNumber"] == f"{leaf.serial_number:x}"
        assert {(entry["hashAlgorithm"], entry["responderURL"]) for entry in data} == {
            ("SHA256", "http://ocsp.example/mo")
        }


@pytest.mark.parametrize(
    ("result", "central", "goes_on"),
    [
        ("IssuerNotFound", True, True),
        ("IssuerNotFound", False, False),
        ("Expired", True, False),
        ("InvalidSignature", True, False),
    ],
)
async def test_what_is_not_valid_here_may_only_go_on_to_the_csms(result: str, central: bool, goes_on: bool) -> None:
    async with Verified(result, central_contract_validation_allowed=central) as charger:
        await charger.arrive()
        assert bool(charger.tokens()) is goes_on
        assert all("iso15118CertificateHashData" not in provided for provided in charger.tokens())
        assert bool(charger.failures()) is not goes_on


async def test_without_evse_security_nothing_can_be_verified(caplog: pytest.LogCaptureFixture) -> None:
    async with Iso(verify_contract_cert_chain=True) as charger:
        await charger.arrive()
        assert (charger.tokens(), len(charger.failures())) == ([], 1)
        assert "requirement security is not connected" in caplog.text


# --- the rest of ISO 15118 that shows


async def test_autocharge_presents_the_mac_address() -> None:
    async with Iso(enable_autocharge=True, evcc_id="98:ED:5C:01:02:03") as charger:
        await charger.arrive("externalpayment")
        assert charger.published("evse", "car_manufacturer") == ["Tesla"]
        assert charger.tokens() == [
            {
                "id_token": {"value": "VID:98ED5C010203", "type": "MacAddress"},
                "authorization_type": "Autocharge",
                "connectors": [1],
            }
        ]
        await charger.verdict()
        assert charger.kinds() == TO_CHARGING


async def test_autocharge_by_slac_needs_no_v2g_session() -> None:
    async with Iso(enable_autocharge=True, autocharge_use_slac_instead_of_hlc=True) as charger:
        await asyncio.sleep(1)
        charger.car("sleep 1;iso_wait_slac_matched;sleep 60")
        await asyncio.sleep(2)
        (provided,) = charger.tokens()
        assert provided["id_token"] == {"value": "VID:020000000001", "type": "MacAddress"}
        charger.car("iso_start_v2g_session AC externalpayment;sleep 60", modify=True)
        await asyncio.sleep(2)
        assert len(charger.tokens()) == 1


async def test_the_pwm_invites_to_talk_while_authorization_is_waited_for() -> None:
    async with Iso() as charger:
        await asyncio.sleep(1)
        charger.car("sleep 1;iso_wait_pwm_is_running;iso_start_v2g_session AC contract;iso_wait_pwr_ready;sleep 60")
        await asyncio.sleep(4)
        assert len(charger.tokens()) == 1
        assert charger.module.board.duty == 5.0  # type: ignore[attr-defined]
        await charger.verdict()
        assert charger.kinds() == TO_CHARGING


async def test_a_card_car_is_not_known_by_its_address() -> None:
    async with Iso() as charger:
        await charger.charge(5)
        assert [info for info in charger.published("evse", "ev_info") if info] == []


async def test_an_unplugged_car_is_forgotten_in_the_middle_of_it() -> None:
    async with Iso() as charger:
        await charger.arrive()
        await charger.unplug()
        assert charger.kinds()[-1] == "SessionFinished"
        await charger.plug_in()
        await charger.swipe()
        assert charger.kinds()[-1] in ("PrepareCharging", "ChargingStarted")
        await asyncio.sleep(60)
        assert charger.failures() == []


async def test_a_car_that_wants_what_the_evse_is_not_for_gets_nothing() -> None:
    async with Iso() as charger:
        await asyncio.sleep(1)
        charger.car("sleep 1;iso_wait_slac_matched;iso_start_v2g_session DC contract;iso_wait_pwr_ready;sleep 60")
        await asyncio.sleep(4)
        assert charger.tokens() == []
        assert [failure["reason"] for failure in charger.failures()] == ["ChargingParametersNotAccepted"]


async def test_a_dc_car_pays_by_contract_and_tells_its_state_of_charge() -> None:
    async with Charger(charge_mode="DC", e_amount=12000, noise=False) as charger:
        await asyncio.sleep(1)
        charger.car("sleep 1;iso_wait_slac_matched;iso_start_v2g_session DC contract;iso_wait_pwr_ready;sleep 60")
        await asyncio.sleep(4)
        (provided,) = charger.published("token_provider", "provided_token")
        await charger.swipe(provided)
        await asyncio.sleep(5)
        assert charger.kinds() == TO_CHARGING
        info = charger.published("evse", "ev_info")[-1]
        assert info["soc"] >= 30.0
        assert info["remaining_energy_needed"] == 12000.0
        assert info["departure_time"].startswith("2026-01-06T10:00")


async def test_what_is_offered_is_named_at_the_start() -> None:
    async with Iso() as charger:
        await asyncio.sleep(1)
        modes = ["AC_single_phase_core", "AC_three_phase_core"]
        assert charger.published("evse", "supported_energy_transfer_modes") == [modes]
        assert Path("contract-pki/mo_root.pem").is_file()


async def test_with_a_session_log_the_protocol_is_named(tmp_path: Path) -> None:
    async with Iso(session_logging=True, session_logging_path=str(tmp_path / "log")) as charger:
        await charger.arrive()
        await charger.verdict(provided=token("X", authorization_type="PlugAndCharge"))
        assert charger.published("evse", "selected_protocol")[-1] == "ISO15118-2-2013"


async def test_the_lines_of_the_session_log_are_told_as_they_are_written(tmp_path: Path) -> None:
    async with Charger(session_logging=True, session_logging_path=str(tmp_path / "log")) as charger:
        await charger.charge(2)
        await charger.unplug()
        (written,) = (tmp_path / "log").rglob("*.jsonl")
        told = charger._externals["everest_api/evse_manager_1/var/hlc_log"]
        assert told == written.read_text().splitlines()
        assert len(told) == len(charger.kinds())


async def test_the_evse_s_end_of_the_transaction_ends_the_v2g_session_too() -> None:
    async with Iso() as charger:
        await charger.arrive(end="iso_wait_v2g_session_stopped;unplug")
        await charger.verdict()
        assert charger.kinds() == TO_CHARGING
        assert await charger.stop("Remote")
        await asyncio.sleep(8)  # the car stays in C; the contactor opens after 6 s
        assert charger.kinds()[-1] == "SessionFinished"
        assert charger.last("TransactionFinished")["transaction_finished"]["reason"] == "Remote"


async def test_what_a_car_asked_of_an_evse_that_could_not_see_it_goes_with_the_car() -> None:
    async with Iso() as charger:
        await asyncio.sleep(1)
        charger.inject("MREC6UnderVoltage")  # state F: a plug in is lost
        await asyncio.sleep(1)
        charger.car("sleep 1;iso_start_v2g_session AC contract;pause;sleep 2;unplug")
        await asyncio.sleep(5)
        charger.inject("MREC6UnderVoltage", raised=False)
        await charger.plug_in()
        await asyncio.sleep(5)
        assert charger.kinds() == ["SessionStarted", "AuthRequired"]
        assert charger.tokens() == []


async def test_a_token_carries_the_data_of_at_most_four_certificates() -> None:
    async with Verified("Valid") as charger:
        charger.answer(
            SECURITY,
            "get_mo_ocsp_request_data",
            lambda args: {"ocsp_request_data_list": hashes(args["certificate_chain"]) * 3},
        )
        await charger.arrive()
        assert len(charger.tokens()[0]["iso15118CertificateHashData"]) == 4


async def test_with_a_real_board_the_simulated_car_s_contract_is_not_presented(
    caplog: pytest.LogCaptureFixture,
) -> None:
    board = "board/main"
    async with Iso(connections={"bsp": [board]}) as charger:
        for command in (
            "enable",
            "pwm_on",
            "cp_state_X1",
            "cp_state_F",
            "allow_power_on",
            "ac_set_overcurrent_limit_A",
        ):
            charger.answer(board, command, lambda args: None)
        await asyncio.sleep(1)
        charger.publish(board, "event", {"event": "B"})
        charger.car("sleep 1;iso_start_v2g_session AC contract;pause;sleep 60")
        await asyncio.sleep(5)
        assert charger.kinds() == ["SessionStarted", "AuthRequired"]
        assert charger.tokens() == []
        assert "a real board drives the session" in caplog.text
