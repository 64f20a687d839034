"""AuthorizationKey values never reach a log (libocpp DEPARTURE 47)."""

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
