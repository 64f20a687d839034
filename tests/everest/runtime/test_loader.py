"""Module folders as packages (design, "A module on disk")."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from everest.runtime.loader import load_module_class


def folder(root: Path, name: str, value: int) -> Path:
    path = root / name
    path.mkdir(parents=True)
    (path / "__init__.py").write_text("from .part import Thing as module_class\n")
    (path / "part.py").write_text(f"from everest.runtime import Module\n\nclass Thing(Module):\n    value = {value}\n")
    return path


def test_several_modules_with_files_of_one_name_live_in_one_interpreter(tmp_path: Path) -> None:
    first = load_module_class(folder(tmp_path, "First", 1))
    second = load_module_class(folder(tmp_path, "Second", 2))
    assert (first.value, second.value) == (1, 2)  # type: ignore[attr-defined]
    assert first.__module__ == "everest_modules.First.part"
    assert "part" not in sys.modules and str(tmp_path) not in sys.path


def test_loading_a_folder_twice_gives_the_same_class(tmp_path: Path) -> None:
    path = folder(tmp_path, "Once", 1)
    assert load_module_class(path) is load_module_class(path)


def test_another_folder_of_the_same_name_replaces_the_first(tmp_path: Path) -> None:
    load_module_class(folder(tmp_path / "a", "Same", 1))
    assert load_module_class(folder(tmp_path / "b", "Same", 2)).value == 2  # type: ignore[attr-defined]


def test_an_error_of_the_modules_own_code_passes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = folder(tmp_path, "Broken", 1)
    (path / "part.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(ModuleNotFoundError, match="nothing_of_that_name"):
        load_module_class(path)
    assert "everest_modules.Broken" not in sys.modules
