"""http and https, streaming; a download goes on by Range where the server can (RFC 9110 section 14).

An upload is one PUT and begins anew at each attempt: HTTP knows no way to go on with one (RFC 9110 section 9.3.4).
Redirections are followed, but never from https to http, and an upload only where its file is wanted again elsewhere.
Errors of the functions here: `httpx.HTTPError`, `OSError`, `ValueError`, `TransferError`. HTTP errors are failures.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from .locations import Location
from .partial import Limits, Partial, TransferError, Upload

CHUNK = 64 * 1024
MAX_REDIRECTS = 20
ELSEWHERE = frozenset({301, 302, 307, 308})
"""The same request is wanted at another place. 303 is not among them: it asks for a GET, which would send nothing."""


async def download(place: Location, partial: Partial, limits: Limits) -> None:
    """Fetch; with a part on disk only the rest is asked for, if the file is still the same (If-Range)."""
    headers = {}
    if partial.validator is not None:
        headers = {"Range": f"bytes={partial.size}-", "If-Range": partial.validator}
    async with _client(place, limits) as client, client.stream("GET", place.url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            partial.done()  # the next attempt begins anew
        response.raise_for_status()
        if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            raise TransferError(f"the server sent no file: {response.status_code} {response.reason_phrase}")
        resume = response.status_code == httpx.codes.PARTIAL_CONTENT
        if resume and not response.headers.get("Content-Range", "").startswith(f"bytes {partial.size}-"):
            partial.done()
            raise TransferError(f"the server sent another part: {response.headers.get('Content-Range')!r}")
        await _write(response, partial, resume=resume)


async def upload(place: Location, sending: Upload, limits: Limits) -> None:
    """PUT, again and whole at each place it is redirected to. What the server says besides its status is not read."""
    url = httpx.URL(place.url)
    headers = {"Content-Length": str(sending.size)}
    async with _client(place, limits) as client:
        for _ in range(MAX_REDIRECTS):
            auth = httpx.USE_CLIENT_DEFAULT if _same_origin(url, httpx.URL(place.url)) else None
            request = client.stream(
                "PUT", url, content=_read(sending.source), headers=headers, auth=auth, follow_redirects=False
            )
            async with request as response:
                if response.status_code not in ELSEWHERE or "Location" not in response.headers:
                    response.raise_for_status()
                    return
                await _no_downgrade(response)
                url = response.url.join(response.headers["Location"])
    raise TransferError(f"more than {MAX_REDIRECTS} redirections")


def _client(place: Location, limits: Limits) -> httpx.AsyncClient:
    auth = httpx.BasicAuth(place.user, place.password or "") if place.user is not None else None
    return httpx.AsyncClient(
        auth=auth,
        timeout=httpx.Timeout(limits.idle, connect=limits.connect),
        headers={"Accept-Encoding": "identity"},
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        event_hooks={"response": [_no_downgrade]},
        verify=limits.tls(),
    )


async def _no_downgrade(response: httpx.Response) -> None:
    """Errors: TransferError where a redirection leaves https."""
    if response.has_redirect_location and response.url.scheme == "https":
        target = response.url.join(response.headers["Location"])
        if target.scheme != "https":
            raise TransferError(f"the server redirects from https to {target.scheme}")


def _same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def _validator(response: httpx.Response) -> str | None:
    """A strong ETag, else Last-Modified; only what If-Range may carry (RFC 9110 section 13.1.5)."""
    tag: str | None = response.headers.get("ETag")
    if tag is not None and not tag.startswith("W/"):
        return tag
    modified: str | None = response.headers.get("Last-Modified")
    return modified


def _size(response: httpx.Response, *, resume: bool) -> int | None:
    """Of the whole file, as far as the server tells; a part is not always all the rest."""
    if resume:
        total = response.headers["Content-Range"].rpartition("/")[2]
        return int(total) if total.isdecimal() else None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


async def _write(response: httpx.Response, partial: Partial, *, resume: bool) -> None:
    written = partial.size if resume else 0
    size = _size(response, resume=resume)
    with partial.open(_validator(response), resume=resume, size=size) as file:
        async for chunk in response.aiter_raw(CHUNK):
            written += len(chunk)
            partial.check(written)
            await asyncio.to_thread(file.write, chunk)
    partial.is_whole(size)


async def _read(source: Path) -> AsyncIterator[bytes]:
    with source.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
