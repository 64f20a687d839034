"""Renews docs/run.svg, the picture of `make run` in the README: a real run at a terminal, drawn by rich.

.venv/bin/python tools/recording.py
"""

from __future__ import annotations

import io
import os
import pty
import re
import select
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 112
LINES = 50
LAST = b"the session is over: transaction"
SECONDS = 60


def run() -> str:
    """Everything that `everest-manager run` shows until the session is over."""
    ours, theirs = pty.openpty()
    with tempfile.TemporaryDirectory() as state:
        process = subprocess.Popen(
            [sys.executable, "-m", "everest.manager", "run", "--state-dir", state],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": str(WIDTH)},
        )  # fmt: skip
        os.close(theirs)
        shown = b""
        try:
            while LAST not in shown:
                ready, _, _ = select.select([ours], [], [], SECONDS)
                if not ready:
                    raise SystemExit(f"the session did not reach its end:\n{shown.decode(errors='replace')}")
                shown += os.read(ours, 65536)
        finally:
            os.write(ours, b"\x04")
            process.wait(30)
            os.close(ours)
    return shown.decode(errors="replace").replace("\r", "")


def main() -> None:
    lines = [line for line in run().split("\n") if line.strip()]
    # What comes of itself at the start would push the session out of the picture.
    lines = [line for line in lines if not re.search(r"SecurityEvent|StatusNotification +ok|MeterValues +ok", line)]
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi("$ make run\n" + "\n".join(lines[:LINES])), soft_wrap=False, no_wrap=True, crop=True)
    svg = console.export_svg(title="everest-ocpp16")
    # No font from elsewhere: the reader's own monospace one.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    (ROOT / "docs/run.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
