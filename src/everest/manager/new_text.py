"""The files of a new module as text: manifest, launcher, package, code, test (docs/modules.md).

For interfaces with generated classes (everest.contracts) the code is typed like these; for others it works with plain
JSON values. The generated classes are read as text, never imported. Pure but for that reading.
"""

from __future__ import annotations

import ast
import json
import keyword
import os
import re
import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from everest.manager.samples import sample
from everest.runtime import Module


@dataclass(frozen=True, slots=True)
class Offer:
    """A provided implementation."""

    id: str
    interface: str
    definition: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Need:
    """A requirement."""

    id: str
    interface: str
    definition: Mapping[str, Any]
    least: int = 1
    most: int = 1


@dataclass(frozen=True, slots=True)
class Generated:
    """What a generated interface file offers: class name stem, methods (name -> arguments, result), imports."""

    stem: str
    methods: Mapping[str, tuple[Sequence[tuple[str, str]], str]]
    imports: frozenset[str]


@dataclass(frozen=True, slots=True)
class NewModule:
    """Everything the text depends on."""

    name: str
    description: str
    author: str
    offers: Sequence[Offer]
    needs: Sequence[Need]
    typed: Mapping[str, Generated] = field(default_factory=dict)
    types: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """`GuestList` -> `guest_list`: the Python file, and the module id of the test."""
        return snake(self.name)


RESERVED = frozenset(
    {"Any", "Literal", "Client", "Command", "Implementation", "Module", "ModuleContext", "NotReady", "ProbeModule"}
)
"""Names that the written code gives to something else, and EVerest's special module (bus 6.3)."""
MODULE_MEMBERS = frozenset(dir(Module)) | frozenset(Module.__annotations__)


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def camel(name: str) -> str:
    return "".join(part[0].upper() + part[1:] for part in name.split("_") if part)


