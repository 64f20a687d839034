"""Puts the contracts, modules and configurations into the wheel as an EVerest-shaped prefix.

Only into a real wheel: an editable install finds them in the checkout, and a copy in site-packages would go stale.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PREFIX = "everest/manager/prefix"
LAYOUT = {
    "interfaces": f"{PREFIX}/share/everest/interfaces",
    "types": f"{PREFIX}/share/everest/types",
    "errors": f"{PREFIX}/share/everest/errors",
    "modules": f"{PREFIX}/libexec/everest/modules",
    "scenarios": f"{PREFIX}/share/everest/scenarios",
    "config": f"{PREFIX}/etc/everest",
    "manifest.yaml": f"{PREFIX}/etc/everest/default.yaml",
}


class PrefixBuildHook(BuildHookInterface[Any]):
    """hatchling build hook, named `custom` in pyproject.toml."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            build_data["force_include"].update(LAYOUT)
