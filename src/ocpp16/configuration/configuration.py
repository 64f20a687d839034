"""The configuration of a charge point while it runs: typed reading, ChangeConfiguration, internal writes, listeners.

Owns the merged document and the order of writes to the overlay. A change is on disk before it is in memory, and in
memory before anybody hears of it. May import: everything of this package. Must not import: any capability.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

from ocpp16.configuration import keys, loading
from ocpp16.configuration import report as reporting
from ocpp16.configuration.checks import read_custom, read_price_text, read_value
from ocpp16.configuration.files import Origin, Source
from ocpp16.configuration.key import Access, Effect, Key
from ocpp16.configuration.measurands import Wanted
from ocpp16.configuration.report import Custom, PriceText, PublicKey, Target, View
from ocpp16.configuration.schemas import SHIPPED, Schemas
from ocpp16.errors import ConfigurationError
from ocpp16.messages import ConfigurationStatus, GetConfigurationResponse
from ocpp16.ports import ChangeListener, Clock
from ocpp16.system_clock import SystemClock

logger = logging.getLogger(__name__)

T = TypeVar("T")

SHORT_AUTHORIZATION_KEY = 16
"""A shorter password is taken with a warning (DEPARTURE 37)."""

SecurityProfileCheck = Callable[[int], Awaitable[bool]]
"""Whether the certificates that this profile (2 or 3) needs are installed (libocpp 4.4)."""


async def _no_certificates(profile: int) -> bool:
    return False


class Explanation(NamedTuple):
    """All that is known of one key: for `config explain`. `value` and `default` as GetConfiguration would show them."""

    name: str
    section: str
    value: str | None
    default: str | None
    origin: Origin
    access: Access
    effect: Effect
    meaning: str
    expected: str


class Configuration:
    """`configuration[keys.HeartbeatInterval]` reads; `change` is ChangeConfiguration; `store` writes from inside."""

    def __init__(self, loaded: loading.Loaded, schemas: Schemas, clock: Clock) -> None:
        self._document = loaded.document
        self._origins = loaded.origins
        self._overlay = loaded.overlay
        self._active_profiles = loaded.active_profiles
        self._schemas = schemas
        self._clock = clock
        self._listeners: list[ChangeListener] = []
        self._writing = asyncio.Lock()
        self.security_profile_check: SecurityProfileCheck = _no_certificates

    @classmethod
    def load(
        cls,
        path: str | Path | Mapping[str, Any],
        *,
        user_config: str | Path | None = None,
        number_of_connectors: int | None = None,
        profile_schemas: str | Path | None = None,
        clock: Clock | None = None,
    ) -> Self:
        """Run the start sequence of libocpp 1.3. Blocks on files. ConfigurationError names file, key and fix.

        `path` is the base file, or its content. Without `user_config` changes live until the process ends.
        """
        schemas = Schemas(Path(profile_schemas) if profile_schemas is not None else SHIPPED)
        base = path if isinstance(path, Mapping) else Path(path)
        overlay = None if user_config is None else Path(user_config)
        return cls(loading.load(base, schemas, overlay, number_of_connectors), schemas, clock or SystemClock())

    # --- reading -----------------------------------------------------------------------------------------------------

    def __getitem__(self, key: Key[T]) -> T:
        """The value if present, else the default, else what the table says of an absent key."""
        return key.read(self._stored(key))

    def __contains__(self, key: Key[Any]) -> bool:
        """Whether the key is present, by a file, the CSMS or a default."""
        return self._stored(key) is not None

    @property
    def active_profiles(self) -> frozenset[str]:
        """The feature profiles that are active (libocpp 1.3.4); fixed from start to end."""
        return self._active_profiles

    def custom(self, name: str) -> Any:
        """The JSON value of a key of the section Custom; None if absent."""
        return self._document.get("Custom", {}).get(name)

    def report(self, names: Sequence[str] | None = None) -> GetConfigurationResponse:
        """The answer to GetConfiguration (libocpp 1.6)."""
        return reporting.report(names, self._view)

    def text(self, name: str) -> str | None:
        """The value of one key as GetConfiguration shows it; None if unset or not visible."""
        target = reporting.find(name, self._view)
        return None if target is None or target is keys.AuthorizationKey else reporting.value_text(target, self._view)

    def explain(self, name: str) -> Explanation | None:
        """Value, default, origin and effect of a key in any case; None for an unknown name."""
        key = keys.BY_FOLDED_NAME.get(name.casefold())
        if key is None:
            return None
        stored = "(hidden)" if key is keys.AuthorizationKey and key in self else self._stored(key)
        return Explanation(
            key.name,
            key.section,
            None if stored is None else key.text(stored),
            None if key.default is None else key.text(key.default),
            self.origin(key),
            key.access,
            key.effect,
            key.meaning,
            loading.expected(key),
        )

    def origin(self, key: Key[Any]) -> Origin:
        """Who set the value last, and when."""
        return self._origins.get((key.section, key.name), Origin(Source.DEFAULT))

    # --- writing -----------------------------------------------------------------------------------------------------

    def on_change(self, listener: ChangeListener) -> None:
        """Call `listener(key, text)` after every accepted `change`: the key in its own spelling, the text as sent."""
        self._listeners.append(listener)

    async def change(self, name: str, text: str, *, source: Source = Source.CSMS) -> ConfigurationStatus:
        """ChangeConfiguration, in the decision order of libocpp 1.7. Accepted means: it is on disk."""
        async with self._writing:
            status, target = await self._change(name, text, source)
        if status is ConfigurationStatus.Accepted and target is not None:
            self._notify(reporting.canonical_name(target), text)
        return status

    async def store(self, key: Key[T], value: T, *, source: Source = Source.STATION) -> None:
        """Write a value of the station's own (libocpp 1.8): no access check, no listeners. ConfigurationError if it
        breaks the key's schema or cannot be written."""
        stored = list(value) if isinstance(value, tuple) else value
        if not self._schemas.accepts_value(key.section, key.name, stored):
            raise ConfigurationError(f"{key.section}.{key.name}: cannot be {value!r}; use {loading.expected(key)}")
        async with self._writing:
            try:
                await self._write(key.section, key.name, stored, source)
            except OSError as error:
                raise ConfigurationError(f"{key.section}.{key.name}: cannot be written: {error}") from error

    async def _change(self, name: str, text: str, source: Source) -> tuple[ConfigurationStatus, Target | None]:
        target = reporting.find(name, self._view)
        if target is None:
            return ConfigurationStatus.NotSupported, None
        if reporting.read_only(target, self._view):
            logger.info("%s is read-only", reporting.canonical_name(target))
            return ConfigurationStatus.Rejected, target
        try:
            section, member, value = self._read(target, text)
            await self._check_security_profile(target, value)
            await self._write(section, member, value, source)
        except (ValueError, OSError, ConfigurationError) as error:
            logger.warning("%s is not changed: %s", reporting.canonical_name(target), error)
            return ConfigurationStatus.Rejected, target
        if target is keys.CentralSystemURI:
            return ConfigurationStatus.RebootRequired, target
        return ConfigurationStatus.Accepted, target

    def _read(self, target: Target, text: str) -> tuple[str, str, Any]:
        """Section, key and JSON value to write; ValueError if the text is refused."""
        match target:
            case PublicKey():
                raise ValueError("public keys come from the meters")
            case PriceText(language):
                key: Key[Any] = keys.DefaultPriceText
                value = read_price_text(language, text, self._stored(key), self[keys.SupportedLanguages])
                if not self.accepts_value(key, value):
                    raise ValueError("the JSON object does not fit the schema")
                return key.section, key.name, value
            case Custom(name):
                return "Custom", name, self._read_custom(name, text)
        if target is keys.AuthorizationKey and len(text) < SHORT_AUTHORIZATION_KEY:
            logger.warning("AuthorizationKey has fewer than %d characters", SHORT_AUTHORIZATION_KEY)
        return target.section, target.name, read_value(target, text, self)

    def _read_custom(self, name: str, text: str) -> Any:
        value = read_custom(self._schemas.properties("Custom")[name].get("type"), text)
        if not self._schemas.accepts("Custom", self._document["Custom"] | {name: value}):
            raise ValueError("the value does not fit Custom.json")
        return value

    async def _check_security_profile(self, target: Target, value: Any) -> None:
        if target is keys.SecurityProfile and value >= 2 and not await self.security_profile_check(value):
            raise ValueError(f"the certificates for profile {value} are not installed")

    async def _write(self, section: str, name: str, value: Any, source: Source) -> None:
        """Disk first, then memory. A cancelled caller waits for both, so that the two never differ."""
        task = asyncio.ensure_future(self._write_through(section, name, value, source))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})
            raise

    async def _write_through(self, section: str, name: str, value: Any, source: Source) -> None:
        now = self._clock.now()
        if self._overlay is not None:
            await asyncio.to_thread(self._overlay.set, section, name, value, source, now)
        self._document.setdefault(section, {})[name] = value
        self._origins[section, name] = Origin(source, now, self._overlay.path if self._overlay else None)

    def _notify(self, name: str, text: str) -> None:
        for listener in self._listeners:
            try:
                listener(name, text)
            except Exception:
                logger.exception("a listener failed on the new value of %s", name)

    # --- what the value checks look at (`checks.Values`) -------------------------------------------------------------

    @property
    def number_of_connectors(self) -> int:
        return self[keys.NumberOfConnectors]

    @property
    def supported_measurands(self) -> tuple[Wanted, ...]:
        return self[keys.SupportedMeasurands]

    @property
    def security_profile(self) -> int:
        return self[keys.SecurityProfile]

    @property
    def authorization_key(self) -> str | None:
        return self[keys.AuthorizationKey]

    @property
    def now(self) -> datetime:
        return self._clock.now()

    def list_limit(self, name: str) -> int | None:
        """The value of `<name>MaxLength`, if present."""
        key = keys.TABLE.get(f"{name}MaxLength")
        return None if key is None else key.read(self._stored(key))

    def accepts_value(self, key: Key[Any], value: Any) -> bool:
        """Whether the schema of the key takes the value."""
        return self._schemas.accepts_value(key.section, key.name, value)

    @property
    def _view(self) -> View:
        return View(self._document, self._active_profiles, self._schemas)

    def _stored(self, key: Key[Any]) -> Any:
        return self._document.get(key.section, {}).get(key.name)
