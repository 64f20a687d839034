"""Fixtures of the runtime's tests."""

from tests.support.mosquitto import mosquitto

__all__ = ["mosquitto"]
