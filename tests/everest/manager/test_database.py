"""The configuration database: which source wins, what is stored, and what a recovery starts (bus 2.6, 2.9, 6.8)."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from everest.manager import cli, config, slots
from everest.manager.bus import ManagerBus
from everest.manager.database import ConfigDatabase
from everest.manager.errors import BootError, ConfigError
from everest.manager.fifo import StatusFifo
from everest.manager.lifecycle import Lifecycle, LifecycleOptions
from everest.manager.model import Stack
from everest.runtime.memory import MemoryBroker, Published
from tests.everest.manager.house import DEMO, House
from tests.everest.manager.manager_process import ManagerProcess
from tests.everest.manager.test_lifecycle import Actors
from tests.support.mosquitto import Mosquitto, mosquitto, needs_mosquitto

__all__ = ["mosquitto"]

MANIFEST = """
provides:
  main:
    interface: demo
    description: The demo
    config: {limit: {type: number, description: A limit, default: 16, mutability: ReadWrite}}
config:
  live: {type: string, description: A text, default: old, mutability: ReadWrite}
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path / "prefix")
    house.manifest("Demo", DEMO)
    house.manifest("Target", MANIFEST)
    house.config("settings: {mqtt_everest_prefix: from_yaml}\nactive_modules: {one: {module: Demo}}\n")
    return house


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.db"


def choose(house: House, file: Path | None, name: str | None = "config", *, reset: bool = False) -> Stack:
    return slot(house, file, name, reset=reset)[0]


def slot(house: House, file: Path | None, name: str | None = "config", *, reset: bool = False) -> Any:
    path = None if name is None else house.root / "etc" / "everest" / f"{name}.yaml"
    return slots.choose(file, path, config.LoadOptions(house.layout), reset=reset)


def value(stack: Stack, module_id: str, scope: str, name: str) -> object:
    return next(entry.value for entry in stack.modules[module_id].parameters[scope] if entry.name == name)


def test_a_yaml_fills_an_empty_database_and_the_slot_wins_from_then_on(house: House, file: Path) -> None:
    assert list(choose(house, file).modules) == ["one"]
    house.config("settings: {mqtt_everest_prefix: new}\nactive_modules: {two: {module: Demo}}\n")
    stack = choose(house, file)
    assert list(stack.modules) == ["one"], "modules come from the slot"
    assert stack.settings.everest_prefix == "new/", "settings come from the YAML"


def test_without_yaml_settings_are_built_in_and_modules_come_from_the_slot(house: House, file: Path) -> None:
    choose(house, file)
    stack = choose(house, file, None)
    assert list(stack.modules) == ["one"]
    assert stack.settings.everest_prefix == "everest/"


def test_a_fresh_database_without_yaml_is_filled_with_nothing(house: House, file: Path) -> None:
    assert choose(house, file, None).modules == {}
    assert choose(house, file).modules == {}, "an empty slot is a slot"
    assert list(choose(house, file, reset=True).modules) == ["one"]


def test_reset_from_yaml_discards_the_slot(house: House, file: Path) -> None:
    choose(house, file)
    house.config("active_modules: {two: {module: Demo}}\n")
    assert list(choose(house, file, reset=True).modules) == ["two"]
    assert list(choose(house, file).modules) == ["two"]


def test_a_yaml_with_mistakes_resets_nothing(house: House, file: Path) -> None:
    choose(house, file)
    house.config("active_modules: {two: {module: Demoo}}\n")
    with pytest.raises(ConfigError):
        choose(house, file, reset=True)
    assert list(choose(house, file).modules) == ["one"], "wrong modules in the YAML do not matter with a slot"


def test_the_user_config_is_part_of_what_fills_the_database(house: House, file: Path) -> None:
    house.config("active_modules: {one: {module: Target}}\n")
    house.write("etc/everest/user-config/config.yaml", "active_modules: {one: {config_module: {live: user}}}\n")
    assert value(choose(house, file), "one", "!module", "live") == "user"


