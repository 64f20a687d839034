"""Laid-out prefixes: started as EVerest's harness does it, and our modules inside somebody else's EVerest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from everest.manager import cli, install, paths, programs
from everest.manager.errors import BootError
from tests.everest.manager.manager_process import ManagerProcess
from tests.support.mosquitto import Mosquitto, mosquitto, needs_mosquitto

__all__ = ["mosquitto"]

MODULES = "libexec/everest/modules"
HARNESS_STACK = """
active_modules:
  evse:
    module: EvseManager
    config_module: {connector_id: 1, connector_type: cType2}
    mapping: {module: {evse: 1}}
    connections: {store: [{module_id: store, implementation_id: main}]}
  store:
    module: PersistentStore
    config_module: {sqlite_db_file_path: store.db}
  probe:
    module: ProbeModule
    connections: {evse: [{module_id: evse, implementation_id: evse}]}
"""
PROBE = """
import sys, threading
from everest.framework import Module, RuntimeSession
import everest.framework

assert everest.framework.__file__.startswith(sys.argv[1]), everest.framework.__file__
module = Module("probe", RuntimeSession(sys.argv[1], sys.argv[2]))
evse = module.say_hello().connections["evse"][0]
ready = threading.Event()
module.init_done(ready.set)
ready.wait(20)
print("EVSE", module.call_command(evse, "get_evse", {})["id"], flush=True)
"""
DECOY = "raise ImportError('somebody imports the foreign binding')\n"


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix of our own; nobody may change it."""
    prefix = tmp_path_factory.mktemp("laid") / "prefix"
    assert cli.main(["install", "--prefix", str(prefix)]) == 0
    return prefix


@pytest.fixture
def foreign(tmp_path: Path, laid_out: Path) -> Path:
    """An EVerest of somebody else: its contracts, a binding of its own, one native module named like ours."""
    prefix = tmp_path / "foreign"
    (prefix / MODULES / "Auth").mkdir(parents=True)
    (prefix / MODULES / "Auth" / "Auth").write_text("#!/bin/sh\nexit 77\n", encoding="utf-8")
    (prefix / MODULES / "Auth" / "manifest.yaml").write_text("native: true\n", encoding="utf-8")
    install._copy(laid_out / "share", prefix / "share")
    install._copy(laid_out / "etc", prefix / "etc")
    binding = prefix / "lib" / "everest" / "everestpy" / "everest" / "framework"
    binding.mkdir(parents=True)
    (binding / "__init__.py").write_text(DECOY, encoding="utf-8")
    return prefix


class PrefixManager(ManagerProcess):
    """`<prefix>/bin/manager` as harnesses start it: cwd is the prefix, their own files are elsewhere."""

    def __init__(self, prefix: Path, folder: Path, broker: Mosquitto, *arguments: str) -> None:
        environment = {"MQTT_SERVER_ADDRESS": broker.host, "MQTT_SERVER_PORT": str(broker.port)}
        super().__init__(
            folder, *arguments, environment=environment, command=[str(prefix / "bin" / "manager")], cwd=prefix
        )


def test_a_prefix_has_everything_where_everest_has_it(laid_out: Path) -> None:
    layout = paths.of_prefix(laid_out)
    paths.check(layout)
    assert layout.default_config.is_file() and (laid_out / "share/everest/version_information.txt").is_file()
    for name in ("OCPP", "Auth", "EvseManagerSim", "EvseManager"):
        assert (layout.modules_dir / name / "manifest.yaml").is_file()
    assert (laid_out / "lib/everest/everestpy/everest/framework/__init__.py").is_file()
    assert not list(laid_out.rglob("__pycache__"))
    for file in (paths.resolve().interfaces_dir).glob("*.yaml"):
        assert (layout.interfaces_dir / file.name).read_bytes() == file.read_bytes()


