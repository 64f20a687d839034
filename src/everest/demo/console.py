"""Shows the story: coloured on a terminal, plain lines otherwise. The only place that prints."""

from __future__ import annotations

import contextlib
import sys
from datetime import datetime

from rich.console import Console
from rich.text import Text

from everest.demo.story import Line

STYLES = {"OCPP": "cyan", "card": "yellow", "car": "green", "story": "bold"}


def visible(text: str) -> str:
    """The text in one line: whoever names a card, or answers as a central system, does not write on this terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Narrator:
    """Prints lines with the time of day. On a terminal with colours, in a pipe as plain text of the same columns."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True)

    def tell(self, line: Line) -> None:
        time = datetime.now().astimezone().strftime("%H:%M:%S.%f")[:12]
        style = "bold red" if line.alarming else STYLES.get(line.who, "")
        text = Text()
        text.append(f"{time}  ", style="dim")
        text.append(f"{line.who:<8}", style=style or "magenta")
        text.append(f"{line.arrow:<3}", style="bold")
        text.append(visible(line.text), style=style)
        self._print(text)

    def say(self, text: str) -> None:
        """A line of the demo itself."""
        self.tell(Line("story", text))

    def plain(self, text: str) -> None:
        """Text as it is, for help and errors of commands."""
        self._print(Text(text))

    def _print(self, text: Text) -> None:
        """A terminal that was closed takes nothing any more; the end that this brings must not break on it."""
        with contextlib.suppress(OSError):
            self.console.print(text)
