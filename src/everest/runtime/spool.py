"""A first-in first-out queue whose excess lies in a file: what waits may be more than memory should hold.

Lives here: `SpoolQueue`. It knows neither messages nor limits: its user says what an item weighs, how it is written
down and when the file is to be used. The file is an unnamed temporary one and exists only while it holds something.
May not be imported here: anything of this project.
"""

from __future__ import annotations

import struct
import tempfile
from collections import deque
from collections.abc import Callable
from typing import IO, Generic, TypeVar

T = TypeVar("T")

BATCH_BYTES = 256 * 1024
"""How much is read back from the file at once."""

_length = struct.Struct("<I")


class SpoolQueue(Generic[T]):
    """Items in order, the oldest in memory, the rest (if any) in a file.

    `dump` and `load` turn an item into bytes and back, `weigh` gives the bytes it takes in memory. `size` is the
    weight of what is in memory. Errors: OSError when the file cannot be written (disk full).
    """

    def __init__(self, dump: Callable[[T], bytes], load: Callable[[bytes], T], weigh: Callable[[T], int]) -> None:
        self._dump = dump
        self._load = load
        self._weigh = weigh
        self._items: deque[T] = deque()
        self._file: IO[bytes] | None = None
        self._in_file = 0
        self._read_at = 0
        self.size = 0

    def __len__(self) -> int:
        return len(self._items) + self._in_file

    @property
    def spooled(self) -> int:
        """How many items lie in the file."""
        return self._in_file

    def append(self, item: T, *, spool: bool) -> None:
        """Add an item; into the file if `spool` says so, or if items before it are there."""
        if not self._in_file and not (spool and self._items):
            self._items.append(item)
            self.size += self._weigh(item)
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="everest-")  # noqa: SIM115
        record = self._dump(item)
        self._file.seek(0, 2)
        self._file.write(_length.pack(len(record)) + record)
        self._in_file += 1

    def first(self) -> T:
        """The oldest item, which stays. Errors: IndexError when there is none."""
        return self._items[0]

    def popleft(self) -> T:
        """Take the oldest item. Errors: IndexError when there is none."""
        item = self._items.popleft()
        self.size -= self._weigh(item)
        if not self._items and self._in_file:
            self._read_back()
        return item

    def _read_back(self) -> None:
        assert self._file is not None
        self._file.seek(self._read_at)
        taken = 0
        while self._in_file and taken < BATCH_BYTES:
            (length,) = _length.unpack(self._file.read(_length.size))
            item = self._load(self._file.read(length))
            self._items.append(item)
            self.size += self._weigh(item)
            self._in_file -= 1
            taken += length
        self._read_at = self._file.tell()
        if not self._in_file:
            self.close()

    def close(self) -> None:
        """Let go of the file and what is in it."""
        if self._file is not None:
            self._file.close()
        self._file, self._in_file, self._read_at = None, 0, 0
