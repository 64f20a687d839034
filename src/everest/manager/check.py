"""The rules that tie config, manifests and interfaces together (bus 6.6, points 5 to 9; ProbeModule: bus 6.3).

Each function looks at one rule and adds what it finds to `findings`; none stops at the first mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from everest.manager.documents import Key, SourceFile, read
from everest.manager.interfaces import Contracts
from everest.manager.model import PROBE_MODULE, ConfigParameter, Manifest, Parameter
from everest.manager.parameters import parameter_of, value_problem
from everest.manager.problems import Findings, Problem, key_text, one_of


def interfaces_of(manifest: Manifest, contracts: Contracts, findings: Findings) -> None:
    """Every provided interface exists and is fine (point 5); one that is needed and not there is a warning.

    An optional requirement may name an interface that this installation does not have (bus 2.3).
    """
    for impl, provided in manifest.provides.items():
        if contracts.has_interface(provided.interface):
            contracts.interface(provided.interface)
            continue
        problem = _in_manifest(
            manifest,
            ["provides", impl, "interface"],
            f'there is no interface "{provided.interface}" in {contracts.interfaces_dir}',
            one_of(contracts.interface_names(), provided.interface),
        )
        findings.add(problem)

    for requirement, required in manifest.requires.items():
        if required.min_connections > 0 and not contracts.has_interface(required.interface):
            problem = _in_manifest(
                manifest,
                ["requires", requirement, "interface"],
                f'there is no interface "{required.interface}" in {contracts.interfaces_dir}',
                one_of(contracts.interface_names(), required.interface),
            )
            findings.warn(problem)


def _in_manifest(manifest: Manifest, key: Key, text: str, fix: str) -> Problem:
    assert manifest.directory is not None
    path = manifest.directory / "manifest.yaml"
    source = read(path, Findings())
    return Problem(path, None, key_text(key), text, fix) if source is None else source.problem(key, text, fix)


def implementations_named(
    source: SourceFile, module_id: str, entry: Mapping[str, Any], manifest: Manifest, findings: Findings
) -> None:
    """`config_implementation` names only provided implementations (point 6); a mapping of others is a warning."""
    key = ["active_modules", module_id, "config_implementation"]
    for impl in entry["config_implementation"]:
        if impl not in manifest.provides:
            text = f"module {manifest.name} provides no such implementation"
            findings.add(source.problem([*key, impl], text, one_of(manifest.provides, impl)))
    mapping_key = ["active_modules", module_id, "mapping", "implementations"]
    for impl in entry.get("mapping", {}).get("implementations", {}):
        if impl not in manifest.provides:
            text = f"module {manifest.name} provides no such implementation; the mapping has no effect"
            findings.warn(source.problem([*mapping_key, impl], text))


def values(
    source: SourceFile,
    key: Key,
    declared: Mapping[str, ConfigParameter],
    given: Mapping[str, Any],
    findings: Findings,
) -> tuple[Parameter, ...]:
    """The parameters of one scope with their values (point 7). Unknown entries are warned about and dropped."""
    for name in given:
        if name not in declared:
            fix = one_of(declared, name)
            findings.warn(source.problem([*key, name], "the manifest has no such parameter, it is ignored", fix))
    result = []
    for name, parameter in declared.items():
        if name not in given:
            if parameter.default is None:
                text = f'the parameter "{name}" has no default and is not set'
                findings.add(source.problem(key, text, f'add "{name}:" with a value of type {parameter.datatype}'))
            else:
                result.append(parameter_of(parameter, parameter.default))
            continue
        wrong = value_problem(parameter, given[name])
        if wrong is not None:
            findings.add(source.problem([*key, name], *wrong))
        else:
            result.append(parameter_of(parameter, given[name]))
    return tuple(result)


def connections(
    source: SourceFile,
    entries: Mapping[str, Any],
    targets: Mapping[str, Any],
    manifests: Mapping[str, Manifest],
    findings: Findings,
) -> None:
    """Connections of `entries` fit the requirements (points 8 and 9); `targets` are all modules that are there.

    Modules without a usable manifest are passed over.
    """
    for module_id, entry in sorted(entries.items()):
        manifest = manifests.get(entry["module"])
        if manifest is None:
            continue
        _undeclared(source, module_id, entry, manifest, findings)
        for requirement, required in manifest.requires.items():
            listed = entry["connections"].get(requirement)
            key = ["active_modules", module_id, "connections", requirement]
            count = len(listed or [])
            if not required.min_connections <= count <= required.max_connections:
                findings.add(source.problem(key, *_count_problem(count, required.min_connections, required)))
            for index, item in enumerate(listed or []):
                _target(source, [*key, index], item, required.interface, targets, manifests, findings)


def target_of(item: Any) -> tuple[str, str] | None:
    """Module and implementation that a connection names; None for one that breaks the config schema."""
    if not isinstance(item, Mapping):
        return None
    module_id, impl = item.get("module_id"), item.get("implementation_id")
    return (module_id, impl) if isinstance(module_id, str) and isinstance(impl, str) else None


def _undeclared(
    source: SourceFile, module_id: str, entry: Mapping[str, Any], manifest: Manifest, findings: Findings
) -> None:
    for requirement, items in entry["connections"].items():
        if items and requirement not in manifest.requires:
            key = ["active_modules", module_id, "connections", requirement]
            text = f"module {manifest.name} has no such requirement"
            findings.add(source.problem(key, text, one_of(manifest.requires, requirement)))


def _count_problem(count: int, least: int, required: Any) -> tuple[str, str]:
    most = required.max_connections
    wanted = f"exactly {least}" if least == most else f"{least} to {most}"
    plural = "connection" if count == 1 else "connections"
    interface = required.interface
    return f'{count} {plural}, but {wanted} needed (interface "{interface}")', (
        f"connect an implementation of {interface}" if count < least else "remove connections"
    )


def _target(
    source: SourceFile,
    key: Key,
    item: Any,
    interface: str,
    entries: Mapping[str, Any],
    manifests: Mapping[str, Manifest],
    findings: Findings,
) -> None:
    named = target_of(item)
    if named is None:
        return
    module_id, impl = named
    if module_id not in entries:
        text = f'there is no module "{module_id}" in active_modules'
        findings.add(source.problem([*key, "module_id"], text, one_of(entries, module_id)))
        return
    target = manifests.get(entries[module_id]["module"])
    if target is None:
        return
    provided = target.provides.get(impl)
    if provided is None:
        text = f'module {module_id} ({target.name}) provides no implementation "{impl}"'
        findings.add(source.problem([*key, "implementation_id"], text, one_of(target.provides, impl)))
    elif provided.interface != interface:
        text = f'{module_id}/{impl} is a "{provided.interface}", but a "{interface}" is required'
        fits = [name for name, entry in target.provides.items() if entry.interface == interface]
        findings.add(source.problem([*key, "implementation_id"], text, one_of(fits)))


def probe_contracts(
    source: SourceFile,
    probe_id: str,
    entries: Mapping[str, Any],
    manifests: Mapping[str, Manifest],
    findings: Findings,
) -> tuple[dict[str, str], dict[str, str]]:
    """What the ProbeModule provides and requires: implementation id -> interface, requirement id -> interface."""
    provides: dict[str, str] = {}
    for module_id, entry in sorted(entries.items()):
        manifest = manifests.get(entry["module"])
        for requirement, items in entry["connections"].items():
            required = manifest.requires.get(requirement) if manifest else None
            for index, item in enumerate(items):
                target = target_of(item)
                if target is None or target[0] != probe_id or required is None:
                    continue
                known = provides.setdefault(target[1], required.interface)
                if known != required.interface:
                    key = ["active_modules", module_id, "connections", requirement, index]
                    text = f'the probe\'s "{target[1]}" is needed as "{required.interface}" here'
                    fix = f'elsewhere it is "{known}": use another implementation id'
                    findings.add(source.problem(key, text, fix))
    return provides, _probe_requires(probe_id, entries, manifests, provides)


def _probe_requires(
    probe_id: str, entries: Mapping[str, Any], manifests: Mapping[str, Manifest], provides: Mapping[str, str]
) -> dict[str, str]:
    requires: dict[str, str] = {}
    for requirement, items in entries[probe_id]["connections"].items():
        for module_id, impl in filter(None, map(target_of, items[:1])):
            target = entries.get(module_id, {}).get("module")
            if target == PROBE_MODULE:
                interface = provides.get(impl)
            else:
                provided = manifests[target].provides.get(impl) if target in manifests else None
                interface = provided.interface if provided else None
            requires[requirement] = interface or "empty"
    return requires
