"""How the simulated meter signs: the fixed texts of EVerest's simulator, or real OCMF with an ECDSA key.

Pure but for `load_key`. A `Signer` makes the SignedMeterValue of a start and of a stop; `ocmf()` and `Reading` are the
document itself (OCMF 1.x: `OCMF|payload|signature`, the signature over the bytes of the payload). Knows no bus.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from everest.contracts.types.powermeter import OCMFUserIdentificationStatus, TransactionReq
from everest.contracts.types.units_signed import SignedMeterValue

from .meter import MeterConfig

OCMF_METHODS: dict[str, str] = {"secp256r1": "ECDSA-secp256r1-SHA256", "secp384r1": "ECDSA-secp384r1-SHA256"}
OBIS_IMPORT_TOTAL = "1-b:1.8.0"
BEGIN, END, POWER_FAILURE = "B", "E", "P"
"""TX of OCMF 1.x. A meter is not told who ended a transaction (L, R, A): of its own it knows the power failure only."""


class KeyFileError(ValueError):
    """The configured key cannot be used; the message names the file and why."""


@dataclass(frozen=True)
class Reading:
    """One register value that is signed. `at`: UTC, `YYYY-MM-DDTHH:MM:SS`."""

    at: str
    total_Wh: float


@dataclass(frozen=True)
class Begin:
    """What opened the transaction: it is named again in the document of the stop, and so is kept over a restart."""

    request: TransactionReq
    reading: Reading
    signed: SignedMeterValue | None = None
    """The document of the begin, made once: the stop's answer carries this one, also after a restart."""


class Signer(Protocol):
    """Signs the readings of one meter. `page` counts the documents of the meter from 1."""

    public_key: str
    paged: bool
    """Whether the documents are counted and their begin is kept over a restart."""

    def start(self, begin: Begin | None, page: int) -> SignedMeterValue | None: ...

    def stop(self, begin: Begin | None, end: Reading, page: int, *, power_lost: bool = False) -> SignedMeterValue:
        """begin None: the meter does not know (any more) what opened the transaction. power_lost: a restart of the
        meter cut it off."""
        ...


class FixedTexts:
    """The fixed texts of EVerest's simulator (station 3.4), no real signature."""

    paged = False

    def __init__(self, config: MeterConfig, connector_id: int) -> None:
        self.public_key = f"TESTPUBLICKEY{connector_id}"
        self._config = config

    def start(self, begin: Begin | None, page: int) -> SignedMeterValue:
        return self._dummy(self._config.blob_start)

    def stop(self, begin: Begin | None, end: Reading, page: int, *, power_lost: bool = False) -> SignedMeterValue:
        return self._dummy(self._config.blob_stop)

    def _dummy(self, text: str) -> SignedMeterValue:
        return SignedMeterValue(signed_meter_data=text, signing_method="dummy", encoding_method="plain")


class OcmfSigner:
    """Signs for real. The public key is hexadecimal DER (SubjectPublicKeyInfo), as OCMF tools take it."""

    paged = True

    def __init__(self, key: ec.EllipticCurvePrivateKey, meter_serial: str, *, dc: bool = False) -> None:
        self._key = key
        self._serial = meter_serial
        self._current_type = "DC" if dc else "AC"
        self._method = OCMF_METHODS[key.curve.name]
        encoded = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.public_key = encoded.hex().upper()

    def start(self, begin: Begin | None, page: int) -> SignedMeterValue | None:
        return None if begin is None else self._signed([(BEGIN, begin.reading)], begin.request, page)

    def stop(self, begin: Begin | None, end: Reading, page: int, *, power_lost: bool = False) -> SignedMeterValue:
        kind = POWER_FAILURE if power_lost else END
        if begin is None:
            return self._signed([(kind, end)], None, page)
        return self._signed([(BEGIN, begin.reading), (kind, end)], begin.request, page)

    def _signed(
        self, readings: list[tuple[str, Reading]], request: TransactionReq | None, page: int
    ) -> SignedMeterValue:
        payload = json.dumps(self._payload(readings, request, page), separators=(",", ":"))
        payload = payload.replace("|", "\\u007c")  # the bar divides the document's sections
        signature = self._key.sign(payload.encode(), ec.ECDSA(hashes.SHA256()))
        proof = json.dumps({"SA": self._method, "SD": signature.hex().upper()}, separators=(",", ":"))
        return SignedMeterValue(
            signed_meter_data=f"OCMF|{payload}|{proof}",
            signing_method=self._method,
            encoding_method="OCMF",
            public_key=self.public_key,
        )

    def _payload(
        self, readings: list[tuple[str, Reading]], request: TransactionReq | None, page: int
    ) -> dict[str, Any]:
        """The signed part of an OCMF document (OCMF 1.x, "Data Section")."""
        nobody: dict[str, Any] = {"IS": False, "IF": [], "IT": "NONE", "ID": ""}
        return {
            "FV": "1.0",
            "GI": "EVSE simulation",
            "GS": self._serial,
            "PG": f"T{page}",
            "MV": "simulated",
            "MM": "simulated",
            "MS": self._serial,
            **(nobody if request is None else _identification(request)),
            "RD": [_row(kind, reading, self._current_type) for kind, reading in readings],
        }


def _identification(request: TransactionReq) -> dict[str, Any]:
    found: dict[str, Any] = {
        "IS": request.identification_status is OCMFUserIdentificationStatus.ASSIGNED,
        "IF": [flag.value for flag in request.identification_flags],
        "IT": request.identification_type.value,
        "ID": request.identification_data or "",
        "CT": "EVSEID",
        "CI": request.evse_id,
    }
    if request.identification_level is not None:
        found["IL"] = request.identification_level.value
    if request.tariff_text:
        found["TT"] = request.tariff_text
    return found


def _row(kind: str, reading: Reading, current_type: str) -> dict[str, Any]:
    """One reading; time with three decimals, a comma, the zone and `S` for a synchronized clock."""
    return {
        "TM": f"{reading.at},000+0000 S",
        "TX": kind,
        "RV": round(reading.total_Wh / 1000.0, 3),
        "RI": OBIS_IMPORT_TOTAL,
        "RU": "kWh",
        "RT": current_type,
        "ST": "G",
    }


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The private key of a PEM file; a missing file is made, with a new secp256r1 key, for the owner alone.

    Errors: KeyFileError.
    """
    try:
        if not path.exists():
            return _make_key(path)
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"ocmf_key: {path} cannot be used: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in OCMF_METHODS:
        raise KeyFileError(f"ocmf_key: {path} cannot be used: an EC key on one of {', '.join(OCMF_METHODS)} is needed")
    return key


def _make_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(text)
    return key


def to_stored(begin: Begin) -> dict[str, Any]:
    """A Begin as the register keeps it over a restart."""
    stored = {"request": msgspec.to_builtins(begin.request), "reading": asdict(begin.reading)}
    return stored if begin.signed is None else {**stored, "signed": msgspec.to_builtins(begin.signed)}


def from_stored(stored: Any) -> Begin:
    """Errors: ValueError when it is none."""
    try:
        return msgspec.convert(stored, Begin)
    except msgspec.ValidationError as error:
        raise ValueError(f"not the begin of a meter transaction: {error}") from error