def test_its_manager_knows_its_prefix_from_anywhere(laid_out: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere"
    link.symlink_to(laid_out / "bin" / "manager")
    done = subprocess.run([link, "--check", "--config", "default"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"{laid_out}/etc/everest/default.yaml is fine" in done.stderr
    done = subprocess.run([link, "--prefix", str(tmp_path), "--check", "--config", "default"], capture_output=True)
    assert done.returncode == 1, "a prefix on the command line wins"


def test_laying_out_again_renews_and_a_foreign_everest_is_refused(laid_out: Path, tmp_path: Path) -> None:
    install.lay_out(paths.resolve(), laid_out, {"Auth": "Auth"})
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "manager").touch()
    with pytest.raises(BootError, match="holds another EVerest already; add the modules to it by --into"):
        install.lay_out(paths.resolve(), tmp_path, {})


def test_python_modules_of_a_laid_out_prefix_run_with_its_interpreter(laid_out: Path, foreign: Path) -> None:
    assert programs.python_interpreter(paths.of_prefix(laid_out)) == sys.executable
    assert programs.python_interpreter(paths.of_prefix(foreign)) == "python3"


@pytest.mark.stack
@pytest.mark.mosquitto
@needs_mosquitto[1]
def test_a_harness_starts_a_laid_out_stack_with_a_probe(laid_out: Path, tmp_path: Path, mosquitto: Mosquitto) -> None:
    config = tmp_path / "stack.yaml"
    settings = f"settings: {{mqtt_broker_host: 127.0.0.1, mqtt_broker_port: {mosquitto.port}}}\n"
    config.write_text(settings + HARNESS_STACK, encoding="utf-8")
    words = ("--config", str(config), "--db", str(tmp_path / "everest.db"), "--prefix", str(laid_out))
    with PrefixManager(laid_out, tmp_path, mosquitto, *words, "--standalone", "probe") as process:
        process.wait_for_line("WAITING_FOR_STANDALONE_MODULES")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("EV_", "MQTT_"))}
        environment["PYTHONPATH"] = str(laid_out / "lib" / "everest" / "everestpy")
        command = [sys.executable, "-c", PROBE, str(laid_out), str(config)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
        assert done.stdout == "EVSE 1\n", done.stderr
        process.wait_for_line("ALL_MODULES_STARTED")
        process.signal()
        assert process.ended() == 0
        assert (tmp_path / "everest.db").is_file()
    (laid_out / "store.db").unlink(missing_ok=True)


@pytest.mark.stack
@pytest.mark.mosquitto
@needs_mosquitto[1]
def test_our_modules_run_in_a_foreign_everest_beside_its_binding(
    foreign: Path, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    assert cli.main(["install", "--into", str(foreign), "--yes"]) == 0
    folder = tmp_path / "run"
    folder.mkdir()
    address = {"MQTT_SERVER_ADDRESS": mosquitto.host, "MQTT_SERVER_PORT": str(mosquitto.port)}
    with ManagerProcess(folder, "--prefix", str(foreign), environment=address) as process:
        process.wait_for_line("ALL_MODULES_STARTED")
        pid = process.pids()["ocpp"]
        environ = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
        (python_path,) = [entry for entry in environ if entry.startswith("PYTHONPATH=")]
        first = python_path.removeprefix("PYTHONPATH=").split(os.pathsep)[0]
        assert first == str(foreign / "lib/everest/everestpy"), "the decoy comes first"
        assert f"VIRTUAL_ENV={foreign / MODULES / 'OCPP/.venv'}" in environ
        process.signal()
        assert process.ended() == 0
        assert "foreign binding" not in process.stderr


def test_a_native_binary_is_only_moved_aside_when_somebody_agrees(
    foreign: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = foreign / MODULES / "Auth"
    with open(os.devnull, encoding="utf-8") as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        assert cli.main(["install", "--into", str(foreign), "--modules", "Auth", "System"]) == 1
    errors = capsys.readouterr().err
    assert f"{folder / 'Auth'} is a program of another module Auth, and EVerest would start it before ours" in errors
    assert "Auth: left out" in errors
    assert sorted(path.name for path in folder.iterdir()) == ["Auth", "manifest.yaml"]
    assert (foreign / MODULES / "System" / ".venv" / "bin" / "python3").exists()

    assert cli.main(["install", "--into", str(foreign), "--modules", "Auth", "--yes"]) == 0
    assert not (folder / "Auth").exists() and (folder / "Auth.native").is_file()
    assert (folder / "manifest.yaml.native").read_text(encoding="utf-8") == "native: true\n"
    assert (folder / "module.py").is_file()


def test_what_was_installed_before_is_renewed_without_a_question(foreign: Path) -> None:
    words = ["install", "--into", str(foreign), "--modules", "System"]
    assert cli.main(words) == 0
    code = foreign / MODULES / "System" / "system.py"
    code.write_text("old", encoding="utf-8")
    assert cli.main(words) == 0
    assert code.read_text(encoding="utf-8") != "old"


def test_missing_contracts_are_added_and_present_ones_left_alone(foreign: Path) -> None:
    interfaces = foreign / "share" / "everest" / "interfaces"
    (interfaces / "kvs.yaml").unlink()
    (interfaces / "auth.yaml").write_text("theirs", encoding="utf-8")
    assert cli.main(["install", "--into", str(foreign), "--modules", "PersistentStore", "EvseManager"]) == 0
    assert (interfaces / "kvs.yaml").is_file()
    assert (interfaces / "auth.yaml").read_text(encoding="utf-8") == "theirs"
    assert (foreign / MODULES / "EvseManager" / "module.py").is_file()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--into", "{tmp}/nowhere"], "nowhere is not a directory"),
        (["--into", "{tmp}"], "is not a directory (configs_dir)"),
        (["--prefix", "{tmp}/p", "--modules", "Nonsense"], 'there is no module "Nonsense"; there are: Auth, '),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["install", *(word.format(tmp=tmp_path) for word in words)]) == 1
    assert complaint in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert cli.main(["install", "--prefix", str(tmp_path / "file" / "p")]) == 1
    assert "Not a directory" in capsys.readouterr().err


def test_an_answer_is_yes_only_if_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for text, expected in (("y\n", True), ("Yes\n", True), ("\n", False), ("no\n", False), ("", False)):
        answer = tmp_path / "answer"
        answer.write_text(text, encoding="utf-8")
        with answer.open(encoding="utf-8") as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            assert install.at_the_terminal("?") is expected


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_named_with_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full = tmp_path / "p" / "share" / "everest" / "interfaces" / "kvs.yaml"
    full.parent.mkdir(parents=True)
    full.symlink_to("/dev/full")
    assert cli.main(["install", "--prefix", str(tmp_path / "p")]) == 1
    assert capsys.readouterr().err == f"everest-manager: {full}: No space left on device; nothing more was installed\n"


def test_a_configuration_that_was_changed_survives_laying_out_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["install", "--prefix", str(tmp_path / "p"), "--modules", "System"]
    assert cli.main(words) == 0
    config = tmp_path / "p" / "etc" / "everest" / "default.yaml"
    ours = config.read_text()
    config.write_text("active_modules: {}\n")
    assert cli.main(words) == 0
    assert config.read_text() == "active_modules: {}\n"
    assert config.with_name("default.yaml.new").read_text() == ours
    assert f"kept {config}, which differs from ours; ours is default.yaml.new" in capsys.readouterr().err
    assert not config.with_name("default_logging.cfg.new").exists()
