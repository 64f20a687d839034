"""EvseManagerSim: one EVSE with its board, meter and car, all simulated, on EVerest's contracts.

Map: `session.py` (machine), `board.py`, `car.py` + `commands.py`, `meter.py`, `budget.py`, `faults.py`,
`availability.py` are pure rules; `evse_manager_sim.py` composes them with the bus. Nothing here imports another module
or ocpp16.
"""

from .evse_manager_sim import EvseManagerSim as module_class

__all__ = ["module_class"]
