"""Who may charge: the decision (pure, with its reason), Authorize.req, and the authorization cache.

Owns: `decide` and the cache rules (OCPP 1.6 §3.5, §4.1, §4.4; libocpp 3.4 with DEPARTURE 14, 15, 16).
May import: messages, context, store.rows. Must not import: other capabilities.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from ocpp16.configuration import keys
from ocpp16.context import Context
from ocpp16.dispatcher import Answered, Offline, Outcome
from ocpp16.errors import StoreError, UsageError
from ocpp16.messages import (
    AuthorizationStatus,
    AuthorizeRequest,
    AuthorizeResponse,
    ClearCacheStatus,
    IdTagInfo,
)
from ocpp16.store.rows import AuthorizationEntry, Change, ClearCache, PutCacheEntry

LookUp = Callable[[str], Awaitable[AuthorizationEntry | None]]

AUTHORIZE_LIMIT = 60.0
"""Seconds `authorize_id_token` waits for the CSMS."""


class DecisionReason(StrEnum):
    """Why a decision was taken."""

    LocalList = "entry of the local list"
    Cache = "entry of the authorization cache"
    AskCsms = "the CSMS decides"
    CsmsAnswered = "the CSMS answered"
    NoAnswer = "the CSMS did not answer"
    OfflineUnknownAllowed = "offline, AllowOfflineTxForUnknownId"
    OfflineUnknown = "offline and not known"


class Decision(msgspec.Struct, frozen=True):
    """`info` is None where the CSMS has to be asked."""

    info: IdTagInfo | None
    reason: DecisionReason


class Knowledge(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a decision depends on. Entries are None where list or cache are disabled or do not know the tag."""

    online: bool
    local_pre_authorize: bool
    local_authorize_offline: bool
    allow_offline_tx_for_unknown_id: bool
    list_entry: IdTagInfo | None
    cache_entry: IdTagInfo | None
    now: datetime


def expired(info: IdTagInfo, now: datetime) -> IdTagInfo:
    """The entry as it is worth now: past its expiryDate an Accepted one counts as Expired."""
    if info.expiry_date is not None and info.expiry_date <= now and info.status is AuthorizationStatus.Accepted:
        return msgspec.structs.replace(info, status=AuthorizationStatus.Expired)
    return info


def decide(known: Knowledge) -> Decision:
    """The decision of libocpp 3.4 on a tag.

    Online, only an Accepted local entry saves the question to the CSMS (DEPARTURE 15). Offline, a tag that is known as
    anything but Accepted is refused, whatever AllowOfflineTxForUnknownId says (DEPARTURE 14).
    """
    local = _local(known)
    if known.online:
        if local is not None and local.info is not None and known.local_pre_authorize and _accepted(local.info):
            return local
        return Decision(None, DecisionReason.AskCsms)
    if local is not None and local.info is not None and (known.local_authorize_offline or not _accepted(local.info)):
        return local
    if known.allow_offline_tx_for_unknown_id:
        return Decision(IdTagInfo(status=AuthorizationStatus.Accepted), DecisionReason.OfflineUnknownAllowed)
    return Decision(IdTagInfo(status=AuthorizationStatus.Invalid), DecisionReason.OfflineUnknown)


def _local(known: Knowledge) -> Decision | None:
    """What the station itself knows: the list goes before the cache."""
    if known.list_entry is not None:
        return Decision(expired(known.list_entry, known.now), DecisionReason.LocalList)
    if known.cache_entry is not None:
        return Decision(expired(known.cache_entry, known.now), DecisionReason.Cache)
    return None


def _accepted(info: IdTagInfo) -> bool:
    return info.status is AuthorizationStatus.Accepted


class Authorization:
    """`authorize_id_token`, ClearCache, and the cache entries that come out of answers."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def authorize_id_token(self, id_token: str) -> IdTagInfo:
        """Whether this tag may charge now (libocpp 3.4). Takes up to 60 s while the CSMS is asked."""
        if not 0 < len(id_token) <= 20:
            raise UsageError(f"an idTag has 1 to 20 characters, not {len(id_token)}")
        decision = await self._decide(id_token, online=self._context.online)
        if decision.info is None:
            decision = await self._ask(id_token)
        assert decision.info is not None
        self._context.log.info("idTag authorization: %s (%s)", decision.info.status, decision.reason)
        return decision.info

    async def _ask(self, id_token: str) -> Decision:
        request = AuthorizeRequest(id_tag=id_token)
        outcome: Outcome = await self._context.dispatcher.call(request, timeout=AUTHORIZE_LIMIT)
        match outcome:
            case Answered(response=AuthorizeResponse(id_tag_info=info)):
                await self._remember(self.cache_changes(id_token, info))
                return Decision(info, DecisionReason.CsmsAnswered)
            case Offline():
                return await self._decide(id_token, online=False)
        return Decision(IdTagInfo(status=AuthorizationStatus.Invalid), DecisionReason.NoAnswer)

    async def _decide(self, id_token: str, *, online: bool) -> Decision:
        configuration = self._context.configuration
        now = self._context.clock.now()
        return decide(
            Knowledge(
                online=online,
                local_pre_authorize=bool(configuration[keys.LocalPreAuthorize]),
                local_authorize_offline=bool(configuration[keys.LocalAuthorizeOffline]),
                allow_offline_tx_for_unknown_id=bool(configuration[keys.AllowOfflineTxForUnknownId]),
                list_entry=await self._list_entry(id_token),
                cache_entry=await self._cache_entry(id_token, now),
                now=now,
            )
        )

    async def _list_entry(self, id_token: str) -> IdTagInfo | None:
        if not self._context.local_list_enabled:
            return None
        entry = await self._known(self._context.store.local_list_entry, id_token)
        return entry.info if entry is not None else None

    async def _cache_entry(self, id_token: str, now: datetime) -> IdTagInfo | None:
        """The cache entry; one that has expired is written back as Expired."""
        if not self.cache_enabled:
            return None
        entry = await self._known(self._context.store.cache_entry, id_token)
        if entry is None:
            return None
        info = expired(entry.info, now)
        if info is not entry.info:
            await self._remember([PutCacheEntry(AuthorizationEntry(id_tag=entry.id_tag, info=info))])
        return info

    async def _remember(self, changes: Sequence[Change]) -> None:
        """Cache entries may be lost: a store that refuses them changes nothing of the decision."""
        try:
            await self._context.store.apply(changes, durable=False)
        except StoreError as error:
            self._context.log.error("The authorization cache cannot be written: %s", error)

    async def _known(self, look_up: LookUp, id_token: str) -> AuthorizationEntry | None:
        """What list or cache hold of the tag; one that cannot be read does not know it, so that the CSMS is asked."""
        try:
            return await look_up(id_token)
        except StoreError as error:
            self._context.log.error("The local list or the authorization cache cannot be read: %s", error)
            return None

    @property
    def cache_enabled(self) -> bool:
        return bool(self._context.configuration[keys.AuthorizationCacheEnabled])

    def cache_changes(self, id_tag: str, info: IdTagInfo | None) -> Sequence[Change]:
        """What an answer about `id_tag` changes in the cache: nothing while it is disabled (DEPARTURE 16)."""
        if info is None or not self.cache_enabled:
            return []
        return [PutCacheEntry(AuthorizationEntry(id_tag=id_tag, info=info))]

    async def clear_cache(self) -> ClearCacheStatus:
        """ClearCache (libocpp 3.4): Rejected while the cache is disabled."""
        if not self.cache_enabled:
            return ClearCacheStatus.Rejected
        await self._context.store.apply([ClearCache()])
        return ClearCacheStatus.Accepted
