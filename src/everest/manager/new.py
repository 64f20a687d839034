"""`everest-manager new`: a module that runs, with a test, from the interfaces it names.

This file reads the command line and the interfaces and writes the files; their text is made in new_text.py, values for
the test in samples.py. Nothing that exists is overwritten.
"""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from everest.manager import cli, new_text, paths
from everest.manager.errors import BootError, ConfigError
from everest.manager.interfaces import Contracts
from everest.manager.new_text import Need, NewModule, Offer
from everest.manager.problems import Findings, one_of

_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
_ID = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_FILES = ("module", "replay", "tests")
"""Files that a module's folder has, or may have, beside its code."""
_COUNTS = {"": (1, 1), "?": (0, 1), "*": (0, 128), "+": (1, 128)}
GENERATED = paths.PACKAGE.parent / "contracts" / "interfaces"


def build_parser() -> cli.Parser:
    parser = cli.Parser(
        prog="everest-manager new",
        description="Writes a module that runs, with a test, into ./modules if there is one, else into this folder.",
        epilog="INTERFACE of --requires may end in ? (none or one connection), * (any number) or + (at least one).",
    )
    add = parser.add_argument
    add("module", metavar="MODULE", help="name of the module, like GuestList")
    add("--provides", nargs="+", action="extend", default=[], metavar="ID:INTERFACE", help="what others may use")
    add("--requires", nargs="+", action="extend", default=[], metavar="ID:INTERFACE", help="what it needs of others")
    add("--description", default="", metavar="TEXT", help="one line for the manifest")
    add("--author", default="Nobody yet", metavar="NAME", help="author for the manifest")
    add("--into", type=Path, metavar="DIR", help="folder to write the module's folder into")
    add("--prefix", type=Path, metavar="DIR", help="EVerest installation whose interfaces are meant")
    return parser


def main(words: Sequence[str]) -> int:
    """Returns the exit status. Raises ManagerError."""
    arguments = build_parser().parse_args(words)
    layout = paths.resolve(arguments.prefix)
    module = described(arguments, layout)
    parent = arguments.into or (Path("modules") if Path("modules").is_dir() else Path())
    folder = (parent / module.name).absolute()
    tests = _tests_folder(folder)
    if folder.exists():
        raise BootError(f"{folder} is there already; choose another name or --into another folder")
    try:
        for path, text in new_text.files(module, folder, tests).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BootError(f"{error.filename} cannot be written: {error.strerror}") from error
    sys.stderr.write(new_text.farewell(module, folder, tests))
    return 0


def _tests_folder(folder: Path) -> Path:
    """Beside the other modules' tests where those mirror the modules, else in the module's folder."""
    mirror = folder.parent.parent / "tests" / "modules"
    return mirror / folder.name if folder.parent.name == "modules" and mirror.is_dir() else folder / "tests"


def described(arguments: Any, layout: paths.Layout) -> NewModule:
    """The module that the command line describes. Raises BootError for unusable names, ConfigError for interfaces."""
    name = arguments.module
    if not _NAME.fullmatch(name):
        raise BootError(f'"{name}" cannot name a module here; use letters and digits, a capital first: GuestList')
    file = new_text.snake(name)
    if name in new_text.RESERVED or keyword.iskeyword(file) or file in _FILES:
        raise BootError(f'"{name}" cannot name a module: it means something else already; choose another name')
    description = " ".join(arguments.description.split()) or f"{name}, a new module"
    for flag, text in (("--description", description), ("--author", arguments.author.strip())):
        if len(text) < 2:
            raise BootError(f'{flag} "{text}": EVerest wants two characters at least')
    if not arguments.provides and not arguments.requires:
        raise BootError("a module provides or requires something; say --provides or --requires with ID:INTERFACE")
    findings = Findings()
    contracts = Contracts(layout.interfaces_dir, layout.types_dir, layout.errors_dir, findings)
    offers = [Offer(*_split(text, "--provides", contracts)) for text in arguments.provides]
    needs = []
    for text in arguments.requires:
        suffix = text[-1] if text[-1:] in _COUNTS else ""
        requirement, interface, definition = _split(text.removesuffix(suffix), "--requires", contracts)
        needs.append(Need(requirement, interface, definition, *_COUNTS[suffix]))
    if findings.problems:
        raise ConfigError(findings.problems)
    for kind, ids in (("--provides", offers), ("--requires", needs)):
        double = {one.id for one in ids if [other.id for other in ids].count(one.id) > 1}
        if double:
            raise BootError(f"{kind}: {', '.join(sorted(double))} is there twice")
    types = contracts.types()
    interfaces = {offer.interface for offer in offers} | {need.interface for need in needs}
    generated = {interface: GENERATED / f"{interface}.py" for interface in sorted(interfaces)}
    typed = {interface: new_text.read_generated(file) for interface, file in generated.items() if file.is_file()}
    return NewModule(name, description, arguments.author.strip(), offers, needs, typed, types)


def _split(text: str, flag: str, contracts: Contracts) -> tuple[str, str, dict[str, Any]]:
    """(id, interface, definition) of `id:interface`."""
    identifier, colon, interface = text.partition(":")
    if not colon or not _ID.fullmatch(identifier):
        raise BootError(f"{flag} {text}: write it as id:interface, like main:auth_token_validator")
    if not contracts.has_interface(interface):
        fix = one_of(contracts.interface_names(), interface)
        raise BootError(f'{flag} {text}: there is no interface "{interface}" in {contracts.interfaces_dir}; {fix}')
    return identifier, interface, contracts.interface(interface) or {"cmds": {}, "vars": {}, "errors": {}}
