"""For the whole suite: Hypothesis profiles, and logging as it was after every test.

With `CI=1` or HYPOTHESIS_PROFILE=ci every run tries the same examples. Commands set up the logging of their process,
which in a test is everybody's.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("planted", deadline=None, derandomize=True, phases=[Phase.generate])
"""Where a failure is all that counts: no time is spent on making the example small."""
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


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
