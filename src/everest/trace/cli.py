"""`everest-trace`: record, replay, diff, show.

Exit status: 0 equal or done, 1 different, 2 wrong usage or broken input, 130 interrupted.

Lives here: the command line, arguments in, text out. May not be imported here: modules by name, ocpp16.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from everest.manager import paths
from everest.runtime.topics import has_wildcard
from everest.runtime.yaml_file import YamlError
from everest.runtime.yaml_file import load as load_yaml
from everest.trace import differences, jump_loop, records, show
from everest.trace.compare import Comparison, compare
from everest.trace.record import Broker, record
from everest.trace.records import TraceError
from everest.trace.replay import Replay
from everest.trace.replay import replay as play
from everest.trace.said import module_ids, speakers, statements, tells_timers, without_timers
from everest.trace.topics import prefix_of
from everest.trace.world import attributed

DIFFERENT = 1
BROKEN = 2
INTERRUPTED = 130
STYLES = {"-": "red", "+": "green", "@": "cyan"}


def build_parser() -> argparse.ArgumentParser:
    """All words and flags."""
    parser = argparse.ArgumentParser(
        prog="everest-trace", description="Record, replay and compare what a station says."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add_record(commands.add_parser("record", help="write every message of a bus into a file"))
    _add_replay(commands.add_parser("replay", help="play a trace to one module and compare what it says"))
    diff = commands.add_parser("diff", help="compare two traces")
    diff.add_argument("first", type=Path)
    diff.add_argument("second", type=Path)
    diff.add_argument("--module", metavar="ID", help="only what this module says (its id)")
    diff.add_argument("--differences", type=Path, help="YAML list of accepted differences")
    shown = commands.add_parser("show", help="print a trace for people")
    shown.add_argument("trace", type=Path)
    shown.add_argument("--module", metavar="ID", help="only what this module says or is told (its id)")
    shown.add_argument("--ocpp", action="store_true", help="only OCPP, each request with its answer")
    shown.add_argument("--grep", metavar="REGEX", type=pattern, help="only lines that match")
    shown.add_argument("--width", type=characters, default=110, help="longest payload shown (default 110)")
    return parser


def _add_record(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", type=Path, help="the file to write; compressed when its name ends in .gz")
    parser.add_argument("--host", default=os.environ.get("MQTT_SERVER_ADDRESS", "localhost"))
    parser.add_argument("--port", type=port, default=environment_port())
    parser.add_argument("--socket", help="the broker's unix socket, instead of host and port")
    parser.add_argument("--external-prefix", default="", help="mqtt_external_prefix of the station")
    parser.add_argument("--seconds", type=seconds, help="stop after so many seconds")
    parser.add_argument(
        "--until-topic",
        metavar="TOPIC",
        type=topic_filter,
        help="stop with the first message on this topic (or filter)",
    )


def _add_replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", type=Path)
    parser.add_argument("--into", type=Path, required=True, metavar="MODULE", help="the module's folder, or its name")
    parser.add_argument("--module", default="", help="the module's id in the trace (default: the one of that name)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter, instead of the trace's"
    )
    parser.add_argument("--differences", type=Path, help="YAML list of accepted differences")
    parser.add_argument("--until", type=seconds, metavar="SECONDS", help="only the first so many seconds of the trace")
    parser.add_argument("--real-time", action="store_true", help="at the pace of the recording")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write what passed in the replay as a trace")
    parser.add_argument("--verbose", "-v", action="store_true", help="show the module's log")


def characters(text: str) -> int:
    """A width: 1 or more. Errors of this one and the next: ValueError, which argparse tells."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def seconds(text: str) -> float:
    """A span of time: more than nothing, and finite."""
    if not 0 < float(text) < math.inf:
        raise ValueError(text)
    return float(text)


def port(text: str) -> int:
    if not 0 < int(text) < 65536:
        raise ValueError(text)
    return int(text)


def environment_port() -> int:
    """`MQTT_SERVER_PORT`; 1883 where that is no port (bus 1.1)."""
    text = os.environ.get("MQTT_SERVER_PORT", "1883")
    try:
        return port(text)
    except ValueError:
        logging.getLogger(__name__).warning("MQTT_SERVER_PORT %r is no port; taking 1883", text)
        return 1883


