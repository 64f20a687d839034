"""Fixtures of the conformance scenarios."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from everest.demo.csms import CentralSystem
from tests.support.conformance import Rig


@pytest.fixture
async def csms() -> AsyncIterator[CentralSystem]:
    async with CentralSystem() as central_system:
        yield central_system


@pytest.fixture
def rig(csms: CentralSystem, tmp_path: Path) -> Callable[..., Rig]:
    """`async with rig(KEY=value) as station:`"""

    def make(**replaced: Any) -> Rig:
        return Rig(csms, tmp_path, **replaced)

    return make
