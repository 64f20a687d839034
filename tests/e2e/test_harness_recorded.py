"""The configuration of the recorded original, as far as there are modules for it here: its modules start and charge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from everest.demo.csms import CentralSystem
from tests.e2e.assertions import assert_one_clean_session
from tests.support import traces
from tests.support.everest_testing import Config, Rig, begin, end, misplaced_nulls, null_frames, prefix
from tests.support.mosquitto import Mosquitto

__all__ = ["prefix"]

pytestmark = [pytest.mark.mosquitto, pytest.mark.stack]

LEFT_OUT = ("API", "DisplayMessage", "Energy", "Error", "Ev", "Terminal", "Yeti")
"""Beginnings of the names of modules that are not here; EvseManager and EvseSecurity are."""


def recorded_modules(folder: Path) -> dict[str, Config]:
    """`active_modules` of the recording, from what its manager told each module; `<RUN>` is `folder`."""
    told = [m.json()["data"]["response"]["data"] for m in traces.bus("boot") if is_configuration(m.topic)]
    entries = {entry["module_config"]["module_id"]: entry["module_config"] for entry in told}
    kept = {name: entry for name, entry in entries.items() if is_here(entry["module_name"])}
    return {name: written(entry, kept, folder) for name, entry in kept.items()}


def is_configuration(topic: str) -> bool:
    return topic.endswith("/response") and topic.count("/") == 3


def is_here(module: str) -> bool:
    return module.startswith("Evse") or not module.startswith(LEFT_OUT)


def written(entry: dict[str, Any], kept: dict[str, Any], folder: Path) -> Config:
    """One entry as a configuration file has it; connections to modules that are not here are left out."""
    scopes = {
        scope: {parameter["name"]: replaced(parameter["value"], folder) for parameter in parameters}
        for scope, parameters in entry["configuration_parameters"].items()
    }
    connections = {
        requirement: [{key: item[key] for key in ("module_id", "implementation_id")} for item in items]
        for requirement, items in entry["connections"].items()
        if all(item["module_id"] in kept for item in items)
    }
    config: Config = {
        "module": entry["module_name"],
        "config_module": scopes.pop("!module"),
        "config_implementation": {scope: values for scope, values in scopes.items() if values},
        "connections": connections,
    }
    return config | ({"mapping": entry["mapping"]} if entry["mapping"] else {})


def replaced(value: object, folder: Path) -> object:
    if isinstance(value, str):
        return value.replace("<RUN>", str(folder)).replace("peer-sil.json", str(folder / "ocpp-config.json"))
    return value


async def test_the_recorded_configuration_runs_a_session(
    tmp_path: Path, prefix: Path, mosquitto: Mosquitto, csms: CentralSystem
) -> None:
    rig = Rig(tmp_path, prefix, mosquitto.port, f"127.0.0.1:{csms.port}")
    modules = recorded_modules(tmp_path)
    assert {entry["module"] for entry in modules.values()} == {entry["module"] for entry in rig.modules.values()}
    rig.config["active_modules"] = modules
    async with rig.bus() as bus, rig.station() as station:
        await begin(csms, bus, "CARD1")
        await end(csms, bus, "CARD1")
        assert set(station.module_pids()) == set(modules)
    assert_one_clean_session(csms, bus, reason="Local")
    assert misplaced_nulls(bus) == null_frames(csms) == []
