"""EvseManagerSim: one EVSE with its board, meter and car, all simulated, on EVerest's contracts.

Map: `session.py` (machine) with `charge_loop.py`, `board.py`, `car.py` + `commands.py`, `meter.py`, `budget.py`,
`faults.py`, `availability.py`, `random_delay.py`, `v2g.py`, `exi_messages.py` are pure rules; `hlc.py` + `contract.py`
play Plug and Charge, `real_board.py` a board on the bus; `evse_manager_sim.py` composes all. Nothing here imports
another module or ocpp16.
"""

from .evse_manager_sim import EvseManagerSim as module_class

__all__ = ["module_class"]
