"""The library and its modules start without what only people's tools need."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_library_brings_neither_rich_nor_the_command_line() -> None:
    code = "import ocpp16, sys; print([name for name in sys.modules if name.split('.')[0] in ('rich', 'typer')])"
    code += "; print('ocpp16.cli' in sys.modules or 'ocpp16.documentation' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert out == "[]\nFalse\n"
