"""What EVerest's own test tooling does, for tests of ours: a laid-out prefix, its `bin/manager`, a probe in the test.

`prefix` is laid out once per session, `Rig` writes a SIL configuration (EVerest's modules, keys and implementation ids,
as far as there are such modules here) with its own topics, files and OCPP configuration, and `Rig.station()` starts it
as the harness does (bus 2.6): cwd is the prefix, everything else lies in the rig's folder. `ProbeModule` is
EVerest's own way of testing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import IO, Any, TypeVar

import pytest
import yaml

from everest.demo.commands import Publish, parse
from everest.demo.csms import CentralSystem
from everest.framework import Module, RuntimeSession
from tests.e2e.assertions import energies
from tests.support.ocpp_configuration import ocpp_configuration
from tests.support.stack import Bus, Station

T = TypeVar("T")

Config = dict[str, Any]

EVSES = 2
PLUG_IN = "iec_wait_pwr_ready;draw_power_regulated 16,3;sleep 36000"


@cache
def laid_out(folder: Path) -> Path:
    """`everest-manager install --prefix` into a folder."""
    prefix = folder / "prefix"
    words = [sys.executable, "-m", "everest.manager", "install", "--prefix", str(prefix)]
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    return prefix


def to(*targets: str) -> list[dict[str, str]]:
    """Connections from `module/implementation` texts."""
    pairs = [target.split("/") for target in targets]
    return [{"module_id": module, "implementation_id": implementation} for module, implementation in pairs]


def evse_manager(number: int, **connections: list[dict[str, str]]) -> Config:
    """An EvseManager as SIL configurations write it."""
    return {
        "module": "EvseManager",
        "mapping": {"module": {"evse": number}, "implementations": {"station_limits": {"evse": 0}}},
        "config_module": {
            "connector_id": number,
            "connector_type": "cType2",
            "evse_id": str(number),
            "evse_id_din": "49A80737A45678",
            "has_ventilation": True,
            "session_logging": False,
            "session_logging_xml": False,
            "ac_hlc_enabled": False,
            "ac_hlc_use_5percent": False,
            "ac_enforce_hlc": False,
            "external_ready_to_start_charging": True,
            "request_zero_power_in_idle": True,
        },
        "connections": {"store": to("persistent_store/main"), **connections},
    }


class Rig:
    """One station's files, topics and configuration. Two rigs on one broker have nothing in common but the prefix."""

    def __init__(
        self, folder: Path, prefix: Path, port: int, central_system_uri: str, *, name: str = "1", **ocpp: Any
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.prefix = prefix
        self.port = port
        self.everest_prefix = f"everest_{name}"
        self.external_prefix = f"external_{name}"
        self.config_file = folder / "everest-config.yaml"
        self._write_ocpp({"CentralSystemURI": central_system_uri, **ocpp})
        self.config: Config = {
            "settings": self._settings(),
            "active_modules": self._modules(),
            "x-module-layout": {"evse_manager_1": {"position": {"x": 3, "y": -2}}},
        }

    def _settings(self) -> Config:
        return {
            "mqtt_broker_host": "127.0.0.1",
            "mqtt_broker_port": self.port,
            "mqtt_everest_prefix": self.everest_prefix,
            "mqtt_external_prefix": self.external_prefix,
            "telemetry_prefix": f"telemetry_{self.everest_prefix}",
        }

    def _write_ocpp(self, changes: Config) -> None:
        quick = {
            "MeterValueSampleInterval": 1,
            "RetryBackoffWaitMinimum": 1,
            "RetryBackoffRandomRange": 0,
            "TransactionMessageRetryInterval": 1,
        }
        document = ocpp_configuration({**quick, **changes})
        (self.folder / "ocpp-config.json").write_text(json.dumps(document), encoding="utf-8")

    def _file(self, name: str) -> str:
        return str(self.folder / name)

    def _modules(self) -> dict[str, Config]:
        file = self._file
        certificates = {
            key: file(f"certs/{place}")
            for key, place in {
                "csms_ca_bundle": "ca/csms/CSMS_ROOT_CA.pem",
                "mf_ca_bundle": "ca/mf/MF_ROOT_CA.pem",
                "mo_ca_bundle": "ca/mo/MO_ROOT_CA.pem",
                "v2g_ca_bundle": "ca/v2g/V2G_ROOT_CA.pem",
                "csms_leaf_cert_directory": "client/csms",
                "csms_leaf_key_directory": "client/csms",
                "secc_leaf_cert_directory": "client/cso",
                "secc_leaf_key_directory": "client/cso",
            }.items()
        }
        return {
            "evse_manager_1": evse_manager(1, energy_consumer=to("evse_manager_2/energy_grid")),
            "evse_manager_2": evse_manager(2),
            "auth": {
                "module": "Auth",
                "config_module": {"connection_timeout": 30, "selection_algorithm": "FindFirst"},
                "connections": {
                    "token_provider": to(
                        "token_provider/main",
                        "ocpp/auth_provider",
                        "evse_manager_1/token_provider",
                        "evse_manager_2/token_provider",
                    ),
                    "token_validator": to("ocpp/auth_validator"),
                    "evse_manager": to("evse_manager_1/evse", "evse_manager_2/evse"),
                    "kvs": to("persistent_store/main"),
                },
            },
            "ocpp": {
                "module": "OCPP",
                "config_module": {
                    "ChargePointConfigPath": file("ocpp-config.json"),
                    "UserConfigPath": file("user_config.json"),
                    "DatabasePath": file("ocpp_database"),
                    "MessageLogPath": file("ocpp_logs"),
                    "EnableExternalWebsocketControl": True,
                },
                "connections": {
                    "evse_manager": to("evse_manager_1/evse", "evse_manager_2/evse"),
                    "evse_energy_sink": to("evse_manager_1/station_limits"),
                    "reservation": to("auth/reservation"),
                    "auth": to("auth/main"),
                    "system": to("system/main"),
                    "security": to("evse_security/main"),
                },
            },
            "token_provider": {
                "module": "DummyTokenProviderManual",
                "config_implementation": {"main": {"mqtt_topic": "everest_api/dummy_token_provider/cmd/provide"}},
            },
            "system": {
                "module": "System",
                "config_module": {"ResetDelay": 0, "ResetAfterUpdate": True},
                "connections": {"store": to("persistent_store/main")},
            },
            "evse_security": {
                "module": "EvseSecurity",
                "config_module": {**certificates, "private_key_password": "123456"},
            },
            "persistent_store": {
                "module": "PersistentStore",
                "config_module": {"sqlite_db_file_path": file("persistent_store.db")},
            },
        }

    @property
    def modules(self) -> dict[str, Config]:
        """`active_modules`, to change before the start."""
        modules: dict[str, Config] = self.config["active_modules"]
        return modules

    def write_user_config(self, config: Config) -> None:
        """A file that is merged over the configuration (bus 6.1); the harness adds its probe by it."""
        path = self.config_file.parent / "user-config" / self.config_file.name
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(config), encoding="utf-8")

    def station(self, *arguments: str, wait: bool = True) -> HarnessStation:
        """The manager of the prefix with this configuration."""
        self.config_file.write_text(yaml.safe_dump(self.config, sort_keys=False), encoding="utf-8")
        return HarnessStation(self, *arguments, wait=wait)

    def bus(self) -> RigBus:
        return RigBus(self)

    def session(self) -> RuntimeSession:
        """What the harness gives its probe."""
        return RuntimeSession(str(self.prefix), str(self.config_file))


