"""Log lines and EVerest's severity filter (bus 7.4)."""

from __future__ import annotations

import io
import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from everest.runtime import logs


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """Put the root logger back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ('[Core]\nFilter="%Severity% >= INFO"\n', logging.INFO),
        ('[Core]\nFilter="%Severity% >= VERB"\n', 5),
        ('[Core]\nFilter="%Severity% >= DEBG"\n', logging.DEBUG),
        ('[Core]\nFilter="%Severity% > INFO"\n', logging.INFO + 1),
        ('[Core]\nFilter="%Severity% >= ERRO"\n', logging.ERROR),
        ('[Core]\nFilter="%Process% contains x"\n', logging.INFO),
        ("[Core]\nDisableLogging=true\n", logging.CRITICAL + 1),
        ("no ini at all", logging.INFO),
        ("", logging.INFO),
    ],
)
def test_the_filter_of_the_ini_sets_the_level(text: str, level: int, tmp_path: Path) -> None:
    path = tmp_path / "logging.cfg"
    path.write_text(text)
    assert logs.level_from(path) == level


def test_without_a_file_info_passes(tmp_path: Path) -> None:
    assert logs.level_from(None) == logs.level_from(tmp_path / "none.cfg") == logging.INFO


@pytest.mark.parametrize(
    ("level", "name"),
    [(5, "VERB"), (10, "DEBG"), (20, "INFO"), (25, "INFO"), (30, "WARN"), (40, "ERRO"), (50, "CRIT"), (1, "VERB")],
)
def test_levels_have_everests_names(level: int, name: str) -> None:
    assert logs.severity(level) == name


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "coloured"), [(io.StringIO(), False), (Terminal(), True)])
def test_a_line_names_severity_and_module_and_is_coloured_on_a_terminal_only(
    stream: io.StringIO, coloured: bool
) -> None:
    logs.configure("evse_manager_number_one", None, stream)
    logging.getLogger("some.where").warning("watch %s", "out")
    logging.getLogger("some.where").debug("unheard")
    [line] = stream.getvalue().splitlines()
    assert "WARN" in line and line.endswith("evse_manager_nu watch out")
    assert ("\x1b[" in line) is coloured


def test_a_thread_that_no_task_has_begun_speaks_for_the_process() -> None:
    stream = io.StringIO()
    logs.configure("store", None, stream)
    thread = threading.Thread(target=logging.getLogger("x").warning, args=("from a thread",))
    thread.start()
    thread.join()
    assert re.search(r"\[WARN\] store +from a thread\n$", stream.getvalue())
