"""The DummyTokenProviderManual module (station 3.6): cards by an external MQTT topic. All of it is in `provider.py`."""

from .provider import DummyTokenProviderManual as module_class

__all__ = ["module_class"]
