"""The feature profiles of the ready configuration through the whole station: every module a process, a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ocpp.v16 import call

from everest.demo.csms import CentralSystem, now
from tests.e2e.assertions import assert_no_call_error
from tests.support.mosquitto import Mosquitto
from tests.support.stack import Bus, Station, station_config

pytestmark = [pytest.mark.mosquitto, pytest.mark.stack]


class FileServer:
    """Takes every upload by HTTP PUT or POST, and serves one file."""

    def __init__(self, content: bytes = b"firmware") -> None:
        self.content = content
        self.uploads: list[bytes] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> FileServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        answer = b"" if self._takes(head) else self.content
        if self._takes(head):
            self.uploads.append(head.encode())
            await self._drain(head.lower(), reader)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
        await writer.drain()
        writer.close()

    @staticmethod
    def _takes(head: str) -> bool:
        return head.startswith(("PUT", "POST"))

    @staticmethod
    async def _drain(head: str, reader: asyncio.StreamReader) -> None:
        if "content-length:" in head:
            await reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0]))
            return
        while (size := int(await reader.readline(), 16)) > 0:
            await reader.readexactly(size + 2)
        await reader.readline()


@pytest.fixture
async def files() -> AsyncIterator[FileServer]:
    async with FileServer() as server:
        yield server


async def statuses(csms: CentralSystem, action: str, last: str) -> list[str]:
    """Wait for the last status; all of them, without repetitions."""
    await csms.wait_for_call(action, lambda p: p["status"] == last, seconds=30)
    return list(dict.fromkeys(p["status"] for p in csms.calls(action)))


async def test_local_list_reservation_trigger_and_diagnostics(
    tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, bus: Bus, files: FileServer
) -> None:
    async with Station(station_config(tmp_path, csms.url, LocalPreAuthorize=True), mosquitto.port):
        await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 2)

        entries = [{"idTag": "LISTED", "idTagInfo": {"status": "Accepted"}}]
        update = call.SendLocalList(list_version=3, update_type="Full", local_authorization_list=entries)
        assert (await csms.call(update)).status == "Accepted"
        assert (await csms.call(call.GetLocalListVersion())).list_version == 3

        expiry = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        reserve = call.ReserveNow(connector_id=2, expiry_date=expiry, id_tag="OTHER", reservation_id=7)
        assert (await csms.call(reserve)).status == "Accepted"
        await csms.wait_for_call("StatusNotification", lambda p: (p["connectorId"], p["status"]) == (2, "Reserved"))
        assert (await csms.call(call.RemoteStartTransaction(id_tag="LISTED", connector_id=2))).status == "Rejected"
        assert (await csms.call(call.CancelReservation(reservation_id=7))).status == "Accepted"
        assert (await csms.call(call.CancelReservation(reservation_id=7))).status == "Rejected"
        await csms.wait_for(
            lambda: [p["status"] for p in csms.calls("StatusNotification") if p["connectorId"] == 2][-1] == "Available"
        )

        await bus.do("plug 1")
        await bus.wait_for_event("AuthRequired")
        await bus.do("swipe LISTED 1")
        assert (await csms.wait_for_call("StartTransaction"))["idTag"] == "LISTED"
        assert csms.calls("Authorize") == [], "the list knows the card"

        await csms.call(call.TriggerMessage(requested_message="MeterValues", connector_id=1))
        contexts = lambda p: p["meterValue"][0]["sampledValue"][0]["context"] == "Trigger"  # noqa: E731
        await csms.wait_for_call("MeterValues", contexts)

        diagnostics = await csms.call(call.GetDiagnostics(location=f"{files.url}/", retries=1))
        assert diagnostics.file_name
        assert await statuses(csms, "DiagnosticsStatusNotification", "Uploaded") == ["Uploading", "Uploaded"]
        log = call.GetLog(log={"remoteLocation": f"{files.url}/"}, log_type="DiagnosticsLog", request_id=11)
        assert (await csms.call(log)).status == "Accepted"
        assert (await statuses(csms, "LogStatusNotification", "Uploaded"))[-1] == "Uploaded"
        assert len(files.uploads) == 2
    assert_no_call_error(csms)


async def test_a_firmware_update_empties_the_station_and_is_told_to_the_end(
    tmp_path: Path, mosquitto: Mosquitto, csms: CentralSystem, files: FileServer
) -> None:
    async with Station(station_config(tmp_path, csms.url), mosquitto.port):
        await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 2)
        await csms.call(call.UpdateFirmware(location=f"{files.url}/firmware.bin", retrieve_date=now(), retries=1))
        told = await statuses(csms, "FirmwareStatusNotification", "Installing")
        assert told[:3] == ["Downloading", "Downloaded", "Installing"]
        for connector in (1, 2):
            await csms.wait_for_call(
                "StatusNotification", lambda p, c=connector: (p["connectorId"], p["status"]) == (c, "Unavailable")
            )
    assert_no_call_error(csms)
