"""Limits of the certificate store and its garbage collection (station 6.8).

Lives here: `is_full`, `collect`. Garbage is collected only when the store is full.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.x509 import Certificate

from evse_security import files, x509
from evse_security.bundle import CaBundle
from evse_security.leaves import Leaf, LeafStore
from evse_security.ocsp import OcspCache

log = logging.getLogger(__name__)
MAX_FILES = 2000
MAX_BYTES = 50 * 1024 * 1024
KEPT_CHAINS = 10
KEY_GRACE = timedelta(seconds=3600)
"""How long a key waits for its certificate."""


def is_full(paths: Iterable[Path]) -> bool:
    """Whether the CA and leaf paths hold more files or bytes than allowed."""
    found = {file for path in paths for file in files.all_files(path)}
    return len(found) > MAX_FILES or sum(_size(file) for file in found) >= MAX_BYTES


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def collect_leaves(leaves: LeafStore, now: datetime, pending_keys: dict[Path, datetime]) -> None:
    """Delete expired chains beyond the newest ten, and keys that got no certificate. Errors: `StorageError`.

    `pending_keys`: when a key was made, or first seen; kept up to date here.
    """
    chains = [leaf for leaf in leaves.leaves() if leaf.chain is not None]
    for leaf in chains[KEPT_CHAINS:]:
        if x509.is_expired(leaf.certificate, now):
            remove_leaf(leaves, leaf)
    used = {leaves.key_of(leaf) for leaf in leaves.leaves()}
    for path in files.key_files(leaves.key_folder):
        if path in used:
            pending_keys.pop(path, None)
        elif now - pending_keys.setdefault(path, now) >= KEY_GRACE:
            files.remove(path)
            del pending_keys[path]


def remove_leaf(leaves: LeafStore, leaf: Leaf, pool: Iterable[Certificate] = ()) -> None:
    """Delete a leaf's files, its key and its OCSP data. Errors: `StorageError`."""
    key = leaves.key_of(leaf)
    data = x509.hash_in(leaf.certificate, [*leaf.certificates, *pool])
    for path in leaf.paths:
        if data is not None:
            OcspCache(path, leaves.names).remove(data)
        files.remove(path)
    if key is not None:
        files.remove(key)


def collect_ocsp(bundle_or_leaf_files: Iterable[Path], pool: list[Certificate], names: files.Names) -> None:
    """Delete OCSP data that no certificate of `pool` has. Errors: `StorageError`."""
    known = [data for certificate in pool if (data := x509.hash_in(certificate, pool)) is not None]
    for folder in {path.parent for path in bundle_or_leaf_files}:
        cache = OcspCache(folder / "any", names)
        for data in cache.entries().values():
            if not any(x509.same_hash(data, other) for other in known):
                cache.remove(data)


def bundle_files(bundles: Iterable[CaBundle]) -> list[Path]:
    """All files of the bundles."""
    return [path for bundle in bundles for path in bundle.files()]
