"""What the System module needs to be played in virtual time by `everest-manager scenario`: a file server without a
socket.

Not used otherwise. The player's side is told by the protocols below, so nothing of the tool is imported.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol

from .system import System
from .transfer import TransferError

SECONDS = 1.0
"""How long a transfer takes."""


class Files(Protocol):
    def get(self, url: str) -> bytes:
        """Raises ConnectionError."""
        ...

    def put(self, url: str, content: bytes) -> None:
        """Raises ConnectionError."""
        ...


class Surroundings(Protocol):
    @property
    def files(self) -> Files: ...


def attach(module: System, surroundings: Surroundings) -> None:
    """Put the scenario's file server in place of the network."""
    module.host.transfer = MemoryTransfer(surroundings.files)


class MemoryTransfer:
    """`transfer.Transfer` without a network."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def download(self, location: str, target: Path) -> None:
        await asyncio.sleep(SECONDS)
        try:
            content = self._files.get(location)
        except ConnectionError as error:
            raise TransferError(str(error.args[0])) from error
        await asyncio.get_running_loop().run_in_executor(None, target.write_bytes, content)

    async def upload(self, source: Path, target: str) -> None:
        content = await asyncio.get_running_loop().run_in_executor(None, source.read_bytes)
        await asyncio.sleep(SECONDS)
        try:
            self._files.put(target, content)
        except ConnectionError as error:
            raise TransferError(str(error.args[0])) from error
