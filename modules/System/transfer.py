"""Downloads and uploads over http, https, ftp and ftps, streaming (station 5.2, 5.4, 9.9).

Lives here: `Transfer` (the port of the two flows) and `NetworkTransfer`, the real one. HTTP errors are failures. ftp
uses TLS where the server offers it and goes on without where it is refused.
May not be imported here: the flows, everest.
"""

from __future__ import annotations

import asyncio
import ftplib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import httpx

from .locations import Location, LocationError, parse

CONNECT_TIMEOUT = 20.0
IDLE_TIMEOUT = 60.0
CHUNK = 64 * 1024


class TransferError(Exception):
    """A transfer failed; the text says why."""


class Transfer(Protocol):
    """Moves one file. Errors of both: `TransferError`."""

    async def download(self, location: str, target: Path) -> None:
        """Fetch `location` into the file `target`."""
        ...

    async def upload(self, source: Path, target: str) -> None:
        """Send the file `source` to the full name `target`."""
        ...


class NetworkTransfer:
    """The real transfers; `deadline` bounds one transfer as a whole, in seconds."""

    def __init__(self, *, deadline: float = 3600.0, connect_timeout: float = CONNECT_TIMEOUT) -> None:
        self._deadline = deadline
        self._connect_timeout = connect_timeout

    async def download(self, location: str, target: Path) -> None:
        """Fetch `location`; a scheme is guessed as http."""
        await self._guarded(location, "http", lambda place: self._download(place, target))

    async def upload(self, source: Path, target: str) -> None:
        """Send `source`; a scheme is guessed as https."""
        await self._guarded(target, "https", lambda place: self._upload(source, place))

    async def _guarded(self, location: str, default_scheme: str, move: Callable[[Location], Any]) -> None:
        try:
            place = parse(location, default_scheme=default_scheme)
            async with asyncio.timeout(self._deadline):
                await move(place)
        except LocationError as error:
            raise TransferError(f"location {location!r}: {error}") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, EOFError, ftplib.Error) as error:
            raise TransferError(f"{type(error).__name__}: {error}") from error

    async def _download(self, place: Location, target: Path) -> None:
        if place.scheme in ("ftp", "ftps"):
            await self._in_thread(lambda stop: _ftp_download(place, target, self._connect_timeout, stop))
        else:
            async with self._client(place) as client, client.stream("GET", place.url) as response:
                response.raise_for_status()
                await _write(response, target)

    async def _upload(self, source: Path, place: Location) -> None:
        if place.scheme in ("ftp", "ftps"):
            await self._in_thread(lambda stop: _ftp_upload(place, source, self._connect_timeout, stop))
        else:
            size = (await asyncio.to_thread(source.stat)).st_size
            async with self._client(place) as client:
                headers = {"Content-Length": str(size)}
                response = await client.put(place.url, content=_read(source), headers=headers)
                response.raise_for_status()

    def _client(self, place: Location) -> httpx.AsyncClient:
        if place.scheme not in ("http", "https"):
            raise TransferError(f"scheme {place.scheme!r} is not supported, use http, https, ftp or ftps")
        auth = httpx.BasicAuth(place.user, place.password or "") if place.user is not None else None
        timeout = httpx.Timeout(IDLE_TIMEOUT, connect=self._connect_timeout)
        headers = {"Accept-Encoding": "identity"}
        return httpx.AsyncClient(auth=auth, timeout=timeout, headers=headers, follow_redirects=True)

    @staticmethod
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


async def _write(response: httpx.Response, target: Path) -> None:
    with target.open("wb") as file:
        async for chunk in response.aiter_raw(CHUNK):
            await asyncio.to_thread(file.write, chunk)


async def _read(source: Path) -> AsyncIterator[bytes]:
    with source.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk


class _ImplicitTls(ftplib.FTP_TLS):
    """ftps: TLS from the first byte, which ftplib does not know."""

    def connect(self, *args: Any, **kwargs: Any) -> str:
        self._wrapped = False
        return super().connect(*args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "sock" and value is not None and not isinstance(value, ssl.SSLSocket):
            value = self.context.wrap_socket(value, server_hostname=self.host)
        super().__setattr__(name, value)


def _ftp(place: Location, timeout: float) -> ftplib.FTP_TLS:
    """A logged in connection; encrypted for ftps, and for ftp if the server can (station 9.9)."""
    context = ssl.create_default_context()
    implicit = place.scheme == "ftps"
    ftp = _ImplicitTls(context=context) if implicit else ftplib.FTP_TLS(context=context)
    try:
        ftp.connect(place.host, place.port or (990 if implicit else 21), timeout=timeout)
        encrypted = implicit or _offers_tls(ftp)
        ftp.login(place.user or "anonymous", place.password or "", secure=False)
        if encrypted:
            ftp.prot_p()
    except BaseException:
        ftp.close()
        raise
    return ftp


def _offers_tls(ftp: ftplib.FTP_TLS) -> bool:
    try:
        ftp.auth()
    except (ftplib.error_perm, ftplib.error_temp):
        return False
    return True


def _ftp_download(place: Location, target: Path, timeout: float, stop: Callable[[], None]) -> None:
    ftp = _ftp(place, timeout)
    try:
        with target.open("wb") as file:
            ftp.retrbinary(f"RETR {place.path.lstrip('/')}", _then(file, stop), CHUNK)
        ftp.quit()
    finally:
        ftp.close()


def _then(file: BinaryIO, stop: Callable[[], None]) -> Callable[[bytes], None]:
    def write(chunk: bytes) -> None:
        stop()
        file.write(chunk)

    return write


def _ftp_upload(place: Location, source: Path, timeout: float, stop: Callable[[], None]) -> None:
    ftp = _ftp(place, timeout)
    try:
        with source.open("rb") as file:
            ftp.storbinary(f"STOR {place.path.lstrip('/')}", file, CHUNK, callback=lambda chunk: stop())
        ftp.quit()
    finally:
        ftp.close()
