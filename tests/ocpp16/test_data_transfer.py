"""DataTransfer both ways (libocpp 2.4, 3.16)."""

from __future__ import annotations

from typing import Any

import pytest

from ocpp16 import UsageError
from ocpp16.messages import DataTransferRequest, DataTransferResponse, DataTransferStatus
from tests.support.ocpp16_station import SILENCE, Station

pytestmark = pytest.mark.looptime


async def test_vendor_and_message_find_their_handler() -> None:
    async with Station() as station:
        await station.boot()

        def answer(data: str | None) -> DataTransferResponse:
            return DataTransferResponse(status=DataTransferStatus.Accepted, data=(data or "").upper())

        station.charge_point.register_data_transfer_callback("me", "shout", answer)
        station.charge_point.register_data_transfer_callback("me", "", answer)
        for payload, expected in (
            ({"vendorId": "me", "messageId": "shout", "data": "x"}, {"status": "Accepted", "data": "X"}),
            ({"vendorId": "me", "data": "y"}, {"status": "Accepted", "data": "Y"}),
            ({"vendorId": "me", "messageId": "other"}, {"status": "UnknownMessageId"}),
            ({"vendorId": "you"}, {"status": "UnknownVendorId"}),
            ({"vendorId": "org.openchargealliance.iso15118pnc"}, {"status": "UnknownVendorId"}),
        ):
            assert await station.csms.call("DataTransfer", payload) == expected


@pytest.mark.parametrize("vendor", ["you", "me", "org.openchargealliance.iso15118pnc"])
async def test_a_general_handler_takes_what_no_other_knows(vendor: str) -> None:
    async with Station() as station:
        await station.boot()
        seen: list[DataTransferRequest] = []

        async def general(request: DataTransferRequest) -> DataTransferResponse:
            seen.append(request)
            return DataTransferResponse(status=DataTransferStatus.Rejected)

        def never(data: str | None) -> DataTransferResponse:
            raise AssertionError("another message is meant")

        station.charge_point.register_data_transfer_callback("me", "other", never)
        station.charge_point.register_data_transfer_callback(general)
        answer = await station.csms.call("DataTransfer", {"vendorId": vendor, "messageId": "m"})
    assert answer == {"status": "Rejected"}
    assert [(request.vendor_id, request.message_id) for request in seen] == [(vendor, "m")]


async def test_a_handler_that_raises_answers_rejected() -> None:
    async with Station() as station:
        await station.boot()

        def broken(data: str | None) -> DataTransferResponse:
            raise RuntimeError("no")

        station.charge_point.register_data_transfer_callback("me", "", broken)
        assert await station.csms.call("DataTransfer", {"vendorId": "me"}) == {"status": "Rejected"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"status": "Accepted", "data": "d"}, DataTransferResponse(status=DataTransferStatus.Accepted, data="d")),
        ({"status": "Whatever"}, DataTransferResponse(status=DataTransferStatus.Rejected)),
        (("NotSupported", ""), None),
        (SILENCE, None),
    ],
)
async def test_what_the_csms_answers_to_our_data_transfer(answer: Any, expected: DataTransferResponse | None) -> None:
    async with Station() as station:
        await station.boot()
        station.csms.answers["DataTransfer"] = answer
        assert await station.charge_point.data_transfer("vendor", "message", "data") == expected


async def test_offline_there_is_no_answer_and_too_long_names_are_an_error() -> None:
    async with Station() as station:
        await station.boot()
        await station.charge_point.disconnect_websocket()
        assert await station.charge_point.data_transfer("vendor") is None
        with pytest.raises(UsageError):
            await station.charge_point.data_transfer("v" * 256)