def pattern(text: str) -> str:
    """A regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
    return text


def topic_filter(text: str) -> str:
    """A filter as MQTT 5 §4.7.1 allows it."""
    levels = text.split("/")
    lone = all(level in ("+", "#") or not has_wildcard(level) for level in levels)
    if not text or "#" in levels[:-1] or not lone:
        raise argparse.ArgumentTypeError(f"{text!r}: + stands for a whole level, # for all that follow, at the end")
    return text


def main(words: Sequence[str] | None = None) -> int:
    """The program. Errors of the user are one line on stderr."""
    arguments = build_parser().parse_args(words)
    console = Console(highlight=False, soft_wrap=True)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("everest.trace").setLevel(logging.WARNING)
    try:
        return {"record": _record, "replay": _replay, "diff": _diff, "show": _show}[arguments.command](
            arguments, console
        )
    except TraceError as error:
        print(f"everest-trace: {error}", file=sys.stderr)  # noqa: T201
        return BROKEN
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        sys.stdout = None
        return 0


def _record(arguments: argparse.Namespace, console: Console) -> int:
    broker = Broker(arguments.host, arguments.port, arguments.socket, arguments.external_prefix)
    writer = records.Writer(arguments.trace)

    def started() -> None:
        console.print(f"recording {broker.address} into {arguments.trace}; Ctrl-C ends it")

    recording = record(
        broker,
        writer.write,
        seconds=arguments.seconds,
        until_topic=arguments.until_topic,
        connected=writer.open,
        started=started,
    )
    try:
        asyncio.run(_until_signal(recording))
    finally:
        writer.close()
        if writer.opened:
            console.print(f"{writer.count} records in {arguments.trace}")
    return 0


async def _until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Do the work; SIGINT and SIGTERM end it in order, also in the background of a script, where Ctrl-C is ignored."""
    task = asyncio.ensure_future(work)
    stopped = asyncio.Event()

    def stop() -> None:
        stopped.set()
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not stopped.is_set():
            raise


def _replay(arguments: argparse.Namespace, console: Console) -> int:
    logging.getLogger().setLevel(logging.INFO if arguments.verbose else logging.CRITICAL)
    folder = module_folder(arguments.into)
    config = dict(setting(text, folder) for text in arguments.set)
    trace = records.load(arguments.trace)
    if arguments.until is not None:
        trace = [record for record in trace if record.t - trace[0].t <= arguments.until]
    rules = differences.load(arguments.differences) if arguments.differences else []
    name = arguments.trace.name.partition(".")[0]
    with tempfile.TemporaryDirectory(prefix="everest-trace-") as scratch:
        run = asyncio.run if arguments.real_time else jump_loop.run
        replayed = run(play(trace, folder, Path(scratch), module_id=arguments.module, config=config))
    if arguments.save is not None:
        records.save(arguments.save, replayed.trace)
    return _tell_replay(replayed, [rule for rule in rules if rule.concerns(name, folder.name)], name, console)


def _tell_replay(replayed: Replay, rules: list[differences.Rule], name: str, console: Console) -> int:
    if replayed.failure is not None:
        console.print(f"the module ended: {replayed.failure!r}", style="bold red")
        return DIFFERENT
    result = replayed.compare(rules)
    tell(result, console)
    for rule in rules:
        if rule.name in result.used:
            console.print(f"accepted: {rule.name}: {rule.reason}", style="dim")
        elif name in rule.traces:
            console.print(f"no longer occurs: {rule.name}; take it off the list", style="yellow")
    return 0 if result.equal else DIFFERENT


def tell(result: Comparison, console: Console) -> None:
    """Print a comparison."""
    for difference in result.differences:
        console.print(Text(difference.channel, style="bold"))
        for line in difference.lines:
            console.print(Text("  " + line, style=STYLES.get(line[0], "")))
    if result.equal:
        console.print(f"equal: {result.compared} statements", style="green")
    else:
        console.print(f"different in {len(result.differences)} channels (- recorded, + now)", style="red")


