"""Accepted differences by name: a YAML list that says what may differ between a recording and a replay, and why.

Lives here: `Rule` (one entry), `load`. A rule brings statements of both sides to one form before they are compared.
May not be imported here: replay, manager.

    - name: neutral current                 # unique
      reason: "DEPARTURE 23: ..."           # for people
      module: OCPP                          # module name; default: all
      traces: [rfid_session]                # names of traces; default: all
      channel: ocpp                         # fnmatch over the channels of said.py; an ocpp statement may be named
      action: MeterValues                   #   by its action, too (fnmatch), an answer to it included
      containing: SignedData                # text that the statement's JSON must hold
      drop: true                            # then one of: leave the statement out,
      without: [meterValue/*/phase=N]       #   leave members (or elements that have member=value) out,
      keep: {at: configurationKey, key: key, values: [...], members: [key]}   #   keep only some elements of a list,
      once: true                            #   let one of several equal ones in a row stand for all,
      unordered: true                       #   sort them: their order is not promised
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match

from everest.runtime.yaml_file import YamlError, parse
from everest.trace.records import TraceError, reason
from everest.trace.said import OCPP, OCPP_ANSWER, Statement

EFFECTS = ("drop", "without", "keep", "once", "unordered")
_texts = {"type": "array", "items": {"type": "string"}}
_ENTRY: dict[str, Any] = {
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in ("name", "reason", "module", "channel", "action", "containing")},
        **{name: {"type": "boolean"} for name in ("drop", "once", "unordered")},
        **dict.fromkeys(("traces", "without"), _texts),
        "keep": {
            "type": "object",
            "required": ["at", "key", "values"],
            "additionalProperties": False,
            "properties": {
                "at": {"type": "string"},
                "key": {"type": "string"},
                "values": {"type": "array"},
                "members": _texts,
            },
        },
    },
}
"""The form of an entry, as JSON schema."""


@dataclass(frozen=True)
class Rule:
    """One accepted difference."""

    name: str
    reason: str
    module: str = ""
    traces: tuple[str, ...] = ()
    channel: str = "*"
    action: str = ""
    containing: str = ""
    drop: bool = False
    without: tuple[str, ...] = ()
    keep: dict[str, Any] = field(default_factory=dict)
    once: bool = False
    unordered: bool = False

    def concerns(self, trace: str, module: str) -> bool:
        """Whether the rule is meant for a module (its name) in a trace (its name)."""
        return (not self.traces or trace in self.traces) and self.module in ("", module)

    def matches(self, statement: Statement) -> bool:
        if not fnmatchcase(statement.channel, self.channel):
            return False
        if self.action and not (
            statement.channel in (OCPP, OCPP_ANSWER) and fnmatchcase(action_of(statement), self.action)
        ):
            return False
        return not self.containing or self.containing in json.dumps(statement.value, ensure_ascii=False)

    def apply(self, said: list[Statement]) -> list[Statement]:
        """The statements with the difference taken out."""
        if self.unordered:
            rest = [item for item in said if not self.matches(item)]
            return rest + sorted((item for item in said if self.matches(item)), key=lambda item: text(item.value))
        result: list[Statement] = []
        last: dict[str, str] = {}
        for item in said:
            if not self.matches(item):
                result.append(item)
            elif self.once:
                if last.get(item.channel) != text(item.value):
                    result.append(item)
                last[item.channel] = text(item.value)
            elif not self.drop:
                value = self._reduced(item)
                result.append(item if value == item.value else Statement(item.t, item.channel, value))
        return result

    def _reduced(self, statement: Statement) -> Any:
        value = copy.deepcopy(statement.value)
        root = value[-1] if statement.channel in (OCPP, OCPP_ANSWER) else value
        for path in self.without:
            remove(root, path.split("/"))
        if self.keep:
            keep(root, self.keep)
        return value


def text(value: Any) -> str:
    """A value as one line of JSON that is equal for equal values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def action_of(statement: Statement) -> str:
    """The action of a frame, or of the request that it answers."""
    return str(statement.value[0] if isinstance(statement.value[0], str) else statement.value[1])


def remove(value: Any, path: list[str]) -> None:
    """Take a member out, or the elements of a list that have `member=value`; `*` is every element or member."""
    step, rest = path[0], path[1:]
    if "=" in step and isinstance(value, list):
        key, _, wanted = step.partition("=")
        value[:] = [part for part in value if not (isinstance(part, dict) and str(part.get(key)) == wanted)]
    elif step == "*":
        for part in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
            remove(part, rest)
    elif isinstance(value, dict) and step in value:
        if rest:
            remove(value[step], rest)
        else:
            del value[step]


def keep(value: Any, what: dict[str, Any]) -> None:
    """Keep those elements of the list `at` whose `key` is one of `values`, and of them only `members`; sorted."""
    found = value.get(what["at"]) if isinstance(value, dict) else None
    if isinstance(found, list):
        kept = [part for part in found if part.get(what["key"]) in what["values"]]
        members = what.get("members")
        kept = [{name: part.get(name) for name in members} for part in kept] if members else kept
        value[what["at"]] = sorted(kept, key=lambda part: str(part.get(what["key"])))


def load(path: Path) -> list[Rule]:
    """All rules of a file. Errors: TraceError naming the entry."""
    try:
        entries = parse(path.read_text(encoding="utf-8"), path).data or []
    except YamlError as error:
        raise TraceError(str(error)) from None
    except (OSError, ValueError) as error:
        raise TraceError(f"{path}: cannot be read: {reason(error)}") from None
    if not isinstance(entries, list):
        raise TraceError(f"{path}: a list of differences is needed")
    rules = [_rule(path, number, entry) for number, entry in enumerate(entries, start=1)]
    names = [rule.name for rule in rules]
    for name in {name for name in names if names.count(name) > 1}:
        raise TraceError(f"{path}: two differences are named {name!r}")
    return rules


def _rule(path: Path, number: int, entry: Any) -> Rule:
    place = f"{path}: entry {number}"
    if not isinstance(entry, dict) or not {"name", "reason"} <= entry.keys():
        raise TraceError(f"{place}: a name and a reason are needed")
    place += f" ({entry['name']})"
    unknown = sorted(entry.keys() - _ENTRY["properties"].keys())
    if unknown:
        raise TraceError(f"{place}: unknown {', '.join(unknown)}")
    mistake = best_match(Draft7Validator(_ENTRY).iter_errors(entry))
    if mistake is not None:
        where = "".join(f"{step}: " for step in mistake.absolute_path)
        raise TraceError(f"{place}: {where}{mistake.message}")
    effects = [name for name in EFFECTS if entry.get(name)]
    if len(effects) != 1:
        raise TraceError(f"{place}: exactly one of {', '.join(EFFECTS)} is needed")
    lists = {name: tuple(entry[name]) for name in ("traces", "without") if name in entry}
    return Rule(**{**entry, **lists})
