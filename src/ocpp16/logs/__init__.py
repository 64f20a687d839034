"""The message log (libocpp 8): what went over the wire, for people. `open_message_log` makes it."""

from ocpp16.logs.message_log import LogSettings, MessageDirection, WrittenMessageLog, open_message_log

__all__ = ["LogSettings", "MessageDirection", "WrittenMessageLog", "open_message_log"]
