"""Downloads and uploads: the port of the flows, and the real one over the network (station 5.2, 5.4, 9.9).

Here: `Transfer` and `NetworkTransfer`, which picks the protocol and bounds the time. partial.py: limits, and downloads
that go on where an attempt before stopped. http_transfer.py, ftp_transfer.py, sftp_transfer.py: the protocols.
May not be imported here: the flows, everest.
"""

from __future__ import annotations

import asyncio
import ftplib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

import httpx

from . import ftp_transfer, http_transfer, sftp_transfer
from .locations import Location, LocationError, parse
from .partial import Limits, Partial, TransferError, Validators

__all__ = ["Limits", "NetworkTransfer", "Transfer", "TransferError"]

Move = TypeVar("Move")
DOWNLOADS: dict[str, Callable[[Location, Partial, Limits], Awaitable[None]]] = {
    "http": http_transfer.download,
    "https": http_transfer.download,
    "ftp": ftp_transfer.download,
    "ftps": ftp_transfer.download,
    "sftp": sftp_transfer.download,
}
UPLOADS: dict[str, Callable[[Path, Location, Limits], Awaitable[None]]] = {
    "http": http_transfer.upload,
    "https": http_transfer.upload,
    "ftp": ftp_transfer.upload,
    "ftps": ftp_transfer.upload,
    "sftp": sftp_transfer.upload,
}


class Transfer(Protocol):
    """Moves one file. Errors of both: `TransferError`."""

    async def download(self, location: str, target: Path) -> None:
        """Fetch `location` into the file `target`; what an attempt before left there is gone on with if it can."""
        ...

    async def upload(self, source: Path, target: str) -> None:
        """Send the file `source` to the full name `target`."""
        ...


class NetworkTransfer:
    """The real transfers. Remembers of unfinished downloads how to tell that the server's file is still the same."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._validators: Validators = {}

    async def download(self, location: str, target: Path) -> None:
        """Fetch `location`; a scheme is guessed as http."""
        partial = Partial(target, location, self._validators, self._limits.max_bytes)

        async def move(place: Location) -> None:
            await _known(DOWNLOADS, place)(place, partial, self._limits)

        await self._guarded(location, "http", move)
        partial.done()

    async def upload(self, source: Path, target: str) -> None:
        """Send `source`; a scheme is guessed as https."""

        async def move(place: Location) -> None:
            await _known(UPLOADS, place)(source, place, self._limits)

        await self._guarded(target, "https", move)

    async def _guarded(self, location: str, default_scheme: str, move: Callable[[Location], Awaitable[None]]) -> None:
        try:
            place = parse(location, default_scheme=default_scheme)
            async with asyncio.timeout(self._limits.deadline):
                await move(place)
        except LocationError as error:
            raise TransferError(f"location {location!r}: {error}") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, EOFError, ftplib.Error) as error:
            raise TransferError(f"{type(error).__name__}: {error}") from error


def _known(moves: dict[str, Move], place: Location) -> Move:
    move = moves.get(place.scheme)
    if move is None:
        raise TransferError(f"scheme {place.scheme!r} is not supported, use {', '.join(moves)}")
    return move
