"""What the OCPP module needs to be played in virtual time by `everest-manager scenario`: a central system without
a socket, the scenario's clock, repeatable chance.

Not used otherwise. The player's side is told by the protocols below, so nothing of the tool is imported.
"""

from __future__ import annotations

import random
import uuid
from typing import Protocol

from ocpp16.connection.options import ConnectionOptions
from ocpp16.errors import ConnectionFailed
from ocpp16.ports import Clock, Connection

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

    chance = Seeded(surroundings.seed)
    module.replaced = {"clock": surroundings.clock, "randomness": chance, "dialer": dial}


class Seeded:
    """Ids and chance that are the same in each run, and others after each start (`ocpp16.ports.Randomness`)."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def message_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def internal_transaction_id(self) -> int:
        return self._random.randint(-(2**31), -1)

    def whole_seconds(self, upper: int) -> int:
        return self._random.randint(0, upper)
