"""The EvseSecurity module (station 6): the `evse_security` contract over the library of the same name."""

from .evse_security_module import EvseSecurityModule as module_class

__all__ = ["module_class"]
