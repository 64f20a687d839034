"""A probe connected to everything calls every command the moment all are ready, with values as odd as types allow.

A module that ends by one of them ends the station (bus 2.9): none does.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from tests.support.everest_testing import ProbeModule, Rig, prefix, to
from tests.support.mosquitto import Mosquitto

__all__ = ["prefix"]

pytestmark = [pytest.mark.mosquitto, pytest.mark.stack]

ENDING = {("system", "reset"), ("ocpp", "stop"), ("ocpp_1_6_charge_point", "stop")}
"""Commands that are there to end something."""
AT_ONCE = 20
PATIENCE = 15.0

Schema = dict[str, Any]


class Contracts:
    """Interfaces and types of a prefix, and values that their schemas allow."""

    def __init__(self, prefix: Path) -> None:
        self._share = prefix / "share" / "everest"
        self._files: dict[Path, Schema] = {}

    def load(self, path: Path) -> Schema:
        if path not in self._files:
            self._files[path] = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
        return self._files[path]

    def commands(self, interface: str) -> dict[str, Schema]:
        commands: dict[str, Schema] = self.load(self._share / "interfaces" / f"{interface}.yaml").get("cmds") or {}
        return {name: declared for name, declared in commands.items() if (interface, name) not in ENDING}

    def odd(self, schema: Schema, *, full: bool) -> Any:
        """A value of the right types, and odd: empty or too long texts, negative numbers; `full`: all members."""
        if "$ref" in schema:
            file, name = schema["$ref"].lstrip("/").split("#/")
            return self.odd(self.load(self._share / "types" / f"{file}.yaml")["types"][name], full=full)
        if "enum" in schema:
            return schema["enum"][-1 if full else 0]
        kinds = schema.get("type")
        kind = kinds[0] if isinstance(kinds, list) else kinds
        if kind == "object":
            wanted = schema.get("properties", {}) if full else schema.get("required", ())
            return {name: self.odd(schema["properties"][name], full=full) for name in wanted}
        if kind == "array":
            return [self.odd(schema.get("items", {}), full=full)] * max(int(full), schema.get("minItems", 0))
        return ODD[full].get(kind)


ODD: tuple[dict[str | None, Any], ...] = (
    {"string": "", "integer": -1, "number": -1.5, "boolean": False},
    {"string": "x" * 300, "integer": 2**31 - 1, "number": 1e9, "boolean": True},
)


def connect_to_everything(rig: Rig, contracts: Contracts) -> list[tuple[str, str, Schema]]:
    """Add the probe; every command it can call, as requirement, name and declaration."""
    connections, commands = {}, []
    for module_id, entry in rig.modules.items():
        manifest = contracts.load(rig.prefix / "libexec/everest/modules" / entry["module"] / "manifest.yaml")
        for implementation, provided in manifest["provides"].items():
            requirement = f"{module_id}_{implementation}"
            connections[requirement] = to(f"{module_id}/{implementation}")
            for name, declared in contracts.commands(provided["interface"]).items():
                commands.append((requirement, name, declared))
    rig.modules["probe"] = {"module": "ProbeModule", "connections": connections}
    return commands


async def test_no_command_ends_a_module(
    tmp_path: Path, prefix: Path, mosquitto: Mosquitto, csms: CentralSystem
) -> None:
    contracts = Contracts(prefix)
    rig = Rig(tmp_path, prefix, mosquitto.port, f"127.0.0.1:{csms.port}")
    commands = connect_to_everything(rig, contracts)
    assert len(commands) > 100
    async with rig.station("--standalone", "probe", wait=False) as station:
        await station.wait_for_status("WAITING_FOR_STANDALONE_MODULES")
        async with ProbeModule(rig, {}) as probe:
            await probe.start()
            for full in (False, True):
                for some in in_groups(commands, AT_ONCE):
                    await asyncio.gather(*(attempt(probe, contracts, command, full=full) for command in some))
        assert set(station.module_pids()) == set(rig.modules) - {"probe"}
        await csms.wait_for(lambda: csms.sessions, what="the station is online")
        assert (await csms.call(call.GetConfiguration(key=["NumberOfConnectors"]))).configuration_key
        assert "Traceback" not in station.log_text()
        assert await station.stop() == 0


def in_groups(commands: list[tuple[str, str, Schema]], size: int) -> list[list[tuple[str, str, Schema]]]:
    return [commands[start : start + size] for start in range(0, len(commands), size)]


async def attempt(probe: ProbeModule, contracts: Contracts, command: tuple[str, str, Schema], *, full: bool) -> None:
    """Call one command; it may be refused."""
    requirement, name, declared = command
    arguments = {
        argument: contracts.odd(schema, full=full) for argument, schema in (declared.get("arguments") or {}).items()
    }
    with contextlib.suppress(RuntimeError):
        await asyncio.wait_for(probe.call(requirement, name, **arguments), PATIENCE)
