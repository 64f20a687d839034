"""docs/modules.md: its files are a module that runs and passes the tutorial's own tests."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

from everest.runtime.testing import ModuleBench

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
    expected = {"manifest.yaml", "module.py", "__init__.py", "guest_list.py", "test_guest_list.py", "doubler.py"}
    assert set(extract(tmp_path)) == expected
    options = ["-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "--rootdir", str(tmp_path)]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path / "test_guest_list.py")]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    result = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "3 passed" in result.stdout


def test_the_tutorials_code_is_typed(tmp_path: Path) -> None:
    extract(tmp_path)
    files = ["GuestList/guest_list.py", "GuestList/doubler.py"]
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), *files]
    env = {**os.environ, "MYPYPATH": str(ROOT / "src")}
    result = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


MANIFEST = {
    "provides": {"main": {"interface": "doubler"}},
    "requires": {"store": {"interface": "numbers"}},
}
NUMBER = {"type": "number"}
INTERFACES = {
    "doubler": {
        "cmds": {"double": {"arguments": {"x": NUMBER}, "result": NUMBER}},
        "vars": {"last": NUMBER},
        "errors": {},
    },
    "numbers": {
        "cmds": {"store": {"arguments": {"key": {"type": "string"}, "value": NUMBER}, "result": {"type": "null"}}},
        "vars": {"changed": {"type": "object"}},
        "errors": {},
    },
}


async def test_the_module_without_generated_code_does_what_the_page_says(tmp_path: Path) -> None:
    extract(tmp_path)
    namespace = runpy.run_path(str(tmp_path / "GuestList" / "doubler.py"))
    options: dict[str, Any] = {"manifest": MANIFEST, "interfaces": INTERFACES, "settings": {"validate_schema": True}}
    async with ModuleBench(namespace["Doubler"], connections={"store": ["kvs/main"]}, **options) as bench:
        bench.answer("kvs/main", "store", lambda args: bench.publish("kvs/main", "changed", args))
        assert await bench.call("main", "double", {"x": 21}) == 42
        assert bench.calls("kvs/main", "store") == [{"key": "last", "value": 42.0}]
        assert await bench.next("main", "last") == 42.0