def read_generated(file: Path) -> Generated:
    """Read the `...Implementation` class of a generated interface file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    aliases: dict[str, str] = {}
    local = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "everest.contracts.types":
            aliases |= {alias.asname or alias.name: alias.name for alias in node.names}
    (found,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name.endswith("Implementation")]
    imports: set[str] = set()

    def text(annotation: ast.expr | None) -> str:
        if annotation is None:
            return "None"
        result = ast.unparse(annotation)
        for word in set(re.findall(r"\b[A-Za-z_]\w*\b", result)):
            if word in aliases:
                imports.add(f"from everest.contracts.types import {aliases[word]}")
                result = re.sub(rf"\b{word}\b", aliases[word], result)
            elif word in local:
                imports.add(f"from everest.contracts.interfaces.{file.stem} import {word}")
            elif word in ("Any", "Literal"):
                imports.add(f"from typing import {word}")
        return result

    methods = {
        node.name: ([(one.arg, text(one.annotation)) for one in node.args.args[1:]], text(node.returns))
        for node in found.body
        if isinstance(node, ast.AsyncFunctionDef)
    }
    return Generated(found.name.removesuffix("Implementation"), methods, frozenset(imports))


def docstring(module: NewModule) -> str:
    """The description as it may stand in a docstring."""
    return module.description.replace("\\", "\\\\").replace('"', "'")


def files(module: NewModule, folder: Path, tests: Path) -> dict[Path, str]:
    """Every file with its text."""
    return {
        folder / "manifest.yaml": manifest(module),
        folder / "module.py": (
            '"""Launcher: the code lies beside it."""\n\nfrom everest.runtime import launch\n\nlaunch(__file__)\n'
        ),
        folder / "__init__.py": (
            f'"""{docstring(module)}."""\n\nfrom .{module.file} import {module.name} as module_class\n\n'
            '__all__ = ["module_class"]\n'
        ),
        folder / f"{module.file}.py": code(module),
        tests / f"test_{module.file}.py": test(module, folder, tests),
    }


def manifest(module: NewModule) -> str:
    lines = [f"description: {json.dumps(module.description, ensure_ascii=False)}"]
    if module.offers:
        lines.append("provides:")
        for offer in module.offers:
            lines += [f"  {offer.id}:", f"    description: Implementation of {offer.interface}"]
            lines.append(f"    interface: {offer.interface}")
    if module.needs:
        lines.append("requires:")
        for need in module.needs:
            lines += [f"  {need.id}:", f"    interface: {need.interface}"]
            if (need.least, need.most) != (1, 1):
                lines += [f"    min_connections: {need.least}", f"    max_connections: {need.most}"]
    author = json.dumps(module.author, ensure_ascii=False)
    lines += ["metadata:", "  license: https://opensource.org/licenses/Apache-2.0", f"  authors: [{author}]"]
    return "\n".join(lines) + "\n"


# --- the code ---


def code(module: NewModule) -> str:
    head = [f'"""{docstring(module)}."""', "", "from __future__ import annotations", ""]
    parts = [_implementation(module, offer) for offer in module.offers]
    parts += [_client(need) for need in _untyped_needs(module)]
    return (
        "\n".join([*head, *_imports(module), "", "log = logging.getLogger(__name__)", *parts, _module(module)]) + "\n"
    )


def _untyped_needs(module: NewModule) -> list[Need]:
    """The first requirement of every interface without generated classes."""
    first = {need.interface: need for need in reversed(module.needs) if need.interface not in module.typed}
    return list(first.values())


def _imports(module: NewModule) -> list[str]:
    ours: set[str] = set()
    runtime = {"Module", "ModuleContext"}
    for offer in module.offers:
        generated = module.typed.get(offer.interface)
        if generated is not None:
            ours |= generated.imports
            ours.add(f"from everest.contracts.interfaces.{offer.interface} import {generated.stem}Implementation")
        else:
            ours.add("from typing import Any")
            runtime |= {"Command", "Implementation"} if offer.definition["cmds"] else {"Implementation"}
        if offer.definition["cmds"]:
            runtime.add("NotReady")
    for need in module.needs:
        generated = module.typed.get(need.interface)
        if generated is not None:
            ours.add(f"from everest.contracts.interfaces.{need.interface} import {generated.stem}Client")
        else:
            ours.add("from typing import Any")
            runtime |= {"Client", "Command"} if need.definition["cmds"] else {"Client"}
    ours.add(f"from everest.runtime import {', '.join(sorted(runtime))}")
    standard = _merged(line for line in ours if line.startswith("from typing"))
    return ["import logging", *standard, "", *_merged(line for line in ours if not line.startswith("from typing"))]


def _merged(lines: Any) -> list[str]:
    """One import statement per module, sorted."""
    names: dict[str, set[str]] = {}
    for line in lines:
        source, _, name = line.removeprefix("from ").partition(" import ")
        names.setdefault(source, set()).update(name.split(", "))
    return [_wrapped(f"from {source} import ", sorted(found)) for source, found in sorted(names.items())]


def _wrapped(head: str, names: list[str]) -> str:
    line = head + ", ".join(names)
    return line if len(line) <= 120 else head + "(\n" + "".join(f"    {name},\n" for name in names) + ")"


def _implementation(module: NewModule, offer: Offer) -> str:
    generated = module.typed.get(offer.interface)
    base = "Implementation" if generated is None else f"{generated.stem}Implementation"
    lines = [
        "",
        "",
        f"class {class_of(module, offer)}({base}):",
        f'    """What {module.name} provides as `{offer.id}`."""',
    ]
    if generated is None:
        lines += ["", f'    interface = "{offer.interface}"', *_tables(offer.definition)]
    for command, entry in offer.definition["cmds"].items():
        arguments = [(name, "Any") for name in entry["arguments"]]
        result = "Any"
        if generated is not None:
            arguments, result = list(generated.methods[command][0]), generated.methods[command][1]
        lines += ["", *_signature(command, arguments, result)]
        lines.append(f'        raise NotReady("{offer.id}/{command} is not written yet")')
    return "\n".join(lines)


def class_of(module: NewModule, offer: Offer) -> str:
    """Name of the class behind an implementation: that of its id, unless something else is called so."""
    name = camel(offer.id)
    others = {camel(other.id) for other in module.offers if other.id != offer.id}
    clients = {f"{camel(need.interface)}Client" for need in module.needs}
    clear = name.isidentifier() and name not in {module.name, *RESERVED, *others, *clients}
    return name if clear and not name.endswith("Implementation") else f"{name}_of_{offer.id}"


def attribute_of(identifier: str, taken: Collection[str] = ()) -> str:
    """Attribute of the module for an id: the id, unless Python or `everest.runtime.Module` means something by it."""
    if keyword.iskeyword(identifier) or identifier.startswith("_") or identifier in MODULE_MEMBERS:
        identifier = f"own_{identifier.strip('_')}"
    while identifier in taken:
        identifier += "_peer"
    return identifier


def _signature(name: str, arguments: Sequence[tuple[str, str]], result: str) -> list[str]:
    texts = ["self", *(f"{argument}: {kind}" for argument, kind in arguments)]
    line = f"    async def {name}({', '.join(texts)}) -> {result}:"
    if len(line) <= 120:
        return [line]
    return [f"    async def {name}(", *(f"        {text}," for text in texts), f"    ) -> {result}:"]


def _tables(definition: Mapping[str, Any]) -> list[str]:
    """The class tables of an interface without generated code: names only, values are plain JSON."""
    commands = ", ".join(f'"{name}": Command(None, Any)' for name in definition["cmds"])
    variables = ", ".join(f'"{name}": Any' for name in definition["vars"])
    errors = [f'"{space}/{name}"' for space, names in definition["errors"].items() for name in names]
    inside = ", ".join(errors) + ("," if len(errors) == 1 else "")
    return [f"    commands = {{{commands}}}", f"    variables = {{{variables}}}", f"    errors = ({inside})"]


def _client(need: Need) -> str:
    lines = [
        "",
        "",
        f"class {camel(need.interface)}Client(Client):",
        f'    """A connection to a {need.interface}."""',
        "",
    ]
    lines += [f'    interface = "{need.interface}"', *_tables(need.definition)]
    for command, entry in need.definition["cmds"].items():
        names = list(entry["arguments"])
        lines += ["", *_signature(command, [(name, "Any") for name in names], "Any")]
        passed = ", ".join(f'"{name}": {name}' for name in names)
        lines.append(f'        return await self._call("{command}", {{{passed}}}, Any)')
    return "\n".join(lines)


def _module(module: NewModule) -> str:
    lines = ["", "", f"class {module.name}(Module):", f'    """{docstring(module)}."""', ""]
    lines += ["    def __init__(self, context: ModuleContext) -> None:", "        super().__init__(context)"]
    taken: set[str] = set()
    for offer in module.offers:
        attribute = attribute_of(offer.id, taken)
        taken.add(attribute)
        lines.append(f"        self.{attribute} = {class_of(module, offer)}()")
        lines.append(f'        self.provide("{offer.id}", self.{attribute})')
    for need in module.needs:
        generated = module.typed.get(need.interface)
        client = f"{camel(need.interface) if generated is None else generated.stem}Client"
        call = "connections" if need.most > 1 else "connection" if need.least else "optional_connection"
        attribute = attribute_of(need.id, taken)
        taken.add(attribute)
        lines.append(f'        self.{attribute} = self.{call}("{need.id}", {client})')
    lines += [
        "",
        "    async def init(self) -> None:",
        '        """Before this module reports ready: register handlers for variables and external messages here."""',
        "",
        "    async def ready(self) -> None:",
        '        """All modules are ready: start to work here."""',
        '        log.info("%s is up", self.info.id)',
    ]
    return "\n".join(lines)


# --- the test ---


def test(module: NewModule, folder: Path, tests: Path) -> str:
    up = os.path.relpath(folder, tests)
    connections = {need.id: [f"{need.id}_peer/main"] for need in module.needs if need.least}
    calls = [
        (offer.id, command, {name: sample(schema, module.types) for name, schema in entry["arguments"].items()})
        for offer in module.offers
        for command, entry in offer.definition["cmds"].items()
    ]
    text = f'''\
"""{module.name} on a bench: it gets ready, and says of each command that it is not written yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from everest.runtime import NotReady
from everest.runtime.testing import ModuleBench