def test_everything_an_entry_may_say_survives_the_database(house: House, file: Path) -> None:
    house.manifest("User", "requires: {other: {interface: demo, min_connections: 0, max_connections: 3}}\n")
    house.config(
        """
        active_modules:
          b: {module: Target, config_implementation: {main: {limit: 7}}, capabilities: [cap_net_raw]}
          a:
            module: User
            standalone: true
            connections: {other: [{module_id: b, implementation_id: main}, {module_id: c, implementation_id: main}]}
            mapping: {module: {evse: 1, connector: 2}}
            telemetry: {id: 3}
            access: {config: {allow_global_read: true, modules: {b: {allow_write: true}}}}
          c: {module: Demo}
        """
    )
    plain, stored = choose(house, None), choose(house, file)
    assert stored.modules == plain.modules
    assert stored.interfaces == plain.interfaces
    assert isinstance(value(stored, "b", "main", "limit"), float)


def test_changes_go_into_the_slot_and_are_there_after_a_reload(house: House, file: Path) -> None:
    house.config("active_modules: {one: {module: Target}, two: {module: Target}}\n")
    _, chosen = slot(house, file)
    chosen.store("one", "!module", "live", "new")
    chosen.store("one", "main", "limit", 10.0)
    for stack in (chosen.reload(), choose(house, file)):
        assert value(stack, "one", "!module", "live") == "new"
        assert value(stack, "one", "main", "limit") == 10.0
        assert value(stack, "two", "!module", "live") == "old"
    assert not (house.root / "etc" / "everest" / "user-config").exists()


def test_without_a_database_a_recovery_has_the_changes_but_not_what_was_edited_meanwhile(house: House) -> None:
    house.config("active_modules: {one: {module: Target}}\n")
    _, chosen = slot(house, None)
    chosen.store("one", "main", "limit", 10)
    house.config("active_modules: {one: {module: Nonsense}}\n")
    assert value(chosen.reload(), "one", "main", "limit") == 10.0
    assert (house.root / "etc" / "everest" / "user-config" / "config.yaml").is_file()


def test_a_slot_whose_modules_have_changed_is_reported_with_the_database_and_key(house: House, file: Path) -> None:
    _, chosen = slot(house, file)
    house.manifest("Demo", "provides: {main: {interface: demoo, description: The demo}}\n")
    (house.root / "libexec/everest/modules/Demo/manifest.yaml").unlink()
    with pytest.raises(ConfigError) as caught:
        chosen.reload()
    assert str(caught.value).startswith(f'{file}: active_modules.one.module: there is no module "Demo"')


def test_a_file_that_is_no_database_or_somebody_elses_is_named(house: House, file: Path) -> None:
    file.write_text("not a database, but long enough to be looked at as one " * 50)
    with pytest.raises(BootError, match=f"{file}: file is not a database"):
        choose(house, file)
    foreign = file.with_name("foreign.db")
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE CONFIG (id INTEGER)")
    connection.close()
    with pytest.raises(BootError, match=r"foreign\.db is no configuration database of this manager"):
        choose(house, foreign)
    with pytest.raises(BootError, match="unable to open database file"):
        choose(house, file.parent / "nowhere" / "x.db")


def test_a_filling_that_fails_half_way_leaves_the_slot_as_it_was(file: Path) -> None:
    database = ConfigDatabase(file)
    database.seed({"one": {"module": "Demo"}})
    with pytest.raises(TypeError):
        database.seed({"two": {"module": "Demo"}, "three": {"module": object()}})
    assert database.modules() == {"one": {"module": "Demo"}}


def test_the_boot_slot_is_the_one_that_is_chosen(file: Path) -> None:
    database = ConfigDatabase(file)
    database.seed({"zero": {"module": "Demo"}})
    connection = sqlite3.connect(file)
    connection.execute("INSERT INTO boot_config VALUES (4)")
    connection.commit()
    connection.close()
    assert database.modules() is None
    database.seed({"four": {"module": "Demo"}})
    assert database.modules() == {"four": {"module": "Demo"}}
    connection = sqlite3.connect(file)
    connection.execute("DELETE FROM boot_config")
    connection.commit()
    connection.close()
    assert database.modules() == {"zero": {"module": "Demo"}}


# --- the command line ---


