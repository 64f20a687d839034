"""Loading a whole configuration: config file, user config, manifests and contracts, checked into a `Stack` (bus 6).

`load` is the entrance; it reports everything it finds in one ConfigError. The single rules of bus 6.6, points 6 to 9,
are in `check.py`; this file reads, merges, and builds the values. Broker and processes are unknown here.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping as ReadOnlyDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from everest.manager import check, manifests, metaschema, paths
from everest.manager.documents import SourceFile, read, with_overlay
from everest.manager.errors import BootError, ConfigError
from everest.manager.interfaces import Contracts
from everest.manager.model import (
    MODULE_SCOPE,
    PROBE_MODULE,
    Access,
    Connection,
    Manifest,
    Mapping,
    ModuleAccess,
    ModuleConfig,
    ModuleMapping,
    Parameter,
    Stack,
)
from everest.manager.problems import Findings, one_of
from everest.manager.settings import Settings, settings_from
from everest.runtime import Dialect
from everest.runtime.yaml_file import Document


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What the command line and the surroundings say about a load."""

    layout: paths.Layout
    environment: ReadOnlyDict[str, str] = field(default_factory=dict)
    everest_prefix: str | None = None
    standalone: Sequence[str] = ()
    """Module ids that are started by hand; ids that are not configured are ignored (bus 2.5)."""
    dialect: Dialect = Dialect.B
    state_dir: Path | None = None
    """Where run-time changes are kept; None: beside the config file (bus 6.1)."""


def user_config_files(config_file: Path, state_dir: Path | None = None) -> list[Path]:
    """Where user configs of a config file are, whether or not they exist (bus 6.1); run-time changes go to the last."""
    folders = [config_file.parent] if state_dir is None else [config_file.parent, state_dir]
    return [folder / "user-config" / config_file.name for folder in folders]


def load(config_file: Path, options: LoadOptions) -> Stack:
    """Load and check `config_file` with everything it refers to.

    Raises BootError (directories, settings) or ConfigError (all mistakes of the files together).
    """
    findings = Findings()
    main = read(config_file, findings)
    if main is None:
        raise ConfigError(findings.problems)
    settings = settings_from(
        options.layout, main.data.get("settings"), options.environment, everest_prefix=options.everest_prefix
    )
    paths.check(settings.layout)
    user_configs = user_config_files(config_file, options.state_dir)
    source = _merged(main, user_configs, findings)
    return _checked(source, settings, options, findings)


def load_entries(
    entries: ReadOnlyDict[str, Any], database: Path, config_file: Path | None, options: LoadOptions
) -> Stack:
    """Check module entries of a configuration database; settings from the config file, else built in (bus 2.6).

    Raises BootError or ConfigError, as `load`.
    """
    findings = Findings()
    main = None if config_file is None else read(config_file, findings)
    if config_file is not None and main is None:
        raise ConfigError(findings.problems)
    written = None if main is None else main.data.get("settings")
    settings = settings_from(options.layout, written, options.environment, everest_prefix=options.everest_prefix)
    paths.check(settings.layout)
    data = {"active_modules": dict(entries)}
    return _checked(SourceFile(database, data, Document(database, data), has_lines=False), settings, options, findings)


def _checked(source: SourceFile, settings: Settings, options: LoadOptions, findings: Findings) -> Stack:
    problems = metaschema.problems_of(source, "config")
    if options.dialect is Dialect.A and "active_modules" not in source.data:
        problems.append(source.problem([], '"active_modules" is missing', 'add "active_modules:" (dialect A needs it)'))
    for problem in problems:
        findings.add(problem)
    findings.settle([*(problem.key for problem in problems), *_misspelt(source.data)])
    stack = _build(source, settings, options, findings)
    if findings.problems:
        raise ConfigError(findings.problems, findings.warnings)
    return stack


def _misspelt(data: Any) -> list[str]:
    """Keys of the sections that unknown ones were probably meant to be: what is missing there is no second mistake."""
    return [
        f"active_modules.{module_id}.{meant}"
        for module_id, entry in _named(data).items()
        for name in entry
        if name not in _LOOKED_INTO
        for meant in difflib.get_close_matches(name, _LOOKED_INTO, n=1)
    ]


