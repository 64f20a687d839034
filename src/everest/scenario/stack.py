"""The stack that a scenario is played on: a configuration of the manager with the scenario's parameters.

Lives here: `configured`, `changed`, `evses`. What steps may name of a stack is in names.py.
May not be imported here: modules by name, ocpp16.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from everest.manager import config, paths
from everest.manager.errors import BootError, ConfigError
from everest.manager.model import MODULE_SCOPE, Stack
from everest.manager.parameters import with_parameter
from everest.scenario import settings
from everest.scenario.model import Mistake, Scenario

OCPP_CONFIG = "ocpp-scenario.json"


def configured(scenario: Scenario, folder: Path, url: str, prefix: Path | None = None) -> Stack:
    """The stack with the scenario's parameters; `folder` takes its files. Raises ManagerError."""
    stack, mistakes = changed(scenario, folder, url, prefix)
    if mistakes:
        raise ConfigError([scenario.problem(mistake) for mistake in mistakes])
    return stack


def changed(scenario: Scenario, folder: Path, url: str, prefix: Path | None = None) -> tuple[Stack, list[Mistake]]:
    """The stack with those of the scenario's parameters that are right, and what is wrong with the others.

    `prefix` is the EVerest installation whose modules and configurations are meant; None: this one. Raises
    ManagerError where there is no stack.
    """
    layout = paths.resolve(prefix)
    named = scenario.station.config
    beside = None if named is None else scenario.file.parent / named
    file = paths.find_config(layout, str(beside) if beside is not None and beside.is_file() else named)
    stack = config.load(file, config.LoadOptions(layout, {}, state_dir=folder))
    mistakes = list(_ocpp_is_there(scenario, stack))
    for module in stack.modules_named("OCPP"):
        base = _ocpp_config(layout, str(parameter(stack, module.id, "ChargePointConfigPath")))
        keys, wrong = settings.with_keys(base, scenario.station.ocpp)
        mistakes += [Mistake(("station", "ocpp", *place), text, fix) for place, text, fix in wrong]
        stack = with_parameter(stack, module.id, "ChargePointConfigPath", _written(scenario, folder, keys, url))
    for module in stack.modules.values():
        if "noise_seed" in stack.manifests[module.name].parameters:  # whatever name it is installed by
            stack = with_parameter(stack, module.id, "noise_seed", scenario.seed)
    stack, wrong = settings.with_parameters(stack, scenario.station.modules)
    return stack, mistakes + [Mistake(("station", "modules", *place), text, fix) for place, text, fix in wrong]


def _ocpp_is_there(scenario: Scenario, stack: Stack) -> Iterator[Mistake]:
    if scenario.station.ocpp and not stack.modules_named("OCPP"):
        yield Mistake(
            ("station", "ocpp"), "the stack has no module OCPP", "remove it, or name another `station.config`"
        )


def _written(scenario: Scenario, folder: Path, keys: settings.Keys, url: str) -> str:
    """The file with the OCPP configuration."""
    found = {**keys, "Internal": {**keys.get("Internal", {}), "CentralSystemURI": url}}
    path = folder / OCPP_CONFIG
    path.write_text(json.dumps(found, indent=2), encoding="utf-8")
    origin = path.with_name(f"{path.name}.copy-of")  # what the module names when it finds a fault
    origin.write_text(f"{scenario.file} (station.ocpp)", encoding="utf-8")
    return str(path)


def _ocpp_config(layout: paths.Layout, name: str) -> settings.Keys:
    """The OCPP configuration of the stack. Raises BootError."""
    candidates = [Path(name), layout.configs_dir / name, layout.data_dir / "modules" / "OCPP" / name]
    base = next((path for path in candidates if path.is_file()), None)
    if base is None:
        raise BootError(f"ChargePointConfigPath {name!r} names no file; looked for {', '.join(map(str, candidates))}")
    keys: settings.Keys = json.loads(base.read_text(encoding="utf-8"))
    return keys


def parameter(stack: Stack, module_id: str, name: str, scope: str = MODULE_SCOPE) -> Any:
    """A parameter's value; None where the module has none of that name."""
    entries = stack.modules[module_id].parameters.get(scope, ())
    return next((entry.value for entry in entries if entry.name == name), None)


def evses(stack: Stack) -> dict[int, str]:
    """Module id of each EVSE by its `connector_id`."""
    numbers = {module_id: parameter(stack, module_id, "connector_id") for module_id in stack.modules}
    return {int(number): module_id for module_id, number in numbers.items() if number is not None}
