"""ftp and ftps, in a thread; what broke off is gone on with where the server can (station 9.9, RFC 3659).

Downloads go on by REST, uploads by APPE. ftp uses TLS where the server offers it and goes on without where it is
refused; ftps is TLS from the first byte. `ftp_session.py` is the connection.
Errors of the functions here: `ftplib.Error`, `OSError`, `EOFError`, `ValueError`, `TransferError`.
"""

from __future__ import annotations

import contextlib
import ftplib
import socket
from collections.abc import Callable, Iterator
from typing import BinaryIO

from .blocking import Cut, in_thread
from .ftp_session import CHUNK, REFUSED, Session
from .locations import Location
from .partial import Limits, Partial, Upload


async def download(place: Location, partial: Partial, limits: Limits) -> None:
    """RETR, with REST where a part of the same file is on disk."""
    await in_thread(lambda cut: _download(place, partial, limits, cut))


async def upload(place: Location, sending: Upload, limits: Limits) -> None:
    """STOR, or APPE where the server has the beginning from an attempt before."""
    await in_thread(lambda cut: _upload(place, sending, limits, cut))


@contextlib.contextmanager
def _session(place: Location, limits: Limits, cut: Cut) -> Iterator[Session]:
    """A logged in connection; encrypted for ftps, and for ftp if the server can (station 9.9)."""
    session = Session(limits, cut)
    try:
        session.begin(place)
        yield session
        with contextlib.suppress(ftplib.Error, OSError, EOFError):
            session.quit()  # all is said and done: how the server takes its leave matters to nobody
    finally:
        session.close()


def _path(place: Location) -> str:
    """Relative to the folder the server begins in; `//` at the beginning is the server's root."""
    return place.path.removeprefix("/")


def _download(place: Location, partial: Partial, limits: Limits, cut: Cut) -> None:
    path = _path(place)
    with _session(place, limits, cut) as session:
        size = session.tells(path)
        modified = session.modified(path)
        validator = f"{size} {modified}" if size is not None and modified is not None else None
        begin = partial.size if validator is not None and validator == partial.validator else 0
        cut.check()
        with partial.open(validator, resume=begin > 0, size=size) as file:
            session.fetch(path, begin, _then(file, partial, begin, cut))
        partial.is_whole(size)


def _then(file: BinaryIO, partial: Partial, begin: int, cut: Cut) -> Callable[[bytes], None]:
    written = begin

    def write(chunk: bytes) -> None:
        nonlocal written
        cut.check()
        written += len(chunk)
        partial.check(written)
        file.write(chunk)

    return write


def _upload(place: Location, sending: Upload, limits: Limits, cut: Cut) -> None:
    path = _path(place)
    with _session(place, limits, cut) as session, sending.source.open("rb") as file:
        begin = sending.begin(session.tells(path))
        line, begin = _target(session, path, begin)
        file.seek(begin)
        session.store(line, _blocks(file, begin, sending, cut))
        sending.arrived(session.tells(path))


def _target(session: Session, path: str, begin: int) -> tuple[socket.socket, int]:
    """The data connection, and from where to send; a server that does not append gets all of it again."""
    if begin:
        with contextlib.suppress(*REFUSED):
            return session.transfercmd(f"APPE {path}"), begin
    return session.transfercmd(f"STOR {path}"), 0


def _blocks(file: BinaryIO, begin: int, sending: Upload, cut: Cut) -> Iterator[bytes]:
    position = begin
    while chunk := file.read(CHUNK):
        cut.check()
        position += len(chunk)
        sending.passes(position)
        yield chunk
