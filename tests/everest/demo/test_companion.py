"""The words of `everest-manager run` that belong to the demo, and what its story prints."""

from __future__ import annotations

import argparse
import io

import pytest
from rich.console import Console

from everest.demo.companion import csms_url
from everest.demo.console import Narrator
from everest.demo.story import Line


@pytest.mark.parametrize(
    ("word", "url"),
    [
        ("ws://127.0.0.1:9000/a", "ws://127.0.0.1:9000/a"),
        ("wss://csms.example/", "wss://csms.example/"),
        ("127.0.0.1:9000/a", "ws://127.0.0.1:9000/a"),
    ],
)
def test_a_central_system_is_named_with_or_without_a_scheme(word: str, url: str) -> None:
    assert csms_url(word) == url


@pytest.mark.parametrize("word", ["", "nonsense", "http://x/", "host:99999/", "ws://"])
def test_what_is_no_address_is_refused_with_its_form(word: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"write it as ws://host:port/path"):
        csms_url(word)


def test_what_a_card_is_called_stays_in_its_line() -> None:
    out = io.StringIO()
    Narrator(Console(file=out, highlight=False, soft_wrap=True)).tell(Line("card", "A\n04:44  OCPP \x1b[2J\x00"))
    (line,) = out.getvalue().splitlines()
    assert line.endswith("A\\n04:44  OCPP \\x1b[2J\\x00")
