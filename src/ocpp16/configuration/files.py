"""Configuration files: reading with errors that name the place, merging, and the overlay that survives a power cut.

The overlay (libocpp 1.8) is rewritten as a whole for every change: temporary file, fsync, rename, fsync of the folder.
Beside it, `<overlay>.origin` remembers who set each value and when. Everything here blocks: call it in a thread.
May import: errors. Must not import: keys, checks, asyncio.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from ocpp16.errors import ConfigurationError

logger = logging.getLogger(__name__)


class Source(StrEnum):
    """Who set a value last."""

    DEFAULT = "default"
    FILE = "file"
    USER = "user config"
    CSMS = "CSMS"
    API = "API"
    STATION = "station"


class Origin(NamedTuple):
    """Who set a value, when (None if that is not known), and the file that holds it."""

    source: Source
    time: datetime | None = None
    file: Path | None = None


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. ConfigurationError names the file, the line and the fix."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        where = f"{path}, line {error.lineno}, column {error.colno}"
        raise ConfigurationError(f"{where}: not valid JSON ({error.msg}); correct this place") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 (byte {error.start}); save the file as UTF-8") from error
    except (RecursionError, ValueError) as error:
        raise ConfigurationError(f"{path}: not valid JSON ({error}); correct the file") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}); check path and permissions") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path}: holds no JSON object; write {{...}} around its sections")
    return document


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396: objects are merged, null deletes, anything else replaces. A new value; the arguments stay."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file so that after any kill or power cut it holds the old content or the new, never a part. A link to
    it stays one."""
    path = path.resolve()
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    temporary = path.with_name(path.name + "$")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.fchmod(descriptor, mode)
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
            file.flush()
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Overlay:
    """The user config file: values that lie over the base file. One writer at a time; the caller takes care of that."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._origin_path = path.with_name(path.name + ".origin")

    def load(self) -> dict[str, Any]:
        """The overlay; an absent file is created holding `{}` (libocpp 1.3.2)."""
        if not self.path.exists():
            try:
                write_durably(self.path, b"{}\n")
            except OSError as error:
                raise ConfigurationError(
                    f"{self.path}: the user config cannot be created ({error.strerror}); "
                    f"create the folder {self.path.parent} or choose another one"
                ) from error
        return read_object(self.path)

    def set(self, section: str, name: str, value: Any, source: Source, time: datetime) -> None:
        """Write one value, read-modify-write, so that other edits of the file stay. OSError, ConfigurationError."""
        document = read_object(self.path)
        content = document.get(section)
        document[section] = (content if isinstance(content, dict) else {}) | {name: value}
        write_durably(self.path, _encoded(document))
        self._remember(section, name, value, source, time)

    def origins(self, document: dict[str, Any]) -> dict[tuple[str, str], Origin]:
        """Who set the values of the overlay. A value edited by hand since then counts as the user's."""
        known = self._known()
        found = {}
        for section, content in document.items():
            for name, value in content.items() if isinstance(content, dict) else ():
                record = known.get(f"{section}.{name}")
                found[section, name] = Origin(Source.USER, None, self.path)
                if isinstance(record, dict) and record.get("sha256") == _digest(value):
                    found[section, name] = _origin(record, self.path)
        return found

    def _remember(self, section: str, name: str, value: Any, source: Source, time: datetime) -> None:
        known = self._known()
        known[f"{section}.{name}"] = {"source": source.value, "time": time.isoformat(), "sha256": _digest(value)}
        try:
            write_durably(self._origin_path, _encoded(known))
        except OSError as error:
            logger.warning("%s: who set %s.%s is not remembered: %s", self._origin_path, section, name, error)

    def _known(self) -> dict[str, Any]:
        if not self._origin_path.exists():
            return {}
        try:
            return read_object(self._origin_path)
        except ConfigurationError as error:
            logger.warning("%s; the origins of values are forgotten", error)
            return {}


def _origin(record: dict[str, Any], path: Path) -> Origin:
    try:
        return Origin(Source(record["source"]), datetime.fromisoformat(record["time"]), path)
    except (KeyError, TypeError, ValueError):
        return Origin(Source.USER, None, path)


def _encoded(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
