"""The whole station (real broker, real processes, a CSMS) is killed in the middle of a firmware download."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ocpp.v16 import call

from everest.demo.csms import CentralSystem
from tests.modules.System import servers
from tests.modules.System.servers import CONTENT, Served
from tests.support.mosquitto import running_mosquitto
from tests.support.stack import Station, station_config

HALF = len(CONTENT) // 2


async def half_of_it(folder: Path) -> Path:
    """The part on disk, as soon as it is what the server sent."""
    async with asyncio.timeout(20):
        while True:
            for path in folder.rglob("everest-System-*/firmware-*"):
                if path.stat().st_size == HALF:
                    return path
            await asyncio.sleep(0.02)


async def test_the_csms_hears_the_end_of_an_update_that_kill_9_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("no_proxy", "*")
    served = Served(break_after=[HALF], stalls=1)
    with running_mosquitto(tmp_path) as mosquitto:
        async with CentralSystem(port=0) as csms, servers.http(served):
            config = station_config(tmp_path, csms.url)
            station = Station(config, mosquitto.port)
            await station.start()
            await csms.wait_for_call("StatusNotification", lambda told: told["connectorId"] == 2)
            location = f"http://127.0.0.1:{served.port}/firmware.bin"
            await csms.call(call.UpdateFirmware(location=location, retrieve_date=datetime.now(UTC).isoformat()))
            part = await half_of_it(tmp_path)
            (part.parent / "firmware-of-an-earlier-life").write_text("left")
            station.kill_module("system")
            await station.wait_for_exit()
            await station.stop()
            assert part.exists() and not list(temporary.glob("everest-System-*"))
            async with Station(config, mosquitto.port):
                await csms.wait_for(
                    lambda: (
                        [told["status"] for told in csms.calls("FirmwareStatusNotification")][:3]
                        == ["Downloading", "Downloading", "Downloaded"]
                    ),
                    what="the download after the restart",
                    seconds=6,
                )
                assert [path.name for path in part.parent.iterdir()] == [part.name]
    assert served.asked == [None, f"bytes={HALF}-"]
