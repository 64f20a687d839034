"""`everest-manager new`: what it writes runs, passes its own test, and is formatted and typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from everest.manager import cli, samples
from tests.everest.manager.house import House
from tests.everest.manager.manager_process import ManagerProcess
from tests.everest.manager.test_run import ALONE

ROOT = Path(__file__).resolve().parents[3]
DOUBLER = """
description: Doubling service
cmds:
  double:
    description: Multiply a number
    arguments:
      x: {description: Input, type: number, minimum: 4}
    result: {description: Product, type: number}
vars:
  last: {description: Most recent product, type: number}
errors:
  - reference: /errors/demo
"""
WIDE = [
    *("--provides", "main:auth_token_validator", "sys:system"),
    *("--requires", "store:kvs", "evse:evse_manager+", "spare:kvs?", "--requires", "meters:powermeter*"),
]


def run(*command: object, cwd: Path) -> str:
    """Output of a command that must succeed."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def own_test(folder: Path) -> str:
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", folder, "-o", "asyncio_default_fixture_loop_scope=function"]
    return run(sys.executable, "-m", "pytest", *options, folder, cwd=folder)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    desk = tmp_path / "desk"
    desk.mkdir()
    monkeypatch.chdir(desk)
    return desk


def test_a_typed_module_passes_its_own_test(desk: Path) -> None:
    assert cli.main(["new", "GuestList", *WIDE]) == 0
    folder = desk / "GuestList"
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) == [
        "__init__.py",
        "guest_list.py",
        "manifest.yaml",
        "module.py",
        "tests/test_guest_list.py",
    ]
    assert "10 passed" in own_test(folder)


def test_what_is_written_is_formatted_clean_and_typed(desk: Path) -> None:
    assert cli.main(["new", "GuestList", *WIDE]) == 0
    ruff = [sys.executable, "-m", "ruff"]
    run(*ruff, "check", "--config", ROOT / "pyproject.toml", "--no-cache", desk, cwd=desk)
    run(*ruff, "format", "--check", "--no-cache", "--config", ROOT / "pyproject.toml", desk, cwd=desk)
    mypy = [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", "--cache-dir", desk / "cache"]
    run(*mypy, desk / "GuestList" / "guest_list.py", cwd=ROOT)


def test_interfaces_without_generated_classes_work_with_plain_values(desk: Path, tmp_path: Path) -> None:
    house = House(tmp_path / "prefix")
    house.write("share/everest/interfaces/doubler.yaml", DOUBLER)
    words = ["--prefix", str(house.root), "--provides", "main:doubler", "--requires", "next:doubler", "probe:empty?"]
    assert cli.main(["new", "PyDoubler", *words]) == 0
    assert "2 passed" in own_test(desk / "PyDoubler")
    code = (desk / "PyDoubler" / "py_doubler.py").read_text(encoding="utf-8")
    assert '    commands = {"double": Command(None, Any)}\n    variables = {"last": Any}\n' in code
    assert '    errors = ("demo/OverHeat",)\n' in code
    run(sys.executable, "-m", "ruff", "format", "--check", "--no-cache", "--line-length", "120", desk, cwd=desk)


CLASHES = [
    *("class", "config", "guest_list", "module", "a_b", "aB", "kvsImplementation", "_x", "context", "_context", "any"),
]


def test_no_id_clashes_with_what_the_code_means_otherwise(desk: Path) -> None:
    provides = [f"{identifier}:kvs" for identifier in CLASHES]
    requires = [f"{identifier}:kvs" for identifier in ("class", "spawn", "clock", "a_b")]
    words = ["--provides", *provides, "--requires", *requires, "--description", 'Says "hi" to C:\\new\n"""']
    assert cli.main(["new", "GuestList", *words]) == 0
    assert f"{1 + 4 * len(CLASHES)} passed" in own_test(desk / "GuestList")
    mypy = [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", "--cache-dir", desk / "cache"]
    run(*mypy, desk / "GuestList" / "guest_list.py", cwd=ROOT)


def test_it_starts_in_a_stack(desk: Path, tmp_path: Path) -> None:
    (desk / "modules").mkdir()
    assert cli.main(["new", "GuestList", "--provides", "main:auth_token_validator"]) == 0
    assert (desk / "modules" / "GuestList" / "tests").is_dir()
    config = tmp_path / "stack.yaml"
    entry = "active_modules: {guest_list: {module: GuestList}}\n"
    config.write_text(f"settings: {{modules_dir: {desk / 'modules'}}}\n{entry}", encoding="utf-8")
    words = ("run", "--in-process", "--state-dir", str(tmp_path / "state"), "--config", str(config))
    with ManagerProcess(tmp_path, *words, command=(sys.executable, "-c", ALONE)) as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        process.wait_for_text("guest_list is up")
        process.signal()
        assert process.ended() == 0


def test_tests_go_where_those_of_the_other_modules_are(desk: Path) -> None:
    (desk / "modules").mkdir()
    (desk / "tests" / "modules").mkdir(parents=True)
    assert cli.main(["new", "Meter", "--requires", "store:kvs"]) == 0
    assert "1 passed" in own_test(desk / "tests" / "modules" / "Meter")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["guestList", "--provides", "main:kvs"], '"guestList" cannot name a module here'),
        (["Module", "--provides", "main:kvs"], '"Module" cannot name a module: it means something else'),
        (["Import", "--provides", "main:kvs"], '"Import" cannot name a module: it means something else'),
        (["ProbeModule", "--provides", "main:kvs"], "it means something else"),
        (["GuestList", "--provides", "main:kvs", "--author", " x"], '--author "x": EVerest wants two characters'),
        (["GuestList"], "a module provides or requires something"),
        (["GuestList", "--provides", "kvs"], "--provides kvs: write it as id:interface"),
        (["GuestList", "--provides", "main:kv"], 'there is no interface "kv" in'),
        (["GuestList", "--requires", "a:kvs", "a:system"], "--requires: a is there twice"),
        (["Taken", "--provides", "main:kvs"], "Taken is there already"),
        (["GuestList", "--provides", "main:kvs", "--into", "{desk}/file"], "cannot be written: Not a directory"),
    ],
)
def test_mistakes_are_one_line(
    desk: Path, words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (desk / "Taken").mkdir()
    (desk / "file").touch()
    assert cli.main(["new", *(word.format(desk=desk) for word in words)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert complaint in line


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "minLength": 3}, "xxx"),
        ({"type": "string", "format": "date-time"}, "2026-01-01T00:00:00Z"),
        ({"type": "string", "enum": ["A", "B"]}, "A"),
        ({"type": "integer", "minimum": 2}, 2),
        ({"type": ["null", "boolean"]}, False),
        ({"type": "array", "minItems": 2, "items": {"type": "integer"}}, [0, 0]),
        ({"type": "object", "$ref": "/t#/Pair"}, {"a": 1.5}),
        ({"type": "object", "$ref": "/t#/Loop"}, None),
    ],
)
def test_samples_are_the_smallest_values_that_fit(schema: dict[str, object], value: object) -> None:
    types = {
        "/t": {
            "Pair": {
                "properties": {"a": {"type": "number", "minimum": 1.5}, "b": {"type": "string"}},
                "required": ["a"],
            },
            "Loop": {"properties": {"on": {"$ref": "/t#/Loop"}}, "required": ["on"]},
        }
    }
    result = samples.sample(schema, types)
    assert result == value if value is not None else "on" in result
