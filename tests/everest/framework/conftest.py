"""A station whose modules the test plays itself: `box` provides a sink, `probe` uses it and provides one back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from everest.framework import Fulfillment, Module
from tests.everest.framework.station import Config, Heard, Station, connected, connection, to
from tests.support.mosquitto import running_mosquitto

BOX_MANIFEST = """
config:
  size: {description: Size, type: integer, default: 7}
provides:
  main: {interface: sink, description: The sink, config: {depth: {description: Depth, type: number, default: 2}}}
  second: {interface: sink, description: Another}
requires:
  back: {interface: sink, max_connections: 2}
  deaf: {interface: sink, min_connections: 0, ignore: {errors: true}}
  free: {interface: doubler, min_connections: 0}
"""

CONFIG: Config = {
    "box": {
        "module": "Box",
        "standalone": True,
        "config_module": {"size": 9},
        "connections": {
            "back": [*to("probe", "one"), *to("probe", "two")],
            "deaf": to("probe", "one"),
        },
        "mapping": {"module": {"evse": 1}, "implementations": {"main": {"evse": 1, "connector": 2}}},
    },
    "probe": {"module": "ProbeModule", "standalone": True, "connections": {"box": to("box")}},
    "publisher": {"module": "PyPublisher"},
}


@dataclass
class Pair:
    """Both modules, ready; `stored` hears what `box` is asked to store."""

    box: Module
    probe: Module
    stored: Heard
    ready: Heard = field(default_factory=Heard)

    @property
    def to_box(self) -> Fulfillment:
        return connection(self.probe, "box")

    @property
    def to_probe(self) -> Fulfillment:
        return connection(self.box, "back")

    def start(self) -> None:
        """Both report ready, and hear that all are."""
        self.box.init_done(self.ready)
        self.probe.init_done(self.ready)
        self.ready.several(2)


def play(station: Station) -> Iterator[Pair]:
    """Both modules, connected, every command implemented, not yet ready."""
    with connected(station.session(), "box") as box, connected(station.session(), "probe") as probe:
        pair = Pair(box, probe, Heard())
        box.implement_command("main", "store", pair.stored)
        for module, implementation in ((box, "second"), (probe, "one"), (probe, "two")):
            module.implement_command(implementation, "store", lambda args: None)
        yield pair


def lay(station: Station) -> Station:
    """Add the manifest of `Box`."""
    station.house.manifest("Box", BOX_MANIFEST)
    return station


@pytest.fixture(scope="session")
def played_station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """Keeps its retained topics, so that every test may start the modules anew."""
    folder = tmp_path_factory.mktemp("played")
    with running_mosquitto(folder) as broker:
        station = lay(Station(folder, broker))
        with station.running(CONFIG, "--retain-topics"):
            yield station


@pytest.fixture
def unready(played_station: Station) -> Iterator[Pair]:
    yield from play(played_station)


@pytest.fixture
def pair(unready: Pair) -> Pair:
    unready.start()
    return unready


@pytest.fixture(scope="session")
def strict_station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """As `played_station`, with `validate_schema`."""
    folder = tmp_path_factory.mktemp("strict")
    with running_mosquitto(folder) as broker:
        station = lay(Station(folder, broker))
        with station.running(CONFIG, "--retain-topics", validate_schema=True):
            yield station


@pytest.fixture
def strict(strict_station: Station) -> Iterator[Pair]:
    for pair in play(strict_station):
        pair.start()
        yield pair


@pytest.fixture
def log_lines(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """`caplog` for what the binding logs, which keeps its lines from the root logger."""
    everest = logging.getLogger("everest")
    everest.addHandler(caplog.handler)
    yield caplog
    everest.removeHandler(caplog.handler)