def _merged(main: SourceFile, user_configs: Sequence[Path], findings: Findings) -> SourceFile:
    source = main
    for path in user_configs:
        overlay = read(path, findings) if path.is_file() else None
        if overlay is not None:
            source = with_overlay(source, overlay)
    return source


def _build(source: SourceFile, settings: Settings, options: LoadOptions, findings: Findings) -> Stack:
    """The checked stack. Where the config breaks its schema, everything beside that place is still looked at."""
    contracts = _contracts(settings, findings)
    types: dict[str, Any] = {}
    if settings.validate_schema:
        types = contracts.types()
        contracts.check_all_errors()
    named = _named(source.data)
    loaded = _load_manifests(source, named, settings, contracts, findings)
    entries = metaschema.with_defaults("config", {"active_modules": _sound(named, findings)})["active_modules"]
    _add_probe(source, entries, loaded, contracts, findings)
    modules = {
        module_id: _module(source, module_id, entry, loaded[entry["module"]], options, findings)
        for module_id, entry in sorted(entries.items())
        if entry["module"] in loaded
    }
    check.connections(source, entries, named, loaded, findings)
    interfaces = _provided_interfaces(loaded, contracts)
    user_config = user_config_files(source.path, options.state_dir)[-1]
    return Stack(
        source.path,
        user_config,
        settings,
        modules,
        loaded,
        interfaces,
        types,
        tuple(findings.warnings),
        named,
    )


def _contracts(settings: Settings, findings: Findings) -> Contracts:
    layout = settings.layout
    return Contracts(layout.interfaces_dir, layout.types_dir, layout.errors_dir, findings)


def _named(data: Any) -> dict[str, Any]:
    """Entries that say of which module they are, whatever else is wrong with them."""
    entries = data.get("active_modules")
    if not isinstance(entries, dict):
        return {}
    return {
        module_id: entry
        for module_id, entry in entries.items()
        if isinstance(entry, dict) and isinstance(entry.get("module"), str)
    }


def _sound(entries: dict[str, Any], findings: Findings) -> dict[str, Any]:
    """What of the entries satisfies the config schema; places that do not are taken out, or emptied."""
    wrong = [f"{problem.key.replace('[', '.')}." for problem in findings.problems]

    def broken(*key: str) -> bool:
        return any(place.startswith(f"active_modules.{'.'.join(key)}.") for place in wrong)

    return {
        module_id: {
            name: _emptied(name, section) if broken(module_id, name) else section
            for name, section in entry.items()
            if name in _LOOKED_INTO or not broken(module_id, name)
        }
        for module_id, entry in entries.items()
        if f"active_modules.{module_id}." not in wrong
    }


_LOOKED_INTO = ("module", "connections", "config_module", "config_implementation")
"""Sections of an entry whose sound parts are checked beside a broken one."""


def _emptied(name: str, section: Any) -> Any:
    """A broken section in its outer form: lists of connections, mappings of values."""
    if name == "module":
        return section
    if not isinstance(section, dict):
        return {}
    if name == "connections":
        return {requirement: items if isinstance(items, list) else [] for requirement, items in section.items()}
    if name == "config_implementation":
        return {impl: values if isinstance(values, dict) else {} for impl, values in section.items()}
    return section


def _load_manifests(
    source: SourceFile, entries: dict[str, Any], settings: Settings, contracts: Contracts, findings: Findings
) -> dict[str, Manifest]:
    """Manifest of every module name in use that is fine, with its provided interfaces checked."""
    loaded: dict[str, Manifest] = {}
    modules_dir = settings.layout.modules_dir
    seen: set[str] = set()
    for module_id, entry in entries.items():
        name = entry["module"]
        if name == PROBE_MODULE:
            continue
        if not (modules_dir / name / "manifest.yaml").is_file():
            text = f'there is no module "{name}" in {modules_dir}'
            fix = one_of(manifests.available(modules_dir), name)
            findings.add(source.problem(["active_modules", module_id, "module"], text, fix))
            continue
        if name in seen:
            continue
        seen.add(name)
        manifest = manifests.load(modules_dir, name, findings)
        if manifest is not None:
            check.interfaces_of(manifest, contracts, findings)
            loaded[name] = manifest
    return dict(sorted(loaded.items()))


