"""ftp and ftps, in a thread; a download goes on by REST where the server can (station 9.9, RFC 3659).

ftp uses TLS where the server offers it and goes on without where it is refused; ftps is TLS from the first byte.
Errors of the functions here: `ftplib.Error`, `OSError`, `EOFError`, `TransferError`.
"""

from __future__ import annotations

import asyncio
import ftplib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from .locations import Location
from .partial import Limits, Partial, TransferError

CHUNK = 64 * 1024
REFUSED = (ftplib.error_perm, ftplib.error_temp)


async def download(place: Location, partial: Partial, limits: Limits) -> None:
    """RETR, with REST where a part of the same file is on disk."""
    await _in_thread(lambda stop: _download(place, partial, limits, stop))


async def upload(source: Path, place: Location, limits: Limits) -> None:
    """STOR."""
    await _in_thread(lambda stop: _upload(place, source, limits, stop))


async def _in_thread(move: Callable[[Callable[[], None]], None]) -> None:
    """Run a blocking transfer; when this is cancelled, the transfer ends at its next block."""
    cancelled = False

    def stop() -> None:
        if cancelled:
            raise TransferError("cancelled")

    try:
        await asyncio.to_thread(move, stop)
    except asyncio.CancelledError:
        cancelled = True
        raise


class _ImplicitTls(ftplib.FTP_TLS):
    """ftps: TLS from the first byte, which ftplib does not know."""

    def connect(self, *args: Any, **kwargs: Any) -> str:
        self._wrapped = False
        return super().connect(*args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "sock" and value is not None and not isinstance(value, ssl.SSLSocket):
            value = self.context.wrap_socket(value, server_hostname=self.host)
        super().__setattr__(name, value)


def _connect(place: Location, limits: Limits) -> ftplib.FTP_TLS:
    """A logged in connection; encrypted for ftps, and for ftp if the server can (station 9.9)."""
    context = limits.tls()
    implicit = place.scheme == "ftps"
    ftp = _ImplicitTls(context=context) if implicit else ftplib.FTP_TLS(context=context)
    try:
        ftp.connect(place.host, place.port or (990 if implicit else 21), timeout=limits.connect)
        encrypted = implicit or _offers_tls(ftp)
        ftp.login(place.user or "anonymous", place.password or "", secure=False)
        if encrypted:
            ftp.prot_p()
        ftp.voidcmd("TYPE I")
        if ftp.sock is not None:
            ftp.sock.settimeout(limits.idle)
        ftp.timeout = limits.idle
    except BaseException:
        ftp.close()
        raise
    return ftp


def _offers_tls(ftp: ftplib.FTP_TLS) -> bool:
    try:
        ftp.auth()
    except REFUSED:
        return False
    return True


def _download(place: Location, partial: Partial, limits: Limits, stop: Callable[[], None]) -> None:
    path = place.path.lstrip("/")
    ftp = _connect(place, limits)
    try:
        size = _size(ftp, path)
        modified = _modified(ftp, path)
        validator = f"{size} {modified}" if size is not None and modified is not None else None
        begin = partial.size if validator is not None and validator == partial.validator else 0
        with partial.open(validator, resume=begin > 0, size=size) as file:
            ftp.retrbinary(f"RETR {path}", _then(file, partial, begin, stop), CHUNK, rest=begin or None)
        if size is not None and partial.size != size:
            raise TransferError(f"the server sent {partial.size} of {size} bytes")
        ftp.quit()
    finally:
        ftp.close()


def _size(ftp: ftplib.FTP, path: str) -> int | None:
    """None where the server cannot tell."""
    try:
        return ftp.size(path)
    except REFUSED:
        return None


def _modified(ftp: ftplib.FTP, path: str) -> str | None:
    try:
        return ftp.voidcmd(f"MDTM {path}")
    except REFUSED:
        return None


def _then(file: BinaryIO, partial: Partial, begin: int, stop: Callable[[], None]) -> Callable[[bytes], None]:
    written = begin

    def write(chunk: bytes) -> None:
        nonlocal written
        stop()
        written += len(chunk)
        partial.check(written)
        file.write(chunk)

    return write


def _upload(place: Location, source: Path, limits: Limits, stop: Callable[[], None]) -> None:
    ftp = _connect(place, limits)
    try:
        with source.open("rb") as file:
            ftp.storbinary(f"STOR {place.path.lstrip('/')}", file, CHUNK, callback=lambda chunk: stop())
        ftp.quit()
    finally:
        ftp.close()
