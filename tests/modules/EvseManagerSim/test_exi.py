"""The certificate request as EXI: what a reader of the same grammar finds in it."""

from __future__ import annotations

import pytest

from modules.EvseManagerSim.exi import Bits, RootId, certificate_installation_request


class Reader:
    """Reads a bit stream."""

    def __init__(self, data: bytes) -> None:
        self._bits = "".join(f"{octet:08b}" for octet in data)
        self._at = 0

    def take(self, width: int) -> int:
        self._at += width
        return int(self._bits[self._at - width : self._at], 2)

    def unsigned(self) -> int:
        value, shift = 0, 0
        while True:
            octet = self.take(8)
            value |= (octet & 127) << shift
            shift += 7
            if octet < 128:
                return value

    def octets(self) -> bytes:
        return bytes(self.take(8) for _ in range(self.unsigned()))

    def text(self) -> str:
        return "".join(chr(self.unsigned()) for _ in range(self.unsigned() - 2))

    def codes(self, *expected: tuple[int, int]) -> None:
        for value, width in expected:
            assert self.take(width) == value

    @property
    def rest(self) -> str:
        return self._bits[self._at :]


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**64, 2**159 + 12345])
def test_unsigned_integers_are_what_a_reader_finds(value: int) -> None:
    bits = Bits()
    bits.unsigned(value)
    assert Reader(bits.octets()).unsigned() == value


def test_a_message_begins_as_every_message_of_iso_15118_2_does() -> None:
    request = certificate_installation_request(bytes.fromhex("4142434445464748"), b"\x30", [RootId("CN=R", 1)])
    assert request[:4] == bytes.fromhex("80980210")


def test_a_reader_finds_certificate_and_roots() -> None:
    certificate, roots = bytes(range(256)) * 3, [RootId("CN=Root,C=DE", 2**150 + 7), RootId("CN=Ä", 5)]
    reader = Reader(certificate_installation_request(bytes(8), certificate, roots))
    one = (0, 1)
    reader.codes((0x80, 8), (76, 7), one, one, one)
    assert reader.octets() == bytes(8)
    reader.codes(one, (2, 2), one, (5, 6), one)
    assert reader.text() == "ID1"
    reader.codes(one, one)
    assert reader.octets() == certificate
    reader.codes(one, one)
    for number, root in enumerate(roots):
        reader.codes(*([one] if number == 0 else [(0, 2)]), one, one)
        assert reader.text() == root.issuer
        reader.codes(one, one, one, (0, 1))  # the last: not negative
        assert reader.unsigned() == root.serial
        reader.codes(one, one)
    reader.codes((1, 2), one, one, one)
    assert len(reader.rest) < 8
    assert "1" not in reader.rest


def test_a_request_names_one_to_twenty_roots() -> None:
    assert certificate_installation_request(bytes(8), b"x", [RootId("CN=R", 1)] * 20)
    for count in (0, 21):
        with pytest.raises(ValueError, match="1 to 20"):
            certificate_installation_request(bytes(8), b"x", [RootId("CN=R", 1)] * count)
