"""The bench for module authors: defaults, mistakes and waiting."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import everest.runtime
from everest.runtime import HandlerException
from everest.runtime.testing import ModuleBench
from tests.everest.runtime.world import Doubler, bench_arguments

INIT = """\
from everest.runtime import Module


class module_class(Module):
    pass
"""
MANIFEST = """\
description: Does nothing
config:
  delay: {type: number, description: Seconds, default: 1}
  name: {type: string, description: Name}
  retries: {type: integer, description: How often, default: 3}
metadata:
  license: https://opensource.org/licenses/Apache-2.0
  authors: [Ada]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "Idle"
    found.mkdir()
    (found / "__init__.py").write_text(INIT)
    (found / "manifest.yaml").write_text(MANIFEST)
    return found


async def test_a_folder_brings_its_manifest_and_the_defaults_are_applied(folder: Path) -> None:
    async with ModuleBench(folder, module_id="idle", config={"name": "x", "delay": 2}) as b:
        assert dict(b.module.config) == {"delay": 2.0, "name": "x", "retries": 3}
        assert isinstance(b.module.config["delay"], float)
        assert (b.module.info.id, b.module.info.name) == ("idle", "Idle")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, r"no default for \['name'\]"),
        ({"config": {"name": "x", "nome": 1}}, r"declares no \['nome'\]"),
        ({"config": {"name": "x"}, "implementation_config": {"main": {}}}, r"provides no \['main'\]"),
        ({"config": {"name": "x"}, "connections": {"store": ["a/b"]}}, "requires no 'store'"),
    ],
)
def test_mistakes_of_the_test_are_clear_errors(folder: Path, arguments: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        ModuleBench(folder, **arguments)


@pytest.mark.parametrize("peers", [["kvs"], "kvs/main"])
def test_connections_are_lists_of_module_and_implementation(peers: Any) -> None:
    with pytest.raises(ValueError, match="kvs"):
        ModuleBench(Doubler, **bench_arguments(connections={"store": peers}))


async def test_an_unanswered_command_fails_with_a_word_about_the_test() -> None:
    async with ModuleBench(Doubler, **bench_arguments(connections={"store": ["kvs/main"]})) as b:
        assert isinstance(b.module, Doubler)
        with pytest.raises(HandlerException, match="no answer for load of kvs/main"):
            await b.module.stores[0].load("ab")
        assert b.calls("kvs/main", "load") == [{"key": "ab"}]


async def test_next_takes_values_one_after_the_other_and_published_keeps_all() -> None:
    async with ModuleBench(Doubler, **bench_arguments()) as b:
        assert isinstance(b.module, Doubler)
        b.module.main.publish_last(1.0)
        b.module.main.publish_last(2.0)
        assert [await b.next("main", "last"), await b.next("main", "last")] == [1.0, 2.0]
        waiting = asyncio.create_task(b.next("main", "last"))
        await asyncio.sleep(0)
        b.module.main.publish_last(3.0)
        assert await waiting == 3.0
        assert b.published("main", "last") == [1.0, 2.0, 3.0]


@pytest.mark.looptime
async def test_waiting_in_vain_is_a_timeout_that_names_what_was_waited_for() -> None:
    async with ModuleBench(Doubler, **bench_arguments()) as b:
        with pytest.raises(TimeoutError, match=r"variable main\.last"):
            await b.next("main", "last", timeout=3600)
        with pytest.raises(TimeoutError, match="external x"):
            await b.next_external("x")


async def test_answers_for_init_are_registered_before_the_block() -> None:
    class Early(Doubler):
        async def init(self) -> None:
            self.loaded = await self.stores[0].load("ab")

    b = ModuleBench(Early, **bench_arguments(connections={"store": ["kvs/main"]}))
    b.answer("kvs/main", "load", lambda args: 7)
    async with b:
        assert isinstance(b.module, Early)
        assert b.module.loaded == 7.0


async def test_a_failed_start_raises_its_reason() -> None:
    class Broken(Doubler):
        async def init(self) -> None:
            raise LookupError("no cable")

    with pytest.raises(LookupError, match="no cable"):
        async with ModuleBench(Broken, **bench_arguments()):
            pass


async def test_interface_definitions_are_found_above_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "interfaces").mkdir()
    (tmp_path / "errors").mkdir()
    (tmp_path / "interfaces" / "store.yaml").write_text(
        "description: A store\nerrors:\n  - reference: /errors/storage#/Full\n"
    )
    (tmp_path / "errors" / "storage.yaml").write_text(
        "description: Errors\nerrors:\n  - {name: Full, description: No room}\n  - {name: Broken, description: Bad}\n"
    )
    monkeypatch.chdir(tmp_path)
    arguments = bench_arguments(connections={"store": ["kvs/main"]})
    arguments["interfaces"] = {"doubler": arguments["interfaces"]["doubler"]}
    async with ModuleBench(Doubler, **arguments) as b:
        assert isinstance(b.module, Doubler)
        seen: list[str] = []
        b.module.stores[0].on_error(lambda error: seen.append(error.type), print)
        b.raise_error("kvs/main", {"type": "storage/Broken"})
        b.raise_error("kvs/main", {"type": "storage/Full"})
        await b.until(lambda: seen == ["storage/Full"])


def test_the_public_surface_is_pinned() -> None:
    assert sorted(everest.runtime.__all__) == everest.runtime.__all__
    assert {"Module", "Implementation", "Client", "launch", "run_module", "CommandError", "Error", "Severity"} <= set(
        everest.runtime.__all__
    )
    assert all(hasattr(everest.runtime, name) for name in everest.runtime.__all__)
