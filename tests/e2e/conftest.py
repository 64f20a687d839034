"""Fixtures of the end-to-end tests: a private mosquitto, a bus client, an independent central system."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from everest.demo.csms import CentralSystem
from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.stack import Bus


@pytest.fixture
async def csms() -> AsyncIterator[CentralSystem]:
    async with CentralSystem() as running:
        yield running


@pytest.fixture
async def bus(mosquitto: Mosquitto) -> AsyncIterator[Bus]:
    async with Bus(mosquitto.port) as client:
        yield client


__all__ = ["bus", "csms", "mosquitto"]