def lines_of(house: House, tmp_path: Path, *words: str) -> tuple[int, list[str]]:
    """Exit status and status lines of a manager that ends by itself."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        status = cli.main(["--prefix", str(house.root), "--status-fifo", str(fifo), *words])
        return status, os.read(reading, 4096).decode().split()
    finally:
        os.close(reading)


def test_a_fresh_database_alone_says_exiting(
    house: House, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lines_of(house, tmp_path, "--db", str(file)) == (1, ["MANAGER_INITIALIZING", "MANAGER_EXITING"])
    expected = f"{file} has no modules; fill it by --config FILE --reset-from-yaml"
    assert expected in capsys.readouterr().err


def test_an_invalid_yaml_without_a_slot_ends_before_idle(house: House, file: Path, tmp_path: Path) -> None:
    house.config("active_modules: {one: {module: Nonsense}}\n")
    words = ("--config", "config", "--db", str(file), "--into-idle", "--idle-on-failure")
    assert lines_of(house, tmp_path, *words) == (1, ["MANAGER_INITIALIZING"])


def test_check_looks_at_the_yaml_and_never_at_the_database(house: House, file: Path) -> None:
    words = ["--prefix", str(house.root), "--check", "--config", "config", "--db", str(file)]
    assert cli.main(words) == 0
    assert not file.exists()


def test_flags_without_effect_are_warned_about(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--prefix", str(house.root), "--check", "--config", "config", "--reset-from-yaml", "--db-init"]
    assert cli.main(words) == 0
    errors = capsys.readouterr().err
    assert "--db-init is deprecated and has no effect" in errors
    assert "--reset-from-yaml has no effect without --db" in errors


# --- with a broker and a process of its own ---


@pytest.mark.stack
@pytest.mark.mosquitto
@needs_mosquitto[1]
@pytest.mark.parametrize("flags", [("--into-idle",), ("--idle-on-failure", "--db")])
def test_an_idle_manager_waits_for_its_signal(
    house: House, file: Path, tmp_path: Path, mosquitto: Mosquitto, flags: tuple[str, ...]
) -> None:
    words = [*flags, str(file)] if "--db" in flags else ["--config", "config", *flags]
    environment = {"MQTT_SERVER_ADDRESS": mosquitto.host, "MQTT_SERVER_PORT": str(mosquitto.port)}
    with ManagerProcess(tmp_path, "--prefix", str(house.root), *words, environment=environment) as process:
        process.wait_for_line("MANAGER_IDLE")
        process.signal()
        assert process.ended() == 0
        assert process.lines == ["MANAGER_INITIALIZING", "MANAGER_IDLE", "SIGINT_RECEIVED", "MANAGER_EXITING"]


@pytest.mark.looptime
@pytest.mark.parametrize("stored", [True, False], ids=["database", "files"])
async def test_a_recovery_distributes_what_was_stored_since_the_start(house: House, file: Path, stored: bool) -> None:
    house.config("active_modules: {one: {module: Target}}\n")
    stack, chosen = slot(house, file if stored else None)
    broker = MemoryBroker()
    messages: list[Published] = []
    broker.watch(messages.append)
    actors = Actors(broker)
    options = LifecycleOptions(recover_module_crashes=True)
    bus = ManagerBus(broker.transport(), "everest/")
    life = Lifecycle(stack, bus, actors, fifo=StatusFifo(), options=options, slot=chosen)
    task = asyncio.create_task(life.run())

    async def ask(kind: str, request: Any) -> Any:
        data = {"type": kind, "origin": "one", "request": request}
        payload = json.dumps({"msg_type": "ConfigurationRequest", "data": data}).encode()
        broker.publish("everest/config/request", payload)
        await asyncio.sleep(30)
        return json.loads([m.payload for m in messages if m.topic == "everest/modules/one/response"][-1])["data"]

    identifier = {"module_id": "one", "configuration_parameter_name": "live"}
    await life.started.wait()
    answer = await ask("Set", {"identifier": identifier, "value": "new"})
    assert answer["status"] == "Error", "the module never says whether it took it, but it is stored"
    life.started.clear()
    actors.end("one", 1)
    await life.started.wait()
    answer = await ask("Get", {"type": "Value", "identifier": identifier})
    assert answer["response"]["data"]["value"] == "new"
    life.interrupt()
    assert await task == 0
