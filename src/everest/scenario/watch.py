"""What passes on the bus, in a memory that expectations look into.

Lives here: `Watch`: variables (session events among them) and errors; who waits is woken by each news, those of the
central system included. The bus itself is in bus.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
CALLER = "scenario"
"""As whom a scenario calls commands of the station's modules."""


@dataclass(frozen=True)
class Heard:
    """One message of a module. `kind` is `var`, `error` or `cmd`; `name` the variable, the error type, or the command
    that the scenario has called and that is answered here.

    It is decoded when somebody looks at it: a station says much more than a scenario wants to know.
    """

    module_id: str
    implementation_id: str
    kind: str
    name: str
    payload: bytes

    @cached_property
    def value(self) -> Any:
        data = msgspec.json.decode(self.payload)["data"]
        return data["data"] if self.kind == "var" else data

    def answers(self, call: str) -> bool:
        """Whether it is the answer to the call of this id."""
        return bool(self.value["data"].get("id") == call)

    @property
    def place(self) -> str:
        return f"{self.module_id}/{self.implementation_id}/{self.name}"

    @property
    def told(self) -> str:
        """For messages to people."""
        if self.name == "session_event":
            return str(self.value["event"])
        return f"{self.name} {self.value['state']}" if self.kind == "error" else str(self.value)


class Watch:
    """`bus` grows; `until` waits for a look that finds something."""

    def __init__(self, prefix: str = "everest/") -> None:
        self.bus: list[Heard] = []
        self.base = f"{prefix}modules/"
        self._news = asyncio.Event()

    def forget(self) -> None:
        """What has been heard so far is no longer needed."""
        self.bus.clear()

    def news(self) -> None:
        """Something has happened: who waits looks again."""
        self._news.set()

    def take(self, topic: str, payload: bytes) -> None:
        """A message that passes."""
        if not topic.startswith(self.base):
            return
        parts = topic.removeprefix(self.base).split("/", 4)
        if len(parts) != 5 or parts[1] != "impl":
            return
        module_id, _, implementation_id, kind, name = parts
        if kind == "cmd" and name.endswith(f"/response/{CALLER}"):
            name = name.removesuffix(f"/response/{CALLER}")
        elif kind not in ("var", "error"):
            return
        self.bus.append(Heard(module_id, implementation_id, kind, name, payload))
        self.news()

    async def until(self, look: Callable[[], T | None], within: float) -> T | None:
        """What `look` finds, as soon as it finds something; None when the time is over."""
        try:
            async with asyncio.timeout(within):
                while (found := look()) is None:
                    self._news.clear()
                    await self._news.wait()
                return found
        except TimeoutError:
            return look()
