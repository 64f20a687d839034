"""What must survive a kill: the meter's register and the id of the running session (station 2.10).

Two stores behind one face: the `kvs` of the stack, or a file in the working directory for the register alone. A store
that fails is logged and charging goes on. A SIGKILL does not lose what was written here; nothing waits for fsync.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from logging import getLogger
from pathlib import Path
from typing import Any, Protocol, TypeVar

from everest.contracts.interfaces.kvs import KvsClient
from everest.runtime import CommandError, Shutdown

log = getLogger(__name__)
T = TypeVar("T")

STORE_TIMEOUT_S = 5.0


class Register(Protocol):
    """Keeps values by key over a restart."""

    async def load(self, key: str) -> Any:
        """The stored value, None if there is none or it cannot be read."""
        ...

    async def store(self, key: str, value: Any) -> None: ...


class KvsRegister:
    """Over the stack's key value store."""

    def __init__(self, client: KvsClient) -> None:
        self._client = client

    async def load(self, key: str) -> Any:
        return await self._guarded(lambda: self._client.load(key), f"load {key}")

    async def store(self, key: str, value: Any) -> None:
        await self._guarded(lambda: self._client.store(key, value), f"store {key}")

    async def _guarded(self, call: Callable[[], Awaitable[T]], what: str) -> T | None:
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                return await call()
        except Shutdown:
            log.debug("the module is ending; the key value store was not asked to %s", what)
        except (CommandError, TimeoutError) as error:
            log.error("the key value store could not %s (%r); it would not survive a restart", what, error)
        return None


class FileRegister:
    """One small JSON file per key in `folder`, replaced as a whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def load(self, key: str) -> Any:
        return self._read(self._folder / f"{key}.json")

    async def store(self, key: str, value: Any) -> None:
        self._write(self._folder / f"{key}.json", value)

    def _read(self, path: Path) -> Any:
        try:
            return json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            log.error("%s cannot be read (%s); starting without it", path, error)
            return None

    def _write(self, path: Path, value: Any) -> None:
        temporary = path.with_suffix(".new")
        try:
            temporary.write_text(json.dumps(value))
            temporary.replace(path)
        except OSError as error:
            log.error("%s cannot be written (%s); it would not survive a restart", path, error)
