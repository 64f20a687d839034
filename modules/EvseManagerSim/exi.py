"""EXI 1.0 at the level of bits: what messages of ISO 15118-2 are made of (bit-packed, most significant bit first).

Pure: a writer and a reader of n-bit numbers, unsigned and signed integers, binary values and strings. Grammars are in
exi_grammar.py. Strings: ISO 15118-2 is played without string tables (value partitions have no capacity), so a writer
uses them only where asked to; a reader understands hits in any case.
"""

from __future__ import annotations

HEADER = 0x80
"""Distinguishing bits, no options, version 1 (EXI 5)."""
MORE = 0x80
LOCAL_HIT, GLOBAL_HIT, MISS = 0, 1, 2
"""A string begins with one of the first two, or with its length plus the last (EXI 7.3.3)."""
MAX_INTEGER_OCTETS = 64
"""Of seven bits: far more than a serial number needs."""
MAX_CODE_POINT = 0x10FFFF


class ExiError(ValueError):
    """Octets that are no such message; the text names place and reason."""


def bits_for(count: int) -> int:
    """Bits that tell `count` things apart."""
    return max(count - 1, 0).bit_length()


class BitWriter:
    """A bit stream in the making. `tables`: strings that were there before become hits."""

    def __init__(self, *, tables: bool = False) -> None:
        self._bits: list[str] = []
        self._strings = StringTable() if tables else None

    def number(self, value: int, width: int) -> None:
        """`value` in `width` bits."""
        if width:
            self._bits.append(f"{value:0{width}b}")

    def unsigned(self, value: int) -> None:
        """Seven bits per octet, the least significant first; the top bit says that more follow (EXI 7.1.6)."""
        while value >= MORE:
            self.number(value % MORE | MORE, 8)
            value //= MORE
        self.number(value, 8)

    def integer(self, value: int) -> None:
        """Sign and magnitude (EXI 7.1.5)."""
        self.number(1 if value < 0 else 0, 1)
        self.unsigned(-value - 1 if value < 0 else value)

    def binary(self, data: bytes) -> None:
        self.unsigned(len(data))
        self.number(int.from_bytes(data, "big"), 8 * len(data))

    def text(self, name: str, text: str) -> None:
        """A value of the element or attribute `name`."""
        hit = self._strings.hit(name, text) if self._strings else None
        if hit is not None:
            kind, at, width = hit
            self.unsigned(kind)
            self.number(at, width)
        else:
            self.unsigned(len(text) + MISS)
            for character in text:
                self.unsigned(ord(character))
            if self._strings:
                self._strings.add(name, text)

    def octets(self) -> bytes:
        """The stream, filled up to whole octets."""
        bits = "".join(self._bits)
        bits += "0" * (-len(bits) % 8)
        return int(bits or "0", 2).to_bytes(len(bits) // 8, "big")


class BitReader:
    """Reads a bit stream. Errors of all methods: ExiError, where it ends too early or holds what cannot be."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._strings = StringTable()

    @property
    def left(self) -> int:
        """Bits that were not read yet, those that fill up included."""
        return 8 * len(self._data) - self._at

    def number(self, width: int) -> int:
        if width > self.left:
            raise ExiError(f"it ends too early: {width} bits are due, {self.left} are left")
        first, self._at = self._at, self._at + width
        octets = self._data[first // 8 : -(-self._at // 8)]
        return int.from_bytes(octets, "big") >> (-self._at % 8) & ((1 << width) - 1)

    def unsigned(self) -> int:
        value = 0
        for place in range(MAX_INTEGER_OCTETS):
            octet = self.number(8)
            value |= octet % MORE << 7 * place
            if octet < MORE:
                return value
        raise ExiError(f"an integer has more than {MAX_INTEGER_OCTETS} octets")

    def integer(self) -> int:
        negative = self.number(1)
        value = self.unsigned()
        return -value - 1 if negative else value

    def binary(self) -> bytes:
        length = self._length(self.unsigned())
        return self.number(8 * length).to_bytes(length, "big")

    def text(self, name: str) -> str:
        start = self.unsigned()
        if start < MISS:
            values = self._strings.partition(name if start == LOCAL_HIT else None)
            at = self.number(bits_for(len(values)))
            if at >= len(values):
                raise ExiError(f"string {at} of a table of {len(values)} is meant")
            return values[at]
        text = "".join(self._character() for _ in range(self._length(start - MISS)))
        self._strings.add(name, text)
        return text

    def _length(self, length: int) -> int:
        """`length`, if as many octets can follow."""
        if 8 * length > self.left:
            raise ExiError(f"a value has {length} octets, {self.left // 8} are left")
        return length

    def _character(self) -> str:
        point = self.unsigned()
        if point > MAX_CODE_POINT:
            raise ExiError(f"{point:#x} is no character")
        return chr(point)


class StringTable:
    """Strings by the element or attribute that had them, and all of them (EXI 7.3.1)."""

    def __init__(self) -> None:
        self._all: list[str] = []
        self._of: dict[str, list[str]] = {}

    def partition(self, name: str | None) -> list[str]:
        """The values of `name`; None: all."""
        return self._all if name is None else self._of.get(name, [])

    def add(self, name: str, text: str) -> None:
        if text:
            self._all.append(text)
            self._of.setdefault(name, []).append(text)

    def hit(self, name: str, text: str) -> tuple[int, int, int] | None:
        """Kind of the hit, place, and bits of the place."""
        for kind, place in ((LOCAL_HIT, name), (GLOBAL_HIT, None)):
            values = self.partition(place)
            if text in values:
                return kind, values.index(text), bits_for(len(values))
        return None
