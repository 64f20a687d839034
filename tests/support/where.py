"""A pytest plug-in that prints which copy of the library is under test."""

from __future__ import annotations

import ocpp16


def pytest_report_header() -> str:
    return f"ocpp16 from {ocpp16.__file__}"
