"""What a scenario changes in its station (`station.ocpp`, `station.modules`): put in place, and what is wrong with it.

Lives here: `with_keys` (OCPP configuration) and `with_parameters` (modules): each gives what came of it, and every
mistake at once. The JSON schemas of the OCPP configuration are read as files.
May not be imported here: modules by name, ocpp16.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema

from everest.manager.model import MODULE_SCOPE, ConfigParameter, Stack
from everest.manager.parameters import value_problem, with_parameter
from everest.manager.problems import one_of
from everest.scenario.model import Mistake
from everest.scenario.schemas import Schema, properties, wanted

Keys = dict[str, dict[str, Any]]
"""Section -> key -> value."""

SECRET = frozenset({"AuthorizationKey"})
"""Never shown."""


@cache
def _sections() -> Mapping[str, Schema]:
    """Section -> its schema."""
    found = find_spec("ocpp16")
    folders = (found.submodule_search_locations if found is not None else None) or []
    files = [file for folder in folders for file in (Path(folder) / "profile_schemas").glob("*.json")]
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files if file.stem != "Config"}


# --- OCPP ------------------------------------------------------------------------------------------------------------


def with_keys(keys: Keys, told: Mapping[str, Any]) -> tuple[Keys, list[Mistake]]:
    """The OCPP configuration with these keys, each alone or as `Section: {key: value}`."""
    result = {section: dict(values) if isinstance(values, dict) else values for section, values in keys.items()}
    mistakes: list[Mistake] = []
    for place, section, name, value in _places(result, told):
        found = list(_key(section, place, name, value)) if section else [_homeless(result, place, name)]
        mistakes += found
        if not found:
            result.setdefault(section, {})[name] = value
    return result, mistakes


def _places(keys: Keys, told: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str, str, Any]]:
    """Path in the file, section ('' where there is none), name and value of each key."""
    for key, value in told.items():
        if isinstance(value, dict) and (key in keys or key in _sections()):
            for name, one in value.items():
                yield (key, name), key, name, one
        else:
            home = next((section for section, values in keys.items() if isinstance(values, dict) and key in values), "")
            yield (key,), home, key, value


def _homeless(keys: Keys, place: tuple[str, ...], name: str) -> Mistake:
    """A key that the configuration has not, and whose section is not told."""
    text = "the configuration of the stack has no such key"
    section = next((section for section, schema in _sections().items() if name in properties(schema)), None)
    if section is not None:
        return Mistake(place, text, f"name its section, too: `{section}: {{{name}: ...}}`")
    known = {inner for values in keys.values() if isinstance(values, dict) for inner in values}
    close = one_of(known | {inner for schema in _sections().values() for inner in properties(schema)}, name)
    return Mistake(
        place, text, close if close.startswith("did") else f"write it with its section: `Core: {{{name}: ...}}`"
    )


def _key(section: str, place: tuple[str, ...], name: str, value: Any) -> Iterator[Mistake]:
    """What the schema of the section says about a key."""
    schema = _sections().get(section)
    if schema is None:
        return
    declared = properties(schema).get(name)
    if declared is None:
        if schema.get("additionalProperties", True) is False:
            yield Mistake(place, f'{section} has no key "{name}"', one_of(properties(schema), name))
    elif not jsonschema.Draft7Validator(declared).is_valid(value):
        text = "does not fit (it is not shown)" if name in SECRET else f"cannot be {value!r}"
        yield Mistake(place, text, wanted(declared))


# --- modules ---------------------------------------------------------------------------------------------------------


def with_parameters(stack: Stack, told: Mapping[str, Mapping[str, Any]]) -> tuple[Stack, list[Mistake]]:
    """The stack with these parameters by module id: `{name: value}` or `{implementation: {name: value}}`."""
    mistakes: list[Mistake] = []
    for module_id, parameters in told.items():
        if module_id not in stack.modules:
            mistakes.append(
                Mistake((module_id,), f'there is no module "{module_id}"', one_of(stack.modules, module_id))
            )
            continue
        for scope, name, value in _parameters(parameters):
            found = _parameter(stack, module_id, scope, name, value)
            if isinstance(found, Mistake):
                mistakes.append(Mistake((module_id, *found.place), found.text, found.fix))
            else:
                stack = found
    return stack, mistakes


def _parameters(told: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Scope, name and value of each parameter of a module."""
    for name, value in told.items():
        if isinstance(value, dict):
            for inner, one in value.items():
                yield name, inner, one
        else:
            yield MODULE_SCOPE, name, value


def _parameter(stack: Stack, module_id: str, scope: str, name: str, value: Any) -> Stack | Mistake:
    """The stack with one parameter, or what is wrong: `place` is the scope alone where that is unknown."""
    manifest = stack.manifests[stack.modules[module_id].name]
    if scope == MODULE_SCOPE:
        known: Mapping[str, ConfigParameter] = manifest.parameters
    elif scope in manifest.provides:
        known = manifest.provides[scope].parameters
    else:
        return Mistake((scope,), f'{module_id} has no implementation "{scope}"', one_of(manifest.provides, scope))
    place = (name,) if scope == MODULE_SCOPE else (scope, name)
    if name not in known:
        return Mistake(place, f'{module_id} has no parameter "{name}"', one_of(known, name))
    wrong = value_problem(known[name], value)
    return Mistake(place, *wrong) if wrong is not None else with_parameter(stack, module_id, name, value, scope)
