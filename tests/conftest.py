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

from everest.runtime import logs

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("planted", deadline=None, derandomize=True, phases=[Phase.generate])
"""Where a failure is all that counts: no time is spent on making the example small."""
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


SHARED = (logging.getLogger(), logging.getLogger("everest"))
"""The loggers that commands, and sessions of EVerest's binding, set up."""


def put_back() -> Iterator[None]:
    before = [(logger, list(logger.handlers), logger.level, logger.propagate) for logger in SHARED]
    yield
    for logger, handlers, level, propagate in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    yield from put_back()


@pytest.fixture(autouse=True, scope="module")
def logging_as_before_the_file() -> Iterator[None]:
    """What stations for a whole file set up ends with the file."""
    yield from put_back()
    logs.set_process_name("")
