"""Hypothesis profiles of the whole suite: with `CI=1` or HYPOTHESIS_PROFILE=ci every run tries the same examples."""

from __future__ import annotations

import os

from hypothesis import Phase, settings

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("planted", deadline=None, derandomize=True, phases=[Phase.generate])
"""Where a failure is all that counts: no time is spent on making the example small."""
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))
