"""http and https, streaming; a download goes on by Range where the server can (RFC 9110 section 14).

An upload is one PUT and begins anew at each attempt: HTTP knows no way to go on with one (RFC 9110 section 9.3.4).
Redirections are followed, but never from https to http, and an upload only where its file is wanted again elsewhere.
Errors of the functions here: `httpx.HTTPError`, `OSError`, `ValueError`, `TransferError`. HTTP errors are failures.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx

from .locations import Location
from .partial import Limits, Partial, TransferError, Upload

CHUNK = 64 * 1024
MAX_REDIRECTS = 20
ELSEWHERE = {"GET": frozenset({301, 302, 303, 307, 308}), "PUT": frozenset({301, 302, 307, 308})}
"""Method -> the statuses that want the request at another place. 303 wants a GET, which would upload nothing."""


async def download(place: Location, partial: Partial, limits: Limits) -> None:
    """Fetch; with a part on disk only the rest is asked for, if the file is still the same (If-Range)."""
    headers = {}
    if partial.validator is not None:
        headers = {"Range": f"bytes={partial.size}-", "If-Range": partial.validator}
    async with _answer("GET", place, limits, headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            partial.done()  # the next attempt begins anew
        if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            raise TransferError(f"the server sent no file: {response.status_code} {response.reason_phrase}")
        resume = response.status_code == httpx.codes.PARTIAL_CONTENT
        if resume and not response.headers.get("Content-Range", "").startswith(f"bytes {partial.size}-"):
            partial.done()
            raise TransferError(f"the server sent another part: {response.headers.get('Content-Range')!r}")
        await _write(response, partial, resume=resume)


async def upload(place: Location, sending: Upload, limits: Limits) -> None:
    """PUT, again and whole at each place it is redirected to. What the server says besides its status is not read."""
    async with _answer("PUT", place, limits, {"Content-Length": str(sending.size)}, sending.source) as response:
        if not response.is_success:
            raise TransferError(f"the server did not take the file: {response.status_code} {response.reason_phrase}")


@contextlib.asynccontextmanager
async def _answer(
    method: str, place: Location, limits: Limits, headers: Mapping[str, str], source: Path | None = None
) -> AsyncIterator[httpx.Response]:
    """The answer at the end of all redirections, its body not read yet; those on the way are never read.

    Credentials go to the place they were given for, not to another server it names.
    """
    first = url = httpx.URL(place.url)
    async with _client(place, limits) as client:
        for _ in range(MAX_REDIRECTS):
            auth = httpx.USE_CLIENT_DEFAULT if _same_origin(url, first) else None
            content = None if source is None else _read(source)
            async with client.stream(method, url, content=content, headers=headers, auth=auth) as response:
                if response.status_code not in ELSEWHERE[method] or "Location" not in response.headers:
                    yield response
                    return
                url = _next(response)
    raise TransferError(f"more than {MAX_REDIRECTS} redirections")


def _client(place: Location, limits: Limits) -> httpx.AsyncClient:
    auth = httpx.BasicAuth(place.user, place.password or "") if place.user is not None else None
    return httpx.AsyncClient(
        auth=auth,
        timeout=httpx.Timeout(limits.idle, connect=limits.connect),
        headers={"Accept-Encoding": "identity"},
        follow_redirects=False,
        verify=limits.tls(),
    )


def _next(response: httpx.Response) -> httpx.URL:
    """Where a redirection leads. Errors: TransferError where it leaves https; `httpx.InvalidURL`."""
    target = response.url.join(response.headers["Location"])
    if response.url.scheme == "https" and target.scheme != "https":
        raise TransferError(f"the server redirects from https to {target.scheme}")
    return target


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
        async for chunk in response.aiter_raw():  # as it comes: what came before a break is kept
            written += len(chunk)
            partial.check(written)
            await asyncio.to_thread(file.write, chunk)
    partial.is_whole(size)


async def _read(source: Path) -> AsyncIterator[bytes]:
    with source.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
