"""Passwords and private keys never reach a log (libocpp DEPARTURE 47), unless somebody asks for them."""

from __future__ import annotations

import msgspec
import pytest

from ocpp16.logs.redaction import redact

SECRET = "0123456789abcdef"


@pytest.mark.parametrize(
    "frame",
    [
        f'[2,"1","ChangeConfiguration",{{"key":"AuthorizationKey","value":"{SECRET}"}}]',
        f'[2,"1","ChangeConfiguration",{{"value":"{SECRET}","key":"authorizationkey"}}]',
        f'[2,"1","ChangeConfiguration",{{"key":"\\u0041uthorizationKey","value":"{SECRET}"}}]',
        f'[3,"1",{{"configurationKey":[{{"key":"AuthorizationKey","readonly":false,"value":"{SECRET}"}}]}}]',
        f'[2,"1","ChangeConfiguration",{{"key":"AuthorizationKey", "value" : "\\"{SECRET}"',
        f'[2,"1","ChangeConfiguration",{{"key":"AuthorizationKey","value":"{SECRET}',
    ],
)
def test_the_secret_is_masked(frame: str) -> None:
    redacted = redact(frame)
    assert SECRET not in redacted
    assert "***" in redacted


def test_everything_else_in_the_frame_stays() -> None:
    frame = f'[2,"1","ChangeConfiguration",{{"key":"AuthorizationKey","value":"{SECRET}"}}]'
    assert msgspec.json.decode(redact(frame)) == [
        2,
        "1",
        "ChangeConfiguration",
        {"key": "AuthorizationKey", "value": "***"},
    ]


@pytest.mark.parametrize(
    "frame",
    [
        '[2,"1","ChangeConfiguration",{"key":"HeartbeatInterval","value":"60"}]',
        '[2, "1", "GetConfiguration", {"key":["AuthorizationKey"]}]',
        "not json AuthorizationKey",
        '[2,"1","DataTransfer",{"vendorId":"\\u00e4"}]',
    ],
)
def test_frames_without_a_secret_are_left_exactly_as_they_are(frame: str) -> None:
    assert redact(frame) == frame


PRIVATE = "MHcCAQEEIB4tq2"


@pytest.mark.parametrize(
    "frame",
    [
        f'[2,"1","D",{{"data":"-----BEGIN EC PRIVATE KEY-----\\n{PRIVATE}\\n-----END EC PRIVATE KEY-----"}}',
        f'[2,"1","DataTransfer",{{"list":["a","-----BEGIN PRIVATE KEY-----\\n{PRIVATE}"]}}]',
        f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{PRIVATE}\n-----END ENCRYPTED PRIVATE KEY-----",
        f'[2,"1","GetDiagnostics",{{"location":"ftp://user:{PRIVATE}@host/path"}}]',
        f'[2,"1","GetLog",{{"log":{{"remoteLocation":"sftp://user:{PRIVATE}@host:22/"}}}}',
    ],
)
def test_private_keys_and_passwords_of_addresses_are_masked(frame: str) -> None:
    redacted = redact(frame)
    assert PRIVATE not in redacted and "***" in redacted


def test_certificates_and_the_rest_of_an_address_stay_readable() -> None:
    certificate = "-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----"
    frame = f'[2,"1","InstallCertificate",{{"certificate":"{certificate}"}}]'
    assert redact(frame) == frame
    address = '[2,"1","GetDiagnostics",{"location":"ftp://user:secret@host:21/path"}]'
    assert redact(address) == '[2,"1","GetDiagnostics",{"location":"ftp://user:***@host:21/path"}]'
    assert redact('["ftp://user:p@ss@word@host/a@b"]') == '["ftp://user:***@host/a@b"]'
