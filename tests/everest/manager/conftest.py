"""The manager sets up the logging of its process; between tests it is put back."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
    for handler in [handler for handler in handlers if handler not in root.handlers]:
        root.addHandler(handler)
    root.setLevel(level)