def _diff(arguments: argparse.Namespace, console: Console) -> int:
    rules = differences.load(arguments.differences) if arguments.differences else []
    first, second = (attributed(records.load(path)) for path in (arguments.first, arguments.second))
    if arguments.module is not None:
        known = known_modules(first) | known_modules(second)
        if arguments.module not in known:
            raise TraceError(f"neither trace holds a module {arguments.module}; they hold {', '.join(sorted(known))}")
    result = diff(first, second, rules, arguments.module)
    if not result.compared and result.equal:
        raise TraceError("nothing to compare: no module says anything in these traces")
    tell(result, console)
    return 0 if result.equal else DIFFERENT


def diff(
    first: records.Trace, second: records.Trace, rules: Sequence[differences.Rule], only: str | None = None
) -> Comparison:
    """What every module of two traces says (or only one), compared; its id stands before the channel."""
    prefixes = [prefix_of(trace) for trace in (first, second)]
    names = known_modules(second) | known_modules(first)
    whole = Comparison()
    for module in [only] if only is not None else names:
        mine = [rule for rule in rules if rule.module in ("", names.get(module))]
        sides = [statements(trace, module, prefix) for trace, prefix in zip((first, second), prefixes, strict=True)]
        if not all(tells_timers(said) for said in sides):
            sides = [without_timers(said) for said in sides]
        found = compare(sides[0], sides[1], mine)
        whole.compared += found.compared
        whole.differences += [replace(item, channel=f"{module}: {item.channel}") for item in found.differences]
    return whole


def known_modules(trace: records.Trace) -> dict[str, str]:
    """Module id -> module name of all that a trace holds; no name where it does not hold the module's start."""
    prefix = prefix_of(trace)
    return dict.fromkeys(speakers(trace, prefix), "") | module_ids(trace, prefix)


def _show(arguments: argparse.Namespace, console: Console) -> int:
    trace = attributed(records.load(arguments.trace))
    if arguments.module is not None and arguments.module not in (known := known_modules(trace)):
        raise TraceError(f"the trace holds no module {arguments.module}; it holds {', '.join(sorted(known)) or 'none'}")
    for line in show.lines(
        trace, module=arguments.module, ocpp=arguments.ocpp, grep=arguments.grep, width=arguments.width
    ):
        text = Text(f"{line.t:10.3f}  ", style="dim")
        text.append(f"{line.who:<16} ", style="bold").append(f"{line.kind:<8} ", style="cyan").append(
            line.text, style=""
        )
        console.print(text)
    return 0


def module_folder(into: Path) -> Path:
    """The folder of a module, given as such or by its name. Errors: TraceError."""
    for folder in (into, paths.resolve().modules_dir / into):
        if (folder / "manifest.yaml").is_file():
            return folder.resolve()
    raise TraceError(f"--into {into}: no folder of a module (with a manifest.yaml), and no module of that name")


def setting(text: str, folder: Path) -> tuple[str, Any]:
    """`NAME=VALUE`, the value in the type that the module's manifest declares. Errors: TraceError."""
    name, equal, value = text.partition("=")
    if not equal:
        raise TraceError(f"--set {text}: NAME=VALUE is needed")
    declared = declared_types(folder)
    if name not in declared:
        raise TraceError(f"--set {text}: {folder.name} has no parameter {name}; it has {', '.join(sorted(declared))}")
    try:
        return name, VALUES[declared[name]](value)
    except (KeyError, ValueError):
        raise TraceError(f"--set {text}: the value has to be of type {declared[name]}") from None


VALUES: dict[str, Callable[[str], Any]] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": lambda text: {"true": True, "false": False}[text],
}
"""Type in a manifest (bus 6.2) -> how it is read from the command line."""


def declared_types(folder: Path) -> dict[str, str]:
    """Parameter -> type, out of the module's manifest. Errors: TraceError."""
    try:
        manifest = load_yaml(folder / "manifest.yaml").data
        return {name: str(entry["type"]) for name, entry in manifest.get("config", {}).items()}
    except YamlError as error:
        raise TraceError(str(error)) from None
    except (AttributeError, KeyError, TypeError):
        raise TraceError(f"{folder / 'manifest.yaml'}: no manifest of a module") from None
