"""The import arrows of the house (docs/architecture.md): who may import whom. Any other import fails here."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"

ROOMS = (
    "ocpp16",
    "evse_security",
    "everest.runtime",
    "everest.contracts",
    "everest.codegen",
    "everest.framework",
    "everest.manager",
    "everest.trace",
    "everest.demo",
    "everest.scenario",
)

ALLOWED: dict[str, set[str]] = {
    "modules": {"everest.runtime", "everest.contracts", "ocpp16", "evse_security"},
    "everest.contracts": {"everest.runtime"},
    "everest.codegen": {"everest.runtime"},
    "everest.framework": {"everest.runtime"},
    "everest.manager": {"everest.runtime"},
    "everest.trace": {"everest.runtime", "everest.manager"},
    "everest.demo": {"everest.runtime", "everest.manager", "everest.trace"},
    "everest.scenario": {"everest.runtime", "everest.manager", "everest.trace"},
    "everest.runtime": set(),
    "evse_security": set(),
    "ocpp16": {"evse_security"},
}


def room_of(module: str) -> str | None:
    """The room a dotted module name belongs to, `modules` included; None for the rest of the world."""
    if module == "modules" or module.startswith("modules."):
        return "modules"
    for room in ROOMS:
        if module == room or module.startswith(room + "."):
            return room
    return "everest" if module == "everest" or module.startswith("everest.") else None


def imports_of(path: Path, package: list[str]) -> list[tuple[int, str]]:
    """Every imported module of a file as (line, dotted absolute name), those inside functions included."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, node.module] if node.module else base)
            found += [(node.lineno, module)]
            found += [(node.lineno, f"{module}.{alias.name}") for alias in node.names]
    return found


def source_files() -> list[tuple[str, Path, list[str]]]:
    """(room, file, package as list) for every Python file of src and modules."""
    files: list[tuple[str, Path, list[str]]] = []
    for path in sorted(SRC.rglob("*.py")):
        package = list(path.relative_to(SRC).parent.parts)
        room = room_of(".".join(package))
        assert room is not None, f"{path} belongs to no room"
        files.append((room, path, package))
    for path in sorted((ROOT / "modules").rglob("*.py")):
        files.append(("modules", path, list(path.relative_to(ROOT).parent.parts)))
    return files


def wrong_arrows() -> list[str]:
    wrong = []
    for room, path, package in source_files():
        for line, name in imports_of(path, package):
            target = room_of(name)
            if target is None or target == room or target == "everest":
                continue
            if target not in ALLOWED.get(room, set()):
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {room} imports {name}")
    return sorted(set(wrong))


def test_every_import_follows_an_arrow_of_the_house() -> None:
    assert wrong_arrows() == []


def test_modules_do_not_import_each_other() -> None:
    wrong = []
    for room, path, package in source_files():
        if room != "modules":
            continue
        for line, name in imports_of(path, package):
            parts = name.split(".")
            if parts[0] in {"modules", "everest_modules"} and parts[1:2] != [package[1]]:
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {name}")
    assert wrong == []


def test_everest_is_a_namespace_package() -> None:
    assert not (SRC / "everest" / "__init__.py").exists()


@pytest.mark.parametrize(
    ("name", "room"),
    [
        ("everest.runtime.wire", "everest.runtime"),
        ("ocpp16", "ocpp16"),
        ("ocpp.v16", None),
        ("everest", "everest"),
        ("modules.OCPP.errors", "modules"),
    ],
)
def test_a_module_is_put_into_its_room(name: str, room: str | None) -> None:
    assert room_of(name) == room
