"""The OCPP 1.6 module: a thin translator between the bus and the charge point library `ocpp16`.

connectors.py  which EVSE and connector is which OCPP connector      errors.py    bus errors to StatusNotification
events.py      session events to core handlers                       meter.py     Powermeter to the core's reading
orders.py      core callbacks to bus commands                        start.py     the start sequence, late starts
generic.py, charge_point.py, validator.py, transfer.py               what the module provides
"""

from .ocpp import OCPP as module_class

__all__ = ["module_class"]
