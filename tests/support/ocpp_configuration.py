"""The ready-to-run OCPP configuration with some keys replaced, for tests of every kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ocpp16.configuration import keys

BASE = Path(__file__).resolve().parents[2] / "config/ocpp/config-sil.json"


def ocpp_configuration(changes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """`config-sil.json` with `changes` (key -> value), each put into the section that its key belongs to."""
    sections: dict[str, dict[str, Any]] = json.loads(BASE.read_text(encoding="utf-8"))
    for name, value in changes.items():
        sections.setdefault(keys.TABLE[name].section, {})[name] = value
    return sections
