"""SendLocalList and GetLocalListVersion (OCPP 1.6 §5.10, §5.15; libocpp 3.12, DEPARTURE 29).

Owns: the check of an update (pure) and its one change. May import: context. Must not import: other capabilities.
"""

from __future__ import annotations

from collections.abc import Sequence

from ocpp16.configuration import keys
from ocpp16.context import Context
from ocpp16.errors import StoreError
from ocpp16.messages import (
    AuthorizationData,
    GetLocalListVersionRequest,
    GetLocalListVersionResponse,
    SendLocalListRequest,
    SendLocalListResponse,
    UpdateStatus,
    UpdateType,
)
from ocpp16.router import Reply
from ocpp16.store.rows import AuthorizationEntry, Change, ReplaceLocalList, UpdateLocalList

NOT_SUPPORTED = -1
"""listVersion of a station without a local list."""


def fault(request: SendLocalListRequest, *, send_max: int, list_max: int) -> str | None:
    """What is wrong with an update, in words; None if nothing is (DEPARTURE 29)."""
    entries = request.local_authorization_list or ()
    full = request.update_type is UpdateType.Full
    if len(entries) > send_max:
        return f"{len(entries)} entries are more than SendLocalListMaxLength {send_max}"
    if len({entry.id_tag.casefold() for entry in entries}) < len(entries):
        return "an idTag comes twice"
    if request.list_version < 0:
        return "listVersion is negative"
    if request.list_version == 0 and (entries or not full):
        return "listVersion 0 stands for an empty list"
    if full and any(entry.id_tag_info is None for entry in entries):
        return "an entry of a full list has no idTagInfo"
    if full and len(entries) > list_max:
        return f"{len(entries)} entries are more than LocalAuthListMaxLength {list_max}"
    return None


def change_of(request: SendLocalListRequest) -> Change:
    """The one change that carries an update out."""
    data = request.local_authorization_list or ()
    entries = _entries(data)
    if request.update_type is UpdateType.Full:
        return ReplaceLocalList(request.list_version, entries)
    removed = tuple(entry.id_tag for entry in data if entry.id_tag_info is None)
    return UpdateLocalList(request.list_version, entries, removed)


def _entries(data: Sequence[AuthorizationData]) -> tuple[AuthorizationEntry, ...]:
    return tuple(
        AuthorizationEntry(id_tag=entry.id_tag, info=entry.id_tag_info)
        for entry in data
        if entry.id_tag_info is not None
    )


class LocalList:
    def __init__(self, context: Context) -> None:
        self._context = context

    async def version(self, request: GetLocalListVersionRequest) -> Reply:
        version = NOT_SUPPORTED
        if self._context.local_list_enabled:
            empty = await self._context.store.local_list_size() == 0
            version = 0 if empty else await self._context.store.local_list_version()
        return Reply(GetLocalListVersionResponse(list_version=version))

    async def update(self, request: SendLocalListRequest) -> Reply:
        return Reply(SendLocalListResponse(status=await self._update(request)))

    async def _update(self, request: SendLocalListRequest) -> UpdateStatus:
        if not self._context.local_list_enabled:
            return UpdateStatus.NotSupported
        configuration = self._context.configuration
        list_max = int(configuration[keys.LocalAuthListMaxLength])
        reason = fault(request, send_max=int(configuration[keys.SendLocalListMaxLength]), list_max=list_max)
        if reason is None and request.update_type is UpdateType.Differential:
            if await self._context.store.local_list_version() >= request.list_version:
                return UpdateStatus.VersionMismatch
            if await self._grown_size(request) > list_max:
                reason = f"the list would be longer than LocalAuthListMaxLength {list_max}"
        if reason is not None:
            self._context.log.warning("SendLocalList Failed: %s", reason)
            return UpdateStatus.Failed
        return await self._write(change_of(request))

    async def _grown_size(self, request: SendLocalListRequest) -> int:
        """Entries of the list after a differential update."""
        store = self._context.store
        size = await store.local_list_size()
        for entry in request.local_authorization_list or ():
            known = await store.local_list_entry(entry.id_tag) is not None
            size += int(entry.id_tag_info is not None) - int(known)
        return size

    async def _write(self, change: Change) -> UpdateStatus:
        try:
            await self._context.store.apply([change])
        except StoreError as error:
            self._context.log.error("The local list cannot be written: %s", error)
            return UpdateStatus.Failed
        return UpdateStatus.Accepted
