"""The end of processes: waiting for it without polling, and saying it in words. Standard library only."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor


def describe(status: int) -> str:
    """An exit status for people: `exit status 3`, `killed by SIGKILL`."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


async def wait_for_pidfd(descriptor: int) -> None:
    """Wait until the process of a pidfd has ended; the descriptor is closed."""
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.add_reader(descriptor, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def wait_for_exit(process: subprocess.Popen[bytes]) -> int:
    """Exit status of a child: by pidfd on Linux, by a thread elsewhere."""
    if hasattr(os, "pidfd_open"):
        try:
            descriptor = os.pidfd_open(process.pid)
        except OSError:
            descriptor = None
        if descriptor is not None:
            await wait_for_pidfd(descriptor)
            return process.wait()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="wait") as executor:
        return await asyncio.get_running_loop().run_in_executor(executor, process.wait)
