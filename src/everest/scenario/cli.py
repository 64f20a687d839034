"""`everest-manager scenario FILE...`: plays scenario files, tells a verdict per step, ends with status 0 or 1."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from everest.manager import paths
from everest.manager.cli import Parser
from everest.manager.errors import BootError, ConfigError
from everest.manager.problems import Problem
from everest.scenario import reading, report
from everest.scenario.csms import Frame
from everest.scenario.model import Outcome, Scenario, Verdict
from everest.scenario.run import examine, play
from everest.scenario.stack import OCPP_CONFIG
from everest.trace.records import Trace, TraceError, save


def build_parser() -> Parser:
    parser = Parser(
        prog="everest-manager scenario",
        description="Plays scenario files on a simulated station and judges each step.",
    )
    add = parser.add_argument
    add("files", nargs="*", metavar="FILE", help="a scenario file, a folder of them, or the name of one of --list")
    add("--prefix", type=Path, metavar="DIR", help="EVerest installation with the modules (default: this installation)")
    add("--virtual", action="store_true", help="virtual time: nobody waits, no socket is opened")
    add("--processes", action="store_true", help="every module is a process, over a mosquitto of its own")
    add("--junit", type=Path, metavar="FILE", help="write the verdicts as JUnit XML")
    add("--check", action="store_true", help="read the files and tell what is wrong with them, play nothing")
    add("--list", action="store_true", help="name the scenarios that ship")
    add("--state-dir", type=Path, metavar="DIR", help="keep the station's files in DIR/<name> (default: thrown away)")
    add("--record", type=Path, metavar="DIR", help="record bus and OCPP to DIR/<name>.jsonl.gz, for everest-trace")
    add("--messages", action="store_true", help="tell every OCPP message, too")
    add("--verbose", action="store_true", help="show the log of the station, too")
    return parser


def main(words: Sequence[str]) -> int:
    """Returns 0 if every step of every scenario passed, else 1. Raises ManagerError."""
    parser = build_parser()
    arguments = parser.parse_args(words)
    if arguments.list:
        for file in shipped():
            say(f"{file.stem:40} {reading.load(file).name}")
        return 0
    if not arguments.files:
        parser.error("no scenario file is named")
    if arguments.virtual and arguments.processes:
        parser.error("--virtual is for modules in this process, not for --processes")
    prefix = None if arguments.prefix is None else paths.resolve(arguments.prefix).prefix
    scenarios = loaded(arguments.files, prefix)
    if arguments.check:
        say(f"nothing is wrong with {', '.join(scenario.file.name for scenario in scenarios)}")
        return 0
    with silence(not arguments.verbose):
        outcomes = played(scenarios, arguments, prefix)
    if arguments.junit is not None:
        write(arguments.junit, outcomes)
    passed = sum(outcome.passed for outcome in outcomes)
    say(f"{passed} of {len(scenarios)} scenarios passed")
    for outcome in outcomes:
        if not outcome.passed and len(scenarios) > 1:
            say(f"  {report.summary(outcome).splitlines()[0]} ({outcome.scenario.file})")
    return 0 if passed == len(scenarios) else 1


def loaded(names: Sequence[str], prefix: Path | None = None) -> list[Scenario]:
    """Every file that is named, each once. Raises ManagerError; what is wrong with all files is told at once."""
    scenarios: list[Scenario] = []
    problems: list[Problem] = []
    with TemporaryDirectory(prefix="everest-scenario-") as scratch:
        for file in dict.fromkeys(file for name in names for file in found(name)):
            scenario, wrong = examine(file, Path(scratch), prefix)
            problems += wrong
            scenarios += [scenario] if scenario is not None else []
    if problems:
        raise ConfigError(problems)
    return scenarios


@contextmanager
def silence(wanted: bool) -> Iterator[None]:
    """Nothing is logged to the terminal; who keeps errors for a report still hears them."""
    handlers = logging.getLogger().handlers if wanted else []
    levels = [(handler, handler.level) for handler in handlers]
    if wanted:
        logging.disable(logging.WARNING)
    for handler, _ in levels:
        handler.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        for handler, level in levels:
            handler.setLevel(level)


def played(scenarios: Sequence[Scenario], arguments: Namespace, prefix: Path | None) -> list[Outcome]:
    """One after the other, until all are played or somebody says Ctrl-C."""
    outcomes = []
    for scenario in scenarios:
        outcomes.append(one(scenario, arguments, prefix))
        if outcomes[-1].interrupted:
            break
    return outcomes


def one(scenario: Scenario, arguments: Namespace, prefix: Path | None) -> Outcome:
    """Play one scenario and tell it as it goes."""
    say(f"{scenario.name} ({scenario.file})")
    outcome = Outcome(scenario)
    frames: list[Frame] = []
    new = 0

    def tell(verdict: Verdict) -> None:
        nonlocal new
        for frame in frames[new:] if arguments.messages else []:
            say(report.message(frame, outcome.began))
        new = len(frames)
        say(report.line(verdict))

    trace: Trace = []
    with TemporaryDirectory(prefix="everest-scenario-") as scratch:
        kept = arguments.state_dir
        folder = Path(scratch) if kept is None else (kept / scenario.file.stem).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        play(
            scenario,
            folder,
            virtual=arguments.virtual,
            processes=arguments.processes,
            quiet=not arguments.verbose,
            told=tell,
            frames=frames,
            write=trace.append if arguments.record is not None else None,
            outcome=outcome,
            prefix=prefix,
        )
        if arguments.record is not None:
            keep(arguments.record, scenario.file.stem, trace, folder / OCPP_CONFIG)
    say(report.summary(outcome))
    return outcome


def keep(folder: Path, stem: str, trace: Trace, config: Path) -> None:
    """Write a recording, and beside it the OCPP configuration that a replay needs. Raises BootError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save(folder / f"{stem}.jsonl.gz", trace)
        if config.is_file():
            shutil.copy(config, folder / f"{stem}.ocpp.json")
    except (OSError, TraceError) as error:
        raise BootError(f"--record {folder}: {error}; name another folder") from error


def write(path: Path, outcomes: Sequence[Outcome]) -> None:
    try:
        report.write_junit(path, outcomes)
    except OSError as error:
        raise BootError(f"--junit {path} cannot be written: {error.strerror}; name another file") from error


def shipped() -> list[Path]:
    """The scenarios of this checkout or installed package."""
    return sorted((paths.resolve().data_dir / "scenarios").glob("*.yaml"))


def found(name: str) -> list[Path]:
    """The files that a word of the command line names. Raises BootError."""
    path = Path(name).absolute()
    if path.is_dir():
        files = sorted(path.glob("*.yaml"))
        if not files:
            raise BootError(f"there are no scenario files (*.yaml) in {path}")
        return files
    if path.is_file():
        return [path]
    for file in shipped():
        if file.stem == name:
            return [file]
    raise BootError(f"there is no scenario {name}; name a file, or one of --list")


def say(text: str) -> None:
    """One line for whoever looks on; once they have gone (`| head`), for nobody."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
