"""What a firmware file says about itself (station 5.3): the metadata block. Blocking, no bus."""

from __future__ import annotations

import logging
from pathlib import Path

from everest.contracts.types.system import FirmwareUpdateMetadata

from .locations import DISABLE

log = logging.getLogger(__name__)
LONGEST_LINE = 4096
"""Firmware is no text: a line may be as long as the file, and is read in pieces of so many bytes."""
BEGIN, END = "===== BEGIN METADATA =====", "===== END METADATA ====="


def metadata_of(path: Path) -> FirmwareUpdateMetadata:
    """The metadata between the BEGIN and END lines; empty where the file has none. A line that is none is passed
    over.
    """
    found: bool | None = None
    with path.open("rb") as file:
        inside = False
        while raw := file.readline(LONGEST_LINE):
            line = raw.decode("utf-8", errors="replace").strip()
            if line == BEGIN:
                inside = True
            elif line == END:
                break
            elif inside and line and not line.startswith("#"):
                key, separator, value = line.partition("=")
                if not separator:
                    log.warning("firmware metadata: line without '=' passed over: %r", line[:80])
                elif key.strip() == DISABLE:
                    found = value.strip().lower() == "true"
    return (
        FirmwareUpdateMetadata() if found is None else FirmwareUpdateMetadata(disable_connectors_during_install=found)
    )
