"""sftp, where the extra `sftp` (asyncssh) is installed; without it a location with that scheme fails and says so.

What broke off is gone on with in both directions: sftp reads and writes at any place of a file. The server's host key
must be known: from the configured file, else from the user's known_hosts.
Errors of the functions here: `OSError`, `ValueError`, `TransferError`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from .locations import Location
from .partial import Limits, Partial, TransferError, Upload

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
            partial.is_whole(found.size)
    except (asyncssh.Error, asyncssh.SFTPError) as error:
        raise TransferError(f"{type(error).__name__}: {error}") from error


async def upload(place: Location, sending: Upload, limits: Limits) -> None:
    """Write in blocks, from where an attempt before stopped."""
    asyncssh = _asyncssh()
    try:
        async with _connection(asyncssh, place, limits) as connection, connection.start_sftp_client() as sftp:
            begin = sending.begin(await _size(asyncssh, sftp, place.path))
            async with sftp.open(place.path, asyncssh.FXF_WRITE if begin else "wb", encoding=None) as remote:
                await _send(remote, sending, begin, limits)
            sending.arrived(await _size(asyncssh, sftp, place.path))
    except (asyncssh.Error, asyncssh.SFTPError) as error:
        raise TransferError(f"{type(error).__name__}: {error}") from error


async def _size(asyncssh: Any, sftp: Any, path: str) -> int | None:
    """None where there is no such file, and where the server does not tell."""
    try:
        size: int | None = (await sftp.stat(path)).size
    except asyncssh.SFTPError:
        return None
    return size


async def _send(remote: Any, sending: Upload, begin: int, limits: Limits) -> None:
    position = begin
    with sending.source.open("rb") as file:
        file.seek(begin)
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            sending.passes(position + len(chunk))
            async with asyncio.timeout(limits.idle):
                await remote.write(chunk, position)
            position += len(chunk)


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
