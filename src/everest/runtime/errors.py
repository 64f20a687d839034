"""The exceptions of the runtime, one tree.

    EverestError
      WireError            a peer sent bytes that are no message (topic, reason); logged once and dropped
      TransportError       BrokerRefused (cannot connect), BrokerLost (connection gone); end the module with status 1
      StartupError         configuration or metadata missing, module incomplete; ends the module with status 1
      ApiError             the module's own code used the API wrongly (undeclared requirement, ...)
      ConfigAccessError    a parameter could not be read or set at run time (denied, unknown, no answer)
      ModuleCrashed        a handler raised; carries the place, the cause is chained
      CommandError         a command call failed (bus 3.2), one subclass per `__everest__error_type`
May not be imported here: anything of this project.
"""

from __future__ import annotations


class EverestError(Exception):
    """Base of everything the runtime raises on purpose."""


class WireError(EverestError):
    """A received message is malformed; `topic` and `reason` say where and why. Never fatal (bus 1.5, bus 8 item 7)."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"{topic}: {reason}")
        self.topic = topic
        self.reason = reason


class TransportError(EverestError):
    """The broker cannot be used; the message is one complete line for the user."""


class BrokerRefused(TransportError):
    """No connection to the broker could be made."""


class BrokerLost(TransportError):
    """The connection to the broker ended without our doing; there is no reconnect (bus 1.2)."""


class StartupError(EverestError):
    """The module cannot become ready; the message is one complete line for the user."""


class ApiError(EverestError, RuntimeError):
    """The module's own code asks for something its manifest or its interfaces do not declare."""


class ConfigAccessError(EverestError, RuntimeError):
    """The manager does not read or set a parameter; `status` is `AccessDenied` or `Error` (bus 6.7)."""

    def __init__(self, what: str, status: str, reason: str) -> None:
        super().__init__(f"{what}: {status}: {reason}" if reason else f"{what}: {status}")
        self.status = status
        self.reason = reason


class ModuleCrashed(EverestError):
    """An exception escaped a handler; `place` names the handler, `__cause__` is the exception."""

    def __init__(self, place: str) -> None:
        super().__init__(f"unhandled exception in {place}")
        self.place = place


class CommandError(EverestError, RuntimeError):
    """A command call failed. The class name is the `__everest__error_type` on the wire (bus 3.2)."""


class MessageParsingError(CommandError):
    """The provider could not decode the arguments."""


class SchemaValidationError(CommandError):
    """Arguments or result do not satisfy the interface."""


class HandlerException(CommandError):
    """The provider's handler raised; the message is its text."""


class CmdTimeout(CommandError):
    """No result within 300 s."""


class Shutdown(CommandError):
    """This module is shutting down while a call waits."""


class NotReady(CommandError):
    """The provider refuses because it is not ready yet; raised by handler code."""


COMMAND_ERRORS: dict[str, type[CommandError]] = {
    error.__name__: error
    for error in (MessageParsingError, SchemaValidationError, HandlerException, CmdTimeout, Shutdown, NotReady)
}
"""`__everest__error_type` -> exception class. No other string may be sent (bus 3.2)."""
