"""A first-in first-out queue whose excess lies in files: what waits may be more than memory should hold.

Lives here: `SpoolQueue` and `Room`, the limit that several queues share. It knows neither messages nor what is too
much memory: its user says what an item weighs, how it is written down and when the files are to be used. The files are
unnamed temporary ones of `SEGMENT` bytes; each is gone as soon as it has been read.
May not be imported here: anything of this project.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Generic, TypeVar

T = TypeVar("T")

BATCH_BYTES = 256 * 1024
"""How much is read back from a file at once."""
SEGMENT = 64 * 1024 * 1024
"""Bytes after which another file is begun."""
FILE_LIMIT = 2 * 1024 * 1024 * 1024
"""Bytes that the files of one `Room` may take."""

_length = struct.Struct("<I")


class SpoolFull(Exception):
    """An item can be kept neither in memory nor in a file; the text says why."""


@dataclass(slots=True)
class Room:
    """Disk space that several queues share, in bytes."""

    limit: int = FILE_LIMIT
    used: int = 0


@dataclass(slots=True)
class _Segment:
    file: IO[bytes]
    end: int = 0
    read_at: int = 0
    count: int = 0
    """Items written and not yet read back."""

    def write(self, record: bytes) -> None:
        """Append; on an error what was there before is untouched. Errors: OSError."""
        written = 0
        while written < len(record):
            written += os.pwrite(self.file.fileno(), record[written:], self.end + written)
        self.end += len(record)
        self.count += 1

    def read(self) -> list[bytes]:
        """The oldest records, about `BATCH_BYTES` of them."""
        found: list[bytes] = []
        data = os.pread(self.file.fileno(), BATCH_BYTES, self.read_at)
        at = 0
        while self.count and at + _length.size <= len(data):
            (length,) = _length.unpack_from(data, at)
            at += _length.size
            if at + length > len(data):
                if found:
                    break
                data = os.pread(self.file.fileno(), _length.size + length, self.read_at)
            found.append(data[at : at + length])
            at += length
            self.read_at += _length.size + length
            self.count -= 1
        return found


class SpoolQueue(Generic[T]):
    """Items in order, the oldest in memory, the rest (if any) in files.

    `dump` and `load` turn an item into bytes and back, `weigh` gives the bytes it takes in memory. `size` is the
    weight of what is in memory.
    """

    def __init__(
        self,
        dump: Callable[[T], bytes],
        load: Callable[[bytes], T],
        weigh: Callable[[T], int],
        room: Room | None = None,
    ) -> None:
        self._dump = dump
        self._load = load
        self._weigh = weigh
        self._room = room or Room()
        self._items: deque[T] = deque()
        self._segments: deque[_Segment] = deque()
        self.size = 0

    def __len__(self) -> int:
        return len(self._items) + self.spooled

    @property
    def spooled(self) -> int:
        """How many items lie in files."""
        return sum(segment.count for segment in self._segments)

    def append(self, item: T, *, spool: bool) -> None:
        """Add an item; into a file if `spool` says so, or if items before it are there.

        Errors: SpoolFull when the files can take no more (limit, full disk); the queue is then as it was.
        """
        if not self._segments and not (spool and self._items):
            self._items.append(item)
            self.size += self._weigh(item)
            return
        record = self._dump(item)
        self._write(_length.pack(len(record)) + record)

    def _write(self, record: bytes) -> None:
        if self._room.used + len(record) > self._room.limit:
            raise SpoolFull(f"{self._room.limit >> 20} MiB lie in files already")
        try:
            if not self._segments or self._segments[-1].end >= SEGMENT:
                self._segments.append(_Segment(tempfile.TemporaryFile(prefix="everest-", buffering=0)))  # noqa: SIM115
            self._segments[-1].write(record)
        except OSError as error:
            self._drop_empty()
            raise SpoolFull(f"no temporary file can be written ({error.strerror or error})") from None
        self._room.used += len(record)

    def first(self) -> T:
        """The oldest item, which stays. Errors: IndexError when there is none."""
        return self._items[0]

    def popleft(self) -> T:
        """Take the oldest item. Errors: IndexError when there is none."""
        item = self._items.popleft()
        self.size -= self._weigh(item)
        if not self._items and self._segments:
            self._read_back()
        return item

    def _read_back(self) -> None:
        for record in self._segments[0].read():
            item = self._load(record)
            self._items.append(item)
            self.size += self._weigh(item)
        self._drop_empty()

    def _drop_empty(self) -> None:
        """Close the files in which nothing waits any more."""
        for segment in [segment for segment in self._segments if not segment.count]:
            self._segments.remove(segment)
            self._release(segment)

    def _release(self, segment: _Segment) -> None:
        self._room.used -= segment.end
        segment.file.close()

    def close(self) -> None:
        """Let go of the files and what is in them."""
        while self._segments:
            self._release(self._segments.popleft())
