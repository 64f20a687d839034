"""The Auth module (station 1): which token may charge at which EVSE, and reservations.

auth.py          the module: connections, start order, plug in timer
token_handler.py the flow of a token            tokens.py        its rules
reservation_service.py, reservations.py, arrivals.py   reservations: carried out, decided, and whether they fit
states.py        EVSEs and their connectors     evse_commands.py commands to EVSEs
timers.py        keyed timers                      patience.py     peers that do not answer
"""

from .auth import Auth as module_class

__all__ = ["module_class"]
