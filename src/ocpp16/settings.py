"""Views of the configuration for rooms that must not know it: queue and connection read them at each use.

May import: configuration, logs. Must not import: dispatcher, connection.
"""

from __future__ import annotations

from ocpp16.configuration import Configuration, keys
from ocpp16.logs import LogSettings


class Settings:
    """Implements `dispatcher.QueueSettings` and `connection.link.LinkSettings`."""

    def __init__(self, configuration: Configuration, resume_delay: float = 0.0) -> None:
        self._configuration = configuration
        self.message_queue_resume_delay = resume_delay
        """Seconds before queued messages are sent after a reconnect."""

    @property
    def transaction_message_attempts(self) -> int:
        return self._configuration[keys.TransactionMessageAttempts]

    @property
    def transaction_message_retry_interval(self) -> int:
        return self._configuration[keys.TransactionMessageRetryInterval]

    @property
    def message_queue_size_threshold(self) -> int:
        return self._configuration[keys.MessageQueueSizeThreshold]

    @property
    def queue_all_messages(self) -> bool:
        return self._configuration[keys.QueueAllMessages]

    @property
    def message_types_discard_for_queueing(self) -> frozenset[str]:
        names = self._configuration[keys.MessageTypesDiscardForQueueing].split(",")
        return frozenset(name.strip() for name in names if name.strip())

    @property
    def retry_backoff_wait_minimum(self) -> int:
        return self._configuration[keys.RetryBackoffWaitMinimum]

    @property
    def retry_backoff_random_range(self) -> int:
        return self._configuration[keys.RetryBackoffRandomRange]

    @property
    def retry_backoff_repeat_times(self) -> int:
        return self._configuration[keys.RetryBackoffRepeatTimes]

    @property
    def websocket_ping_interval(self) -> int:
        return self._configuration[keys.WebSocketPingInterval]

    @property
    def websocket_ping_payload(self) -> str:
        return self._configuration[keys.WebsocketPingPayload]

    @property
    def websocket_pong_timeout(self) -> int:
        return self._configuration[keys.WebsocketPongTimeout]


FILE_FORMATS = frozenset({"log", "html", "session_logging", "security"})


def log_settings(configuration: Configuration, *, to_files: bool, secrets: bool = False) -> LogSettings:
    """What the message log writes; without a folder nothing goes to files."""
    formats = configuration[keys.LogMessagesFormat]
    return LogSettings(
        log_messages=configuration[keys.LogMessages],
        raw=configuration[keys.LogMessagesRaw] and to_files,
        formats=formats if to_files else tuple(name for name in formats if name not in FILE_FORMATS),
        rotation=configuration[keys.LogRotation],
        date_suffix=configuration[keys.LogRotationDateSuffix],
        maximum_file_size=configuration[keys.LogRotationMaximumFileSize],
        maximum_file_count=configuration[keys.LogRotationMaximumFileCount],
        secrets=secrets,
    )
