"""sftp, where the extra `sftp` (asyncssh) is installed; without it a location with that scheme fails and says so.

The server's host key must be known: from the configured file, else from the user's known_hosts.
Errors of the functions here: `OSError`, `TransferError`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from .locations import Location
from .partial import Limits, Partial, TransferError

CHUNK = 64 * 1024


async def download(place: Location, partial: Partial, limits: Limits) -> None:
    """Read in blocks, from where the part on disk ends if size and time of the file are still the same."""
    asyncssh = _asyncssh()
    try:
        async with _connection(asyncssh, place, limits) as connection, connection.start_sftp_client() as sftp:
            found = await sftp.stat(place.path)
            validator = f"{found.size} {found.mtime}"
            begin = partial.size if validator == partial.validator else 0
            with partial.open(validator, resume=begin > 0, size=found.size) as file:
                async with sftp.open(place.path, "rb") as remote:
                    await _copy(remote, file, partial, begin, limits)
    except (asyncssh.Error, asyncssh.SFTPError) as error:
        raise TransferError(f"{type(error).__name__}: {error}") from error


async def upload(source: Path, place: Location, limits: Limits) -> None:
    """Write in blocks."""
    asyncssh = _asyncssh()
    try:
        async with _connection(asyncssh, place, limits) as connection, connection.start_sftp_client() as sftp:
            with source.open("rb") as file:
                async with sftp.open(place.path, "wb") as remote:
                    while chunk := await asyncio.to_thread(file.read, CHUNK):
                        async with asyncio.timeout(limits.idle):
                            await remote.write(chunk)
    except (asyncssh.Error, asyncssh.SFTPError) as error:
        raise TransferError(f"{type(error).__name__}: {error}") from error


def _asyncssh() -> Any:
    try:
        import asyncssh
    except ImportError as error:
        raise TransferError("sftp needs the package asyncssh: install the extra `sftp`") from error
    return asyncssh


def _connection(asyncssh: Any, place: Location, limits: Limits) -> Any:
    known_hosts = {} if limits.known_hosts is None else {"known_hosts": str(limits.known_hosts)}
    return asyncssh.connect(
        place.host,
        place.port or 22,
        username=place.user or (),
        password=place.password,
        connect_timeout=limits.connect,
        config=None,
        **known_hosts,
    )


async def _copy(remote: Any, file: Any, partial: Partial, begin: int, limits: Limits) -> None:
    written = begin
    while True:
        async with asyncio.timeout(limits.idle):
            chunk = await remote.read(CHUNK, written)
        if not chunk:
            return
        written += len(chunk)
        partial.check(written)
        await asyncio.to_thread(file.write, chunk)
