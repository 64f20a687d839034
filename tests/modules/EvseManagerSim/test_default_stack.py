"""The default stack from outside, over a real broker: its connections hold, and limits close the loop (issue 5).

Limits come over the implementations that OCPP's `evse_energy_sink` is connected to, from a client that is no module.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from everest.contracts.interfaces.auth_token_validator import AuthTokenValidatorImplementation
from everest.contracts.types import authorization as auth
from everest.demo.csms import CentralSystem
from everest.runtime import Module, ModuleContext, run_module
from everest.runtime.mqtt import MqttTransport
from everest.runtime.topics import Topics
from everest.runtime.wire import build_command
from evse_security.types import CertificateValidationResult
from evse_security.verify import verify_chain
from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.stack import ROOT, Bus, Station, station_config

CAR = "sleep 1;iec_wait_pwr_ready;sleep 1;draw_power_regulated 16,3;sleep 3600"
PNC = (
    "sleep 1;iso_wait_slac_matched;iso_start_v2g_session AC contract;iso_wait_pwr_ready;"
    "iso_draw_power_regulated 16,3;sleep 3600"
)
CARD = "everest_api/dummy_token_provider/cmd/provide"
SWIPE = (
    '{"id_token":{"value":"DEADBEEF","type":"ISO14443"},"authorization_type":"RFID",'
    '"prevalidated":true,"connectors":[1]}'
)

__all__ = ["mosquitto"]


def stack() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "manifest.yaml").read_text(encoding="utf-8"))["active_modules"]
    return found


def evse_of(target: dict[str, str]) -> int:
    """The EVSE that a connection's target is mapped to: by its implementation, else by its module."""
    mapping = stack()[target["module_id"]]["mapping"]
    places = mapping.get("implementations", {}).get(target["implementation_id"], mapping["module"])
    return int(places["evse"])


def test_ocpp_is_connected_to_the_limits_of_the_station_and_of_each_evse() -> None:
    sinks = stack()["ocpp"]["connections"]["evse_energy_sink"]
    assert [evse_of(sink) for sink in sinks] == [0, 1, 2]


def test_the_station_s_limits_are_shared_with_every_other_evse() -> None:
    sharing = stack()["evse_manager_1"]["connections"]["energy_consumer"]
    assert [evse_of(consumer) for consumer in sharing] == [2]


def test_auth_hears_the_tokens_of_every_evse() -> None:
    providers = [end["module_id"] for end in stack()["auth"]["connections"]["token_provider"]]
    assert {"evse_manager_1", "evse_manager_2"} < set(providers)


class Looking(Bus):
    """A client that sets limits and looks at what comes of them."""

    async def call(self, module: str, implementation: str, command: str, **arguments: Any) -> None:
        topic = Topics().command(module, implementation, command)
        await self.publish(topic, build_command(str(uuid.uuid4()), arguments, "somebody").decode())

    async def limit(self, implementation: str, *amps: float, module: str = "evse_manager_1") -> None:
        sides = [{"ac_max_current_A": {"value": value, "source": "test"}} for value in amps]
        entries = [
            {"timestamp": "2026-01-01T00:00:00Z", "limits_to_root": {}, "limits_to_leaves": side} for side in sides
        ]
        value = {"schedule_import": entries, "schedule_export": [], "schedule_setpoints": []}
        await self.call(module, implementation, "set_external_limits", value=value)

    async def enforced(self, amps: float, module: str = "evse_manager_1") -> None:
        """Wait until the budget, the offer and the topic for people say so."""

        def holds() -> bool:
            budgets = self.values("enforced_limits", module=module)
            limits = self.values("limits", module=module)
            shown = [text for topic, text in self.messages if topic.endswith("nodered/1/state/max_current")]
            current = budgets[-1]["limits_root_side"]["ac_max_current_A"]["value"] if budgets else None
            told = bool(limits) and limits[-1]["max_current"] == amps
            return bool(current == amps and told and (module != "evse_manager_1" or float(shown[-1]) == amps))

        await self.wait_for(holds, what=f"{amps} A at {module}")

    async def drawn(self, amps: float) -> None:
        def flows() -> bool:
            readings = self.values("powermeter", module="evse_manager_1")
            return bool(readings) and abs(readings[-1]["current_A"]["L1"] - amps) <= 0.03 * amps + 0.01

        await self.wait_for(flows, what=f"{amps} A in the meter")


