"""http and https, streaming; a download goes on by Range where the server can (RFC 9110 section 14).

Errors of the functions here: `httpx.HTTPError`, `OSError`, `TransferError`. HTTP errors are failures.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from .locations import Location
from .partial import Limits, Partial, TransferError

CHUNK = 64 * 1024


async def download(place: Location, partial: Partial, limits: Limits) -> None:
    """Fetch; with a part on disk only the rest is asked for, if the file is still the same (If-Range)."""
    headers = {}
    if partial.validator is not None:
        headers = {"Range": f"bytes={partial.size}-", "If-Range": partial.validator}
    async with _client(place, limits) as client, client.stream("GET", place.url, headers=headers) as response:
        resume = response.status_code == httpx.codes.PARTIAL_CONTENT
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            partial.done()  # the next attempt begins anew
        response.raise_for_status()
        if resume and not response.headers.get("Content-Range", "").startswith(f"bytes {partial.size}-"):
            partial.done()
            raise TransferError(f"the server sent another part: {response.headers.get('Content-Range')!r}")
        await _write(response, partial, resume=resume)


async def upload(source: Path, place: Location, limits: Limits) -> None:
    """PUT."""
    size = (await asyncio.to_thread(source.stat)).st_size
    async with _client(place, limits) as client:
        response = await client.put(place.url, content=_read(source), headers={"Content-Length": str(size)})
        response.raise_for_status()


def _client(place: Location, limits: Limits) -> httpx.AsyncClient:
    auth = httpx.BasicAuth(place.user, place.password or "") if place.user is not None else None
    return httpx.AsyncClient(
        auth=auth,
        timeout=httpx.Timeout(limits.idle, connect=limits.connect),
        headers={"Accept-Encoding": "identity"},
        follow_redirects=True,
        verify=limits.tls(),
    )


def _validator(response: httpx.Response) -> str | None:
    """A strong ETag, else Last-Modified; only what If-Range may carry (RFC 9110 section 13.1.5)."""
    tag: str | None = response.headers.get("ETag")
    if tag is not None and not tag.startswith("W/"):
        return tag
    modified: str | None = response.headers.get("Last-Modified")
    return modified


async def _write(response: httpx.Response, partial: Partial, *, resume: bool) -> None:
    written = partial.size if resume else 0
    length = response.headers.get("Content-Length", "")
    size = written + int(length) if length.isdecimal() else None
    with partial.open(_validator(response), resume=resume, size=size) as file:
        async for chunk in response.aiter_raw(CHUNK):
            written += len(chunk)
            partial.check(written)
            await asyncio.to_thread(file.write, chunk)


async def _read(source: Path) -> AsyncIterator[bytes]:
    with source.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
