"""The page of the message log: self-contained, safe against its own content, alive in a browser where there is one."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import pytest

from ocpp16.logs.html import FOOTER, HEADER, HtmlSink, html_file
from ocpp16.logs.rotation import Rotation
from ocpp16.logs.sinks import Kind, Record

START = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

RECORDS = [
    (0, Kind.SYSTEM, "", "Connected"),
    (1, Kind.SENT, "Authorize", '[2,"a","Authorize",{"idTag":"DEADBEEF"}]'),
    (1.25, Kind.RECEIVED, "AuthorizeResponse", '[3,"a",{"idTagInfo":{"status":"Accepted"}}]'),
    (2, Kind.RECEIVED, "Foo", '[2,"a","Foo",{"x":"</pre><script>alert(1)</script>"}]'),
    (2.5, Kind.SENT, "CallError", '[4,"a","NotImplemented","unknown action",{}]'),
    (3, Kind.SENT, "Heartbeat", '[2,"b","Heartbeat",{}]'),
    (3725, Kind.RECEIVED, "Response", '[3,"z",{}]'),
    (3726, Kind.RECEIVED, "", "no JSON"),
]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "log.html"
    sink = HtmlSink(html_file(path, Rotation()))
    for seconds, kind, name, text in RECORDS:
        sink.write(Record(kind, START + timedelta(seconds=seconds), name, text))
    sink.close()
    return path


class Balance(HTMLParser):
    """Open tags, and the attributes that could load something."""

    VOID = frozenset({"meta", "input", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.loads += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "srcset", "data", "action")]
        self.ids |= {value for name, value in attrs if name == "id" and value}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_loads_nothing_from_outside_and_every_tag_is_closed() -> None:
    balance = Balance()
    balance.feed(HEADER + FOOTER)
    assert balance.open == [] and balance.loads == []
    assert not re.search(r"https?:|//[a-z]|@import|url\(|fetch\(|XMLHttpRequest|import\(", HEADER)


def test_every_part_of_the_page_that_the_script_names_is_there() -> None:
    balance = Balance()
    balance.feed(HEADER)
    named = set(re.findall(r'at\("(\w+)"\)', HEADER)) - {"show"}
    assert named and named <= balance.ids
    assert {f"show{origin}" for origin in ("ChargePoint", "CentralSystem", "SYS")} <= balance.ids


def test_rows_keep_their_content_from_being_read_as_page(page: Path) -> None:
    rows = page.read_text().removeprefix(HEADER).removesuffix(FOOTER)
    assert rows.count("<tr class=") == len(RECORDS)
    assert "<script" not in rows and "&lt;script&gt;alert(1)&lt;/script&gt;" in rows
    assert '<tr class="SYS"><td>2024-05-01T12:00:00.000Z</td><td>SYS</td><td></td><td></td>' in rows
    assert "<td>ChargePoint-&gt;CentralSystem</td>" in rows or "<td>ChargePoint->CentralSystem</td>" in rows


@pytest.mark.skipif(BROWSER is None, reason="needs a Chromium to run the page's script")
def test_in_a_browser_answers_find_their_requests_and_gaps_are_visible(page: Path, tmp_path: Path) -> None:
    dom = dom_of(page, tmp_path)
    rows = re.findall(r"<tr.*?</tr>", dom.partition("<tbody>")[2], re.DOTALL)
    by_id = {match[1]: row for row in rows if (match := re.search(r'<tr[^>]* id="(r\d+)"', row))}
    assert len(by_id) == len(RECORDS)
    assert 'href="#r3">answered after 250 ms<' in by_id["r2"]
    assert 'href="#r2">to Authorize, 250 ms<' in by_id["r3"]
    assert 'href="#r5">refused after 500 ms<' in by_id["r4"], "the same id in the other direction is another CALL"
    assert "no answer" in by_id["r6"] and "answers nothing" in by_id["r7"]
    assert [number for number, row in by_id.items() if re.match(r'<tr class="\w+ bad"', row)] == ["r5", "r8"]
    assert next(row for row in rows if 'class="gap"' in row).count("1 h 2 min without a message") == 1
    assert "8 of 8 rows, 2 errors, 2 without partner" in dom


@pytest.mark.skipif(BROWSER is None, reason="needs a Chromium to run the page's script")
def test_in_a_browser_errors_only_shows_refusals_and_what_has_no_partner(page: Path, tmp_path: Path) -> None:
    dom = dom_of(page, tmp_path, 'at("errors").click()')
    rows = re.findall(r'<tr class="\w+[^>]* id="(r\d+)"([^>]*)>', dom)
    assert [number for number, more in rows if "hidden" not in more] == ["r4", "r5", "r6", "r7", "r8"]


@pytest.mark.skipif(BROWSER is None, reason="needs a Chromium to run the page's script")
def test_in_a_browser_a_search_shows_what_it_finds_with_the_answers(page: Path, tmp_path: Path) -> None:
    dom = dom_of(page, tmp_path, 'at("search").value = " deadbeef "; show()')
    assert "2 of 8 rows" in dom
    dom = dom_of(page, tmp_path, 'at("search").value = "deadbeef"; at("partners").click()')
    assert "1 of 8 rows" in dom


@pytest.mark.skipif(BROWSER is None, reason="needs a Chromium to run the page's script")
def test_in_a_browser_a_row_that_was_jumped_to_is_not_under_the_bar(tmp_path: Path) -> None:
    page = tmp_path / "long.html"
    sink = HtmlSink(html_file(page, Rotation()))
    for number in range(300):
        sink.write(Record(Kind.SENT, START, "Heartbeat", f'[2,"{number}","Heartbeat",{{}}]'))
        sink.write(Record(Kind.RECEIVED, START, "HeartbeatResponse", f'[3,"{number}",{{}}]'))
    sink.close()
    # A browser scrolls and lays out when it finds the time: the page tells as soon as the row is in sight.
    verdict = told_by(
        page,
        tmp_path,
        """document.querySelectorAll("a.answer")[200].click();
        setInterval(() => {
            const box = element => document.querySelector(element)?.getBoundingClientRect();
            if (scrollY > 1000 && box(":target")?.top >= box("thead th").bottom - 1
                && box("thead th").top >= box("header").bottom - 1) tell("in sight");
        }, 50)""",
    )
    assert verdict == "in sight"


def dom_of(page: Path, folder: Path, script: str = "") -> str:
    """The page as a browser has it after `script`."""
    return told_by(page, folder, f"{script}; tell(document.documentElement.outerHTML)")


def told_by(page: Path, folder: Path, script: str) -> str:
    """What the page in a browser says with `tell(text)`; `script` runs once it is loaded."""
    acting = f"""{page.read_text(encoding="utf-8")}<script>
        const tell = text => fetch("/", {{method: "POST", body: text}});
        addEventListener("load", () => {{ {script} }})</script>"""
    told: Queue[str] = Queue()

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(acting.encode() if self.path == "/" else b"")

        def do_POST(self) -> None:
            told.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.answer(b"")

        def answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """The test's own output stays the test's."""

    options = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0")
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as site:
        Thread(target=site.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{site.server_address[1]}/"
        command = [str(BROWSER), *options, f"--user-data-dir={folder / 'profile'}", address]
        with (folder / "browser.log").open("w") as log:
            browser = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            return told.get(timeout=90)
        except Empty:
            pytest.fail(f"the page told nothing within 90 s; the browser said: {(folder / 'browser.log').read_text()}")
        finally:
            browser.terminate()
            browser.wait(timeout=20)
            site.shutdown()
