"""Firmware updates and log uploads the whole way: the module, a real server, a real file, a restart (station 5)."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import random
import ssl
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from everest.runtime.testing import ModuleBench
from tests.modules.System import servers
from tests.modules.System.bench import MODULE
from tests.modules.System.servers import CONTENT, Served
from tests.modules.System.test_firmware import SIGNER

FIRMWARE = (
    CONTENT + b"\n===== BEGIN METADATA =====\ndisable_connectors_during_install=false\n===== END METADATA =====\n"
)
SIGNED = [
    "Downloading",
    "DownloadFailed",
    "Downloading",
    "Downloaded",
    "SignatureVerified",
    "Installing",
    "Installed",
    "InstallRebooting",
]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")


class Station(ModuleBench):
    """System with a store that outlives it, the real network, and no pauses between statuses."""

    def __init__(self, store: dict[str, Any], *, boot_id: Path | None = None, **config: Any) -> None:
        self.store = store
        self.boot_id = boot_id
        connections = {"store": ["store/main"]}
        super().__init__(MODULE, module_id="system", config=config, connections=connections, global_ready=False)
        self.answer("store/main", "load", lambda args: store.get(args["key"]))
        self.answer("store/main", "exists", lambda args: args["key"] in store)
        self.answer("store/main", "store", lambda args: store.update({args["key"]: args["value"]}))
        self.answer("store/main", "delete", lambda args: store.pop(args["key"], None) and None)

    async def __aenter__(self) -> Station:
        await super().__aenter__()
        package = type(self.module).__module__.rpartition(".")[0]
        for name in ("firmware", "log_upload"):
            sys.modules[f"{package}.{name}"].PAUSE = 0.0  # type: ignore[attr-defined]
        if self.boot_id is not None:
            sys.modules[f"{package}.partial"].BOOT_ID = self.boot_id  # type: ignore[attr-defined]
        self.make_ready()
        return self

    async def __aexit__(self, *details: Any) -> None:
        package = type(self.module).__module__.rpartition(".")[0]
        for name in ("firmware", "log_upload"):
            sys.modules[f"{package}.{name}"].PAUSE = 2.0  # type: ignore[attr-defined]
        await super().__aexit__(*details)

    async def statuses(self, variable: str, last: str) -> list[str]:
        field = "firmware_update_status" if variable.startswith("firmware") else "log_status"
        seen: list[str] = []
        while not seen or seen[-1] != last:
            seen.append((await self.next("main", variable, timeout=10))[field])
        return seen


def authority(tmp_path: Path) -> tuple[ssl.SSLContext, str]:
    made = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.issue_cert("127.0.0.1").configure_cert(context)
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return context, str(tmp_path / "ca.pem")


def request(location: str, content: bytes = FIRMWARE, **more: Any) -> dict[str, Any]:
    signature = base64.b64encode(SIGNER.key.sign(content, ec.ECDSA(hashes.SHA256()))).decode()
    wish = {"request_id": 7, "location": location, "signing_certificate": SIGNER.pem, "signature": signature, **more}
    return {"firmware_update_request": {"retries": 3, "retry_interval_s": 0, **wish}}


async def test_a_signed_update_over_https_breaks_goes_on_installs_and_is_the_reason_of_the_next_start(
    tmp_path: Path,
) -> None:
    context, ca = authority(tmp_path)
    store: dict[str, Any] = {}
    async with servers.http(Served(content=FIRMWARE, break_after=[len(CONTENT) // 2]), context) as served:
        async with Station(store, CaFile=ca) as station:
            wish = request(f"https://127.0.0.1:{served.port}/firmware.pnx")
            assert await station.call("main", "update_firmware", wish) == "Accepted"
            assert await station.statuses("firmware_update_status", "InstallRebooting") == SIGNED
            verified = station.published("main", "firmware_update_status")[4]
            assert verified["firmware_update_metadata"] == {"disable_connectors_during_install": False}
            assert await station.ended() == 0
        first, second = served.asked
        assert first is None
        assert 0 < int(second.removeprefix("bytes=").rstrip("-")) <= len(CONTENT) // 2
    async with Station(store) as station:
        assert await station.call("main", "get_boot_reason") == "FirmwareUpdate"
        assert await station.call("main", "get_boot_reason") == "PowerUp"


@pytest.mark.parametrize("scheme", ["http", "ftp", "ftps"])
async def test_a_file_that_was_tampered_with_is_not_installed(scheme: str, tmp_path: Path) -> None:
    context, ca = authority(tmp_path)
    bad = Served(content=FIRMWARE.replace(b"false", b"true "))
    serving = servers.http(bad) if scheme == "http" else servers.ftp(bad, context, implicit=scheme == "ftps")
    async with serving as served, Station({}, CaFile=ca) as station:
        await station.call("main", "update_firmware", request(f"{scheme}://127.0.0.1:{served.port}/firmware.pnx"))
        seen = await station.statuses("firmware_update_status", "InvalidSignature")
        assert seen == ["Downloading", "Downloaded", "InvalidSignature"]
        await station.until(lambda: station.store == {}, what="the update to be forgotten")


async def test_a_firmware_that_is_too_large_fails_as_often_as_asked(tmp_path: Path) -> None:
    async with servers.http(Served()) as served, Station({}, MaxDownloadMB=0.5) as station:
        await station.call(
            "main", "update_firmware", request(f"http://127.0.0.1:{served.port}/firmware.pnx", retries=2)
        )
        for _ in range(2):
            assert (await station.next("main", "firmware_update_status"))["firmware_update_status"] == "Downloading"
            failed = await station.next("main", "firmware_update_status", timeout=10)
            assert failed["firmware_update_status"] == "DownloadFailed"


@pytest.mark.parametrize("scheme", ["http", "https", "ftp", "ftps"])
async def test_the_log_archive_arrives_and_can_be_read(scheme: str, tmp_path: Path) -> None:
    context, ca = authority(tmp_path)
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "ocpp.log").write_text("BootNotification\n" * 100_000)
    served = Served()
    if scheme in ("http", "https"):
        serving = servers.http(served, context if scheme == "https" else None)
    else:
        serving = servers.ftp(served, context, implicit=scheme == "ftps")
    async with serving, Station({}, CaFile=ca, LogPath=str(logs)) as station:
        location = f"{scheme}://user:12345@127.0.0.1:{served.port}/in/"
        wish = {"upload_logs_request": {"location": location, "request_id": 5, "type": "DiagnosticsLog"}}
        answer = await station.call("main", "upload_logs", wish)
        assert await station.statuses("log_status", "Uploaded") == ["Uploading", "Uploaded"]
        [(name, content)] = served.received.items()
        assert name.lstrip("/") == f"in/{answer['file_name']}"
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        log = archive.extractfile("logs/ocpp.log")
        assert log is not None
        assert log.read() == (logs / "ocpp.log").read_bytes()
        description = archive.extractfile("diagnostics.json")
        assert description is not None
        assert json.loads(description.read())["files"] == ["logs/ocpp.log"]


@pytest.mark.parametrize("scheme", ["ftp", "ftps"])
async def test_a_broken_log_upload_goes_on_where_it_stopped(scheme: str, tmp_path: Path) -> None:
    context, ca = authority(tmp_path)
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "ocpp.log").write_bytes(random.Random(1).randbytes(300_000))
    served = Served(take=[200_000])
    async with (
        servers.ftp(served, context, implicit=scheme == "ftps"),
        Station({}, CaFile=ca, LogPath=str(logs)) as station,
    ):
        location = f"{scheme}://127.0.0.1:{served.port}/in/"
        wish = {"upload_logs_request": {"location": location, "request_id": 5, "retries": 2, "retry_interval_s": 0}}
        answer = await station.call("main", "upload_logs", wish)
        seen = await station.statuses("log_status", "Uploaded")
        assert seen == ["Uploading", "UploadFailure", "Uploading", "Uploaded"]
        assert [str(line).partition(" ")[0] for line in served.asked if str(line).startswith(("STOR", "APPE"))] == [
            "STOR",
            "APPE",
        ]
        content = served.received[f"in/{answer['file_name']}"]
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.extractfile("logs/ocpp.log").read() == (logs / "ocpp.log").read_bytes()  # type: ignore[union-attr]


async def test_a_new_signed_update_ends_the_download_of_the_one_before() -> None:
    async with servers.http(Served(content=FIRMWARE, stalls=1)) as served, Station({}) as station:
        location = f"http://127.0.0.1:{served.port}/firmware.pnx"
        assert await station.call("main", "update_firmware", request(location, request_id=7)) == "Accepted"
        assert (await station.next("main", "firmware_update_status"))["firmware_update_status"] == "Downloading"
        await asyncio.wait_for(served.stalled.wait(), timeout=10)
        assert await station.call("main", "update_firmware", request(location, request_id=8)) == "AcceptedCanceled"
        seen = await station.statuses("firmware_update_status", "InstallRebooting")
        told = station.published("main", "firmware_update_status")
        assert [status["request_id"] for status in told] == [7, *[8] * len(seen)]
        assert seen[:3] == ["Downloading", "Downloaded", "SignatureVerified"]


@pytest.mark.parametrize("scheme", ["http", "ftp"])
@pytest.mark.parametrize("machine", ["runs on", "started anew"])
async def test_a_download_goes_on_after_a_restart_of_the_station_but_not_of_the_machine(
    scheme: str, machine: str, tmp_path: Path
) -> None:
    """What was written before a power cut may not have reached the disk."""
    context, _ = authority(tmp_path)
    boot_id, config = tmp_path / "boot_id", {"StatePath": str(tmp_path / "state")}
    boot_id.write_text("one\n")
    served = Served(content=FIRMWARE, break_after=[len(CONTENT) // 2], refuses=frozenset({"AUTH"}))
    async with servers.http(served) if scheme == "http" else servers.ftp(served, context, implicit=False):
        async with Station({}, boot_id=boot_id, **config) as station:
            location = f"{scheme}://127.0.0.1:{served.port}/firmware.pnx"
            await station.call("main", "update_firmware", request(location, retry_interval_s=3600))
            assert await station.statuses("firmware_update_status", "DownloadFailed") == SIGNED[:2]
        served.asked.clear()
        if machine == "started anew":
            boot_id.write_text("another\n")
        async with Station({}, boot_id=boot_id, **config) as station:
            assert await station.statuses("firmware_update_status", "InstallRebooting") == SIGNED[2:]
        went_on = [asked for asked in served.asked if str(asked).startswith(("bytes=", "REST"))]
        assert len(went_on) == (machine == "runs on")


async def test_a_reset_is_the_reason_of_the_next_start() -> None:
    store: dict[str, Any] = {}
    async with Station(store) as station:
        await station.call("main", "reset", {"type": "Soft", "scheduled": False})
        assert await station.ended() == 0
    async with Station(store) as station:
        assert await station.call("main", "get_boot_reason") == "RemoteReset"
