"""The exceptions of this package.

    EvseSecurityError
    ├── ConfigurationError   a configured path cannot be what it should be; names the key and the fix
    ├── FormatError          a text holds no certificate that can be read
    └── StorageError         a file cannot be written

Commands answer with the statuses of the contract; only `ConfigurationError` reaches a caller of `EvseSecurity`.
"""

from __future__ import annotations


class EvseSecurityError(Exception):
    """Base of all exceptions of this package."""


class ConfigurationError(EvseSecurityError):
    """A configured path is wrong. The text names key, path and fix."""


class FormatError(EvseSecurityError):
    """No certificate can be read from a text or file."""


class StorageError(EvseSecurityError):
    """A file cannot be written or removed."""
