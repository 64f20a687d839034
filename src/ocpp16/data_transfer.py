"""DataTransfer both ways (OCPP 1.6 §4.3, §5.6; libocpp 2.4, 3.16).

Owns: which registered callback answers a vendor's message. May import: context. Must not import: other capabilities.
"""

from __future__ import annotations

from ocpp16.context import Context
from ocpp16.dispatcher import Answered, Malformed
from ocpp16.errors import UsageError
from ocpp16.messages import DataTransferRequest, DataTransferResponse, DataTransferStatus
from ocpp16.router import Reply

PNC_VENDOR = "org.openchargealliance.iso15118pnc"
"""Plug & Charge over DataTransfer; without certificate management the vendor is unknown here."""

_REJECTED = DataTransferResponse(status=DataTransferStatus.Rejected)


class DataTransfer:
    def __init__(self, context: Context) -> None:
        self._context = context

    async def send(
        self, vendor_id: str, message_id: str | None = None, data: str | None = None
    ) -> DataTransferResponse | None:
        """Ask the CSMS. None: offline, no answer in 60 s, or CALLERROR; an unreadable answer counts as Rejected."""
        if len(vendor_id) > 255 or len(message_id or "") > 50:
            raise UsageError("vendorId has at most 255 characters, messageId at most 50")
        request = DataTransferRequest(vendor_id=vendor_id, message_id=message_id, data=data)
        match await self._context.dispatcher.call(request):
            case Answered(response=DataTransferResponse() as response):
                return response
            case Malformed():
                return _REJECTED
        return None

    async def handle(self, request: DataTransferRequest) -> Reply:
        response = await self._by_vendor(request)
        unknown = response.status in (DataTransferStatus.UnknownVendorId, DataTransferStatus.UnknownMessageId)
        if unknown:
            response = await self._context.callbacks.ask("data_transfer", request, default=response)
        return Reply(response)

    async def _by_vendor(self, request: DataTransferRequest) -> DataTransferResponse:
        callbacks = self._context.callbacks
        if request.vendor_id == PNC_VENDOR or not callbacks.knows_vendor(request.vendor_id):
            return DataTransferResponse(status=DataTransferStatus.UnknownVendorId)
        callback = callbacks.data_transfer(request.vendor_id, request.message_id or "")
        if callback is None:
            return DataTransferResponse(status=DataTransferStatus.UnknownMessageId)
        return await callbacks.run("data_transfer", callback, request.data, default=_REJECTED)
