"""Takes secrets out of what is logged (libocpp DEPARTURE 47). Pure.

AuthorizationKey: appears in ChangeConfiguration.req and, if a CSMS or a station is careless, in GetConfiguration.conf,
as an object with the members `key` and `value`. Private keys: PEM blocks in any text. Passwords in the addresses of
uploads and downloads. Frames that cannot be read are masked by pattern, rather too much than too little.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

MASK = "***"
_SECRET_KEYS = frozenset({"authorizationkey"})
_HINTS = (*_SECRET_KEYS, "private key", "://", "\\u")
"""Without one of these, in lower case, a frame holds no secret."""
_VALUE = re.compile(r'("value"\s*:\s*")(?:[^"\\]|\\.)*("?)', re.IGNORECASE)


_PRIVATE_KEY = re.compile(
    r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----).*?(?:(-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----)|$)", re.DOTALL
)
_PASSWORD = re.compile(r"(\w://[^\s/@:\"]*:)[^\s/\"]+(?=@)")
"""Up to the last @ before the path: a password may hold one."""


def redact(frame: str) -> str:
    """The frame without secrets; the very same text if it holds none."""
    lowered = frame.lower()
    if not any(hint in lowered for hint in _HINTS):
        return frame
    try:
        document = msgspec.json.decode(frame)
        found = _mask(document)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _masked_text(_VALUE.sub(rf"\1{MASK}\2", frame) if _names_a_secret(lowered) else frame)
    return msgspec.json.encode(document).decode() if found else frame


def _names_a_secret(lowered: str) -> bool:
    return any(key in lowered for key in _SECRET_KEYS) or "\\u" in lowered


def _masked_text(text: str) -> str:
    return _PASSWORD.sub(rf"\1{MASK}", _PRIVATE_KEY.sub(rf"\1{MASK}\2", text))


def _mask(value: Any) -> bool:
    """Mask in place; True if there was something to mask."""
    if not isinstance(value, (dict, list)):
        return False
    found = False
    for place, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
        if isinstance(item, str):
            masked = _masked_text(item)
            found = found or masked != item
            value[place] = masked
        else:
            found = _mask(item) or found
    if isinstance(value, dict) and str(value.get("key", "")).lower() in _SECRET_KEYS and "value" in value:
        value["value"] = MASK
        found = True
    return found
