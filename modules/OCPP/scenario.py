"""What the OCPP module needs to be played in virtual time by `everest-manager scenario`: a central system without
a socket, the scenario's clock, repeatable chance.

Not used otherwise. The player's side is told by the protocols below, so nothing of the tool is imported.
"""

from __future__ import annotations

from typing import Protocol

from ocpp16.connection.options import ConnectionOptions
from ocpp16.errors import ConnectionFailed
from ocpp16.ports import Clock, Connection
from ocpp16.system_clock import SystemRandomness

from .ocpp import OCPP
from .replay import CentralSystem, LineConnection


class Surroundings(Protocol):
    @property
    def clock(self) -> Clock: ...

    @property
    def csms(self) -> CentralSystem: ...

    @property
    def seed(self) -> int: ...


def attach(module: OCPP, surroundings: Surroundings) -> None:
    """Put the scenario in place of clock, chance and websocket. A dial that the network refuses is a failed one."""

    async def dial(_options: ConnectionOptions) -> Connection:
        try:
            return LineConnection(await surroundings.csms.dial())
        except ConnectionError as error:
            raise ConnectionFailed(str(error)) from error

    chance = SystemRandomness(surroundings.seed)
    module.replaced = {"clock": surroundings.clock, "randomness": chance, "dialer": dial}