class HarnessStation(Station):
    """`<prefix>/bin/manager --config F --db F --prefix P --status-fifo F [...]` with cwd = prefix.

    Its standard output is a pipe that nobody reads, as the harness leaves it; `stop` sees that nothing is in it.
    """

    def __init__(self, rig: Rig, *arguments: str, wait: bool) -> None:
        super().__init__(rig.config_file, rig.port, *arguments, wait=wait)
        self.rig = rig
        self._unread: list[int] = []

    @property
    def command(self) -> list[str]:
        files = ["--config", str(self.rig.config_file), "--db", str(self.folder / "everest.db")]
        return [str(self.rig.prefix / "bin" / "manager"), *files, "--prefix", str(self.rig.prefix)]

    @property
    def cwd(self) -> Path:
        return self.rig.prefix

    def standard_output(self, log: IO[bytes]) -> int:
        self._unread += os.pipe()
        return self._unread[-1]

    async def stop(self) -> int:
        status = await super().stop()
        if self._unread:
            reading, writing = self._unread
            self._unread.clear()
            os.close(writing)
            said = os.read(reading, 4096)
            os.close(reading)
            assert said == b"", "the manager and its modules write to stderr only"
        return status


class RigBus(Bus):
    """A client that speaks and hears with the prefixes of one rig; `messages` has those of everybody."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig.port)
        self._rig = rig

    async def publish(self, topic: str, payload: str) -> None:
        await super().publish(self._rig.external_prefix + topic, payload)

    async def do(self, line: str) -> None:
        """As `Bus.do`; a car is enabled before it is plugged in, as EVerest's test controller does, and is quick."""
        command = parse(line, evses=EVSES)
        assert isinstance(command, Publish)
        payload = command.payload
        if line.startswith("plug "):
            await self.publish(command.topic.replace("/cmd/execute_charging_session", "/cmd/enable"), "true")
            payload = PLUG_IN
        await self.publish(command.topic, payload)

    def values(self, variable: str, *, module: str = "") -> list[Any]:
        start = f"{self._rig.everest_prefix}/modules/{module + '/' if module else ''}"
        return [
            json.loads(payload)["data"]["data"]
            for topic, payload in self.messages
            if topic.startswith(start) and topic.endswith(f"/var/{variable}")
        ]

    def arguments(self, command: str) -> list[dict[str, Any]]:
        """The arguments of every call of a command, of whichever module."""
        return [
            json.loads(payload)["data"]["args"] for topic, payload in self.own() if topic.endswith(f"/cmd/{command}")
        ]

    def external(self) -> list[tuple[str, Any]]:
        """The JSON messages below the external prefix of the rig; other texts are left out."""
        found = []
        for topic, payload in self.messages:
            if topic.startswith(self._rig.external_prefix + "everest_"):
                with contextlib.suppress(ValueError):
                    found.append((topic, json.loads(payload)))
        return found

    def own(self) -> list[tuple[str, str]]:
        """The messages below the everest prefix of the rig."""
        return [
            (topic, payload) for topic, payload in self.messages if topic.startswith(self._rig.everest_prefix + "/")
        ]


