"""Entry point of the programs `everest-manager` and `manager`: starts the warm parent, then the command line (cli.py).

The warm parent is of use only if modules are started, so the words of the command line are glanced at; what they really
mean, and every complaint about them, is the business of cli.py, which is imported while the warm parent imports, too.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from everest.manager import paths
from everest.manager.early import early_warm_parent
from everest.manager.errors import BootError

_NOTHING_TO_START = {
    *("-h", "--help", "--version", "--check", "--dumpmanifests"),
    *("--into-idle", "--in-process", "--no-warm-parent"),
}


def main(arguments: Sequence[str] | None = None, *, prefix: str | None = None) -> int:
    """As `cli.main`; Ctrl-C before that has begun ends with status 1, too."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _start(words, prefix)
    except KeyboardInterrupt:
        return 1


def _start(words: list[str], prefix: str | None) -> int:
    with contextlib.ExitStack() as things:
        parent = None
        layout = starting_layout(words, prefix)
        if layout is not None:
            parent = things.enter_context(early_warm_parent(layout, os.environ))
        from everest.manager import cli

        return cli.main(words, prefix=prefix, parent=parent)


def starting_layout(words: Sequence[str], prefix: str | None) -> paths.Layout | None:
    """Where modules would be started from; None if it does not look as if any were."""
    other_command = bool(words) and words[0] != "run" and not words[0].startswith("-")
    if other_command or _NOTHING_TO_START.intersection(words):
        return None
    for index, word in enumerate(words):
        if word == "--prefix" and index + 1 < len(words):
            prefix = words[index + 1]
        elif word.startswith("--prefix="):
            prefix = word.removeprefix("--prefix=")
    try:
        return paths.resolve(None if prefix is None else Path(prefix))
    except BootError:
        return None
