"""Downloads and uploads: the port of the flows, and the real one over the network (station 5.2, 5.4, 9.9).

Here: `Transfer` and `NetworkTransfer`, which picks the protocol and bounds the time. partial.py: limits, and what goes
on where an attempt before stopped. http_transfer.py, ftp_transfer.py, sftp_transfer.py: the protocols.
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
from .locations import Location, LocationError, parse, shown
from .partial import Limits, Partial, Sent, TransferError, Upload

__all__ = ["Limits", "NetworkTransfer", "Transfer", "TransferError"]

Move = TypeVar("Move")
LONGEST_REASON = 300
"""Characters of an error that are told."""
DOWNLOADS: dict[str, Callable[[Location, Partial, Limits], Awaitable[None]]] = {
    "http": http_transfer.download,
    "https": http_transfer.download,
    "ftp": ftp_transfer.download,
    "ftps": ftp_transfer.download,
    "sftp": sftp_transfer.download,
}
UPLOADS: dict[str, Callable[[Location, Upload, Limits], Awaitable[None]]] = {
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
        """Send the file `source` to the full name `target`; an attempt before is gone on with if it can."""
        ...


class NetworkTransfer:
    """The real transfers. Remembers of unfinished uploads what it takes to go on: see `partial.py`."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._sent: Sent = {}

    async def download(self, location: str, target: Path) -> None:
        """Fetch `location`; a scheme is guessed as http."""
        partial = Partial(target, location, self._limits.max_bytes)

        async def move(place: Location) -> None:
            await _known(DOWNLOADS, place)(place, partial, self._limits)

        await self._guarded(location, "http", move)
        partial.done()

    async def upload(self, source: Path, target: str) -> None:
        """Send `source`; a scheme is guessed as https."""
        self._forget()

        async def move(place: Location) -> None:
            await _known(UPLOADS, place)(place, Upload(source, target, self._sent), self._limits)

        await self._guarded(target, "https", move)

    def _forget(self) -> None:
        """Files that are gone are not gone on with."""
        for upload in [key for key in self._sent if not key.source.exists()]:
            del self._sent[upload]

    async def _guarded(self, location: str, default_scheme: str, move: Callable[[Location], Awaitable[None]]) -> None:
        """A location comes from outside: whatever it says, and whatever its server answers, is a failed transfer."""
        limit = asyncio.timeout(self._limits.deadline)
        try:
            async with limit:
                await move(parse(location, default_scheme=default_scheme))
        except (LocationError, TransferError) as error:
            raise TransferError(f"{shown(location)!r}: {error}") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, EOFError, ValueError, ftplib.Error) as error:
            reason = f"not done within {self._limits.deadline:g} s" if limit.expired() else _told(error)
            raise TransferError(f"{shown(location)!r}: {reason}") from error


def _told(error: Exception) -> str:
    """An error in one line of bounded length; servers may say much, and some errors say nothing but their name."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:LONGEST_REASON]}" if text else type(error).__name__


def _known(moves: dict[str, Move], place: Location) -> Move:
    move = moves.get(place.scheme)
    if move is None:
        raise TransferError(f"scheme {place.scheme!r} is not supported, use {', '.join(moves)}")
    return move
