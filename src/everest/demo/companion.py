"""Puts the demo beside the manager: starts a central system, tells the story, plays a session, then obeys the prompt.

With the default stack and no `--csms` it starts the demo central system. With `--csms URL` it points the OCPP module at
that one. With somebody's own configuration nothing is changed, and nothing is played unless `--play` is given.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from everest.demo.console import Narrator
from everest.demo.prompt import Prompt, Typed, is_nobody, is_terminal
from everest.demo.session import Session
from everest.demo.watch import Watch
from everest.manager.companion import RunContext
from everest.manager.errors import BootError

QUIET = Path(__file__).with_name("quiet_logging.cfg")
"""Modules tell warnings only: the story tells the rest, and the message log has every frame."""

SAMPLE_SECONDS = 2
"""MeterValueSampleInterval of the demo, so that a short session has several meter values."""


class Companion:
    """The companion of `everest-manager run` (entry point group `everest.manager.run`)."""

    def __init__(self) -> None:
        self._narrator = Narrator()
        self._watch: Watch | None = None
        self._csms: Any = None
        self._evses: dict[str, int] = {}
        self._closing_line = False
        self._interrupted = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--csms", metavar="URL", type=csms_url, help="talk to this CSMS (ws://host:port/path) instead of a demo one"
        )
        parser.add_argument(
            "--play",
            action=argparse.BooleanOptionalAction,
            help="play a charging session after the start (default: with the default stack)",
        )
        parser.add_argument("--verbose", action="store_true", help="the modules tell everything, not only warnings")

    async def prepare(self, context: RunContext) -> None:
        arguments = context.arguments
        demo = arguments.config is None
        self._evses = evse_managers(context)
        if self._evses:
            watch = Watch(context, self._evses, self._narrator.tell)
            await watch.open()
            self._watch = watch
        if arguments.csms is not None or demo:
            await self._prepare_csms(context, arguments.csms)
        if not arguments.verbose:
            context.environment["EV_LOG_CONF_FILE"] = str(QUIET)

    async def _prepare_csms(self, context: RunContext, url: str | None) -> None:
        modules = context.modules_named("OCPP")
        if not modules:
            raise BootError("no module OCPP in the configuration, so there is nothing that could talk to a CSMS")
        if url is None:
            url = await self._start_csms()
        for module in modules:
            path = write_ocpp_configuration(context, module.id, url)
            context.set_parameter(module.id, "ChargePointConfigPath", str(path))

    async def _start_csms(self) -> str:
        from everest.demo.csms import CentralSystem

        self._csms = CentralSystem()
        await self._csms.start()
        self._narrator.say(f"a demo central system listens at {self._csms.url}")
        return str(self._csms.url)

    async def play(self, context: RunContext) -> int:
        self._closing_line = True
        try:
            return await self._play(context)
        except asyncio.CancelledError:
            self._interrupted = True
            self._closing_line = not context.stack_failed.done()
            raise

    async def _play(self, context: RunContext) -> int:
        watch, script = self._watch, not is_terminal(sys.stdin)
        if watch is None:
            self._narrator.say("no EVSE manager in the configuration: nothing to play and nothing to drive")
            return await _for_ever()
        story = self._story(watch, context)
        if is_nobody(sys.stdin) and not self._is_all(context.arguments):
            await story
            return await _for_ever()
        typed = Typed(sys.stdin)
        played = await (story if script else _unless(typed.ended, story))
        if played is None:
            return 0
        if not script:
            self._narrator.say("now you drive: type help; Ctrl-D ends everything")
        prompt = Prompt(watch, len(self._evses), script=script, say=self._narrator.say, plain=self._narrator.plain)
        await prompt.run(typed)
        return int(not played or (script and (prompt.failed or self._left_undone(watch))))

    def _is_all(self, arguments: argparse.Namespace) -> bool:
        """Whether the run is over once the session is: the demo's own central system is of no other use."""
        return self._csms is not None and arguments.play is not False

    def _left_undone(self, watch: Watch) -> bool:
        """A script wants each session to reach its end; told, which one did not."""
        left = {
            "a session is still open": watch.open_sessions(),
            "a session ended without a transaction": watch.idle_sessions(),
        }
        for what, evses in left.items():
            if evses:
                self._narrator.say(f"{what} on EVSE {', '.join(map(str, evses))}")
        return any(left.values())

    async def _story(self, watch: Watch, context: RunContext) -> bool:
        """Wait for the station and play the session, if one is wanted. False if that did not reach its end."""
        arguments, played = context.arguments, True
        if not await watch.station_is_up():
            self._narrator.say("the CSMS has not accepted the station yet; going on without it")
        if arguments.play if arguments.play is not None else arguments.config is None:
            played = await Session(watch, self._narrator.say).play()
        self._narrator.say(f"state and message logs are in {context.state_dir}")
        return played

    async def close(self) -> None:
        if self._closing_line:
            if self._interrupted and self._narrator.console.is_terminal:
                self._narrator.plain("")  # after the ^C of the terminal
            self._narrator.say("everything has ended")
        if self._watch is not None:
            await self._watch.close()
        if self._csms is not None:
            await self._csms.close()