def _add_probe(
    source: SourceFile, entries: dict[str, Any], loaded: dict[str, Manifest], contracts: Contracts, findings: Findings
) -> None:
    """Generate the ProbeModule's manifest from the connections from and to it (bus 6.3)."""
    probes = [module_id for module_id, entry in entries.items() if entry["module"] == PROBE_MODULE]
    for extra in probes[1:]:
        text = f"a second {PROBE_MODULE}; {probes[0]} is one already"
        findings.add(source.problem(["active_modules", extra, "module"], text, "keep one"))
    if not probes:
        return
    provides, requires = check.probe_contracts(source, probes[0], entries, loaded, findings)
    loaded[PROBE_MODULE] = manifests.probe_manifest(provides, requires)


def _provided_interfaces(loaded: dict[str, Manifest], contracts: Contracts) -> dict[str, Any]:
    names = {provided.interface for manifest in loaded.values() for provided in manifest.provides.values()}
    found = {name: contracts.interface(name) for name in sorted(names) if contracts.has_interface(name)}
    return {name: definition for name, definition in found.items() if definition is not None}


def _module(
    source: SourceFile,
    module_id: str,
    entry: dict[str, Any],
    manifest: Manifest,
    options: LoadOptions,
    findings: Findings,
) -> ModuleConfig:
    check.implementations_named(source, module_id, entry, manifest, findings)
    capabilities = entry.get("capabilities")
    return ModuleConfig(
        id=module_id,
        name=entry["module"],
        standalone=entry["standalone"] or module_id in options.standalone,
        capabilities=None if capabilities is None else tuple(capabilities),
        parameters=_parameters(source, module_id, entry, manifest, findings),
        connections={
            requirement: tuple(Connection(*target) for target in map(check.target_of, items) if target is not None)
            for requirement, items in sorted(entry["connections"].items())
        },
        mapping=_mapping(entry.get("mapping", {})),
        telemetry_id=entry.get("telemetry", {}).get("id"),
        access=_access(entry),
    )


def _parameters(
    source: SourceFile, module_id: str, entry: dict[str, Any], manifest: Manifest, findings: Findings
) -> dict[str, tuple[Parameter, ...]]:
    """`!module` and every implementation with all their parameters, defaults applied, in name order (bus 2.3)."""
    base = ["active_modules", module_id]
    given = entry["config_implementation"]
    result = {
        MODULE_SCOPE: check.values(
            source, [*base, "config_module"], manifest.parameters, entry["config_module"], findings
        )
    }
    for impl, provided in sorted(manifest.provides.items()):
        key = [*base, "config_implementation", impl]
        result[impl] = check.values(source, key, provided.parameters, given.get(impl, {}), findings)
    return result


def _mapping(entry: dict[str, Any]) -> ModuleMapping:
    def place(value: dict[str, int]) -> Mapping:
        return Mapping(value["evse"], value.get("connector"))

    module = entry.get("module")
    return ModuleMapping(
        module=None if module is None else place(module),
        implementations={impl: place(value) for impl, value in sorted(entry.get("implementations", {}).items())},
    )


def _access(entry: dict[str, Any]) -> Access | None:
    access = entry.get("access", {}).get("config")
    if access is None:
        return None
    return Access(
        allow_global_read=access["allow_global_read"],
        allow_global_write=access["allow_global_write"],
        allow_set_read_only=access["allow_set_read_only"],
        modules={module_id: ModuleAccess(**rights) for module_id, rights in sorted(access["modules"].items())},
    )


def require_modules(stack: Stack) -> None:
    """Raise BootError when there is nothing to start (bus 2.7, last row)."""
    if not stack.modules:
        is_file = stack.config_file.suffix in (".yaml", ".json")
        fix = "list some under active_modules" if is_file else "fill it by --config FILE --reset-from-yaml"
        raise BootError(f"{stack.config_file} has no modules; {fix}")