class ProbeModule:
    """The module that a test plays itself, as EVerest's tooling has it: `async with ProbeModule(rig) as probe:`.

    Commands of what it provides answer with `answers[(implementation, command)]`, else with a value of the type that
    the interface wants, and are kept in `calls`. Entering returns when the manager has told everything; `start`
    reports ready and returns when all modules are. Disconnected at the end, so that a dying broker ends no test.
    """

    def __init__(self, rig: Rig, provides: dict[str, str], module_id: str = "probe") -> None:
        self._rig = rig
        self._provides = provides
        self._id = module_id
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Condition()
        self._ready = asyncio.Event()
        self.answers: dict[tuple[str, str], Any] = {}
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.heard: list[tuple[str, str, Any]] = []
        """(requirement, variable, value)"""
        self.module: Module

    async def __aenter__(self) -> ProbeModule:
        self.module = await asyncio.to_thread(Module, self._id, self._rig.session())
        try:
            await asyncio.to_thread(self._implement_all)
        except BaseException:
            await self._disconnect()
            raise
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._disconnect()

    async def _disconnect(self) -> None:
        """In a thread of its own: those of the loop may all be waiting for answers that only this ends."""
        with ThreadPoolExecutor(1) as executor:
            await self._loop.run_in_executor(executor, self.module._disconnect)

    def _implement_all(self) -> None:
        for implementation, interface in self._provides.items():
            for command, declared in self._interface(interface).get("cmds", {}).items():
                result = DEFAULT_RESULTS[declared.get("result", {}).get("type", "null")]
                self._implement(implementation, command, result)

    def _interface(self, name: str) -> dict[str, Any]:
        path = self._rig.prefix / "share/everest/interfaces" / f"{name}.yaml"
        definition: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        return definition

    def _implement(self, implementation: str, command: str, result: object) -> None:
        def answer(arguments: dict[str, Any]) -> Any:
            self._note(self.calls, (implementation, command, arguments))
            return self.answers.get((implementation, command), result)

        self.module.implement_command(implementation, command, answer)

    def _note(self, record: list[Any], entry: object) -> None:
        """From any thread."""
        asyncio.run_coroutine_threadsafe(self._keep(record, entry), self._loop)

    async def _keep(self, record: list[Any], entry: object) -> None:
        async with self._changed:
            record.append(entry)
            self._changed.notify_all()

    async def listen(self, requirement: str, *variables: str) -> None:
        """Hear variables of every connection of a requirement."""
        for fulfillment in self.module.say_hello().connections[requirement]:
            for variable in variables:
                note = partial(self._heard, requirement, variable)
                await asyncio.to_thread(self.module.subscribe_variable, fulfillment, variable, note)

    def _heard(self, requirement: str, variable: str, value: Any) -> None:
        self._note(self.heard, (requirement, variable, value))

    async def start(self, *, seconds: float = 20) -> None:
        def ready() -> None:
            self._loop.call_soon_threadsafe(self._ready.set)

        await asyncio.to_thread(self.module.init_done, ready)
        await asyncio.wait_for(self._ready.wait(), seconds)

    async def call(self, requirement: str, command: str, **arguments: Any) -> Any:
        fulfillment = self.module.say_hello().connections[requirement][0]
        return await asyncio.to_thread(self.module.call_command, fulfillment, command, arguments)

    def publish(self, implementation: str, variable: str, value: Any) -> None:
        self.module.publish_variable(implementation, variable, value)

    def values(self, requirement: str, variable: str) -> list[Any]:
        return [value for where, what, value in self.heard if (where, what) == (requirement, variable)]

    async def wait_for(self, condition: Callable[[], Any], *, seconds: float = 20, what: str = "") -> Any:
        """Wait until `condition()` is true, looking at every call and every value heard."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                while not (result := condition()):
                    await self._changed.wait()
                return result
        except TimeoutError:
            raise TimeoutError(
                f"not seen by the probe within {seconds} s: {what}; {self.calls}; {self.heard}"
            ) from None


DEFAULT_RESULTS: dict[str, Any] = {
    "null": None,
    "boolean": True,
    "string": "Accepted",
    "integer": 0,
    "object": {},
    "array": [],
}


# --- a central system that can be blocked ----------------------------------------------------------------------------


class ThreadedCentralSystem:
    """A CentralSystem with an event loop and a thread of its own, so that its loop can stand still.

    What was recorded is read from `system`; waiting is done on its own loop.
    """

    def __init__(self) -> None:
        self.system = CentralSystem()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="central system", daemon=True)
        self._release = threading.Event()

    async def __aenter__(self) -> ThreadedCentralSystem:
        self._thread.start()
        await self.run(self.system.start())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self.release()
        await self.run(self.system.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join, 5)
        self._loop.close()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop of the central system, and wait for it."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def wait_for(self, condition: Callable[[], Any], *, seconds: float = 20, what: str = "") -> Any:
        return await self.run(self.system.wait_for(condition, seconds=seconds, what=what))

    async def wait_for_call(
        self, action: str, matches: Callable[[dict[str, Any]], bool] = lambda _payload: True, *, seconds: float = 20
    ) -> dict[str, Any]:
        return await self.run(self.system.wait_for_call(action, matches, seconds=seconds))

    async def block(self, seconds: float) -> asyncio.Future[None]:
        """Have the loop stand still for so long, or until `release`; returns when it does, with what tells the end."""
        self._release.clear()
        standing: Future[None] = Future()
        ended: Future[None] = Future()

        def stand_still() -> None:
            standing.set_result(None)
            self._release.wait(seconds)
            ended.set_result(None)

        self._loop.call_soon_threadsafe(stand_still)
        await asyncio.wrap_future(standing)
        return asyncio.wrap_future(ended)

    def release(self) -> None:
        self._release.set()


# --- what must never be in a message ---------------------------------------------------------------------------------


def nulls(value: object, path: str = "") -> Iterator[str]:
    """The places of every null inside a JSON value, as `/a/0/b`."""
    if value is None:
        yield path
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from nulls(member, f"{path}/{key}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from nulls(member, f"{path}/{index}")


METADATA = (
    "interfaces",
    "interface_definitions/",
    "types",
    "type_definitions/",
    "settings",
    "schemas",
    "manifests/",
    "module_names",
)
"""What the manager tells modules about files (bus 2.3): a JSON schema may say `default: null`."""


NULL_MEMBERS = ("/module_config/mapping", "/module_config/access")


def misplaced_nulls(bus: RigBus) -> list[str]:
    """Topic and place of every null in a message of the rig that is not one the bus asks for; also in external ones."""
    found = [f"{topic} {place}" for topic, value in bus.external() for place in nulls(value)]
    for topic, payload in bus.own():
        rest = topic.partition("/")[2]
        if not payload or rest.startswith(METADATA):
            continue
        found += [f"{topic} {place}" for place in nulls(json.loads(payload)) if not _is_asked_for(rest, place)]
    return found


def _is_asked_for(topic: str, place: str) -> bool:
    """Bus 2.3: what is not mapped and a module without rights are null, as the original writes them. Bus 3.1, 3.2: no
    arguments and no result may be null."""
    if topic.endswith("/response") and "/impl/" not in topic:
        return place.startswith("/data/response/data/mappings/") or place.endswith(NULL_MEMBERS)
    return place in ("/data/args", "/data/data/retval")


def null_frames(csms: CentralSystem) -> list[Any]:
    """The frames of the station with a null in them."""
    return [frame.message for frame in csms.frames if frame.direction == "cp->csms" and any(nulls(frame.message))]


# --- what tests do with a rig ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix laid out by `everest-manager install --prefix`; nobody may change it."""
    return laid_out(tmp_path_factory.getbasetemp())


async def begin(csms: CentralSystem | ThreadedCentralSystem, bus: RigBus, card: str, *, samples: int = 2) -> None:
    """The first session of a station: plug in, swipe, and wait until so many rising energies have been told."""
    system = csms.system if isinstance(csms, ThreadedCentralSystem) else csms
    await csms.wait_for_call("StatusNotification", lambda p: p["connectorId"] == EVSES)
    await bus.do("plug 1")
    await bus.wait_for_event("AuthRequired")
    await bus.do(f"swipe {card} 1")
    await csms.wait_for_call("StartTransaction")
    await csms.wait_for(lambda: len(set(energies(system, 1))) >= samples, what=f"{samples} rising meter values")


async def end(csms: CentralSystem | ThreadedCentralSystem, bus: RigBus, card: str, *, told: bool = True) -> None:
    """Swipe again, wait for the end as the CSMS sees it if it can be `told`, and unplug."""
    await bus.do(f"swipe {card} 1")
    if told:
        await csms.wait_for_call("StopTransaction")
    await bus.wait_for_event("TransactionFinished")
    await bus.do("unplug 1")
    await bus.wait_for_event("SessionFinished")
