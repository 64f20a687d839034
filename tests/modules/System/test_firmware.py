"""Firmware updates: statuses in order and at their times (station 5.2, 5.3). A played download takes 3 s."""

import asyncio
import base64
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from everest.contracts.types.system import FirmwareUpdateMetadata
from modules.System.firmware_file import metadata_of
from tests.evse_security.pki import issue
from tests.modules.System.bench import PlayedTransfer, System, at

pytestmark = pytest.mark.looptime
LOCATION = "ftp://user:12345@localhost/firmware.pnx"
SIGNER = issue("signer")
METADATA = (
    b"data\n===== BEGIN METADATA =====\n# note\ndisable_connectors_during_install=false\n===== END METADATA =====\n"
)


def signed(content: bytes = b"firmware", **more: Any) -> dict[str, Any]:
    assert isinstance(SIGNER.key, ec.EllipticCurvePrivateKey)
    signature = base64.b64encode(SIGNER.key.sign(content, ec.ECDSA(hashes.SHA256()))).decode()
    return {"request_id": 7, "location": LOCATION, "signing_certificate": SIGNER.pem, "signature": signature, **more}


def unsigned(**more: Any) -> dict[str, Any]:
    return {"request_id": -1, "location": LOCATION, **more}


# --- unsigned


async def test_an_unsigned_update_goes_through_its_statuses() -> None:
    async with System() as system:
        assert await system.update(**unsigned()) == "Accepted"
        assert await system.follow("firmware_update_status", 10) == [
            (0, "Downloading"),
            (5, "Downloaded"),
            (7, "Installing"),
            (9, "Installed"),
        ]
        assert "ocpp_boot_reason" not in system.stored
        await asyncio.sleep(2)
        assert system.stored == {"ocpp_boot_reason": "FirmwareUpdate"}
        assert {status["request_id"] for status in system.published("main", "firmware_update_status")} == {-1}
        assert system.transfer.downloads == [LOCATION]
        assert not system.transfer.targets[0].exists()


async def test_a_failed_download_is_tried_again_as_often_as_asked() -> None:
    async with System() as system:
        system.transfer.failures = 9
        await system.update(**unsigned(retries=2, retry_interval_s=10))
        assert await system.follow("firmware_update_status", 100) == [
            (0, "Downloading"),
            (5, "DownloadFailed"),
            (17, "Downloading"),
            (22, "DownloadFailed"),
        ]


async def test_without_a_number_the_configured_attempts_are_made() -> None:
    async with System(DefaultRetries=3, DefaultRetryInterval=4) as system:
        system.transfer.failures = 2
        await system.update(**unsigned())
        seen = await system.follow("firmware_update_status", 100)
        assert [status for _, status in seen][:6] == ["Downloading", "DownloadFailed"] * 2 + [
            "Downloading",
            "Downloaded",
        ]
        assert seen[2][0] == 5 + 2 + 4


async def test_a_second_unsigned_update_is_rejected_while_one_runs_and_welcome_afterwards() -> None:
    async with System() as system:
        await system.update(**unsigned())
        assert await system.update(**unsigned()) == "Rejected"
        await asyncio.sleep(8)
        assert await system.update(**unsigned()) == "Rejected"
        await asyncio.sleep(10)
        assert await system.update(**unsigned()) == "Accepted"


async def test_a_planned_update_waits_without_a_status_and_is_replaced_by_a_new_one() -> None:
    async with System() as system:
        assert await system.update(**unsigned(retrieve_timestamp=at(100))) == "Accepted"
        assert await system.follow("firmware_update_status", 50) == []
        assert await system.update(**unsigned(location="http://other/", retrieve_timestamp=at(200))) == "Accepted"
        assert (await system.follow("firmware_update_status", 155))[0] == (200, "Downloading")
        assert system.transfer.downloads == ["http://other/"]


async def test_a_planned_update_that_has_begun_is_no_plan_any_more() -> None:
    async with System() as system:
        await system.update(**unsigned(retrieve_timestamp=at(100)))
        await asyncio.sleep(101)
        assert await system.update(**unsigned()) == "Rejected"
        await asyncio.sleep(6)
        assert await system.update(**signed()) == "Rejected"
        await asyncio.sleep(10)
        assert await system.update(**signed(retrieve_timestamp=at(200))) == "Accepted"
        await asyncio.sleep(90)
        assert await system.update(**signed(request_id=8)) == "AcceptedCanceled"


async def test_a_retrieve_time_without_a_zone_is_utc() -> None:
    async with System() as system:
        await system.update(**unsigned(retrieve_timestamp="2026-01-05T10:00:30"))
        assert (await system.follow("firmware_update_status", 31))[0] == (30, "Downloading")


