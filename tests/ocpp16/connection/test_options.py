"""From configuration to URL and headers (libocpp 4.1 to 4.3)."""

from __future__ import annotations

import base64
import ssl
from typing import Any

import pytest

from ocpp16.connection.options import ConnectionSettings, build_options, build_url
from ocpp16.errors import ConfigurationError


def settings(**changes: Any) -> ConnectionSettings:
    values: dict[str, Any] = {"charge_point_id": "cp001", "central_system_uri": "csms.org/ocpp", "security_profile": 0}
    return ConnectionSettings(**(values | changes))


@pytest.mark.parametrize(
    ("uri", "profile", "url"),
    [
        ("127.0.0.1:8180/steve/websocket/CentralSystemService/", 0, None),
        ("csms.org", 0, "ws://csms.org/cp001"),
        ("csms.org:80", 1, "ws://csms.org:80/cp001"),
        ("csms.org/", 2, "wss://csms.org/cp001"),
        ("wss://csms.org/ocpp", 3, "wss://csms.org/ocpp/cp001"),
        ("WS://csms.org/ocpp/", 0, "ws://csms.org/ocpp/cp001"),
        ("ws://csms.org/ocpp/cp001", 0, "ws://csms.org/ocpp/cp001"),
        ("ws://csms.org/ocpp/cp001/", 0, "ws://csms.org/ocpp/cp001"),
        ("ws://csms.org/cp001x", 0, "ws://csms.org/cp001x/cp001"),
        ("ws://cp001", 0, "ws://cp001/cp001"),
        ("ws://csms.org/ocpp?tenant=1", 0, "ws://csms.org/ocpp/cp001?tenant=1"),
        ("ws://[::1]:9000/ocpp", 0, "ws://[::1]:9000/ocpp/cp001"),
    ],
)
def test_the_url_is_made_of_uri_and_charge_point_id(uri: str, profile: int, url: str | None) -> None:
    expected = url or "ws://127.0.0.1:8180/steve/websocket/CentralSystemService/cp001"
    assert build_url(uri, "cp001", profile) == expected


def test_the_charge_point_id_is_not_percent_encoded() -> None:
    assert build_url("csms.org", "DE*ABC%1", 0) == "ws://csms.org/DE*ABC%1"


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"charge_point_id": "a:b"}, "ChargePointId"),
        ({"charge_point_id": "a b"}, "ChargePointId"),
        ({"central_system_uri": "wss://csms.org"}, "CentralSystemURI"),
        ({"central_system_uri": "wss://csms.org", "security_profile": 1}, "CentralSystemURI"),
        ({"central_system_uri": "ws://csms.org", "security_profile": 2}, "CentralSystemURI"),
        ({"central_system_uri": "http://csms.org"}, "CentralSystemURI"),
        ({"central_system_uri": "ws://user:secret@csms.org"}, "CentralSystemURI"),
        ({"central_system_uri": "ws:///path"}, "CentralSystemURI"),
        ({"central_system_uri": "ws://csms.org\r\nX: y"}, "CentralSystemURI"),
        ({"security_profile": 1}, "AuthorizationKey"),
        ({"security_profile": 4}, "SecurityProfile"),
        ({"host_name": "a\r\nb"}, "HostName"),
    ],
)
def test_what_cannot_work_names_its_key(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigurationError, match=key):
        build_options(settings(**changes))


def test_profile_0_sends_no_credentials() -> None:
    assert build_options(settings(authorization_key=b"secret-secret")).headers == ()


def test_profile_1_sends_basic_auth_of_any_bytes() -> None:
    key = bytes(range(236, 256))
    [(name, value)] = build_options(settings(security_profile=1, authorization_key=key)).headers
    assert name == "Authorization"
    assert base64.b64decode(value.removeprefix("Basic ")) == b"cp001:" + key


def test_profile_3_sends_no_authorization_header() -> None:
    tls = ssl.create_default_context()
    options = build_options(settings(security_profile=3, authorization_key=b"secret-secret"), tls)
    assert options.headers == ()
    assert options.tls is tls


def test_a_secure_profile_without_tls_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="TLS"):
        build_options(settings(security_profile=3))


def test_host_name_and_version_become_headers() -> None:
    options = build_options(settings(host_name="station.local", everest_version="v" * 150 + "\n"))
    assert dict(options.headers) == {"User-Host": "station.local", "EVerest-Version": "v" * 100}


def test_the_secret_does_not_show_in_the_repr() -> None:
    options = build_options(settings(security_profile=1, authorization_key=b"secret-secret"))
    assert "Basic" not in repr(options)
