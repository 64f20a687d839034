"""`ocpp16 config ...`: look at a configuration, say where values come from and what a change would do, set, check.

Values go the way of the charge point itself: the same start sequence, the same checks (libocpp 1.3, 1.7). Nothing but
`set` writes to a file. May import: configuration. Must not import: charge_point.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
from pathlib import Path
from typing import Any

from ocpp16.cli import output
from ocpp16.configuration import Access, Configuration, Effect, Explanation, Key, Kind, Source, keys
from ocpp16.configuration.checks import read_value
from ocpp16.configuration.files import merge_patch, read_object
from ocpp16.errors import ConfigurationError
from ocpp16.messages import ConfigurationStatus, KeyValue

EFFECTS: dict[Effect, str] = {
    Effect.NONE: "it is stored, and read where it is next needed",
    Effect.IMMEDIATE: "it counts at once",
    Effect.RESTART: "it counts from the next start of the charge point on",
    Effect.REBOOT_REQUIRED: "it counts from the next start of the charge point on (answer: RebootRequired)",
    Effect.RECONNECT: "the connection is closed and opened again with it",
    Effect.NEXT_CONNECT_CYCLE: "it counts from the next reconnect on",
    Effect.NEXT_CSR: "it goes into the next certificate request",
    Effect.NEXT_RESET: "it counts at the next reset",
    Effect.NEXT_SWITCH: "it counts at the next change of SecurityProfile",
    Effect.FIRST_USE: "it counts from its first use after the next start on",
}
"""What happens with a new value once it is taken."""


def add_commands(commands: Any) -> None:
    """`config` under the top command."""
    config = commands.add_parser("config", help="configuration keys: values, origins, changes")
    actions = config.add_subparsers(dest="action", required=True, metavar="ACTION")
    explain = _command(actions, "explain", _explain, "value, default, origin of a key, and what a change would do")
    explain.add_argument("key", metavar="KEY")
    explain.add_argument("--to", metavar="VALUE", help="also say how a change to this value would be answered")
    listing = _command(actions, "list", _list, "all keys that the CSMS can see, with the origin of their values")
    listing.add_argument("--changed", action="store_true", help="only values that are no defaults")
    get = _command(actions, "get", _get, "print the value of a key")
    get.add_argument("key", metavar="KEY")
    change = _command(actions, "set", _set, "set a key in the user configuration")
    change.add_argument("key", metavar="KEY")
    change.add_argument("value", metavar="VALUE")
    check = actions.add_parser("check", help="say everything that is wrong with a configuration file")
    check.add_argument("config", type=Path, metavar="FILE")
    _user_config(check)
    check.set_defaults(run=_check)


def _command(actions: Any, name: str, run: Any, help_text: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = actions.add_parser(name, help=help_text, description=help_text)
    command.add_argument("--config", type=Path, required=True, metavar="FILE", help="the base configuration")
    _user_config(command)
    command.set_defaults(run=run)
    return command


def _user_config(command: argparse.ArgumentParser) -> None:
    command.add_argument("--user-config", type=Path, metavar="FILE", help="the changes that lie over it")
    command.add_argument("--profile-schemas", type=Path, metavar="FOLDER", help="JSON schemas, if not the shipped ones")


def _load(options: argparse.Namespace, *, create: bool = False) -> Configuration:
    """The start sequence of the charge point; a user config that is not there is only created to write into it."""
    overlay: Path | None = options.user_config
    if overlay is not None and not overlay.exists() and not create:
        overlay = None
    return Configuration.load(options.config, user_config=overlay, profile_schemas=options.profile_schemas)


# --- looking ---------------------------------------------------------------------------------------------------------


def _explain(options: argparse.Namespace) -> int:
    configuration = _load(options)
    explanation = configuration.explain(options.key)
    if explanation is None:
        _explain_other(configuration, options.key)
    else:
        output.pairs(_rows(explanation, configuration))
    if options.to is not None:
        status = asyncio.run(configuration_without_files(options).change(options.key, options.to))
        output.line(f"\nChangeConfiguration {options.key} = {options.to}: {status}")
    return 0


def configuration_without_files(options: argparse.Namespace) -> Configuration:
    """The same configuration, but changes stay in memory."""
    return Configuration.load(_merged(options), profile_schemas=options.profile_schemas)


def _merged(options: argparse.Namespace) -> dict[str, Any]:
    overlay: Path | None = options.user_config
    patch = read_object(overlay) if overlay is not None and overlay.exists() else {}
    merged: dict[str, Any] = merge_patch(read_object(options.config), patch)
    return merged


def _rows(explanation: Explanation, configuration: Configuration) -> list[tuple[str, object]]:
    shown = "(not set)" if explanation.value is None else explanation.value
    return [
        ("Key", f"{explanation.section}.{explanation.name}"),
        ("Meaning", explanation.meaning),
        ("Value", shown),
        ("Default", explanation.default),
        ("Set by", _origin(explanation)),
        ("Set at", explanation.origin.time),
        ("Takes", explanation.expected),
        ("Access", explanation.access),
        ("By the CSMS", by_csms(explanation, configuration)),
        ("In a file", f"{EFFECTS[Effect.RESTART]}; the user config goes before the base file"),
    ]


def _origin(explanation: Explanation) -> str:
    if explanation.value is None:
        return "nobody"
    source, _, file = explanation.origin
    return f"{source} ({file})" if file is not None else str(source)


def by_csms(explanation: Explanation, configuration: Configuration) -> str:
    """What a ChangeConfiguration for this key would do, in words (libocpp 1.5, 1.7)."""
    written = f"written to the user config, then {EFFECTS[explanation.effect]}"
    if explanation.access is Access.WO:
        return f"{written}; it can never be read"
    entries = configuration.report([explanation.name]).configuration_key
    if not entries and explanation.value is not None:
        return f"NotSupported: the feature profile {explanation.section} is not active"
    if not entries and explanation.access is Access.RW:
        return "NotSupported while no file sets the key"
    return written if entries and not entries[0].readonly else "Rejected: read-only"


def _explain_other(configuration: Configuration, name: str) -> None:
    """Keys that no row of the table describes: of Custom, price texts by language, public keys of meters."""
    entry = _entry(configuration, name)
    change = "Rejected: read-only" if entry.readonly else f"written to the user config, then {EFFECTS[Effect.NONE]}"
    output.pairs([("Key", entry.key), ("Value", entry.value), ("By the CSMS", change)])


def _entry(configuration: Configuration, name: str) -> KeyValue:
    entries = configuration.report([name]).configuration_key
    if entries:
        return entries[0]
    close = difflib.get_close_matches(name, keys.TABLE, n=1)
    hint = f"; did you mean {close[0]}?" if close and close[0] != name else "; see `ocpp16 config list`"
    raise ConfigurationError(f"{name} is no key of this configuration{hint}")


def _list(options: argparse.Namespace) -> int:
    configuration = _load(options)
    rows = []
    for entry in configuration.report().configuration_key or ():
        explanation = configuration.explain(entry.key)
        origin = explanation.origin if explanation is not None else None
        if options.changed and origin is not None and origin.source is Source.DEFAULT:
            continue
        access = Access.RO if entry.readonly else Access.RW
        rows.append((entry.key, entry.value, access, origin and origin.source, origin and origin.time))
    output.table(("KEY", "VALUE", "ACCESS", "SET BY", "SET AT"), rows, empty="no keys")
    return 0


def _get(options: argparse.Namespace) -> int:
    value = _entry(_load(options), options.key).value
    output.line("" if value is None else value)
    return 0


def _check(options: argparse.Namespace) -> int:
    configuration = _load(options)
    count = len(configuration.report().configuration_key or ())
    profiles = ", ".join(sorted(configuration.active_profiles))
    output.line(f"{options.config}: no errors; {count} keys, active profiles: {profiles}")
    return 0


# --- setting ---------------------------------------------------------------------------------------------------------


def _set(options: argparse.Namespace) -> int:
    if options.user_config is None:
        raise ConfigurationError("the base file is never written: name the file for changes with --user-config")
    key = keys.BY_FOLDED_NAME.get(options.key.casefold())
    configuration = _load(options, create=True)
    if key is not None and (key.access is Access.RO or key not in configuration):
        asyncio.run(_set_as_owner(configuration, key, options))
    else:
        asyncio.run(_set_as_csms(configuration, options))
    output.line(f"{options.user_config}: {options.key} is set; a charge point that runs sees it at its next start")
    return 0


async def _set_as_csms(configuration: Configuration, options: argparse.Namespace) -> None:
    """The reason of a refusal is in the log line before it."""
    status = await configuration.change(options.key, options.value, source=Source.USER)
    if status not in (ConfigurationStatus.Accepted, ConfigurationStatus.RebootRequired):
        _entry(configuration, options.key)
        raise ConfigurationError(f"{options.key} is not changed: {status}")


async def _set_as_owner(configuration: Configuration, key: Key[Any], options: argparse.Namespace) -> None:
    """Who owns the files may set what the CSMS may not; the result must still be a configuration that starts."""
    try:
        value = _value(key, options.value, configuration)
    except ValueError as error:
        raise ConfigurationError(f"{key.section}.{key.name}: {error}") from error
    changed = merge_patch(_merged(options), {key.section: {key.name: value}})
    Configuration.load(changed, profile_schemas=options.profile_schemas)
    await configuration.store(key, value, source=Source.USER)


def _value(key: Key[Any], text: str, configuration: Configuration) -> Any:
    if key.kind is Kind.TEXTS:
        return text.split(key.separator) if text else []
    return read_value(key, text, configuration)
