"""The board as the session machine's shell sees it, and the three boards there are.

`Board` is the port: orders go in, letters A..F, PowerOn and PowerOff come out (`BoardListener`). `BusBoard` and
`BusBoardAC` drive a board module over evse_board_support or the older board_support_AC; the simulated one is in
simulator.py. Knows no session rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from logging import getLogger
from typing import Protocol

from everest.contracts.interfaces.board_support_AC import BoardSupportACClient
from everest.contracts.interfaces.connector_lock import ConnectorLockClient
from everest.contracts.interfaces.evse_board_support import EvseBoardSupportClient
from everest.contracts.types.board_support import Event
from everest.contracts.types.board_support_common import BspEvent
from everest.contracts.types.evse_board_support import PowerOnOff, PowerOnOffReason
from everest.runtime import Client, CommandError, Error

from .board import LETTERS
from .faults import AC_EVENT_ERRORS, OTHER_ERRORS
from .states import Pilot

log = getLogger(__name__)


class BoardListener(Protocol):
    """Who hears the board."""

    async def board_event(self, event: str) -> None:
        """A control pilot letter A..F, PowerOn or PowerOff."""
        ...

    async def board_error(
        self, error_type: str, sub_type: str, vendor_id: str, *, raised: bool, source: str = ""
    ) -> None: ...


class Board(Protocol):
    """Orders to a board; none waits for the hardware."""

    def enable(self, enabled: bool) -> None: ...

    def set_pilot(self, pilot: Pilot) -> None: ...

    def allow_power(self, allowed: bool) -> None: ...

    def set_phases(self, three_phases: bool) -> None: ...


class Lock(Protocol):
    """The lock that holds the plug."""

    def engage(self) -> None: ...

    def release(self) -> bool:
        """Unlock; False if it is known that it cannot."""
        ...


class OrderQueue:
    """Sends command calls one after the other, so that the session machine never waits for hardware."""

    def __init__(self) -> None:
        self._orders: asyncio.Queue[tuple[str, Callable[[], Awaitable[None]]]] = asyncio.Queue()

    def put(self, what: str, order: Callable[[], Awaitable[None]]) -> None:
        self._orders.put_nowait((what, order))

    async def run(self) -> None:
        while True:
            what, order = await self._orders.get()
            try:
                await order()
            except CommandError as error:
                log.error("the hardware did not take the order %s: %r", what, error)


class BusBoard:
    """A board module behind evse_board_support."""

    def __init__(self, client: EvseBoardSupportClient, listener: BoardListener) -> None:
        self._client = client
        self._listener = listener
        self._limit_A: float | None = None
        self.orders = OrderQueue()
        client.on_event(self._event)
        watch(client, listener)

    def enable(self, enabled: bool) -> None:
        self.orders.put("enable", lambda: self._client.enable(enabled))

    def set_pilot(self, pilot: Pilot) -> None:
        duty = pilot.duty
        if duty is not None:
            self.orders.put("pwm_on", lambda: self._client.pwm_on(duty))
        elif pilot.state_f:
            self.orders.put("cp_state_F", self._client.cp_state_F)
        else:
            self.orders.put("cp_state_X1", self._client.cp_state_X1)

    def allow_power(self, allowed: bool) -> None:
        reason = PowerOnOffReason.FullPowerCharging if allowed else PowerOnOffReason.PowerOff
        order = PowerOnOff(allow_power_on=allowed, reason=reason)
        self.orders.put("allow_power_on", lambda: self._client.allow_power_on(order))

    def set_phases(self, three_phases: bool) -> None:
        self.orders.put("phases", lambda: self._client.ac_switch_three_phases_while_charging(three_phases))

    def limit_current(self, amps: float) -> None:
        """What the board's own over current protection may go by: the offer, told when it is new."""
        if amps != self._limit_A:
            self._limit_A = amps
            self.orders.put("over current limit", lambda: self._client.ac_set_overcurrent_limit_A(amps))

    async def _event(self, event: BspEvent) -> None:
        if event.event.value != "Disconnected":
            await self._listener.board_event(event.event.value)


class BusBoardAC:
    """A board module behind board_support_AC (2023): events by name, duty cycle 0..1, errors as events.

    An error event stands until the car is unplugged or the board reports EFtoBCD; not if that only answers our own
    order of state F.
    """

    def __init__(self, client: BoardSupportACClient, listener: BoardListener) -> None:
        self._client = client
        self._listener = listener
        self._errors: list[str] = []
        self._plugged = False
        self._own_state_f = False
        self.orders = OrderQueue()
        client.on_event(self._event)

    def set_up(self, *, has_ventilation: bool) -> None:
        """The board's one-time settings."""
        self.orders.put("setup", lambda: self._client.setup(True, has_ventilation, "DE", True))

    def enable(self, enabled: bool) -> None:
        self.orders.put("enable", lambda: self._client.enable(enabled))

    def set_pilot(self, pilot: Pilot) -> None:
        duty = pilot.duty
        if duty is not None:
            self.orders.put("pwm_on", lambda: self._client.pwm_on(duty / 100.0))
        elif pilot.state_f:
            self._own_state_f = self._plugged
            self.orders.put("pwm_F", self._client.pwm_F)
        else:
            self.orders.put("pwm_off", self._client.pwm_off)

    def allow_power(self, allowed: bool) -> None:
        self.orders.put("allow_power_on", lambda: self._client.allow_power_on(allowed))

    def set_phases(self, three_phases: bool) -> None:
        self.orders.put("phases", lambda: self._client.switch_three_phases_while_charging(three_phases))

    async def _event(self, event: Event) -> None:
        if event in (Event.CarPluggedIn, Event.CarUnplugged):
            self._plugged = event is Event.CarPluggedIn
        if event is Event.CarUnplugged or (event is Event.EFtoBCD and not self._own_state_f):
            await self._clear_errors()
        if event in (Event.CarUnplugged, Event.EFtoBCD):
            self._own_state_f = False
        error_type = AC_EVENT_ERRORS.get(event.value)
        if error_type is not None:
            self._errors.append(error_type)
            await self._listener.board_error(error_type, "", "everest", raised=True)
        elif event in LETTERS:
            await self._listener.board_event(LETTERS[event])
        else:
            log.info("board event %s needs no action", event.value)

    async def _clear_errors(self) -> None:
        errors, self._errors = self._errors, []
        for error_type in errors:
            await self._listener.board_error(error_type, "", "everest", raised=False)


class BusLock:
    """A lock module behind connector_lock."""

    def __init__(self, client: ConnectorLockClient) -> None:
        self._client = client
        self.orders = OrderQueue()

    def engage(self) -> None:
        self.orders.put("lock", self._client.lock)

    def release(self) -> bool:
        self.orders.put("unlock", self._client.unlock)
        return True


class OtherDevice(Client):
    """A device of DC or ISO 15118 that is only watched. Where the stack has definitions, those name its errors."""

    interface = ""
    errors = OTHER_ERRORS


def watch(client: Client, listener: BoardListener) -> None:
    """Have the errors of a connected device count as those of the board do (station 2.7)."""

    async def raised(error: Error) -> None:
        await listener.board_error(error.type, error.sub_type, error.vendor_id, raised=True, source=client.module_id)

    async def cleared(error: Error) -> None:
        await listener.board_error(error.type, error.sub_type, error.vendor_id, raised=False, source=client.module_id)

    client.on_error(raised, cleared)
