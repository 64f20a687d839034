"""All files of `everest.contracts` at once: what they should be, whether they are, and writing them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from everest.codegen.interface_module import render_interface
from everest.codegen.sources import Contracts
from everest.codegen.types_module import HEADER, render_types

_PACKAGES = {
    "__init__.py": "Typed Python for the bus contracts; import the module of the interface or types file you need.",
    "types/__init__.py": "One module per file of `types/`.",
    "interfaces/__init__.py": "One module per file of `interfaces/`.",
}


def generate(contracts: Contracts) -> dict[str, str]:
    """Return path below `everest/contracts` -> source text, for every file that has to be there."""
    header = HEADER.format(source="interfaces/, types/ and errors/")
    files = {path: f'"""{text}\n\n{header}\n"""\n' for path, text in _PACKAGES.items()}
    files |= {f"types/{stem}.py": render_types(contracts, stem) for stem in contracts.types}
    files |= {f"interfaces/{name}.py": render_interface(contracts, name) for name in contracts.interfaces}
    return files


def compare(files: Mapping[str, str], target: Path) -> list[str]:
    """Return one sentence per file below `target` that is missing, differs, or should not be there."""
    problems = []
    for path, text in sorted(files.items()):
        found = target / path
        if not found.is_file():
            problems.append(f"{found}: missing")
        elif found.read_text(encoding="utf-8") != text:
            problems.append(f"{found}: differs from what the contract files say")
    return problems + [f"{path}: no contract file stands behind it" for path in _surplus(files, target)]


def write(files: Mapping[str, str], target: Path) -> list[str]:
    """Write what is missing or differs, remove modules of contracts that are gone; return what was touched."""
    touched = []
    for path, text in sorted(files.items()):
        found = target / path
        if found.is_file() and found.read_text(encoding="utf-8") == text:
            continue
        found.parent.mkdir(parents=True, exist_ok=True)
        found.write_text(text, encoding="utf-8")
        touched.append(str(found))
    for surplus in _surplus(files, target):
        surplus.unlink()
        touched.append(str(surplus))
    return touched


def _surplus(files: Mapping[str, str], target: Path) -> list[Path]:
    return [path for path in sorted(target.rglob("*.py")) if path.relative_to(target).as_posix() not in files]