def csms_url(text: str) -> str:
    """The word after `--csms`, with `ws://` where it has no scheme, as in CentralSystemURI.

    A wrong one is refused before anything is started. Raises ArgumentTypeError.
    """
    if "://" not in text and ("/" in text or ":" in text):
        return csms_url(f"ws://{text}")
    wrong = argparse.ArgumentTypeError(f"{text!r} is no websocket address; write it as ws://host:port/path")
    try:
        parts = urlsplit(text)
        if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.port == 0:
            raise wrong
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{wrong} ({error})") from None
    return text


def evse_managers(context: RunContext) -> dict[str, int]:
    """Module id -> EVSE id of every module that the OCPP module (or Auth) manages, by the order of the connections."""
    for name in ("OCPP", "Auth"):
        for module in context.modules_named(name):
            connections = module.connections.get("evse_manager", ())
            if connections:
                return {connection.module_id: evse for evse, connection in enumerate(connections, start=1)}
    return {}


def write_ocpp_configuration(context: RunContext, module_id: str, url: str) -> Path:
    """The OCPP configuration of a module with another CSMS, as a file in the state directory. Returns its path."""
    module = context.stack.modules[module_id]
    parameters = {parameter.name: parameter.value for parameter in module.parameters["!module"]}
    name = str(parameters["ChargePointConfigPath"])
    layout = context.stack.settings.layout
    folders = (layout.data_dir / "modules" / module.name, layout.configs_dir, context.state_dir)
    base = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if base is None:
        places = ", ".join(str(folder) for folder in folders)
        raise BootError(f"ChargePointConfigPath {name!r} of module {module_id} names no file in any of {places}")
    try:
        configuration = json.loads(base.read_text(encoding="utf-8"))
        internal, core = configuration["Internal"], configuration["Core"]
        internal["CentralSystemURI"] = url
        formats = internal.get("LogMessagesFormat", ["log", "security"])
        internal["LogMessagesFormat"] = list(dict.fromkeys([*formats, "callback"]))
        core["MeterValueSampleInterval"] = SAMPLE_SECONDS
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BootError(f"{base} is no OCPP configuration: {error}") from error
    path = context.state_dir / f"{module_id}-config.json"
    path.write_text(json.dumps(configuration, indent=2) + "\n", encoding="utf-8")
    origin = path.with_name(f"{path.name}.copy-of")  # what the module names when it finds a fault
    origin.write_text(f"{base}\n", encoding="utf-8")
    return path


async def _unless(ended: asyncio.Event, work: Coroutine[Any, Any, bool]) -> bool | None:
    """What `work` returns; None if `ended` is set before it does, and then it is cancelled."""
    tasks = asyncio.create_task(work, name="demo story"), asyncio.create_task(ended.wait(), name="demo end of input")
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return None if tasks[1].done() else tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _for_ever() -> int:
    await asyncio.Event().wait()
    return 0
