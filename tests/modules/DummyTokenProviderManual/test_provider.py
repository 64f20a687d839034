"""Cards by an external topic (station 3.6)."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from everest.runtime.testing import ModuleBench

pytestmark = pytest.mark.looptime
MODULE = Path(__file__).parents[3] / "modules/DummyTokenProviderManual"
TOPIC = "everest_api/dummy_token_provider/cmd/provide"
CARD = {
    "id_token": {"value": "DEADBEEF", "type": "ISO14443"},
    "authorization_type": "RFID",
    "prevalidated": False,
    "connectors": [1, 2],
}


def bench(topic: str = TOPIC, **more: Any) -> ModuleBench:
    return ModuleBench(MODULE, module_id="reader", implementation_config={"main": {"mqtt_topic": topic}}, **more)


async def started(provider: ModuleBench) -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("card", [CARD, {k: CARD[k] for k in ("id_token", "authorization_type")}])
async def test_a_card_is_published_unchanged(card: dict[str, Any]) -> None:
    async with bench() as provider:
        await started(provider)
        provider.external(TOPIC, json.dumps(card))
        assert await provider.next("main", "provided_token") == card


async def test_without_a_topic_the_module_s_own_is_taken() -> None:
    async with bench("") as provider:
        await started(provider)
        provider.external("everest_api/reader/cmd/provide", json.dumps(CARD))
        assert await provider.next("main", "provided_token") == CARD


async def test_the_external_prefix_is_put_in_front() -> None:
    async with bench(external_prefix="external_1") as provider:
        await started(provider)
        provider.external(TOPIC, json.dumps(CARD))
        assert await provider.next("main", "provided_token") == CARD


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "no json",
        "[]",
        "{}",
        json.dumps({**CARD, "authorization_type": "Telepathy"}),
        json.dumps({"id_token": {"value": "X"}, "authorization_type": "RFID"}),
        "[" * 100_000,
    ],
)
async def test_what_is_no_card_is_logged_and_survived(payload: str, caplog: pytest.LogCaptureFixture) -> None:
    async with bench() as provider:
        await started(provider)
        provider.external(TOPIC, payload)
        provider.external(TOPIC, json.dumps(CARD))
        assert await provider.next("main", "provided_token") == CARD
        assert len(provider.published("main", "provided_token")) == 1
        [message] = caplog.messages
        assert re.fullmatch(rf"{TOPIC}: payload is no ProvidedIdToken, dropped: \S.*", message)
