"""A station of played EVSEs around the Auth module: the tests' words for plugging in, swiping and looking.

Everything goes over the in-memory bus; EVSEs answer like an EvseManager does where a test does not say otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from everest.runtime.testing import ModuleBench

ROOT = Path(__file__).parents[3]
METER = {"timestamp": "2026-01-05T10:00:00.000Z", "energy_Wh_import": {"total": 0.0}}
ACCEPTED = {"authorization_status": "Accepted", "tariff_messages": []}
INVALID = {"authorization_status": "Invalid", "tariff_messages": []}


def token(value: str = "TAG1", **more: Any) -> dict[str, Any]:
    """A card as its reader provides it."""
    return {"id_token": {"value": value, "type": "ISO14443"}, "authorization_type": "RFID", **more}


def parent(value: str) -> dict[str, str]:
    """A parent id token."""
    return {"value": value, "type": "Central"}


def accepted(**more: Any) -> dict[str, Any]:
    """An accepted validation result."""
    return {**ACCEPTED, **more}


class FixedClock:
    """A wall clock that stands at 2026-01-05T10:00:00Z unless moved."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 5, 10, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


class Station(ModuleBench):
    """Auth with `evses` EVSEs (`evse_1/evse`, ...), `validators` validators and one token provider."""

    def __init__(
        self,
        evses: int = 2,
        *,
        validators: int = 1,
        store: bool = False,
        connector_types: Sequence[str | None] = (),
        global_ready: bool = True,
        **config: Any,
    ) -> None:
        self.evse_ids = range(1, evses + 1)
        self.validators = [f"validator_{n}/main" for n in range(1, validators + 1)]
        connections = {
            "token_provider": ["reader/main"],
            "token_validator": self.validators,
            "evse_manager": [self.evse(n) for n in self.evse_ids],
        }
        if store:
            connections["kvs"] = ["store/main"]
        super().__init__(
            ROOT / "modules/Auth",
            module_id="auth",
            config={"connection_timeout": 30, **config},
            connections=connections,
            clock=FixedClock(),
            global_ready=global_ready,
        )
        self.stored: dict[str, Any] = {}
        for n in self.evse_ids:
            kind = connector_types[n - 1] if n <= len(connector_types) else "cType2"
            self._answer_as_evse(n, kind)
        for validator in self.validators:
            self.validates(ACCEPTED, validator=validator)
        self.answer("store/main", "load", lambda args: self.stored.get(args["key"]))
        self.answer("store/main", "store", lambda args: self.stored.update({args["key"]: args["value"]}))

    @staticmethod
    def evse(n: int) -> str:
        return f"evse_{n}/evse"

    def _answer_as_evse(self, n: int, connector_type: str | None) -> None:
        connector = {"id": 1} if connector_type is None else {"id": 1, "type": connector_type}
        self.answer(self.evse(n), "get_evse", lambda args: {"id": n, "connectors": [connector]})
        self.answer(self.evse(n), "stop_transaction", lambda args: True)
        self.answer(self.evse(n), "reserve", lambda args: True)
        for command in ("authorize_response", "withdraw_authorization", "cancel_reservation"):
            self.answer(self.evse(n), command, lambda args: None)

    def validates(self, result: dict[str, Any], *, validator: str = "validator_1/main") -> None:
        """What a validator answers from now on."""
        self.answer(validator, "validate_token", lambda args: result)

    # ------------------------------------------------------------------------------------------------- the world

    async def settle(self) -> None:
        """Let everything that is on its way arrive, at the same virtual time."""
        await self.until(lambda: self.module._ready, what="Auth to have asked its EVSEs")  # type: ignore[attr-defined]
        for _ in range(60):
            await asyncio.sleep(0)

    async def swipe(self, provided: dict[str, Any]) -> None:
        """A card, until all that follows at once has happened."""
        await self.settle()
        self.publish("reader/main", "provided_token", provided)
        await self.settle()

    async def event(self, n: int, event: str, **fields: Any) -> None:
        """A session event of EVSE n."""
        value = {"uuid": f"session-{n}", "timestamp": "2026-01-05T10:00:00.000Z", "event": event, **fields}
        self.publish(self.evse(n), "session_event", value)
        await self.settle()

    async def plug_in(self, n: int) -> None:
        """A car at an EVSE where nobody is authorized."""
        await self.event(n, "SessionStarted", session_started={"reason": "EVConnected", "meter_value": METER})

    async def start_transaction(self, n: int, provided: dict[str, Any] | None = None) -> None:
        """The transaction of whoever is authorized."""
        started = {"id_tag": provided or token(), "meter_value": METER}
        await self.event(n, "TransactionStarted", transaction_started=started)

    async def finish_transaction(self, n: int) -> None:
        """It ends; the car stays."""
        await self.event(n, "TransactionFinished", transaction_finished={"meter_value": METER})

    async def unplug(self, n: int) -> None:
        """The car leaves."""
        await self.event(n, "SessionFinished", session_finished={"meter_value": METER})

    async def charge(self, n: int, provided: dict[str, Any]) -> None:
        """Swipe for EVSE n and start the transaction."""
        await self.swipe({**provided, "connectors": [n]})
        await self.start_transaction(n, provided)

    # ------------------------------------------------------------------------------------------------- looking

    def statuses(self) -> list[str]:
        """All token statuses published so far, in order."""
        return [message["status"] for message in self.published("main", "token_validation_status")]

    def status_messages(self, status: str) -> list[dict[str, Any]]:
        """The published messages with this status."""
        return [m for m in self.published("main", "token_validation_status") if m["status"] == status]

    def authorized(self) -> list[tuple[int, dict[str, Any]]]:
        """(EVSE, arguments) of every authorize_response."""
        return [(n, call) for n in self.evse_ids for call in self.calls(self.evse(n), "authorize_response")]

    def count(self, n: int, command: str) -> int:
        """How often a command was called at EVSE n."""
        return len(self.calls(self.evse(n), command))

    def updates(self) -> list[tuple[int, str]]:
        """(id, status) of every reservation_update."""
        return [
            (u["reservation_id"], u["reservation_status"]) for u in self.published("reservation", "reservation_update")
        ]
