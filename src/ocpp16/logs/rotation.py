"""A text file that is appended to, and rotated when it has grown (libocpp 8.3). Blocking: used in the writer's thread.

Numbers: `file` becomes `file.0`, `file.0` becomes `file.1`, and so on. Dates: `file` becomes `file.YYYYMMDDHHMMSS`.
What is deleted is the oldest by that suffix, not by the order of names (libocpp DEPARTURE 47).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

_NUMBER = re.compile(r"\.(\d{1,9})")
_DATE = re.compile(r"\.(\d{14})(?:-(\d+))?")


@dataclass(frozen=True)
class Rotation:
    """`maximum_size` in bytes; 0 switches rotation off. `maximum_count` counts the live file; 0 deletes nothing."""

    maximum_size: int = 0
    maximum_count: int = 0
    date_suffix: bool = False


class RotatingFile:
    """`header` opens every file that starts empty, `footer` closes one before it is put away."""

    def __init__(self, path: Path, rotation: Rotation, *, header: str = "", footer: str = "") -> None:
        self._path = path
        self._rotation = rotation
        self._header = header
        self._footer = footer
        self._file: TextIO | None = None

    def write(self, text: str, now: datetime) -> int:
        """Append; returns how many old files were deleted to make room. Raises OSError."""
        file = self._file or self._open()
        deleted = 0
        if 0 < self._rotation.maximum_size <= file.tell() and file.tell() > len(self._header.encode()):
            deleted = self._rotate(now)
            file = self._file or self._open()
        file.write(text)
        return deleted

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Finish and close the file. Raises OSError, and is closed all the same."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.write(self._footer)
            finally:
                file.close()

    def _open(self) -> TextIO:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._take_back_footer()
        file = self._path.open("a", encoding="utf-8", errors="backslashreplace")
        if file.tell() == 0:
            file.write(self._header)
        self._file = file
        return file

    def _take_back_footer(self) -> None:
        """A file of an earlier run is continued before its footer."""
        footer = self._footer.encode()
        if not footer or not self._path.exists() or self._path.stat().st_size < len(footer):
            return
        with self._path.open("r+b") as file:
            end = file.seek(-len(footer), os.SEEK_END)
            if file.read() == footer:
                file.truncate(end)

    def _rotate(self, now: datetime) -> int:
        self.close()
        deleted = self._delete_oldest()
        if not self._path.exists():
            return deleted
        if self._rotation.date_suffix:
            self._path.rename(self._dated(now))
        else:
            self._shift_numbers()
            self._path.rename(self._suffixed("0"))
        return deleted

    def _delete_oldest(self) -> int:
        """Until there is room for the file that is put away and for a new one; with a count of 1 it is the live one."""
        limit = self._rotation.maximum_count
        files = [*self._rotated_oldest_first(), self._path]
        surplus = files[: max(0, len(files) - limit + 1)] if limit > 0 else []
        for path in surplus:
            path.unlink()
        return len(surplus)

    def _rotated_oldest_first(self) -> list[Path]:
        pattern = _DATE if self._rotation.date_suffix else _NUMBER
        found: list[tuple[tuple[int, int], Path]] = []
        for path in self._path.parent.iterdir():
            match = pattern.fullmatch(path.name.removeprefix(self._path.name))
            if path.name.startswith(self._path.name) and match:
                number, again = int(match[1]), int(match[2] or 0) if self._rotation.date_suffix else 0
                found.append(((number, again) if self._rotation.date_suffix else (-number, 0), path))
        return [path for _, path in sorted(found)]

    def _shift_numbers(self) -> None:
        for path in self._rotated_oldest_first():
            number = int(path.name.rpartition(".")[2])
            path.rename(self._suffixed(str(number + 1)))

    def _dated(self, now: datetime) -> Path:
        date = now.strftime("%Y%m%d%H%M%S")
        path, again = self._suffixed(date), 1
        while path.exists():
            path, again = self._suffixed(f"{date}-{again}"), again + 1
        return path

    def _suffixed(self, suffix: str) -> Path:
        return self._path.with_name(f"{self._path.name}.{suffix}")
