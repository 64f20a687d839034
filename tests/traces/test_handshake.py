"""The recorded start of a real EVerest, replayed against our manager (as its modules) and our runtime (as its manager).

Needs the metadata of the recording, which is read from the shared folder where it is there.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from everest.manager.bus import ManagerBus
from everest.manager.fifo import StatusFifo
from everest.manager.lifecycle import Lifecycle, ModuleExited
from everest.manager.model import Manifest, ModuleConfig
from everest.runtime import MemoryBroker, run_module
from everest.runtime.memory import Published
from everest.runtime.yaml_file import load as load_yaml
from everest.trace import BusMessage, load
from tests.everest.manager.test_distribution import rebuild_house

HERE = Path(__file__).parent
RECORDING = HERE.parents[2] / "shared" / "traces" / "boot.jsonl.gz"
MODULES = HERE.parents[1] / "modules"
OURS = {
    "auth": "Auth",
    "ocpp": "OCPP",
    "system": "System",
    "evse_security": "EvseSecurity",
    "persistent_store": "PersistentStore",
    "token_provider_1": "DummyTokenProviderManual",
}
"""Modules of the recording that we have, too: id -> name."""

pytestmark = [
    pytest.mark.looptime,
    pytest.mark.skipif(not RECORDING.is_file(), reason="the recordings of a real EVerest are not here"),
]


def recorded() -> Iterator[BusMessage]:
    """Every message below `everest/` up to global ready."""
    for record in load(RECORDING):
        if isinstance(record, BusMessage) and record.topic.startswith("everest/") and "/impl/" not in record.topic:
            yield record
            if record.topic == "everest/ready":
                return


def said_by(module_id: str) -> list[BusMessage]:
    """What a module says before it is ready: its request, its metadata, its ready."""
    own = f"everest/modules/{module_id}"
    return [
        record
        for record in recorded()
        if record.topic in (f"{own}/metadata", f"{own}/ready")
        or (record.topic == "everest/config/request" and record.json()["data"]["origin"] == module_id)
    ]


class RecordedModules:
    """A launcher whose modules say what the recorded ones said, each waiting for the answer to its request."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._running: dict[str, Callable[[ModuleExited], None]] = {}
        self._ended = False
        self._tasks: list[asyncio.Task[None]] = []
        self.answers: dict[str, Any] = {}
        broker.watch(self._seen)

    def _seen(self, message: Published) -> None:
        levels = message.topic.split("/")
        if levels[1] == "modules" and levels[3:] == ["response"]:
            self.answers[levels[2]] = json.loads(message.payload)

    def prepare(self, module: ModuleConfig, manifest: Manifest) -> None: ...

    def start(self, module: ModuleConfig, on_exit: Callable[[ModuleExited], None]) -> None:
        self._running[module.id] = on_exit
        self._tasks.append(asyncio.create_task(self._speak(module.id)))

    async def _speak(self, module_id: str) -> None:
        for message in said_by(module_id):
            self._broker.publish(message.topic, message.payload, qos=message.qos, retain=message.retain)
            while module_id not in self.answers:
                await asyncio.sleep(0.01)

    def alive(self) -> list[str]:
        return list(self._running)

    def terminate(self) -> None:
        for module_id in list(self._running):
            self._running.pop(module_id)(ModuleExited(module_id, -15, "terminated"))

    def kill(self) -> None:
        self.terminate()

    async def close(self) -> None:
        await asyncio.gather(*self._tasks)


async def test_our_manager_starts_the_recorded_modules_as_the_real_manager_did(tmp_path: Path) -> None:
    house, config = rebuild_house(tmp_path / "prefix")
    stack = house.load(house.config(config))
    broker = MemoryBroker()
    seen: list[str] = []
    broker.watch(lambda message: seen.append(message.topic))
    modules = RecordedModules(broker)
    life = Lifecycle(stack, ManagerBus(broker.transport(), "everest/"), modules, fifo=StatusFifo())
    running = asyncio.create_task(life.run())
    await asyncio.wait_for(life.started.wait(), 30)
    answers = {record.topic.split("/")[2]: record.json() for record in recorded() if record.topic.endswith("/response")}
    assert len(answers) == 23
    assert modules.answers == answers
    own = ("everest/config/", "everest/modules/")
    manager_said = [topic for topic in seen if not topic.startswith(own)]
    assert manager_said == [record.topic for record in recorded() if not record.topic.startswith(own)]
    life.stop()
    assert await asyncio.wait_for(running, 30) == 0


def answer_to(module_id: str) -> Any:
    """The recorded answer to a module's request, with those parameters added that only our manifest declares."""
    topic = f"everest/modules/{module_id}/response"
    answer = next(record.json() for record in recorded() if record.topic == topic)
    declared = load_yaml(MODULES / OURS[module_id] / "manifest.yaml").data.get("config", {})
    entries = answer["data"]["response"]["data"]["module_config"]["configuration_parameters"]["!module"]
    present = {entry["name"] for entry in entries}
    entries += [
        {"name": name, "value": entry["default"], "characteristics": entries_type(entry)}
        for name, entry in declared.items()
        if name not in present
    ]
    return answer


def entries_type(entry: dict[str, Any]) -> dict[str, str]:
    return {"datatype": {"boolean": "bool"}.get(entry["type"], entry["type"]), "mutability": "ReadOnly"}


@pytest.mark.parametrize("module_id", sorted(OURS))
async def test_our_module_starts_under_the_recorded_manager_as_the_original_did(
    module_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "<RUN>").mkdir()
    shutil.copy(HERE / "everest" / "peer-sil.json", tmp_path)
    broker = MemoryBroker()
    answer = answer_to(module_id)
    said: list[tuple[str, Any]] = []
    ready = asyncio.Event()

    def manager(message: Published) -> None:
        if message.topic == "everest/config/request":
            said.append((message.topic, json.loads(message.payload)))
            broker.publish(f"everest/modules/{module_id}/response", json.dumps(answer).encode())
        elif message.topic.startswith(f"everest/modules/{module_id}/") and "/response" not in message.topic:
            said.append((message.topic, json.loads(message.payload)))
            if message.topic.endswith("/ready"):
                ready.set()

    for record in recorded():
        if record.retain and record.payload:
            broker.publish(record.topic, record.payload, retain=True)
    broker.watch(manager)
    running = asyncio.create_task(
        run_module(MODULES / OURS[module_id], module_id=module_id, transport=broker.transport())
    )
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({running, waiting}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
    for task in (running, waiting):
        task.cancel()
    await asyncio.gather(running, waiting, return_exceptions=True)
    assert said == [(record.topic, record.json()) for record in said_by(module_id)]
