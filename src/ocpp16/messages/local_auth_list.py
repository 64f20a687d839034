"""Messages of the profile LocalAuthListManagement (OCPP 1.6 §5.10, §5.15).

Must not import: anything of ocpp16 outside `messages`.
"""

from __future__ import annotations

from enum import StrEnum

from ocpp16.messages.base import IdToken, Integer, Request, Response, Type
from ocpp16.messages.types import IdTagInfo


class UpdateStatus(StrEnum):
    Accepted = "Accepted"
    Failed = "Failed"
    NotSupported = "NotSupported"
    VersionMismatch = "VersionMismatch"


class UpdateType(StrEnum):
    Differential = "Differential"
    Full = "Full"


class AuthorizationData(Type):
    """OCPP 1.6 §7.1. In a differential update, no `id_tag_info` means: remove the tag."""

    id_tag: IdToken
    id_tag_info: IdTagInfo | None = None


class GetLocalListVersionRequest(Request):
    pass


class GetLocalListVersionResponse(Response):
    """0: the list is empty; -1: local lists are not supported."""

    list_version: Integer


class SendLocalListRequest(Request):
    list_version: Integer
    update_type: UpdateType
    local_authorization_list: tuple[AuthorizationData, ...] | None = None


class SendLocalListResponse(Response):
    status: UpdateStatus
