"""The message log as a page that a person can read: `html`, its raw copy, and the page per session (libocpp 8.1, 8.2).

One self-contained file: a table with a box to search in, and check boxes per direction. A file that was not closed
(power cut) lacks its last tags, which browsers forgive; one that is continued loses them first (`rotation.py`).
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from ocpp16.logs.rotation import RotatingFile, Rotation
from ocpp16.logs.sinks import MESSAGES, RAW, ROUTES, FileSink, Kind, Record, pretty
from ocpp16.messages import format_timestamp

HEADER = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>EVerest OCPP log session</title>
<style>
body { font-family: system-ui, sans-serif; margin: 1rem }
table { border-collapse: collapse; width: 100% }
th, td { border: 1px solid #bbb; padding: .25rem .5rem; text-align: left; vertical-align: top }
th { position: sticky; top: 0; background: #eee }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 20rem; overflow-y: auto }
tr.ChargePoint { background: #fdf3ff } tr.CentralSystem { background: #eefcff } tr.SYS { background: #effbef }
</style>
<script>
function show() {
  const text = document.getElementById("search").value.toLowerCase();
  for (const row of document.querySelectorAll("tr[class]")) {
    const wanted = document.getElementById("show" + row.className).checked;
    row.hidden = !wanted || !row.textContent.toLowerCase().includes(text);
  }
}
</script></head><body>
<p><input id="search" type="search" placeholder="Search" oninput="show()">
<label><input id="showChargePoint" type="checkbox" checked onchange="show()"> ChargePoint</label>
<label><input id="showCentralSystem" type="checkbox" checked onchange="show()"> CentralSystem</label>
<label><input id="showSYS" type="checkbox" checked onchange="show()"> SYS</label></p>
<table><tr><th>Time</th><th>Direction</th><th>Sent</th><th>Received</th><th>Message</th></tr>
"""
FOOTER = "</table></body></html>\n"


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
