"""One message of ISO 15118-2 as EXI: CertificateInstallationReq of a car without contract (station 4.3).

Pure: a bit writer and the grammar of this message (schema-informed, bit-packed, default options: an event code has as
many bits as the productions of the state and an escape need). Its header has no signature. No decoder is here: the
answer of the CSMS goes to the car as it comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

SCHEMA_VERSION = "urn:iso:15118:2:2013:MsgDef"
EXI_HEADER = 0x80
V2G_MESSAGE = (76, 7)
"""Event code of the document's root element, and its bits."""
NO_MORE_HEADER = (2, 2)
CERTIFICATE_INSTALLATION_REQ = (5, 6)
NEXT_ID, NO_MORE_IDS = (0, 2), (1, 2)
MAX_IDS = 20
ONLY = (0, 1)
"""The one production of a state: start of an element, its characters, an attribute, or the end."""


@dataclass
class Bits:
    """A bit stream in the making, most significant bit first."""

    _bits: list[int] = field(default_factory=list)

    def write(self, value: int, width: int) -> None:
        self._bits += [value >> shift & 1 for shift in range(width - 1, -1, -1)]

    def code(self, *codes: tuple[int, int]) -> None:
        """Event codes, one after the other."""
        for value, width in codes:
            self.write(value, width)

    def unsigned(self, value: int) -> None:
        """Seven bits per octet, the least significant first; the top bit says that more follow (EXI 7.1.6)."""
        while value > 127:
            self.write(value & 127 | 128, 8)
            value >>= 7
        self.write(value, 8)

    def integer(self, value: int) -> None:
        """Sign and magnitude (EXI 7.1.5)."""
        self.write(1 if value < 0 else 0, 1)
        self.unsigned(-value - 1 if value < 0 else value)

    def binary(self, data: bytes) -> None:
        self.unsigned(len(data))
        for octet in data:
            self.write(octet, 8)

    def text(self, text: str) -> None:
        """A string that is in no string table: its length plus two, then its code points (EXI 7.3.3)."""
        self.unsigned(len(text) + 2)
        for character in text:
            self.unsigned(ord(character))

    def octets(self) -> bytes:
        """The stream, filled up to whole octets."""
        filled = self._bits + [0] * (-len(self._bits) % 8)
        return bytes(int("".join(map(str, filled[at : at + 8])), 2) for at in range(0, len(filled), 8))


@dataclass(frozen=True)
class RootId:
    """Names a root certificate that the car knows."""

    issuer: str
    serial: int


def certificate_installation_request(session_id: bytes, provisioning: bytes, roots: Sequence[RootId]) -> bytes:
    """The message. provisioning: the car's own certificate (DER); roots: 1 to 20. Errors: ValueError."""
    if not 1 <= len(roots) <= MAX_IDS:
        raise ValueError(f"a certificate installation request names 1 to {MAX_IDS} root certificates")
    bits = Bits()
    bits.write(EXI_HEADER, 8)
    bits.code(V2G_MESSAGE)
    bits.code(ONLY, ONLY, ONLY)  # Header, SessionID, its characters
    bits.binary(session_id)
    bits.code(ONLY, NO_MORE_HEADER, ONLY, CERTIFICATE_INSTALLATION_REQ)  # end of SessionID, of Header; Body, message
    bits.code(ONLY)  # attribute Id
    bits.text("ID1")
    bits.code(ONLY, ONLY)  # OEMProvisioningCert, its characters
    bits.binary(provisioning)
    bits.code(ONLY, ONLY)  # its end, ListOfRootCertificateIDs
    for number, root in enumerate(roots):
        bits.code(ONLY if number == 0 else NEXT_ID)
        _root_id(bits, root)
    if len(roots) < MAX_IDS:
        bits.code(NO_MORE_IDS)
    else:
        bits.code(ONLY)
    bits.code(ONLY, ONLY, ONLY)  # ends of the message, of Body, of V2G_Message
    return bits.octets()


def _root_id(bits: Bits, root: RootId) -> None:
    bits.code(ONLY, ONLY)  # X509IssuerName, its characters
    bits.text(root.issuer)
    bits.code(ONLY, ONLY, ONLY)  # its end, X509SerialNumber, its characters
    bits.integer(root.serial)
    bits.code(ONLY, ONLY)  # ends of X509SerialNumber and of RootCertificateID
