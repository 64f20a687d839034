"""What a user gets: the wheel in an empty environment, and a fresh clone with the README's commands.

They install from the package index, as a user's machine does.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from everest.demo.csms import CentralSystem

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]

DROPPED = ("VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "BASH_ENV")


def environment(home: Path) -> dict[str, str]:
    """A user's environment: nothing of this project's own, an empty home."""
    kept = {k: v for k, v in os.environ.items() if k not in DROPPED and not k.startswith(("EV_", "MQTT_", "PYTEST_"))}
    return {**kept, "HOME": str(home), "XDG_STATE_HOME": str(home / "state")}


def run(*command: str | Path, cwd: Path, home: Path, status: int = 0) -> str:
    result = subprocess.run(
        [str(word) for word in command],
        cwd=cwd, env=environment(home), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    output = result.stdout + result.stderr
    assert result.returncode == status, output
    return output


def clone(target: Path) -> Path:
    """The project as git knows it, with what is not committed yet."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(target)], check=True)
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, tracked.stdout.split("\0")):
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
        else:
            (target / name).unlink(missing_ok=True)
    return target


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = clone(tmp_path_factory.mktemp("source") / "project")
    target = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(target), str(source)],
        check=True, capture_output=True,
    )  # fmt: skip
    return next(target.glob("*.whl"))


def test_the_wheel_carries_contracts_modules_and_configurations_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    prefix = "everest/manager/prefix/"
    for needed in (
        "share/everest/interfaces/evse_manager.yaml",
        "share/everest/types/authorization.yaml",
        "share/everest/errors/evse_manager.yaml",
        "libexec/everest/modules/OCPP/manifest.yaml",
        "libexec/everest/modules/OCPP/module.py",
        "etc/everest/default.yaml",
        "etc/everest/ocpp/config-sil.json",
    ):
        assert prefix + needed in names
    packages = {
        str(Path(n).parent) for n in names if re.fullmatch(r"(ocpp16|evse_security|everest/\w+)/__init__.py", n)
    }
    assert len(packages) > 5
    assert {package for package in packages if f"{package}/py.typed" not in names} == set()
    strange = [
        n for n in names if n.split("/")[0] not in ("everest", "ocpp16", "evse_security") and "dist-info" not in n
    ]
    assert strange == []
    assert [name for name in names if "__pycache__" in name or name.startswith("tests")] == []


def test_the_installed_wheel_plays_a_session_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    venv, home, empty = tmp_path / "venv", tmp_path / "home", tmp_path / "empty"
    home.mkdir()
    empty.mkdir()
    run(sys.executable, "-m", "venv", venv, cwd=empty, home=home)
    run(venv / "bin/pip", "install", "-q", str(wheel), cwd=empty, home=home)
    output = run(venv / "bin/everest-manager", "run", cwd=empty, home=home)
    assert "the session is over: transaction 1" in output
    assert "Traceback" not in output
    assert list(empty.iterdir()) == []
    output = run(venv / "bin/everest-manager", "run", "--in-process", cwd=empty, home=home)
    assert "the session is over: transaction" in output


def installed_beside_our_dependencies(wheel: Path, venv: Path) -> Path:
    """The wheel in an environment of its own; what it depends on is taken from this one. Returns its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (site_packages,) = venv.glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(site_packages)
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv / "bin" / "python"


def test_a_module_written_against_the_installed_wheel_is_type_checked(wheel: Path, tmp_path: Path) -> None:
    python = installed_beside_our_dependencies(wheel, tmp_path / "venv")
    words = ["GuestList", "--provides", "main:auth_token_validator", "--requires", "store:kvs"]
    run(python, "-m", "everest.manager", "new", *words, cwd=tmp_path, home=tmp_path)
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "--cache-dir", tmp_path / "cache"]
    code = tmp_path / "GuestList" / "guest_list.py"
    run(*mypy, "GuestList", cwd=tmp_path, home=tmp_path)
    code.write_text(
        code.read_text().replace("        log.info(", "        await self.store.exists(5)\n        log.info(")
    )
    output = run(*mypy, "GuestList", cwd=tmp_path, home=tmp_path, status=1)
    assert 'Argument 1 to "exists" of "KvsClient" has incompatible type "int"; expected "str"' in output


def documented_commands() -> list[str]:
    """Every line of every `sh` block of the README and the docs, `make test` aside: that is what runs this."""
    commands = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            commands += [line for line in block.splitlines() if line.strip() and not line.startswith("#")]
    return [command for command in commands if command != "make test"]


async def test_a_fresh_clone_obeys_every_documented_command(tmp_path: Path) -> None:
    """An empty pipe, not the null device: a station at a CSMS of one's own would stay as a service."""
    project, home = clone(tmp_path / "project"), tmp_path / "home"
    home.mkdir()
    commands = documented_commands()
    assert commands[0] == "make run"
    async with CentralSystem() as csms:
        for command in commands:
            theirs = command.replace("ws://127.0.0.1:9000/", csms.url)
            process = await asyncio.create_subprocess_shell(
                theirs, cwd=project, stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                env={**environment(home), "PATH": f"{project}/.venv/bin:{os.environ['PATH']}"},
            )  # fmt: skip
            output, _ = await process.communicate(b"")
            assert process.returncode == 0, f"{theirs}\n{output.decode()}"
            if "make run" in command:
                assert b"the session is over: transaction" in output
        assert len(csms.calls("StopTransaction")) == 1
        assert csms.call_errors == []
    status = subprocess.run(["git", "status", "--short"], cwd=project, capture_output=True, text=True, check=True)
    assert "state" not in status.stdout


async def test_the_ten_lines_of_the_readme_make_a_charge_point(tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    example = (ROOT / "examples/ten_lines.py").read_text("utf-8")
    assert example.partition('"""\n\n')[2].strip() == code.strip()
    configuration = json.loads((ROOT / "config/ocpp/config-sil.json").read_text("utf-8"))
    async with CentralSystem() as csms:
        configuration["Internal"]["CentralSystemURI"] = csms.url
        (tmp_path / "config.json").write_text(json.dumps(configuration), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=tmp_path)
        try:
            await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == 2)
        finally:
            process.terminate()
            await process.wait()
        assert csms.call_errors == []
