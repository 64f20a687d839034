"""The public surface of the package (bus 7)."""

from __future__ import annotations

import subprocess
import sys

import everest.framework
from everest.framework import error, log


def test_the_package_exports_what_the_original_exports() -> None:
    assert sorted(everest.framework.__all__) == [
        "Fulfillment",
        "Interface",
        "Module",
        "ModuleInfo",
        "ModuleInfoPaths",
        "ModuleSetup",
        "ModuleSetupConfigurations",
        "RuntimeSession",
        "__version__",
        "error",
        "log",
    ]
    assert everest.framework.__version__ == "0.25.0"
    assert everest.framework.error is error and everest.framework.log is log


def printed(code: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_validation_is_not_even_imported_until_a_station_asks_for_it() -> None:
    code = "import sys, everest.framework; print([name for name in sys.modules if name.startswith('jsonschema')])"
    assert printed(code) == "[]"


def test_importing_starts_no_thread_so_that_a_process_may_be_forked_afterwards() -> None:
    assert printed("import threading, everest.framework; print(threading.active_count())") == "1"
