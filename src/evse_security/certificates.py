"""The ground of `EvseSecurity`: its paths, its lock, its bundles and leaves (station 6.1).

Lives here: `Directories` and `CertificateStore`, which makes missing files and refuses impossible paths. No commands.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.x509 import Certificate

from evse_security import sources
from evse_security import types as t
from evse_security.bundle import CaBundle
from evse_security.errors import ConfigurationError, StorageError
from evse_security.files import Names
from evse_security.leaves import LeafStore

ANCHORS = {
    t.LeafCertificateType.CSMS: t.CaCertificateType.CSMS,
    t.LeafCertificateType.V2G: t.CaCertificateType.V2G,
    t.LeafCertificateType.MF: t.CaCertificateType.MF,
    t.LeafCertificateType.MO: t.CaCertificateType.MO,
}
"""Leaf type -> the bundle that vouches for it (station 6.4)."""


@dataclass(frozen=True)
class Directories:
    """Where certificates and keys lie; the keys are EVerest's (station 6.1). Relative ones are taken below `base`."""

    base: Path
    csms_ca_bundle: str = "ca/csms/CSMS_ROOT_CA.pem"
    mf_ca_bundle: str = "ca/mf/MF_ROOT_CA.pem"
    mo_ca_bundle: str = "ca/mo/MO_ROOT_CA.pem"
    v2g_ca_bundle: str = "ca/v2g/V2G_ROOT_CA.pem"
    csms_leaf_cert_directory: str = "client/csms"
    csms_leaf_key_directory: str = "client/csms"
    secc_leaf_cert_directory: str = "client/cso"
    secc_leaf_key_directory: str = "client/cso"

    def path(self, key: str) -> Path:
        """The absolute path of a configuration key."""
        return (self.base / str(getattr(self, key))).absolute()


class CertificateStore:
    """Bundles by CA type, leaves by leaf type. Everything is read from disk on each use."""

    def __init__(
        self,
        directories: Directories,
        *,
        private_key_password: str | None = None,
        now: Callable[[], datetime] = sources.now,
        random_number: Callable[[], int] = sources.random_number,
    ) -> None:
        """Makes missing files and folders. Errors: `ConfigurationError`."""
        self._now = now
        self._names = Names(now, random_number)
        self._lock = threading.RLock()
        self._pending_keys: dict[Path, datetime] = {}
        self._password = private_key_password or None
        self._bundles = {
            type: CaBundle(type, directories.path(f"{type.value.lower()}_ca_bundle"), self._names)
            for type in t.CaCertificateType
        }
        self._leaves = {
            type: LeafStore(
                type,
                directories.path(f"{folder}_leaf_cert_directory"),
                directories.path(f"{folder}_leaf_key_directory"),
                self._password,
                self._names,
            )
            for type, folder in ((t.LeafCertificateType.CSMS, "csms"), (t.LeafCertificateType.V2G, "secc"))
        }
        self._prepare()

    def _prepare(self) -> None:
        taken = {bundle.path for bundle in self._bundles.values()}
        for leaves in self._leaves.values():
            for path in (leaves.certificate_folder, leaves.key_folder):
                if path in taken or path.is_file():
                    kind = "a CA bundle" if path in taken else "a file"
                    raise ConfigurationError(f"{path}: leaf directory of {leaves.type} is {kind}; name a directory")
        try:
            for bundle in self._bundles.values():
                bundle.create()
            for leaves in self._leaves.values():
                leaves.certificate_folder.mkdir(parents=True, exist_ok=True)
                leaves.key_folder.mkdir(parents=True, exist_ok=True)
        except (OSError, StorageError) as error:
            raise ConfigurationError(f"certificate directories cannot be made: {error}") from error

    @property
    def _paths(self) -> list[Path]:
        folders = [p for leaves in self._leaves.values() for p in (leaves.certificate_folder, leaves.key_folder)]
        return [*(bundle.path for bundle in self._bundles.values()), *folders]

    def _roots(self, type: t.LeafCertificateType) -> list[Certificate]:
        return self._bundles[ANCHORS[type]].certificates()
