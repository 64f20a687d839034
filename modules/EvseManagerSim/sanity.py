"""What a configuration may not be although each of its values is one that the manifest allows. Pure.

`check` is asked at the start, before anything is made of the configuration: what it refuses would end the module, or
would come out as nonsense, later.
"""

from __future__ import annotations

from collections.abc import Mapping

from everest.runtime import StartupError

from .settings import ConfigValue, Settings


def check(config: Mapping[str, ConfigValue]) -> None:
    """Errors: StartupError with key, value and fix."""
    _in_order(config, "min_current_A_import", "max_current_A_import", "A")
    if Settings(config).dc:
        _in_order(config, "dc_target_voltage", "dc_max_voltage_limit", "V")


def _in_order(config: Mapping[str, ConfigValue], low: str, high: str, unit: str) -> None:
    if config[low] > config[high]:  # type: ignore[operator]
        what = f"configuration key {low}: {config[low]:g} {unit} is above {high}, {config[high]:g} {unit}"
        raise StartupError(f"{what}; lower the one or raise the other")
