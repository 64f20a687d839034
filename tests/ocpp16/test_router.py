"""CALLs of the CSMS: refusals as libocpp 3.3 says, order, and what may be sent meanwhile."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from ocpp16.messages import DataTransferResponse, DataTransferStatus
from tests.support.ocpp16_station import Station, settled

pytestmark = pytest.mark.looptime

REFUSALS = [
    ("DanceOnTable", {}, "NotImplemented", {}),
    ("SetChargingProfile", {}, "NotSupported", {}),
    ("InstallCertificate", {}, "NotSupported", {}),
    ("BootNotification", {}, "NotSupported", {}),
    (
        "ChangeAvailability",
        {"type": "Operative"},
        "FormationViolation",
        {"violation": "OccurenceConstraintViolation", "path": "/connectorId"},
    ),
    (
        "ChangeAvailability",
        {"connectorId": "1", "type": "Operative"},
        "FormationViolation",
        {"violation": "TypeConstraintViolation", "path": "/connectorId"},
    ),
    (
        "Reset",
        {"type": "Gently"},
        "FormationViolation",
        {"violation": "PropertyConstraintViolation", "path": "/type"},
    ),
]


@pytest.mark.parametrize(("action", "payload", "code", "details"), REFUSALS)
async def test_a_call_that_cannot_be_handled_gets_its_callerror(
    action: str, payload: dict[str, Any], code: str, details: dict[str, Any]
) -> None:
    async with Station() as station:
        await station.boot()
        answer = await station.csms.call(action, payload)
    assert answer[0] == code
    assert {name: answer[2][name] for name in details} == details


async def test_a_broken_payload_raises_the_security_event_for_the_integrator_only() -> None:
    async with Station() as station:
        await station.boot()
        await station.csms.call("Reset", {"type": "Gently"})
        await settled()
    assert [event[0] for event in station.asked_for("security_event")] == ["StartupOfTheDevice", "InvalidMessages"]
    assert [p["type"] for p in station.csms.requests("SecurityEventNotification")] == ["StartupOfTheDevice"]


async def test_what_is_no_frame_is_answered_with_the_id_minus_one_and_answers_to_nothing_are_ignored() -> None:
    async with Station() as station:
        await station.boot()
        for text in ("no json", '[2, 5, "Reset", {}]', '[3, "nobody", {}]', '[4, "nobody", "x", "", {}]', "[9, 1]"):
            await station.csms.send(text)
        assert await station.csms.call("GetLocalListVersion") == {"listVersion": 0}
    errors = [frame for frame in station.csms.frames if frame[0] == 4]
    assert [(frame[1], frame[2]) for frame in errors] == [("-1", "GenericError")] * 2


async def test_a_handler_that_fails_answers_internal_error_and_the_station_goes_on() -> None:
    async with Station() as station:
        await station.boot()

        async def broken(*_: Any) -> None:
            raise RuntimeError("disk on fire")

        station.store.local_list_size = broken  # type: ignore[method-assign, assignment]
        answer = await station.csms.call("GetLocalListVersion")
        assert answer[0] == "InternalError" and "disk on fire" in answer[1]
        assert await station.csms.call("ClearCache") == {"status": "Accepted"}


async def test_calls_are_handled_one_after_the_other_with_the_actions_after_the_answer() -> None:
    order: list[str] = []
    async with Station() as station:

        async def slow_enable(connector: int) -> bool:
            order.append(f"enable {connector} begins")
            await asyncio.sleep(5)
            order.append(f"enable {connector} ends")
            return True

        async def answer(data: str | None) -> DataTransferResponse:
            order.append("data transfer")
            return DataTransferResponse(status=DataTransferStatus.Accepted)

        await station.boot()
        await station.csms.call("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"})
        station.charge_point.register_enable_evse_callback(slow_enable)
        station.charge_point.register_data_transfer_callback("me", "it", answer)
        calls = asyncio.gather(
            station.csms.call("ChangeAvailability", {"connectorId": 1, "type": "Operative"}),
            station.csms.call("DataTransfer", {"vendorId": "me", "messageId": "it"}),
        )
        assert [reply["status"] for reply in await calls] == ["Accepted", "Accepted"]
    assert order == ["enable 1 begins", "enable 1 ends", "data transfer"]


async def test_no_own_call_is_sent_between_a_call_and_its_answer() -> None:
    async with Station() as station:
        await station.boot()

        async def slow(data: str | None) -> DataTransferResponse:
            await station.charge_point.on_suspend_charging_ev(1)
            await asyncio.sleep(5)
            return DataTransferResponse(status=DataTransferStatus.Accepted)

        station.charge_point.register_data_transfer_callback("me", "", slow)
        await station.csms.call("DataTransfer", {"vendorId": "me"})
        await settled()
    kinds = [frame[0] if frame[0] != 2 else frame[2] for frame in station.csms.frames][-2:]
    assert kinds == [3, "StatusNotification"]


async def test_what_follows_an_answer_may_ask_the_csms_although_the_next_call_waits() -> None:
    statuses = []
    async with Station(AuthorizeRemoteTxRequests=True) as station:
        await station.boot()

        async def authorize_at_once(id_token: str, connectors: list[int], prevalidated: bool) -> None:
            statuses.append((await station.charge_point.authorize_id_token(id_token)).id_tag_info.status)

        station.charge_point.register_provide_token_callback(authorize_at_once)
        before = asyncio.get_running_loop().time()
        calls = asyncio.gather(
            station.csms.call("RemoteStartTransaction", {"idTag": "TAG1", "connectorId": 1}),
            station.csms.call("GetLocalListVersion"),
        )
        assert await calls == [{"status": "Accepted"}, {"listVersion": 0}]
        assert asyncio.get_running_loop().time() - before < 1
    assert statuses == ["Accepted"]


async def test_a_callback_may_ask_the_csms_before_its_own_call_is_answered() -> None:
    async with Station() as station:
        await station.boot()

        async def ask_back(data: str | None) -> DataTransferResponse:
            answer = await station.charge_point.data_transfer("me", "back")
            assert answer is not None
            return DataTransferResponse(status=answer.status, data="asked")

        station.charge_point.register_data_transfer_callback("me", "", ask_back)
        assert await station.csms.call("DataTransfer", {"vendorId": "me"}) == {"status": "Accepted", "data": "asked"}


async def test_a_repeated_message_id_is_answered_again() -> None:
    async with Station() as station:
        await station.boot()
        for _ in range(2):
            await station.csms.send(json.dumps([2, "same", "ClearCache", {}]))
        await settled()
    assert [frame for frame in station.csms.frames if frame[1] == "same"] == [[3, "same", {"status": "Accepted"}]] * 2


async def test_extra_members_of_a_call_are_tolerated() -> None:
    async with Station() as station:
        await station.boot()
        assert await station.csms.call("ClearCache", {"why": "not"}) == {"status": "Accepted"}


async def test_a_broken_answer_to_our_call_is_a_security_event_and_no_callerror() -> None:
    async with Station() as station:
        await station.boot()
        station.csms.answers["Authorize"] = {"nonsense": 1}
        await station.charge_point.authorize_id_token("TAG1")
        await settled()
    assert [event[0] for event in station.asked_for("security_event")][1:] == ["InvalidMessages"]
    assert all(frame[0] != 4 for frame in station.csms.frames)
