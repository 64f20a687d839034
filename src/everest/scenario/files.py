"""The file server of a scenario: firmware that the station fetches, logs that it brings.

Lives here: `Files`, the server without a socket: a module's `scenario.py` puts it in place of the network in virtual
time, file_server.py serves it over http in real time. May not be imported here: any module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from everest.scenario.chance import Chance

SIZE = 20_000
STATES = ("served", "empty", "missing", "broken", "refused")
"""`empty`: a download of nothing; `broken`: one that breaks off in the middle; `refused`: an upload under this name is
not taken."""
ALL = "*"
"""Stands for every name in a table of states."""
NOWHERE = "http://files.invalid"
"""The address in virtual time; nobody dials it."""


class NoTransfer(ConnectionError):
    """The server does not give or take this file."""


@dataclass
class Files:
    """`news` is called after each upload, which is then in `received`; every name has the same `content`."""

    news: Callable[[], None]
    states: dict[str, str]
    content: bytes
    received: list[tuple[str, bytes]] = field(default_factory=list)

    def state(self, name: str) -> str:
        return self.states.get(name, self.states.get(ALL, ""))

    def get(self, url: str) -> bytes:
        """What a download of this URL brings. Raises NoTransfer; its `args[1]` is what came before it broke off."""
        name = name_of(url)
        state = self.state(name)
        if state == "broken":
            raise NoTransfer(f"the download of {name} breaks off", self.content[: len(self.content) // 2])
        if state not in ("served", "empty"):
            raise NoTransfer(f"there is no file {name}", b"")
        return self.content if state == "served" else b""

    def put(self, url: str, content: bytes) -> None:
        """An upload. Raises NoTransfer."""
        name = name_of(url)
        if self.state(name) == "refused":
            raise NoTransfer(f"the upload of {name} is refused", b"")
        self.received.append((name, content))
        self.news()


def name_of(url: str) -> str:
    """`firmware.bin` of `http://host/firmware.bin`."""
    return url.partition("?")[0].rpartition("/")[2]


def make(seed: int, states: dict[str, str], news: Callable[[], None]) -> Files:
    """A server whose content follows from the seed."""
    return Files(news, dict(states), Chance(seed).content(SIZE))
