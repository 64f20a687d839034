"""The message log: formats, files, failures (libocpp 8)."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from ocpp16.logs import LogSettings, MessageDirection, WrittenMessageLog, open_message_log
from tests.support.ocpp16.doubles import START, VirtualClock

pytestmark = pytest.mark.looptime

FRAME = '[2,"1","Heartbeat",{}]'
ANSWER = '[3,"1",{"currentTime":"2026-01-01T12:00:00.000Z"}]'
SECRET = '[2,"2","ChangeConfiguration",{"key":"AuthorizationKey","value":"secret-secret"}]'
STEM = "2026-01-01T12:00:00.000Z"


def log_to(folder: Path, *formats: str, **more: Any) -> WrittenMessageLog:
    others = {
        name: more.pop(name) for name in ("message_callback", "on_security_log_cleared", "console") if name in more
    }
    return open_message_log(LogSettings(formats=formats, **more), folder, VirtualClock(), **others)


async def test_the_text_log_holds_time_route_name_and_indented_json(tmp_path: Path) -> None:
    log = log_to(tmp_path, "log")
    log.system("Connected")
    log.sent(FRAME, "Heartbeat")
    log.received(ANSWER, "HeartbeatResponse")
    await log.close()
    assert (tmp_path / f"{STEM}.log").read_text() == (
        "2026-01-01T12:00:00.000Z: SYS Connected\n\n"
        '2026-01-01T12:00:00.000Z: ChargePoint>CentralSystem Heartbeat\n[\n  2,\n  "1",\n  "Heartbeat",\n  {}\n]\n\n'
        "2026-01-01T12:00:00.000Z: CentralSystem>ChargePoint HeartbeatResponse\n"
        '[\n  3,\n  "1",\n  {\n    "currentTime": "2026-01-01T12:00:00.000Z"\n  }\n]\n\n'
    )


async def test_raw_frames_are_written_only_with_the_raw_key(tmp_path: Path) -> None:
    for raw in (False, True):
        log = log_to(tmp_path, "log", raw=raw)
        log.raw(b"\xff garbage", sent=False)
        log.raw(FRAME, sent=True)
        await log.close()
        assert (tmp_path / f"{STEM}_raw.log").exists() is raw
    lines = (tmp_path / f"{STEM}_raw.log").read_text().splitlines()
    assert lines == [
        "2026-01-01T12:00:00.000Z: CentralSystem>ChargePoint \\xff garbage",
        f"2026-01-01T12:00:00.000Z: ChargePoint>CentralSystem {FRAME}",
    ]


async def test_secrets_are_masked_in_every_log_unless_asked_otherwise(tmp_path: Path) -> None:
    for secrets in (False, True):
        seen: list[str] = []
        log = log_to(
            tmp_path,
            *("log", "html", "security", "callback"),
            raw=True,
            secrets=secrets,
            message_callback=lambda text, _, seen=seen: seen.append(text),
        )
        log.received(SECRET, "ChangeConfiguration")
        log.raw(SECRET, sent=False)
        log.security("InvalidMessages", START, SECRET)
        await log.close()
        files = {path.name: "secret-secret" in path.read_text() for path in tmp_path.iterdir()}
        assert len(files) == 5
        assert set(files.values()) == {secrets}
        assert ("secret-secret" in seen[0]) is secrets


async def test_security_events_are_one_json_object_per_line(tmp_path: Path) -> None:
    log = log_to(tmp_path, "security")
    log.security("StartupOfTheDevice", START, "The Charge Point has booted")
    log.security("SettingSystemTime", START, None)
    await log.close()
    first, second = (tmp_path / f"{STEM}.security.log").read_text().splitlines()
    assert json.loads(first) == {
        "type": "StartupOfTheDevice",
        "timestamp": STEM,
        "techInfo": "The Charge Point has booted",
    }
    assert json.loads(second) == {"type": "SettingSystemTime", "timestamp": STEM}


async def test_the_console_shows_names_and_the_detailed_one_wins(tmp_path: Path) -> None:
    plain, detailed = io.StringIO(), io.StringIO()
    for formats, stream in ((("console",), plain), (("console", "console_detailed"), detailed)):
        log = log_to(tmp_path, *formats, console=stream)
        log.sent(FRAME, "Heartbeat")
        await log.close()
    assert plain.getvalue() == "ChargePoint: Heartbeat\n"
    assert detailed.getvalue() == f"ChargePoint: Heartbeat {FRAME}\n"
    assert list(tmp_path.iterdir()) == []


async def test_a_terminal_gets_colours(tmp_path: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    log = log_to(tmp_path, "console", console=stream)
    log.sent(FRAME, "Heartbeat")
    log.received(ANSWER, "HeartbeatResponse")
    log.system("Connected")
    await log.close()
    assert [line[:7] for line in stream.getvalue().splitlines()] == ["\033[1;35m", "\033[1;36m", "\033[1;32m"]


@pytest.mark.parametrize("log_messages", [True, False])
async def test_the_callback_gets_every_message_even_with_the_log_switched_off(
    tmp_path: Path, log_messages: bool
) -> None:
    heard: list[tuple[str, MessageDirection]] = []
    log = log_to(
        tmp_path,
        "callback",
        "log",
        log_messages=log_messages,
        message_callback=lambda frame, direction: heard.append((frame, direction)),
    )
    log.sent(FRAME, "Heartbeat")
    log.received(ANSWER, "HeartbeatResponse")
    await log.close()
    assert heard == [
        (FRAME, MessageDirection.ChargingStationToCSMS),
        (ANSWER, MessageDirection.CSMSToChargingStation),
    ]
    assert bool(list(tmp_path.iterdir())) is log_messages


async def test_without_its_format_the_callback_is_not_called(tmp_path: Path) -> None:
    heard: list[str] = []
    log = log_to(tmp_path, "log", message_callback=lambda frame, direction: heard.append(frame))
    log.sent(FRAME, "Heartbeat")
    await log.close()
    assert heard == []


async def test_a_callback_that_fails_does_not_stop_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fail(frame: str, direction: MessageDirection) -> None:
        raise RuntimeError("oops")

    log = log_to(tmp_path, "callback", "log", message_callback=fail)
    log.sent(FRAME, "Heartbeat")
    await log.close()
    assert "Heartbeat" in (tmp_path / f"{STEM}.log").read_text()
    assert "message callback failed" in caplog.text


async def test_authorization_keys_are_masked_everywhere(tmp_path: Path) -> None:
    heard: list[str] = []
    stream = io.StringIO()
    log = log_to(
        tmp_path,
        "log",
        "console_detailed",
        "callback",
        raw=True,
        console=stream,
        message_callback=lambda frame, direction: heard.append(frame),
    )
    log.raw(SECRET, sent=False)
    log.received(SECRET, "ChangeConfiguration")
    await log.close()
    everything = "".join(path.read_text() for path in tmp_path.iterdir()) + stream.getvalue() + "".join(heard)
    assert "secret-secret" not in everything
    assert everything.count("***") == 4


async def test_rotation_uses_the_fixed_name_and_a_lost_security_log_is_reported(tmp_path: Path) -> None:
    cleared: list[bool] = []
    log = log_to(
        tmp_path,
        "log",
        "security",
        rotation=True,
        maximum_file_size=1,
        maximum_file_count=2,
        on_security_log_cleared=lambda: cleared.append(True),
    )
    log.sent(FRAME, "Heartbeat")
    for _ in range(3):
        log.security("SettingSystemTime", START, None)
        await asyncio.sleep(1)
    await log.close()
    assert {path.name for path in tmp_path.iterdir()} == {
        "libocpp_16.log",
        "libocpp_16.security.log",
        "libocpp_16.security.log.0",
    }
    assert cleared == [True]


async def test_unknown_formats_are_named_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = log_to(tmp_path, "log", "smoke_signals", "papyrus")
    await log.close()
    [record] = caplog.records
    assert "papyrus, smoke_signals" in record.getMessage()


async def test_a_disk_that_refuses_is_reported_once_and_nothing_is_raised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    log = log_to(tmp_path / "file", "log", "security")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            log.sent(FRAME, "Heartbeat")
            await asyncio.sleep(1)
    await log.close()
    assert len(caplog.records) == 1
    assert "'log' cannot be written" in caplog.text


async def test_what_is_logged_before_closing_is_on_disk_after_it(tmp_path: Path) -> None:
    log = log_to(tmp_path, "log")
    for number in range(500):
        log.sent(FRAME, f"Name{number}")
    await log.close()
    log.sent(FRAME, "TooLate")
    text = (tmp_path / f"{STEM}.log").read_text()
    assert all(f" Name{number}\n" in text for number in range(500))
    assert "TooLate" not in text


# --- html ------------------------------------------------------------------------------------------------------------


async def test_the_html_log_is_one_table_with_a_row_per_message(tmp_path: Path) -> None:
    log = log_to(tmp_path, "html")
    log.system("Connected")
    log.sent('[2,"1","DataTransfer",{"vendorId":"<script>&"}]', "DataTransfer")
    log.received(ANSWER, "HeartbeatResponse")
    await log.close()
    page = (tmp_path / f"{STEM}.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "<title>EVerest OCPP log session</title>" in page
    assert page.endswith("</tbody></table></body></html>\n")
    assert (
        '<tr class="ChargePoint"><td>2026-01-01T12:00:00.000Z</td><td>ChargePoint->CentralSystem</td>'
        "<td>DataTransfer</td><td></td><td><pre>".replace("->", "-&gt;")
    ) in page
    assert '<tr class="CentralSystem">' in page
    assert '<tr class="SYS">' in page
    assert '"vendorId": "&lt;script&gt;&amp;"' in page
    assert page.count("<script>") == 1


async def test_a_html_log_that_is_continued_stays_one_page(tmp_path: Path) -> None:
    for _ in range(3):
        log = log_to(tmp_path, "html", rotation=True)
        log.sent(FRAME, "Heartbeat")
        await log.close()
    page = (tmp_path / "libocpp_16.html").read_text()
    assert page.count("</html>") == page.count("<!DOCTYPE html>") == 1
    assert page.count('<tr class="ChargePoint">') == 3
    assert page.endswith("</html>\n")


async def test_rotated_html_files_are_whole_pages(tmp_path: Path) -> None:
    log = log_to(tmp_path, "html", rotation=True, maximum_file_size=100)
    for _ in range(2):
        log.sent(FRAME, "Heartbeat")
    await log.close()
    pages = [path.read_text() for path in tmp_path.iterdir()]
    assert len(pages) == 2
    assert all(page.startswith("<!DOCTYPE") and page.endswith("</html>\n") for page in pages)


async def test_the_raw_html_log_comes_with_the_raw_key(tmp_path: Path) -> None:
    log = log_to(tmp_path, "html", raw=True)
    log.raw("<garbage>", sent=False)
    await log.close()
    assert "<pre>&lt;garbage&gt;</pre>" in (tmp_path / f"{STEM}_raw.html").read_text()


# --- sessions --------------------------------------------------------------------------------------------------------


async def test_a_session_has_its_own_page_from_its_start_to_its_end(tmp_path: Path) -> None:
    log = log_to(tmp_path / "logs", "session_logging")
    log.sent(FRAME, "Before")
    log.session_started("s1", tmp_path / "s1")
    log.sent(FRAME, "During")
    await asyncio.sleep(1)
    assert "During" in (tmp_path / "s1" / "incomplete-ocpp.html").read_text()
    log.session_ended("s1")
    log.sent(FRAME, "After")
    await log.close()
    assert [path.name for path in (tmp_path / "s1").iterdir()] == ["ocpp.html"]
    page = (tmp_path / "s1" / "ocpp.html").read_text()
    assert "Session logging started." in page
    assert "During" in page
    assert "Before" not in page
    assert "After" not in page
    assert page.endswith("</html>\n")
    assert not (tmp_path / "logs").exists()


async def test_sessions_at_the_same_time_each_get_all_messages(tmp_path: Path) -> None:
    log = log_to(tmp_path / "logs", "session_logging", "log")
    for session in ("s1", "s2"):
        log.session_started(session, tmp_path / session)
    log.sent(FRAME, "Both")
    log.session_ended("s1")
    await log.close()
    assert "Both" in (tmp_path / "s1" / "ocpp.html").read_text()
    assert "Both" in (tmp_path / "s2" / "incomplete-ocpp.html").read_text()
    assert "Both" in (tmp_path / "logs" / f"{STEM}.log").read_text()


@pytest.mark.parametrize("settings", [{"log_messages": False}, {}])
async def test_without_session_logging_there_is_no_page(tmp_path: Path, settings: dict[str, bool]) -> None:
    formats = ("session_logging",) if settings else ("log",)
    log = log_to(tmp_path / "logs", *formats, **settings)
    log.session_started("s1", tmp_path / "s1")
    log.sent(FRAME, "During")
    log.session_ended("s1")
    await log.close()
    assert not (tmp_path / "s1").exists()


async def test_a_session_folder_that_cannot_be_written_harms_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    log = log_to(tmp_path, "session_logging", "log")
    log.session_started("s1", tmp_path / "file")
    log.sent(FRAME, "Heartbeat")
    log.session_ended("s1")
    log.session_ended("s1")
    await log.close()
    assert "Heartbeat" in (tmp_path / f"{STEM}.log").read_text()
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1