pytestmark = pytest.mark.asyncio

FOLDER = (Path(__file__).parent / "{up}").resolve()
CONNECTIONS: dict[str, list[str]] = {_literal(connections)}
CALLS: list[tuple[str, str, dict[str, Any]]] = [
{_rows(calls)}]


def bench() -> ModuleBench:
    return ModuleBench(FOLDER, module_id="{module.file}", connections=CONNECTIONS)


async def test_it_gets_ready() -> None:
    async with bench() as running:
        assert running.module.info.id == "{module.file}"
'''
    if calls:
        text += """

@pytest.mark.parametrize(("implementation", "command", "arguments"), CALLS)
async def test_what_is_not_written_yet_says_so(implementation: str, command: str, arguments: dict[str, Any]) -> None:
    async with bench() as running:
        with pytest.raises(NotReady, match=f"{implementation}/{command} is not written yet"):
            await running.call(implementation, command, arguments)
"""
    else:
        text = text.replace("from everest.runtime import NotReady\n", "").replace("from typing import Any\n", "")
        text = re.sub(r"CALLS: .*\n\]\n", "", text)
    return text


def _literal(value: Any) -> str:
    """A Python literal with double quotes, as formatters want it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _rows(calls: Sequence[tuple[str, str, Any]]) -> str:
    """One line per call, or one per part where that is too long."""
    rows = []
    for call in calls:
        parts = [_literal(part) for part in call]
        line = f"    ({', '.join(parts)}),"
        inside = "".join(f"        {part},\n" for part in parts)
        rows.append(f"{line}\n" if len(line) <= 120 else f"    (\n{inside}    ),\n")
    return "".join(rows)


def farewell(module: NewModule, folder: Path, tests: Path) -> str:
    """What to do next."""
    connections = "".join(
        f"      {need.id}: [{{module_id: ..., implementation_id: ...}}]  # {need.interface}\n" for need in module.needs
    )
    entry = f"  {module.file}:\n    module: {module.name}\n" + (
        f"    connections:\n{connections}" if connections else ""
    )
    return textwrap.dedent(
        f"""\
        everest-manager: wrote {folder}
        try it:     pytest {tests} (with pytest-asyncio)
        write it:   {folder / module.file}.py
        start it:   as an entry of active_modules in a configuration:
        """
    ) + textwrap.indent(entry, "            ")
