"""Who may charge: the decision as a table, and the flow with the CSMS and the cache (libocpp 3.4)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ocpp16 import StoreError, UsageError
from ocpp16.authorization import DecisionReason, Knowledge, decide
from ocpp16.messages import AuthorizationStatus, IdTagInfo
from ocpp16.store.rows import AuthorizationEntry, PutCacheEntry, ReplaceLocalList
from tests.support.ocpp16_station import SILENCE, Station, settled

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
OK = IdTagInfo(status=AuthorizationStatus.Accepted)
BLOCKED = IdTagInfo(status=AuthorizationStatus.Blocked)
PAST = IdTagInfo(status=AuthorizationStatus.Accepted, expiry_date=NOW)
FUTURE = IdTagInfo(status=AuthorizationStatus.Accepted, expiry_date=NOW + timedelta(seconds=1))
R = DecisionReason


def known(**facts: Any) -> Knowledge:
    base: dict[str, Any] = {
        "online": True,
        "local_pre_authorize": False,
        "local_authorize_offline": True,
        "allow_offline_tx_for_unknown_id": False,
        "list_entry": None,
        "cache_entry": None,
        "now": NOW,
    }
    return Knowledge(**(base | facts))


@pytest.mark.parametrize(
    ("facts", "status", "reason"),
    [
        ({}, None, R.AskCsms),
        ({"cache_entry": OK}, None, R.AskCsms),
        ({"local_pre_authorize": True, "cache_entry": OK}, "Accepted", R.Cache),
        ({"local_pre_authorize": True, "list_entry": OK}, "Accepted", R.LocalList),
        ({"local_pre_authorize": True, "list_entry": FUTURE}, "Accepted", R.LocalList),
        # DEPARTURE 15: a stale list does not block a valid user while the CSMS can be asked.
        ({"local_pre_authorize": True, "list_entry": BLOCKED}, None, R.AskCsms),
        ({"local_pre_authorize": True, "list_entry": PAST}, None, R.AskCsms),
        ({"local_pre_authorize": True, "cache_entry": BLOCKED}, None, R.AskCsms),
        # The list goes before the cache.
        ({"local_pre_authorize": True, "list_entry": BLOCKED, "cache_entry": OK}, None, R.AskCsms),
        ({"online": False}, "Invalid", R.OfflineUnknown),
        ({"online": False, "allow_offline_tx_for_unknown_id": True}, "Accepted", R.OfflineUnknownAllowed),
        ({"online": False, "cache_entry": OK}, "Accepted", R.Cache),
        ({"online": False, "list_entry": BLOCKED, "cache_entry": OK}, "Blocked", R.LocalList),
        ({"online": False, "cache_entry": PAST}, "Expired", R.Cache),
        # DEPARTURE 14: unknown tags may charge, known and refused ones may not.
        ({"online": False, "allow_offline_tx_for_unknown_id": True, "cache_entry": BLOCKED}, "Blocked", R.Cache),
        ({"online": False, "allow_offline_tx_for_unknown_id": True, "list_entry": PAST}, "Expired", R.LocalList),
        (
            {
                "online": False,
                "allow_offline_tx_for_unknown_id": True,
                "local_authorize_offline": False,
                "cache_entry": BLOCKED,
            },
            "Blocked",
            R.Cache,
        ),
        ({"online": False, "local_authorize_offline": False, "cache_entry": OK}, "Invalid", R.OfflineUnknown),
    ],
)
def test_the_decision_and_its_reason(facts: dict[str, Any], status: str | None, reason: DecisionReason) -> None:
    decision = decide(known(**facts))
    assert (decision.info.status if decision.info else None, decision.reason) == (status, reason)


@pytest.mark.looptime
async def test_the_answer_of_the_csms_fills_the_cache_and_serves_offline() -> None:
    async with Station() as station:
        await station.boot()
        station.csms.answers["Authorize"] = {"idTagInfo": {"status": "Accepted", "parentIdTag": "GROUP"}}
        online = await station.charge_point.authorize_id_token("TAG1")
        await station.charge_point.disconnect_websocket()
        offline = await station.charge_point.authorize_id_token("tag1")
        unknown = await station.charge_point.authorize_id_token("TAG2")
    assert online.id_tag_info.parent_id_tag == "GROUP"
    assert offline.id_tag_info == online.id_tag_info
    assert unknown.id_tag_info.status == "Invalid"


@pytest.mark.looptime
async def test_a_disabled_cache_is_not_read() -> None:
    async with Station(AuthorizationCacheEnabled=False) as station:
        await station.boot()
        accepted = IdTagInfo(status=AuthorizationStatus.Accepted)
        await station.store.apply([PutCacheEntry(AuthorizationEntry(id_tag="TAG1", info=accepted))])
        await station.charge_point.disconnect_websocket()
        result = await station.charge_point.authorize_id_token("TAG1")
    assert result.id_tag_info.status == "Invalid"


async def test_a_disabled_cache_is_not_written() -> None:
    async with Station(AuthorizationCacheEnabled=False) as station:
        await station.boot()
        await station.charge_point.authorize_id_token("TAG1")
        await station.begin()
        await station.end()
        await settled()
        assert await station.store.cache_entry("TAG1") is None


@pytest.mark.looptime
async def test_start_and_stop_answers_update_the_entry_of_the_tag_they_are_about() -> None:
    async with Station() as station:
        await station.boot()
        station.csms.answers["StartTransaction"] = {"transactionId": 9, "idTagInfo": {"status": "ConcurrentTx"}}
        station.csms.answers["StopTransaction"] = {"idTagInfo": {"status": "Blocked"}}
        await station.begin(id_tag="TAG1")
        await settled()
        first = await station.store.cache_entry("TAG1")
        await station.end(id_tag_end="TAG2")
        await settled()
        second = await station.store.cache_entry("TAG2")
        still = await station.store.cache_entry("TAG1")
    assert first is not None and first.info.status == "ConcurrentTx" and still == first
    assert second is not None and second.info.status == "Blocked"


@pytest.mark.looptime
async def test_an_expired_entry_is_written_back_as_expired() -> None:
    async with Station() as station:
        await station.boot()
        past = IdTagInfo(status=AuthorizationStatus.Accepted, expiry_date=station.clock.now())
        await station.store.apply([PutCacheEntry(AuthorizationEntry(id_tag="TAG1", info=past))])
        await station.charge_point.disconnect_websocket()
        result = await station.charge_point.authorize_id_token("TAG1")
        entry = await station.store.cache_entry("TAG1")
    assert result.id_tag_info.status == "Expired"
    assert entry is not None and entry.info.status == "Expired"


@pytest.mark.looptime
@pytest.mark.parametrize("answer", [SILENCE, ("InternalError", ""), {"nonsense": 1}], ids=["silence", "error", "junk"])
async def test_without_a_good_answer_the_tag_is_invalid_even_where_unknown_tags_may_charge_offline(answer: Any) -> None:
    async with Station(AllowOfflineTxForUnknownId=True, TransactionMessageRetryInterval=100) as station:
        await station.boot()
        station.csms.answers["Authorize"] = answer
        begin = asyncio.get_running_loop().time()
        result = await station.charge_point.authorize_id_token("TAG1")
        waited = asyncio.get_running_loop().time() - begin
    assert result.id_tag_info.status == "Invalid"
    assert waited == (60 if answer is SILENCE else 0)


@pytest.mark.looptime
async def test_the_csms_decides_although_cache_and_list_can_neither_be_read_nor_written() -> None:
    async def refuse(*_: Any, **__: Any) -> Any:
        raise StoreError("disk full")

    async with Station(LocalPreAuthorize=True) as station:
        await station.boot()
        for name in ("apply", "cache_entry", "local_list_entry"):
            setattr(station.store, name, refuse)
        result = await station.charge_point.authorize_id_token("TAG1")
    assert result.id_tag_info.status == "Accepted"


@pytest.mark.looptime
async def test_a_connection_lost_while_waiting_leads_to_the_offline_rules_at_once() -> None:
    async with Station(AllowOfflineTxForUnknownId=True) as station:
        await station.boot()

        def break_off(payload: dict[str, Any]) -> object:
            station.csms.drop()
            return SILENCE

        station.csms.answers["Authorize"] = break_off
        before = station.clock.now()
        result = await station.charge_point.authorize_id_token("TAG1")
        assert (station.clock.now() - before).total_seconds() < 1
    assert result.id_tag_info.status == "Accepted"


@pytest.mark.looptime
async def test_an_open_websocket_before_accepted_counts_as_offline() -> None:
    async with Station(AllowOfflineTxForUnknownId=True) as station:
        station.csms.answers["BootNotification"] = SILENCE
        await station.boot()
        result = await station.charge_point.authorize_id_token("TAG1")
        assert not station.csms.requests("Authorize")
    assert result.id_tag_info.status == "Accepted"


@pytest.mark.looptime
async def test_the_local_list_serves_only_while_it_is_enabled() -> None:
    async with Station(LocalPreAuthorize=True) as station:
        await station.boot()
        entry = AuthorizationEntry(id_tag="LISTED", info=OK)
        await station.store.apply([ReplaceLocalList(1, (entry,))])
        await station.charge_point.authorize_id_token("LISTED")
        assert not station.csms.requests("Authorize")
        await station.charge_point.set_configuration_key("LocalAuthListEnabled", "false")
        await station.charge_point.authorize_id_token("LISTED")
        assert len(station.csms.requests("Authorize")) == 1


@pytest.mark.looptime
async def test_clear_cache_is_rejected_while_the_cache_is_disabled() -> None:
    async with Station() as station:
        await station.boot()
        await station.charge_point.authorize_id_token("TAG1")
        assert await station.csms.call("ClearCache") == {"status": "Accepted"}
        assert await station.store.cache_entry("TAG1") is None
        await station.charge_point.set_configuration_key("AuthorizationCacheEnabled", "false")
        assert await station.csms.call("ClearCache") == {"status": "Rejected"}


@pytest.mark.looptime
async def test_an_id_tag_longer_than_20_characters_is_an_error_of_the_caller() -> None:
    async with Station() as station:
        await station.boot()
        with pytest.raises(UsageError):
            await station.charge_point.authorize_id_token("x" * 21)
