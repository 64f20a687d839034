"""The tree of commands of `ocpp16`, and what a failure looks like: one line on stderr and an exit status.

0: done. 1: it could not be done, and the line says why. 2: the command line was wrong. 130: interrupted.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from ocpp16.cli import charge_point, config, queue
from ocpp16.errors import Ocpp16Error

DONE, FAILED, INTERRUPTED = 0, 1, 130


def parser() -> argparse.ArgumentParser:
    """All commands and options."""
    top = argparse.ArgumentParser(
        prog="ocpp16", description="OCPP 1.6J charge point: configuration, queue, transactions, standalone run."
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    config.add_commands(commands)
    queue.add_commands(commands)
    charge_point.add_command(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except Ocpp16Error as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return FAILED
    except BrokenPipeError:  # the reader of our output has gone (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return status
