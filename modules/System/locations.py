"""What a location of a request says (station 5.2, 9.9). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

DISABLE = "disable_connectors_during_install"


class LocationError(ValueError):
    """The location cannot be used; the text says why."""


@dataclass(frozen=True)
class Location:
    """A place on a server. `path` is percent-decoded; `url` is what was given, without fragment and credentials."""

    scheme: str
    host: str
    port: int | None
    path: str
    user: str | None
    password: str | None
    url: str


def parse(location: str, *, default_scheme: str) -> Location:
    """Take a location apart. Errors: `LocationError`."""
    text = location.strip()
    if "://" not in text:
        text = f"{default_scheme}://{text}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise LocationError(f"{error}") from error
    if not parts.hostname:
        raise LocationError("it names no host")
    return Location(
        scheme=parts.scheme.lower(),
        host=parts.hostname,
        port=port,
        path=unquote(parts.path),
        user=unquote(parts.username) if parts.username is not None else None,
        password=unquote(parts.password) if parts.password is not None else None,
        url=_plain(parts),
    )


def _plain(parts: SplitResult) -> str:
    return parts._replace(fragment="", netloc=parts.netloc.rpartition("@")[2]).geturl()


def shown(location: str) -> str:
    """The location as it may stand in a log: without credentials, and without query, which may hold a key."""
    scheme, separator, rest = location.partition("://")
    if not separator:
        scheme, rest = "", location
    place, slash, path = rest.partition("/")
    plain = f"{scheme}{separator}{place.rpartition('@')[2]}{slash}{path}"
    return plain.partition("#")[0].partition("?")[0]


def upload_target(location: str, file_name: str) -> str:
    """The location with `file_name` appended where it has no path or ends with `/` (station 9.9)."""
    base, _, query = location.partition("#")[0].partition("?")
    tail = f"?{query}" if query else ""
    if base.endswith("/"):
        return f"{base}{file_name}{tail}"
    has_path = "/" in base.partition("://")[2] if "://" in base else "/" in base
    return f"{base}{tail}" if has_path else f"{base}/{file_name}{tail}"


def disables_connectors(location: str) -> bool | None:
    """`disable_connectors_during_install` of the fragment; None if the fragment does not say."""
    values = parse_qs(location.partition("#")[2]).get(DISABLE)
    return values[-1].strip().lower() not in ("false", "0") if values else None
