"""A certificate store in a fresh folder, at a fixed time, and a PKI made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evse_security import Directories, EvseSecurity
from tests.evse_security.pki import NOW, Pki

Store = Callable[..., EvseSecurity]


@pytest.fixture(scope="session")
def pki() -> Pki:
    return Pki.make()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "certs"


@pytest.fixture
def make_store(folder: Path) -> Store:
    def make(password: str | None = None, **directories: str) -> EvseSecurity:
        return EvseSecurity(
            Directories(folder, **directories), private_key_password=password, now=lambda: NOW, random_number=lambda: 7
        )

    return make


@pytest.fixture
def store(make_store: Store) -> EvseSecurity:
    return make_store()
