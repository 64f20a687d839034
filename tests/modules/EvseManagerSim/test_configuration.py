"""What a configuration may not be, and what of it any value may be: nothing ends the module later on."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from everest.runtime import StartupError
from tests.modules.EvseManagerSim.charger import ROOT, Charger

virtual = pytest.mark.looptime
KEYS: dict[str, Any] = yaml.safe_load((ROOT / "modules/EvseManagerSim/manifest.yaml").read_text())["config"]
UNUSED = "Accepted for EVerest configurations"


def fits(key: str, value: Any) -> bool:
    """Whether the manager lets the value pass."""
    return bool(jsonschema.Draft7Validator(KEYS[key]).is_valid(value))


def test_every_number_that_is_used_has_bounds_and_a_default_within() -> None:
    numbers = {key: entry for key, entry in KEYS.items() if entry["type"] in ("integer", "number")}
    used = {key: entry for key, entry in numbers.items() if not entry["description"].startswith(UNUSED)}
    assert [key for key, entry in used.items() if not {"minimum", "maximum"} <= entry.keys()] == []
    assert [key for key, entry in KEYS.items() if "default" in entry and not fits(key, entry["default"])] == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ac_nominal_voltage", 0), ("ac_nominal_voltage", -230), ("max_current_A_import", 1e308), ("soc", 500),
        ("soc", -1), ("dc_energy_capacity", 1e-300), ("dc_target_voltage", 5e-324), ("departure_time", 10**12),
        ("departure_time", -1), ("e_amount", 1e308), ("max_current", -16), ("connector_id", 129),
        ("ac_nominal_frequency", 0), ("switch_3ph1ph_delay_s", -1), ("standby_power", 1e308), ("evcc_id", "car"),
        ("contract_emaid", "../x"), ("contract_emaid", "X" * 65), ("contract_ocsp_url", "http://ö"),
        ("max_current_A_import", math.inf),
    ],
)  # fmt: skip
def test_the_manifest_refuses_what_one_key_alone_cannot_be(key: str, value: Any) -> None:
    assert not fits(key, value)


@virtual
@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"min_current_A_import": 40.0}, "min_current_A_import: 40 A is above max_current_A_import, 32 A; lower"),
        (
            {"charge_mode": "DC", "dc_target_voltage": 950.0},
            "dc_target_voltage: 950 V is above dc_max_voltage_limit, 900 V; lower",
        ),
        (
            {"meter_signing": "OCMF", "ocmf_key": "/proc/x.pem"},
            "ocmf_key: /proc/x.pem cannot be used: [Errno 2] No such file or directory: '/proc/x.pem'; name a PEM file",
        ),
        ({"meter_signing": "OCMF", "ocmf_key": "."}, "Is a directory"),
        ({"meter_signing": "OCMF", "ocmf_key": "\0"}, "embedded null"),
    ],
)
async def test_a_configuration_that_cannot_be_is_refused_at_the_start_in_one_line(
    config: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(StartupError) as refusal:
        async with Charger(**config):
            pass
    assert said in str(refusal.value)
    assert str(refusal.value).startswith("configuration key ")
    (line,) = (record for record in caplog.records if record.levelname == "CRITICAL")
    assert line.exc_info is None and "\n" not in line.getMessage()


@virtual
async def test_an_order_that_only_dc_has_does_not_hinder_ac() -> None:
    async with Charger(dc_target_voltage=950.0) as charger:
        await asyncio.sleep(1)
        assert charger.published("evse", "ready") == [True]


def extreme(which: str) -> dict[str, Any]:
    """All numbers that are used at one end of their range."""
    return {
        key: float(entry[which]) if entry["type"] == "number" else entry[which]
        for key, entry in KEYS.items()
        if which in entry and key not in ("connector_id", "initial_meter_value_timeout_ms")
    }


TEXT = 'ü\U0001f697"\\\0/' + "x" * 300
STRANGE = {
    key: TEXT
    for key, entry in KEYS.items()
    if entry["type"] == "string" and not {"enum", "pattern"} & entry.keys() and key != "ocmf_key"
}
MODES: dict[str, dict[str, Any]] = {
    "AC": {},
    "HLC": {"ac_hlc_enabled": True, "ac_with_soc": True, "enable_autocharge": True},
    "DC": {"charge_mode": "DC", "sae_j2847_2_bpt_enabled": True, "support_sae_j2847": True},
}
CAR = {
    "AC": "sleep 0.5;pause;sleep 1;draw_power_fixed 500,3;sleep 99",
    "HLC": "sleep 0.5;iso_wait_slac_matched;iso_start_v2g_session ac externalpayment;iso_wait_pwr_ready;sleep 99",
    "DC": "sleep 0.5;iso_wait_slac_matched;iso_start_v2g_session dc externalpayment;iso_wait_pwr_ready;sleep 99",
}


def assert_sound(value: Any, where: str) -> None:
    """No null, nothing that is not finite."""
    assert value is not None and not (isinstance(value, float) and not math.isfinite(value)), where
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        assert_sound(part, f"{where}.{name}")


@virtual
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("config", [extreme("minimum"), extreme("maximum"), STRANGE], ids=["least", "most", "strange"])
async def test_what_the_manifest_allows_runs_a_session_and_breaks_no_schema(mode: str, config: dict[str, Any]) -> None:
    more = {"session_logging": True, "contract_installed": True, "auto_exec": True, "legacy_topics": True}
    async with Charger(strict=True, **{**config, **more, **MODES[mode]}) as charger:
        await asyncio.sleep(3)
        charger.car(CAR[mode], modify=True)
        await asyncio.sleep(3)
        await charger.swipe()
        await asyncio.sleep(5)
        charger.car("iso_start_v2g_session ac contract;sleep 9", modify=True)
        await asyncio.sleep(5)
        await charger.stop()
        await charger.unplug()
        assert {"TransactionStarted", "TransactionFinished", "SessionFinished"} <= set(charger.kinds())
        for (implementation, name), values in charger._published.items():
            assert_sound(values, f"{implementation}/{name}")
        assert all(0.0 <= reading["energy_Wh_import"]["total"] < 1e6 for reading in charger.readings())


@virtual
@pytest.mark.parametrize("config", [{"contract_pki": "x" * 300}, {"contract_pki": "\0"}, {"contract_emaid": "X" * 65}])
async def test_a_contract_that_cannot_be_ends_the_v2g_session_and_not_the_module(config: dict[str, Any]) -> None:
    async with Charger(strict=True, ac_hlc_enabled=True, **config) as charger:
        await asyncio.sleep(1)
        charger.car("sleep 0.5;iso_wait_slac_matched;iso_start_v2g_session ac contract;sleep 99", modify=True)
        await asyncio.sleep(5)
        assert [failed["reason"] for failed in charger.published("evse", "hlc_session_failed")] == [
            "AuthorizationFailed"
        ]


@virtual
async def test_a_session_log_that_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    suffix = "\0"
    async with Charger(session_logging=True, session_logging_path=str(tmp_path), logfile_suffix=suffix) as charger:
        await charger.charge(1)
        assert "logging_path" not in charger.last("SessionStarted")["session_started"]