async def test_a_retrieve_time_that_is_none_is_told_and_the_download_begins(caplog: pytest.LogCaptureFixture) -> None:
    async with System() as system:
        await system.update(**unsigned(retrieve_timestamp="tomorrow"))
        assert (await system.follow("firmware_update_status", 1))[0] == (0, "Downloading")
    assert caplog.messages[0] == "retrieve_timestamp 'tomorrow' is no time and taken as absent"


async def test_an_update_that_is_rejected_says_why_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with System() as system:
        await system.update(request_id=7, location=LOCATION)
        await system.update(**unsigned())
        await system.update(**unsigned())
        assert caplog.messages == [
            "firmware update 7 rejected: it needs signing_certificate and signature",
            "firmware update -1 rejected: one is downloading already",
        ]


async def test_an_update_is_the_reason_of_the_next_start_whatever_was_before() -> None:
    async with System() as system:
        system.stored["ocpp_boot_reason"] = "RemoteReset"
        await system.update(**unsigned())
        await asyncio.sleep(12)
        assert system.stored == {"ocpp_boot_reason": "FirmwareUpdate"}


async def test_the_fragment_of_the_location_is_metadata_of_every_status_and_not_transferred() -> None:
    async with System() as system:
        await system.update(**unsigned(location=f"{LOCATION}#disable_connectors_during_install=false"))
        await asyncio.sleep(20)
        statuses = system.published("main", "firmware_update_status")
        assert [status["firmware_update_metadata"] for status in statuses] == [
            {"disable_connectors_during_install": False}
        ] * 4
        assert system.transfer.downloads == [LOCATION]


# --- signed


async def test_a_signed_update_goes_through_its_statuses_and_resets() -> None:
    async with System() as system:
        assert await system.update(**signed()) == "Accepted"
        assert await system.ended(timeout=60) == 0
        told = [status["firmware_update_status"] for status in system.published("main", "firmware_update_status")]
        assert told == [
            *("Downloading", "Downloaded", "SignatureVerified", "Installing", "Installed"),
            "InstallRebooting",
        ]
        assert system.stored == {"ocpp_boot_reason": "FirmwareUpdate"}


async def test_without_reset_installed_is_the_last_status() -> None:
    async with System(ResetAfterUpdate=False) as system:
        await system.update(**signed())
        assert await system.follow("firmware_update_status", 60) == [
            (2, "Downloading"),
            (9, "Downloaded"),
            (9, "SignatureVerified"),
            (9, "Installing"),
            (11, "Installed"),
        ]
        assert system.stored == {"ocpp_boot_reason": "FirmwareUpdate"}
        assert {status["request_id"] for status in system.published("main", "firmware_update_status")} == {7}


@pytest.mark.parametrize("missing", ["signature", "signing_certificate"])
async def test_a_signed_update_needs_signature_and_certificate(missing: str) -> None:
    async with System() as system:
        request = {key: value for key, value in signed().items() if key != missing}
        assert await system.update(**request) == "Rejected"
        assert await system.follow("firmware_update_status", 30) == []


async def test_a_wrong_signature_ends_the_update_without_retry() -> None:
    async with System() as system:
        await system.update(**signed(b"something else", retries=3))
        assert await system.follow("firmware_update_status", 100) == [
            (2, "Downloading"),
            (9, "Downloaded"),
            (9, "InvalidSignature"),
        ]
        assert system.stored == {}
        assert await system.update(**signed()) == "Accepted"


async def test_download_and_installation_can_be_scheduled() -> None:
    async with System(ResetAfterUpdate=False) as system:
        request = signed(retrieve_timestamp=at(100), install_timestamp=at(300))
        assert await system.update(**request) == "Accepted"
        assert await system.follow("firmware_update_status", 400) == [
            (0, "DownloadScheduled"),
            (102, "Downloading"),
            (109, "Downloaded"),
            (109, "SignatureVerified"),
            (109, "InstallScheduled"),
            (300, "Installing"),
            (302, "Installed"),
        ]


async def test_a_running_download_is_replaced() -> None:
    async with System(ResetAfterUpdate=False) as system:
        await system.update(**signed())
        await asyncio.sleep(5)
        assert await system.update(**signed(request_id=8)) == "AcceptedCanceled"
        await asyncio.sleep(60)
        statuses = system.published("main", "firmware_update_status")
        assert [status["request_id"] for status in statuses] == [7, 8, 8, 8, 8, 8]


async def test_of_three_signed_updates_in_a_row_the_last_one_counts() -> None:
    async with System(ResetAfterUpdate=False) as system:
        answers = []
        for request_id in (7, 8, 9):
            answers.append(await system.update(**signed(request_id=request_id)))
            await asyncio.sleep(5)
        await asyncio.sleep(60)
        assert answers == ["Accepted", "AcceptedCanceled", "AcceptedCanceled"]
        statuses = system.published("main", "firmware_update_status")
        assert [status["request_id"] for status in statuses] == [7, 8, 9, 9, 9, 9, 9]


