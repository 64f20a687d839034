"""From files to a checked document: the start sequence of libocpp 1.3, step by step, each with its error.

Blocks. May import: files, schemas, keys, measurands, actions, errors. Must not import: configuration, report.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema

from ocpp16.actions import FeatureProfile
from ocpp16.configuration import keys
from ocpp16.configuration.files import Origin, Overlay, Source, merge_patch, read_object
from ocpp16.configuration.key import Key
from ocpp16.configuration.measurands import Wanted, parse_measurands, unsupported
from ocpp16.configuration.schemas import OPEN_SECTIONS, Schemas
from ocpp16.errors import ConfigurationError

logger = logging.getLogger(__name__)

Place = tuple[str, str]
"""Section and key."""

MEASURAND_KEYS = (
    keys.MeterValuesAlignedData,
    keys.MeterValuesSampledData,
    keys.StopTxnAlignedData,
    keys.StopTxnSampledData,
)
ALWAYS_ACTIVE = frozenset({FeatureProfile.Internal, FeatureProfile.Security})
ACTIVE_BY_SECTION = frozenset({FeatureProfile.PnC, FeatureProfile.CostAndPrice, FeatureProfile.Custom})
NEEDS_SECTION = ACTIVE_BY_SECTION | {FeatureProfile.SmartCharging, FeatureProfile.LocalAuthListManagement}


class Loaded(NamedTuple):
    """A valid configuration with the origin of each value."""

    document: dict[str, dict[str, Any]]
    origins: dict[Place, Origin]
    active_profiles: frozenset[str]
    overlay: Overlay | None


def load(
    base: Mapping[str, Any] | Path, schemas: Schemas, user_config: Path | None, number_of_connectors: int | None
) -> Loaded:
    """Run the start sequence. ConfigurationError names file, key and fix of everything that is wrong."""
    file = base if isinstance(base, Path) else None
    document = read_object(base) if isinstance(base, Path) else merge_patch({}, base)
    _set_number_of_connectors(document, number_of_connectors)
    overlay = None if user_config is None else Overlay(user_config)
    patch = {} if overlay is None else overlay.load()
    merged = merge_patch(document, patch)
    origins = _origins(document, Source.FILE, file)
    origins |= {} if overlay is None else overlay.origins(patch)
    origins |= {place: Origin(Source.DEFAULT) for place in schemas.insert_defaults(merged)}
    reporter = _Reporter(file, origins)
    reporter.raise_for([reporter.describe(error) for error in schemas.errors(merged)])
    active = _active_profiles(merged, reporter)
    _check_measurands(merged, reporter)
    for problem in _long_lists(merged, reporter):
        logger.warning("%s", problem)
    return Loaded(merged, origins, active, overlay)


def _set_number_of_connectors(document: dict[str, Any], number: int | None) -> None:
    core = document.get("Core")
    if number is not None and isinstance(core, dict):
        document["Core"] = core | {"NumberOfConnectors": number}


def _origins(document: dict[str, Any], source: Source, file: Path | None) -> dict[Place, Origin]:
    sections = ((name, content) for name, content in document.items() if isinstance(content, dict))
    return {(section, name): Origin(source, None, file) for section, content in sections for name in content}


class _Reporter:
    """Says what is wrong in which file, and what would be right."""

    def __init__(self, file: Path | None, origins: dict[Place, Origin]) -> None:
        self._file = file
        self._origins = origins

    def file_of(self, section: str, name: str) -> str:
        origin = self._origins.get((section, name))
        return str((origin and origin.file) or self._file or "configuration")

    def wrong(self, key: Key[Any], problem: str, fix: str) -> ConfigurationError:
        return ConfigurationError(f"{self.file_of(key.section, key.name)}: {key.section}.{key.name}: {problem}; {fix}")

    def raise_for(self, problems: list[str]) -> None:
        if problems:
            raise ConfigurationError("\n".join(problems))

    def describe(self, error: jsonschema.ValidationError) -> str:
        path = [str(step) for step in error.path]
        section, name = (*path, "", "")[:2]
        key = keys.TABLE.get(name)
        fix = "correct the value"
        if error.validator == "required":
            fix = "add it"
        elif error.validator == "additionalProperties":
            fix = _spelling(error, section)
        elif key is not None and key.section == section:
            fix = f"it must be {expected(key)}"
        message = "the value is too long to show" if len(error.message) > 300 else error.message
        if key is keys.AuthorizationKey:
            message = "the value (not shown) does not fit"
        place = ".".join(path) or "top level"
        return f"{self.file_of(section, name)}: {place}: {message}; {fix}"


def _spelling(error: jsonschema.ValidationError, section: str) -> str:
    schema, instance = error.schema, error.instance
    allowed = list(schema.get("properties", {})) if isinstance(schema, dict) else []
    unknown = [name for name in instance if name not in allowed] if isinstance(instance, dict) else []
    if unknown == ["Custom"] and not section:
        return "remove it, or put a Custom.json that describes its keys into the schema folder"
    close = [match for name in unknown for match in difflib.get_close_matches(name, allowed, n=1)]
    return f"did you mean {', '.join(close)}?" if close else "remove it"


def expected(key: Key[Any]) -> str:
    """The values of a key in words: `an integer, at least 0`."""
    words = {"integer": "an integer", "array": "an array of strings", "object": "a JSON object"}
    least, greatest = key.bounds
    shortest, longest = key.length
    limits = (
        ("at least", least, ""),
        ("at most", greatest, ""),
        ("at least", shortest, " characters"),
        ("at most", longest, " characters"),
    )
    parts = [words.get(key.kind.value, f"a {key.kind.value}")]
    return ", ".join(parts + [f"{word} {limit}{unit}" for word, limit, unit in limits if limit is not None])


def _active_profiles(document: dict[str, Any], reporter: _Reporter) -> frozenset[str]:
    """libocpp 1.3.4; a named profile whose section is missing is not active (libocpp 1.2)."""
    named = str(document["Core"]["SupportedFeatureProfiles"]).split(",")
    known = [profile.value for profile in FeatureProfile]
    for name in named:
        if name not in known:
            problem = f"unknown feature profile {name!r}"
            raise reporter.wrong(keys.SupportedFeatureProfiles, problem, f"choose from {', '.join(known)}, no blanks")
    if FeatureProfile.Core not in named:
        raise reporter.wrong(keys.SupportedFeatureProfiles, "Core is missing", "add it")
    active = {*named, *ALWAYS_ACTIVE, *(ACTIVE_BY_SECTION & document.keys())}
    for profile in sorted(active & NEEDS_SECTION - document.keys()):
        logger.error("feature profile %s is not active: its section is missing in the configuration", profile)
        active.discard(profile)
    return frozenset(str(profile) for profile in active)


def _check_measurands(document: dict[str, Any], reporter: _Reporter) -> None:
    """libocpp 1.3.5 and 1.3.6."""
    supported = _measurands(document, keys.SupportedMeasurands, reporter)
    for key in MEASURAND_KEYS:
        foreign = unsupported(_measurands(document, key, reporter), supported)
        if foreign:
            problem = f"{foreign[0].measurand} is not in SupportedMeasurands"
            raise reporter.wrong(key, problem, "remove it here or add it there")


def _long_lists(document: dict[str, Any], reporter: _Reporter) -> list[str]:
    """Lists with more items than their `<key>MaxLength` says: the station starts with them, a CSMS is refused them."""
    problems = []
    for key in keys.TABLE.values():
        stored, limit = (document.get(key.section, {}).get(name) for name in (key.name, f"{key.name}MaxLength"))
        count = len(stored.split(",")) if isinstance(stored, str) and stored else 0
        if isinstance(limit, int) and count > limit:
            problem = f"{count} items, but {key.name}MaxLength is {limit}"
            problems.append(str(reporter.wrong(key, problem, "shorten the list or raise the limit")))
    return problems


def _measurands(document: dict[str, Any], key: Key[Any], reporter: _Reporter) -> tuple[Wanted, ...]:
    try:
        return parse_measurands(document[key.section].get(key.name, ""))
    except ValueError as error:
        raise reporter.wrong(key, str(error), "use OCPP 1.6 names separated by commas, without blanks") from error


__all__ = ["MEASURAND_KEYS", "OPEN_SECTIONS", "Loaded", "Place", "expected", "load"]
