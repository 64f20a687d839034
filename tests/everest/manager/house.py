"""A throwaway EVerest prefix with small modules, and configurations for it.

`House` lays the prefix (bus 2.1) under a temporary folder; `module` adds a module of everest.runtime, `write` any file.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from everest.manager import config, paths
from everest.manager.model import Stack

LAUNCHER = "from everest.runtime import launch\n\nlaunch(__file__)\n"
PACKAGE = "from .code import Thing as module_class\n"

QUIET = """
from everest.runtime import Implementation, Module


class Thing(Module):
    def __init__(self, context):
        super().__init__(context)
        self.provide("main", Main())


class Main(Implementation):
    interface = "demo"
    commands = {}
    variables = {}
    errors = ()
"""


class House:
    """An EVerest prefix in `root` with the interfaces `demo`, `empty` and the errors file `demo`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for place in ("interfaces", "types", "errors", "schemas", "www"):
            (root / "share" / "everest" / place).mkdir(parents=True)
        self.write("etc/everest/default_logging.cfg", "[Core]\n")
        self.write("share/everest/interfaces/empty.yaml", "description: Nothing at all\n")
        self.write(
            "share/everest/interfaces/demo.yaml",
            """
            description: Demo interface
            vars:
              beat: {description: Heart beat, type: integer}
            errors:
              - reference: /errors/demo
            """,
        )
        self.write(
            "share/everest/errors/demo.yaml",
            """
            description: Errors of the demo
            errors:
              - {name: OverHeat, description: Too hot}
            """,
        )
        (root / "libexec" / "everest" / "modules").mkdir(parents=True)

    @property
    def layout(self) -> paths.Layout:
        return paths.of_prefix(self.root)

    def write(self, place: str, text: str) -> Path:
        """Write `text`, dedented, to `place` below the prefix."""
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    def manifest(self, name: str, text: str) -> Path:
        """A module folder with just this manifest; the required description and metadata are added."""
        body = textwrap.dedent(text).lstrip("\n")
        head = (
            "description: A throwaway module\n"
            "metadata: {license: 'https://opensource.org/licenses/Apache-2.0', authors: [Nobody]}\n"
        )
        return self.write(f"libexec/everest/modules/{name}/manifest.yaml", head + body)

    def module(self, name: str, manifest: str, code: str = QUIET) -> Path:
        """A module that runs: its class is called `Thing`."""
        folder = self.manifest(name, manifest).parent
        for file, text in (("module.py", LAUNCHER), ("__init__.py", PACKAGE), ("code.py", code)):
            (folder / file).write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return folder

    def config(self, text: str, name: str = "config") -> Path:
        return self.write(f"etc/everest/{name}.yaml", text)

    def load(self, config_file: Path, **options: object) -> Stack:
        return config.load(config_file, config.LoadOptions(self.layout, **options))  # type: ignore[arg-type]


DEMO = "provides: {main: {interface: demo, description: The demo}}\n"
