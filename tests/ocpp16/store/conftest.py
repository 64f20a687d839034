"""Both stores, so that one suite runs on either."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ocpp16.store.memory import MemoryStore
from ocpp16.store.sqlite import SqliteStore


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MemoryStore | SqliteStore]:
    store = MemoryStore(cache_capacity=3)
    if request.param == "sqlite":
        store = SqliteStore(tmp_path / "new" / "folder" / "cp001.db", cache_capacity=3)
    await store.open()
    yield store
    await store.close()