@pytest.mark.mosquitto
@pytest.mark.stack
async def test_limits_over_the_connected_interfaces_show_in_budget_offer_and_meter(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with (
        CentralSystem() as csms,
        Looking(mosquitto.port) as bus,
        Station(station_config(tmp_path, csms.url), mosquitto.port),
    ):
        await bus.wait_for_event("Enabled")
        await bus.enforced(32.0)
        await bus.publish("everest_external/nodered/1/carsim/cmd/execute_charging_session", CAR)
        await bus.wait_for_event("AuthRequired")
        await bus.publish(CARD, SWIPE)
        await bus.wait_for_event("ChargingStarted")
        await bus.drawn(16.0)
        await bus.limit("external_limits", 10.0)
        await asyncio.gather(bus.enforced(10.0), bus.drawn(10.0))
        await bus.limit("station_limits", 8.0)
        await bus.enforced(8.0)
        await bus.enforced(0.0, "evse_manager_2")  # two of 6 A do not go into 8 A
        await bus.limit("station_limits", 20.0)
        await asyncio.gather(bus.enforced(10.0), bus.enforced(10.0, "evse_manager_2"))
        await bus.limit("external_limits")
        await bus.enforced(20.0)
        await bus.limit("station_limits")
        await asyncio.gather(bus.enforced(32.0), bus.enforced(32.0, "evse_manager_2"), bus.drawn(16.0))


class Validator(AuthTokenValidatorImplementation):
    """Validates contracts as a CSMS does that has the operator's root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def validate_token(self, provided_token: auth.ProvidedIdToken) -> auth.ValidationResult:
        chain = x509.load_pem_x509_certificates((provided_token.certificate or "").encode())
        anchors = x509.load_pem_x509_certificates(self._root.read_bytes())
        result = verify_chain(chain, anchors, datetime.now(UTC))
        valid = result is CertificateValidationResult.Valid
        status = auth.AuthorizationStatus.Accepted if valid else auth.AuthorizationStatus.Invalid
        return auth.ValidationResult(authorization_status=status, tariff_messages=[])


@contextlib.asynccontextmanager
async def validated(config: Path, port: int, root: Path) -> AsyncIterator[None]:
    """The stack of `config` with the validator in it, which Auth asks after OCPP."""

    def probe(context: ModuleContext) -> Module:
        module = Module(context)
        module.provide("validator", Validator(root))
        return module

    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    modules = document["active_modules"]
    modules["evse_manager_1"]["config_module"] |= {"ac_hlc_enabled": True, "verify_contract_cert_chain": True}
    modules["probe"] = {"module": "ProbeModule"}
    modules["auth"]["connections"]["token_validator"].append({"module_id": "probe", "implementation_id": "validator"})
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    async with Station(config, port, "--standalone", "probe", wait=False) as station:
        await station.wait_for_status("WAITING_FOR_STANDALONE_MODULES")
        life = asyncio.create_task(
            run_module(probe, module_id="probe", transport=MqttTransport("127.0.0.1", port)), name="probe"
        )
        try:
            await station.wait_for_status("ALL_MODULES_STARTED")
            yield
        finally:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)


@pytest.mark.mosquitto
@pytest.mark.stack
async def test_a_car_charges_by_contract_once_evse_security_and_the_validator_have_its_root(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    root = tmp_path / "contract-pki" / "mo_root.pem"
    async with (
        CentralSystem() as csms,
        Looking(mosquitto.port) as bus,
        validated(station_config(tmp_path, csms.url), mosquitto.port, root),
    ):
        await bus.wait_for_event("Enabled")
        await bus.publish("everest_external/nodered/1/carsim/cmd/execute_charging_session", PNC)
        await bus.wait_for(lambda: bus.values("hlc_session_failed"), what="a refusal: the root is unknown")
        assert bus.values("provided_token") == []
        certificate = root.read_text(encoding="utf-8")
        await bus.call(
            "evse_security", "main", "install_ca_certificate", certificate=certificate, certificate_type="MO"
        )
        await bus.wait_for(lambda: bus.values("certificate_store_update"), what="the root is installed")
        await bus.publish("everest_external/nodered/1/carsim/cmd/modify_charging_session", PNC)
        started = await bus.wait_for_event("TransactionStarted")
        await bus.wait_for_event("ChargingStarted")
    (token,) = bus.values("provided_token")
    assert started["transaction_started"]["id_tag"] == token
    chain = x509.load_pem_x509_certificates(token["certificate"].encode())
    serials = [entry["serialNumber"] for entry in token["iso15118CertificateHashData"]]
    assert serials == [f"{certificate.serial_number:x}" for certificate in chain]
    statuses = [status["status"] for status in bus.values("token_validation_status")]
    assert statuses == ["Processing", "Accepted", "UsedToStart"]
