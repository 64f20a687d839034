"""What GetConfiguration shows: which keys the CSMS can see, in which order, as which texts (libocpp 1.6). Pure.

May import: key, keys, schemas, actions, messages. Must not import: configuration, files.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ocpp16.actions import FeatureProfile
from ocpp16.configuration import keys
from ocpp16.configuration.key import Access, Key
from ocpp16.configuration.schemas import Schemas
from ocpp16.messages import GetConfigurationResponse, KeyValue

logger = logging.getLogger(__name__)

LONGEST_VALUE = 500
LONGEST_KEY = 50
ALWAYS_VISIBLE = frozenset({"Internal", "Core", "Security", "Reservation"})
"""Sections whose keys can be asked for by name without their profile."""
SHOWN_UNSET = frozenset({keys.CpoName.name})
"""Listed even when absent, without a value."""
FLAG_FROM_SCHEMA = frozenset({keys.CentralSystemURI.name, keys.UnlockConnectorOnEVSideDisconnect.name})
"""Access is read from the schema file at run time (libocpp 1.5)."""

_PUBLIC_KEY = re.compile(r"MeterPublicKey([1-9]\d{0,8})", re.ASCII)
_PRICE_TEXT = re.compile(r"DefaultPriceText,(.+)", re.DOTALL)


class View(NamedTuple):
    """The configuration as the report needs it."""

    document: dict[str, dict[str, Any]]
    active_profiles: frozenset[str]
    schemas: Schemas


class PublicKey(NamedTuple):
    """`MeterPublicKey<n>`, n from 1."""

    number: int


class PriceText(NamedTuple):
    """`DefaultPriceText,<language>`."""

    language: str


class Custom(NamedTuple):
    """A key of the integrator."""

    name: str
    read_only: bool


Target = Key[Any] | PublicKey | PriceText | Custom
"""What a key name of the CSMS stands for."""


def find(name: str, view: View) -> Target | None:
    """What the CSMS means by this name; None if it cannot see such a key. AuthorizationKey is found."""
    if match := _PUBLIC_KEY.fullmatch(name):
        number = int(match[1])
        stored = view.document["Internal"].get(keys.MeterPublicKeys.name, ())
        return PublicKey(number) if number <= len(stored) else None
    if match := _PRICE_TEXT.fullmatch(name):
        readable = _visible("CostAndPrice", view) and _stored(keys.CustomMultiLanguageMessages, view)
        return PriceText(match[1]) if readable else None
    key = keys.BY_FOLDED_NAME.get(name.casefold())
    if key is not None:
        return key if _key_visible(key, view) else None
    return _find_custom(name, view)


def _find_custom(name: str, view: View) -> Custom | None:
    read_only = view.schemas.read_only("Custom", name)
    if read_only is None or not _visible("Custom", view) or name not in view.document.get("Custom", {}):
        return None
    return Custom(name, read_only)


def _visible(section: str, view: View) -> bool:
    return section in ALWAYS_VISIBLE or (section in view.active_profiles and section in view.document)


def _key_visible(key: Key[Any], view: View) -> bool:
    if key in (keys.MeterPublicKeys, keys.DefaultPriceText) or not _visible(key.section, view):
        return False
    always = key is keys.AuthorizationKey or key.name in SHOWN_UNSET
    return always or _stored(key, view) is not None


def _stored(key: Key[Any], view: View) -> Any:
    return view.document.get(key.section, {}).get(key.name)


def read_only(target: Target, view: View) -> bool:
    """Whether ChangeConfiguration is refused whatever the value."""
    match target:
        case PublicKey():
            return True
        case PriceText():
            return False
        case Custom():
            return target.read_only
    if target.name in FLAG_FROM_SCHEMA:
        flag = view.schemas.read_only(target.section, target.name)
        return target.access is Access.RO if flag is None else flag
    return target.access is Access.RO


def canonical_name(target: Target) -> str:
    """The name in its own spelling."""
    match target:
        case PublicKey(number):
            return f"MeterPublicKey{number}"
        case PriceText(language):
            return f"DefaultPriceText,{language}"
    return target.name


def value_text(target: Target, view: View) -> str | None:
    """The value as text; None if there is none."""
    match target:
        case PublicKey(number):
            return str(_stored(keys.MeterPublicKeys, view)[number - 1])
        case PriceText(language):
            return _price_text(language, view)
        case Custom(name):
            return _json_text(view.document["Custom"][name])
    stored = _stored(target, view)
    return None if stored is None else target.text(stored)


def _json_text(stored: Any) -> str:
    return stored if isinstance(stored, str) else json.dumps(stored, ensure_ascii=False)


def _price_text(language: str, view: View) -> str:
    for entry in _price_texts(view):
        if entry.get("language") == language:
            return json.dumps(entry, indent=2, ensure_ascii=False)
    return ""


def _price_texts(view: View) -> Sequence[dict[str, Any]]:
    stored = _stored(keys.DefaultPriceText, view) or {}
    entries: Sequence[dict[str, Any]] = stored.get("priceTexts", ())
    return entries


def report(names: Sequence[str] | None, view: View) -> GetConfigurationResponse:
    """The answer to GetConfiguration. Keys keep the order of the request (libocpp 12.12); no names: all keys."""
    if not names:
        return _answer(_all_targets(view), [], view)
    limit = _stored(keys.GetConfigurationMaxKeys, view) or len(names)
    if len(names) > limit:
        logger.warning(
            "GetConfiguration asks for %d keys, GetConfigurationMaxKeys is %d: rest left out", len(names), limit
        )
        names = names[: int(limit)]
    found: list[Target] = []
    unknown: list[str] = []
    for name in names:
        target = find(name, view)
        if target is None or target is keys.AuthorizationKey:
            unknown.append(name)
        else:
            found.append(target)
    return _answer(found, unknown, view)


def _all_targets(view: View) -> Iterator[Target]:
    for profile in FeatureProfile:
        if profile in view.active_profiles:
            yield from sorted(_targets(profile.value, view), key=lambda target: canonical_name(target).encode())


def _targets(section: str, view: View) -> Iterable[Target]:
    if section == FeatureProfile.Custom:
        yield from filter(None, (_find_custom(name, view) for name in view.document.get(section, {})))
        return
    for key in keys.TABLE.values():
        if key.section == section and key is not keys.AuthorizationKey and _key_visible(key, view):
            yield key
    if section == FeatureProfile.Internal:
        yield from (PublicKey(index + 1) for index in range(len(_stored(keys.MeterPublicKeys, view) or ())))
    if section == FeatureProfile.CostAndPrice and _stored(keys.CustomMultiLanguageMessages, view):
        yield from (PriceText(entry["language"]) for entry in _price_texts(view))


def _answer(found: Iterable[Target], unknown: list[str], view: View) -> GetConfigurationResponse:
    entries = tuple(entry for target in found if (entry := _key_value(target, view)) is not None)
    return GetConfigurationResponse(configuration_key=entries or None, unknown_key=tuple(unknown) or None)


def _key_value(target: Target, view: View) -> KeyValue | None:
    """One entry. What does not fit into the message is left out and logged, never an error (DEPARTURE 4)."""
    name, text = canonical_name(target), value_text(target, view)
    if len(name) > LONGEST_KEY:
        logger.warning("GetConfiguration leaves out %.60s: the name is longer than %d characters", name, LONGEST_KEY)
        return None
    if text is not None and len(text) > LONGEST_VALUE:
        logger.warning("GetConfiguration leaves out the value of %s: more than %d characters", name, LONGEST_VALUE)
        text = None
    return KeyValue(key=name, readonly=read_only(target, view), value=text)
