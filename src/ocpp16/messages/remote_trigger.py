"""Messages of the profile RemoteTrigger (OCPP 1.6 §5.17).

Must not import: anything of ocpp16 outside `messages`.
"""

from __future__ import annotations

from enum import StrEnum

from ocpp16.messages.base import Integer, Request, Response


class MessageTrigger(StrEnum):
    """The names of TriggerMessage and of ExtendedTriggerMessage together.

    A name that only the other message knows is decoded, and answered NotImplemented by the handler (DEPARTURE 13).
    """

    BootNotification = "BootNotification"
    DiagnosticsStatusNotification = "DiagnosticsStatusNotification"
    FirmwareStatusNotification = "FirmwareStatusNotification"
    Heartbeat = "Heartbeat"
    LogStatusNotification = "LogStatusNotification"
    MeterValues = "MeterValues"
    SignChargePointCertificate = "SignChargePointCertificate"
    StatusNotification = "StatusNotification"


class TriggerMessageStatus(StrEnum):
    Accepted = "Accepted"
    Rejected = "Rejected"
    NotImplemented = "NotImplemented"


class TriggerMessageRequest(Request):
    requested_message: MessageTrigger
    connector_id: Integer | None = None


class TriggerMessageResponse(Response):
    status: TriggerMessageStatus
