"""From configuration to what a dial needs: URL, headers, TLS, interface (libocpp 4.1 to 4.3). Pure.

Everything that cannot work is a ConfigurationError that names the key, before anything is dialled.
Must not import: asyncio, websockets, configuration.
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ocpp16.errors import ConfigurationError

SUBPROTOCOL = "ocpp1.6"
LONGEST_EVEREST_VERSION = 100


@dataclass(frozen=True)
class ConnectionSettings:
    """The configuration keys of a connection. `authorization_key` is what it is on the wire: bytes, of any values."""

    charge_point_id: str
    central_system_uri: str
    security_profile: int
    authorization_key: bytes | None = None
    host_name: str | None = None
    everest_version: str | None = None
    interface: str | None = None
    """IFace: name or address of the network interface to dial from."""


@dataclass(frozen=True)
class ConnectionOptions:
    """What `websocket.dial` needs. Headers hold a secret: it is not shown in logs and reprs."""

    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    tls: ssl.SSLContext | None = None
    """Given exactly for wss URLs."""
    interface: str | None = None


def build_options(settings: ConnectionSettings, tls: ssl.SSLContext | None = None) -> ConnectionOptions:
    """The options of one dial. `tls` is used for profiles 2 and 3 (checks and client certificate are its business)."""
    url = build_url(settings.central_system_uri, settings.charge_point_id, settings.security_profile)
    secure = url.startswith("wss://")
    if secure and tls is None:
        raise ConfigurationError(f"SecurityProfile {settings.security_profile} needs TLS, which is not set up")
    return ConnectionOptions(url, build_headers(settings), tls if secure else None, settings.interface)


def build_url(central_system_uri: str, charge_point_id: str, security_profile: int) -> str:
    """`<scheme>://host:port/path/<ChargePointId>`, without percent encoding (libocpp 4.2)."""
    if not 0 <= security_profile <= 3:
        raise ConfigurationError(f"SecurityProfile {security_profile} does not exist: use 0, 1, 2 or 3")
    if ":" in charge_point_id:
        raise ConfigurationError(f"ChargePointId {charge_point_id!r} contains a colon, which HTTP Basic cannot carry")
    _check_plain("ChargePointId", charge_point_id)
    _check_plain("CentralSystemURI", central_system_uri)
    base = _with_scheme(central_system_uri, security_profile)
    parts = urlsplit(base)
    if not parts.hostname or "@" in parts.netloc or parts.fragment:
        raise ConfigurationError(
            f"CentralSystemURI {central_system_uri!r} is not usable: write [ws[s]://]host[:port][/path], without "
            "credentials (they are ChargePointId and AuthorizationKey) and without fragment"
        )
    path, question, query = base.partition("?")
    segments = path.rstrip("/").split("/")
    if len(segments) > 3 and segments[-1] == charge_point_id:
        segments.pop()
    return "/".join([*segments, charge_point_id]) + question + query


def _with_scheme(uri: str, security_profile: int) -> str:
    expected = "wss" if security_profile >= 2 else "ws"
    scheme, separator, _ = uri.partition("://")
    if not separator:
        return f"{expected}://{uri}"
    if scheme.lower() != expected:
        raise ConfigurationError(
            f"CentralSystemURI {uri!r} does not fit SecurityProfile {security_profile}, which needs {expected}://"
        )
    return f"{expected}://{uri[len(scheme) + len(separator) :]}"


def build_headers(settings: ConnectionSettings) -> tuple[tuple[str, str], ...]:
    """Authorization (profiles 1 and 2), User-Host, EVerest-Version."""
    headers: list[tuple[str, str]] = []
    if settings.security_profile in (1, 2):
        if not settings.authorization_key:
            raise ConfigurationError(f"SecurityProfile {settings.security_profile} needs an AuthorizationKey")
        headers.append(("Authorization", basic_auth(settings.charge_point_id, settings.authorization_key)))
    if settings.host_name:
        _check_plain("HostName", settings.host_name)
        headers.append(("User-Host", settings.host_name))
    if settings.everest_version:
        version = settings.everest_version.strip()[:LONGEST_EVEREST_VERSION]
        if version.isascii() and version.isprintable():
            headers.append(("EVerest-Version", version))
    return tuple(headers)


def basic_auth(charge_point_id: str, authorization_key: bytes) -> str:
    """Built from bytes: an AuthorizationKey may hold any value (libocpp DEPARTURE 37)."""
    return "Basic " + b64encode(charge_point_id.encode() + b":" + authorization_key).decode()


def _check_plain(key: str, text: str) -> None:
    """What would break the request line or a header of HTTP."""
    if not text or not text.isprintable() or " " in text:
        raise ConfigurationError(f"{key} {text!r} is empty or contains blanks or control characters")
