"""Takes AuthorizationKey values out of what is logged (libocpp DEPARTURE 47). Pure.

They appear in ChangeConfiguration.req and, if a CSMS or a station is careless, in GetConfiguration.conf: as an object
with the members `key` and `value`. Frames that cannot be read are masked by pattern, rather too much than too little.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

MASK = "***"
_SECRET_KEYS = frozenset({"authorizationkey"})
_VALUE = re.compile(r'("value"\s*:\s*")(?:[^"\\]|\\.)*("?)', re.IGNORECASE)


def redact(frame: str) -> str:
    """The frame without secrets; the very same text if it holds none."""
    lowered = frame.lower()
    if not any(key in lowered for key in _SECRET_KEYS) and "\\u" not in lowered:
        return frame
    try:
        document = msgspec.json.decode(frame)
        found = _mask(document)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _VALUE.sub(rf"\1{MASK}\2", frame)
    return msgspec.json.encode(document).decode() if found else frame


def _mask(value: Any) -> bool:
    """Mask in place; True if there was something to mask."""
    if isinstance(value, list):
        return sum(map(_mask, value)) > 0
    if not isinstance(value, dict):
        return False
    found = sum(map(_mask, value.values())) > 0
    if str(value.get("key", "")).lower() in _SECRET_KEYS and "value" in value:
        value["value"] = MASK
        found = True
    return found
