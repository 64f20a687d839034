"""Drives the session machine: feeds it, carries out its effects in order, sleeps until its next deadline.

One lock: whoever steps the machine carries out all its effects before anybody else does. Rules are in session.py;
what effects mean on the bus is said by the `Outlet`. Async; imports no bus.
"""

from __future__ import annotations

import asyncio
from logging import getLogger
from typing import Protocol

from .faults import FaultBook, Inoperative
from .hardware import Board
from .session import SessionMachine
from .states import (
    AllowPower,
    BeginTransaction,
    Effect,
    Emit,
    EnableBoard,
    EndTransaction,
    Enter,
    ForgetTransaction,
    GiveUpHlc,
    Pilot,
    SessionClosing,
    SessionOpened,
    SetPhases,
    State,
    Unplugged,
)

log = getLogger(__name__)


class Outlet(Protocol):
    """The bus side of the effects."""

    def session_event(self, effect: Emit) -> None: ...

    def entered(self, state: State) -> None: ...

    def session_changes(self) -> None:
        """A session is about to be announced or finished."""
        ...

    async def begin_transaction(self, effect: BeginTransaction) -> bool:
        """False: there is no transaction; what the machine made of it already is dropped."""
        ...

    async def end_transaction(self, effect: EndTransaction) -> None: ...

    async def forget_transaction(self) -> None: ...

    def give_up_hlc(self) -> None:
        """The V2G session is over: the car did not begin to charge."""
        ...

    def unplugged(self) -> None: ...

    def show_inoperative(self, inoperative: Inoperative | None) -> None: ...


class Controller:
    """The running session machine of one EVSE."""

    def __init__(self, machine: SessionMachine, faults: FaultBook) -> None:
        self.machine = machine
        self.faults = faults
        self._board: Board | None = None
        self._outlet: Outlet | None = None
        self._shown: Inoperative | None = None
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()

    def attach(self, board: Board, outlet: Outlet) -> None:
        """Set the two sides; before anything else is called."""
        self._board, self._outlet = board, outlet

    def wake(self) -> None:
        """Something changed: step soon. For handlers that must not wait for their own events (station 8.10)."""
        self._wake.set()

    async def run(self) -> None:
        """Step whenever something changed or is due."""
        while True:
            self._wake.clear()
            await self.drive()
            await self._sleep()

    async def drive(self) -> None:
        """Step and carry out all effects; returns when the machine is at rest."""
        loop = asyncio.get_running_loop()
        async with self._lock:
            self.machine.step(loop.time())
            while effects := self.machine.take_effects():
                for effect in effects:
                    if not await self._carry_out(effect):
                        self.machine.abort_transaction(loop.time())
                        break
                self.machine.step(loop.time())

    async def start(self) -> None:
        """Begin sessions: Enabled or Disabled goes out before this returns."""
        self.machine.start(asyncio.get_running_loop().time())
        await self.drive()

    # --- the board's side (BoardListener) ---

    async def board_event(self, event: str) -> None:
        """A control pilot letter, PowerOn or PowerOff; its consequences are on their way when this returns."""
        if event in ("PowerOn", "PowerOff"):
            self.machine.contactor(event == "PowerOn")
        else:
            self.machine.plug(event)
        await self.drive()

    async def board_error(
        self, error_type: str, sub_type: str, vendor_id: str, *, raised: bool, source: str = ""
    ) -> None:
        """An error of the board, lock, RCD, meter ...; its consequences are on their way when this returns."""
        if raised:
            self.faults.raised(error_type, sub_type, vendor_id, source)
        else:
            self.faults.cleared(error_type, sub_type, source)
        self.refresh_faults()
        await self.drive()

    def refresh_faults(self) -> None:
        """Show Inoperative as the fault book says, then let the machine know (station 2.7)."""
        assert self._outlet is not None
        wanted = self.faults.inoperative()
        if wanted != self._shown:
            self._shown = wanted
            self._outlet.show_inoperative(wanted)
        self.machine.set_fault(wanted is not None, asyncio.get_running_loop().time())
        self.wake()

    # --- inside ---

    async def _sleep(self) -> None:
        now = asyncio.get_running_loop().time()
        deadline = self.machine.deadline(now)
        try:
            async with asyncio.timeout(None if deadline is None else deadline - now):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _carry_out(self, effect: Effect) -> bool:
        """False: the transaction that was to begin did not."""
        assert self._board is not None
        assert self._outlet is not None
        match effect:
            case Emit():
                self._outlet.session_event(effect)
            case Enter():
                self._outlet.entered(effect.state)
            case SessionOpened() | SessionClosing():
                self._outlet.session_changes()
            case BeginTransaction():
                return await self._outlet.begin_transaction(effect)
            case EndTransaction():
                await self._outlet.end_transaction(effect)
            case ForgetTransaction():
                await self._outlet.forget_transaction()
            case GiveUpHlc():
                self._outlet.give_up_hlc()
            case Unplugged():
                self._outlet.unplugged()
            case Pilot():
                self._board.set_pilot(effect)
            case AllowPower():
                self._board.allow_power(effect.allowed)
            case EnableBoard():
                self._board.enable(effect.enabled)
            case SetPhases():
                self._board.set_phases(effect.three_phases)
        return True
