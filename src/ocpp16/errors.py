"""The exceptions of the charge point library.

    Ocpp16Error
    ├── ConfigurationError     a configuration file or value is wrong: names file, key and fix
    ├── StoreError             the database cannot be used: names the file and the fix
    ├── UsageError             the integrator called the API wrongly
    ├── NotSupportedError      the API asks for a capability this version does not have
    ├── ConnectionFailed       a dial did not lead to an open websocket
    └── ConnectionLost         an open websocket is gone

A CSMS that breaks the protocol is no exception to the integrator: it gets its CALLERROR, and a log line.
(`ocpp16.wire.FrameError` carries such an answer inside the library.)
"""

from __future__ import annotations


class Ocpp16Error(Exception):
    """Base of all exceptions of this package."""


class ConfigurationError(Ocpp16Error):
    """A configuration file or value is wrong. The text names the file, the key and the fix."""


class StoreError(Ocpp16Error):
    """The database cannot be opened, migrated or written. The text names the file and the fix."""


class UsageError(Ocpp16Error):
    """The integrator called the API wrongly (for example `start` twice)."""


class NotSupportedError(Ocpp16Error):
    """The API asks for a capability that this version does not have."""


class ConnectionFailed(Ocpp16Error):
    """A dial did not lead to an open websocket. `status` is the HTTP status of a refused upgrade."""

    def __init__(self, reason: str, *, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class ConnectionLost(Ocpp16Error):
    """An open websocket is gone, by either side or by the network."""
