"""How much faster modules are ready when they are forked from one warm parent than when each is started by itself.

    python bench/startup.py [--rounds N]

Over a private mosquitto, with five plain modules of everest.runtime and with the eight of the default stack; both ways
in turn in each round. Measured is the time from MANAGER_STARTING_MODULES to ALL_MODULES_STARTED on the status fifo;
that of the whole command, in which the warm parent imports beside the manager, stands behind it. What counts
are the ratios. It also prints how much memory the modules have to themselves (USS).
"""

from __future__ import annotations

import argparse
import os
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.support.mosquitto import running_mosquitto  # noqa: E402

BOTH = {"plain": ["--no-warm-parent"], "warm": []}
PLAIN_MODULE = {
    "manifest.yaml": "description: Does nothing\nmetadata: {license: 'https://x.org/l', authors: [Nobody]}\n",
    "module.py": "from everest.runtime import launch\n\nlaunch(__file__)\n",
    "__init__.py": "from everest.runtime import Module as module_class\n",
}


def five_modules(folder: Path) -> Path:
    """A configuration of five modules that do nothing."""
    module = folder / "modules" / "Nothing"
    module.mkdir(parents=True)
    for name, text in PLAIN_MODULE.items():
        (module / name).write_text(text, encoding="utf-8")
    entries = "".join(f"  m{number}: {{module: Nothing}}\n" for number in range(5))
    config = folder / "five.yaml"
    config.write_text(f"settings: {{modules_dir: {folder / 'modules'}}}\nactive_modules:\n{entries}", encoding="utf-8")
    return config


def start(config: Path, port: int, flags: list[str]) -> tuple[float, float, float]:
    """Start the stack once: seconds until all are ready, those of the whole command, MB of the modules' own memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "config" / "ocpp", folder / "ocpp", dirs_exist_ok=True)
        fifo = folder / "fifo"
        os.mkfifo(fifo)
        reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("EV_", "MQTT_"))}
        environment |= {"MQTT_SERVER_ADDRESS": "127.0.0.1", "MQTT_SERVER_PORT": str(port)}
        born = time.monotonic()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "everest.manager", "--config", str(config), "--status-fifo", str(fifo), *flags],
                cwd=folder, env=environment, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            begin = wait_for(reading, b"MANAGER_STARTING_MODULES", process, folder)
            end = wait_for(reading, b"ALL_MODULES_STARTED", process, folder)
            pids = re.findall(r"started \w+:\w+, pid (\d+)", (folder / "log").read_text(errors="replace"))
            return end - begin, end - born, sum(own_memory(int(pid)) for pid in pids)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
            os.close(reading)


def wait_for(reading: int, line: bytes, process: subprocess.Popen[bytes], folder: Path) -> float:
    """The moment this line came."""
    seen = b""
    while line not in seen:
        if process.poll() is not None:
            raise SystemExit(f"the stack did not start:\n{(folder / 'log').read_text(errors='replace')}")
        if select.select([reading], [], [], 0.1)[0]:
            seen += os.read(reading, 1)
    return time.monotonic()


def own_memory(pid: int) -> float:
    """MB that only this process holds."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kb) for kb in re.findall(r"^Private_\w+:\s+(\d+) kB", text, re.MULTILINE)) / 1024


def compare(title: str, config: Path, port: int, rounds: int) -> None:
    """Print the table of one stack."""
    for flags in BOTH.values():
        start(config, port, flags)
    results: dict[str, list[tuple[float, float, float]]] = {name: [] for name in BOTH}
    for _ in range(rounds):
        for name, flags in BOTH.items():
            results[name].append(start(config, port, flags))
    print(f"{title}\n{'':8} {'all ready':>12} {'whole command':>15} {'own memory':>12}")
    medians = {
        name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in results.items()
    }
    for name, (ready, whole, memory) in medians.items():
        print(f"  {name:6} {ready:10.3f} s {whole:13.3f} s {memory:9.1f} MB")
    ratios = [warm / plain for warm, plain in zip(medians["warm"], medians["plain"], strict=True)]
    print(f"  ratio  {ratios[0]:10.3f}   {ratios[1]:13.3f}   {ratios[2]:9.3f}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name, running_mosquitto(Path(name)) as broker:
        compare("five modules that do nothing", five_modules(Path(name)), broker.port, rounds)
        compare("the default stack: eight modules", ROOT / "manifest.yaml", broker.port, rounds)


if __name__ == "__main__":
    main()
