"""docs/modules.md: its files are a module that runs and passes the tutorial's own tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^`([\w./]+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def extract(folder: Path) -> list[str]:
    """Write the page's files as the page says; returns their names."""
    names = []
    for name, text in BLOCK.findall((ROOT / "docs" / "modules.md").read_text(encoding="utf-8")):
        path = folder / name if name.startswith("test_") else folder / "GuestList" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        names.append(name)
    return names


def test_the_tutorials_module_passes_the_tutorials_tests(tmp_path: Path) -> None:
    expected = {"manifest.yaml", "module.py", "__init__.py", "guest_list.py", "test_guest_list.py"}
    assert set(extract(tmp_path)) == expected
    options = ["-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "--rootdir", str(tmp_path)]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path / "test_guest_list.py")]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    result = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "3 passed" in result.stdout


def test_the_tutorials_code_is_typed(tmp_path: Path) -> None:
    extract(tmp_path)
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "GuestList/guest_list.py"]
    env = {**os.environ, "MYPYPATH": str(ROOT / "src")}
    result = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