async def test_a_running_installation_is_not_disturbed() -> None:
    """DEPARTURE Y1: nothing is done after Rejected."""
    async with System(ResetAfterUpdate=False) as system:
        await system.update(**signed())
        await asyncio.sleep(10)
        assert await system.update(**signed(request_id=8)) == "Rejected"
        await asyncio.sleep(60)
        assert system.transfer.downloads == [LOCATION]
        assert system.published("main", "firmware_update_status")[-1]["firmware_update_status"] == "Installed"


async def test_a_verified_file_that_waits_for_its_time_is_replaced_by_a_signed_update_only() -> None:
    """Nothing is downloaded any more and nothing installed yet: the answer is neither Canceled nor Rejected (5.3)."""
    async with System(ResetAfterUpdate=False) as system:
        await system.update(**signed(install_timestamp=at(3600)))
        seen = await system.follow("firmware_update_status", 100)
        assert seen[-1][1] == "InstallScheduled"
        assert await system.update(**unsigned()) == "Rejected"
        assert await system.update(**signed(request_id=8)) == "Accepted"
        await asyncio.sleep(5000)
        statuses = system.published("main", "firmware_update_status")
        assert [status["firmware_update_status"] for status in statuses if status["request_id"] == 8][-1] == "Installed"
        assert [status["request_id"] for status in statuses[4:]] == [8] * 5
        assert not any(target.exists() for target in system.transfer.targets)


async def test_an_update_over_a_scheme_nobody_speaks_fails_by_its_status() -> None:
    async with System() as system:
        system.host.transfer = system.network
        for location in ("gopher://host/file", "", "http://", "ftp://h%00st/a%0d%0ab"):
            assert await system.update(**unsigned(location=location)) == "Accepted"
            seen = await system.follow("firmware_update_status", 10)
            assert [status for _, status in seen] == ["Downloading", "DownloadFailed"]


async def test_the_metadata_of_the_file_come_with_the_verified_signature() -> None:
    async with System(transfer=PlayedTransfer(METADATA), ResetAfterUpdate=False) as system:
        await system.update(**signed(METADATA))
        await asyncio.sleep(30)
        with_metadata = [
            (status["firmware_update_status"], status["firmware_update_metadata"])
            for status in system.published("main", "firmware_update_status")
            if "firmware_update_metadata" in status
        ]
        assert with_metadata == [("SignatureVerified", {"disable_connectors_during_install": False})]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("===== BEGIN METADATA =====\ndisable_connectors_during_install=true\n", True),
        ("===== BEGIN METADATA =====\n#disable_connectors_during_install=false\nvendor=a\n", None),
        ("===== BEGIN METADATA =====\ndisable_connectors_during_install=true\nvendor=a\n", True),
        ("===== BEGIN METADATA =====\n no equals sign\ndisable_connectors_during_install = false\n", False),
        ("disable_connectors_during_install=true\n", None),
        ("===== BEGIN METADATA =====\n===== END METADATA =====\ndisable_connectors_during_install=true\n", None),
    ],
)
def test_metadata_stand_between_their_lines(tmp_path: Path, text: str, value: bool | None) -> None:
    path = tmp_path / "firmware"
    path.write_bytes(b"\xff\x00binary\n" + text.encode())
    assert metadata_of(path).disable_connectors_during_install is value


def test_a_line_of_the_metadata_that_is_none_is_told_and_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "firmware"
    path.write_text("===== BEGIN METADATA =====\n\nno equals sign\n===== END METADATA =====\n")
    assert metadata_of(path) == FirmwareUpdateMetadata()
    assert caplog.messages == ["firmware metadata: line without '=' passed over: 'no equals sign'"]


def test_a_firmware_without_a_line_break_is_not_read_into_memory_at_once(tmp_path: Path) -> None:
    path = tmp_path / "firmware"
    path.write_bytes(bytes(8_000_000) + b"\n" + METADATA)
    tracemalloc.start()
    try:
        assert metadata_of(path).disable_connectors_during_install is False
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


async def test_an_empty_file_is_no_firmware(caplog: pytest.LogCaptureFixture) -> None:
    async with System() as system:
        system.transfer.content = b""
        await system.update(**unsigned())
        assert await system.follow("firmware_update_status", 30) == [
            (0, "Downloading"), (5, "Downloaded"), (7, "Installing"), (9, "InstallationFailed"),
        ]  # fmt: skip
        assert system.stored == {}
    assert "firmware installation failed: the file is empty" in caplog.text


async def test_a_signed_empty_file_is_not_installed_and_resets_nothing() -> None:
    async with System() as system:
        system.transfer.content = b""
        await system.update(**signed(b""))
        told = [status for _, status in await system.follow("firmware_update_status", 60)]
        assert told[-3:] == ["SignatureVerified", "Installing", "InstallationFailed"]
        assert system.stored == {}
