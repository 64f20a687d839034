"""The message log as a page that a person can read: `html`, its raw copy, and the page per session (libocpp 8.1, 8.2).

One self-contained file (`page_head.html` and a row per message) without any outside resource. Its script pairs requests
and answers, shows gaps in time, searches and filters; without scripts it is a plain table. A file that was not closed
(power cut) lacks its last tags, which browsers forgive; one that is continued loses them first (`rotation.py`).
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from ocpp16.logs.rotation import RotatingFile, Rotation
from ocpp16.logs.sinks import MESSAGES, RAW, ROUTES, FileSink, Kind, Record, pretty
from ocpp16.messages import format_timestamp

HEADER = Path(__file__).with_name("page_head.html").read_text(encoding="utf-8")
"""All of the page but its rows: styles, script, tool bar, head of the table."""
FOOTER = "</tbody></table></body></html>\n"


def html_file(path: Path, rotation: Rotation) -> RotatingFile:
    return RotatingFile(path, rotation, header=HEADER, footer=FOOTER)


class HtmlSink(FileSink):
    """`html`, and the page of one session: a row per message, the class of a row is its origin."""

    kinds = MESSAGES
    name = "html"

    def text(self, record: Record) -> str:
        return row(record, pretty(record.text))


class RawHtmlSink(FileSink):
    """`<stem>_raw.html`: every frame as it came."""

    kinds = RAW
    name = "raw html"

    def text(self, record: Record) -> str:
        return row(record, record.text)


def row(record: Record, text: str) -> str:
    origin, target = ROUTES[record.kind]
    received = record.kind is Kind.RECEIVED
    cells = (
        format_timestamp(record.time),
        f"{origin}->{target}" if target else origin,
        "" if received else record.name,
        record.name if received else "",
    )
    return (
        f'<tr class="{origin}">'
        + "".join(f"<td>{escape(cell, quote=False)}</td>" for cell in cells)
        + f"<td><pre>{escape(text, quote=False)}</pre></td></tr>\n"
    )
