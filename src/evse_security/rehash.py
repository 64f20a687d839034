"""OpenSSL's hash links, by which it finds CA certificates in a folder (station 6.2, get_verify_location).

Lives here: the subject hash (SHA-1 over the canonical form of the name, first four bytes, little endian) and the links.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from cryptography.x509 import Certificate, Name, NameAttribute
from cryptography.x509.name import _ASN1Type

_LINK = re.compile(r"[0-9a-f]{8}\.[0-9]+")
_TEXT = {
    _ASN1Type.UTF8String,
    _ASN1Type.BMPString,
    _ASN1Type.UniversalString,
    _ASN1Type.PrintableString,
    _ASN1Type.T61String,
    _ASN1Type.IA5String,
    _ASN1Type.VisibleString,
}


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _oid(dotted: str) -> bytes:
    first, second, *rest = (int(part) for part in dotted.split("."))
    body = b""
    for number in (first * 40 + second, *rest):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | 0x80)
        body += bytes(reversed(groups))
    return _der(0x06, body)


def _attribute(attribute: NameAttribute[str | bytes]) -> bytes:
    value = attribute.value
    if attribute._type in _TEXT and isinstance(value, str):
        text = "".join(c.lower() if c.isascii() else c for c in " ".join(value.split(" ")).strip())
        encoded = _der(0x0C, " ".join(text.split()).encode())
    else:
        raw = value.encode() if isinstance(value, str) else value
        encoded = _der(attribute._type.value, raw)
    return _der(0x30, _oid(attribute.oid.dotted_string) + encoded)


def subject_hash(name: Name) -> str:
    """Eight hex digits, as `openssl x509 -subject_hash` prints them."""
    canonical = b"".join(_der(0x31, b"".join(sorted(_attribute(a) for a in rdn))) for rdn in name.rdns)
    digest = hashlib.sha1(canonical, usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


def link(folder: Path, certificates: dict[Path, list[Certificate]]) -> None:
    """Make `<hash>.<n>` links to the files of a folder; links of that form that lead nowhere any more are removed.

    What is no such link is somebody else's and stays. Errors: `OSError`.
    """
    wanted: dict[str, Path] = {}
    for path, found in certificates.items():
        for certificate in found:
            stem, number = subject_hash(certificate.subject), 0
            while (name := f"{stem}.{number}") in wanted or _is_a_file(folder / name):
                number += 1
            wanted[name] = path
    for old in folder.iterdir():
        if old.is_symlink() and _LINK.fullmatch(old.name) and old.name not in wanted:
            old.unlink()
    for name, path in wanted.items():
        place = folder / name
        if place.is_symlink() and place.readlink() == Path(path.name):
            continue
        place.unlink(missing_ok=True)
        place.symlink_to(path.name)


def _is_a_file(path: Path) -> bool:
    return path.exists() and not path.is_symlink()
