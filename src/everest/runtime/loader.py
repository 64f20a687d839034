"""Module folders as Python packages: `<folder>` becomes `everest_modules.<Name>`, wherever it lies.

Lives here: `load_module_class`. Several modules live in one interpreter, none is importable by its bare name.
May not be imported here: contracts, manager.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from everest.runtime.errors import StartupError
from everest.runtime.module import Module

PACKAGE = "everest_modules"


def load_module_class(folder: Path) -> type[Module]:
    """The class that the folder's package names `module_class`. Errors: StartupError naming folder and fix.

    An exception of the package's own code passes through.
    """
    folder = folder.resolve()
    init = folder / "__init__.py"
    if not init.is_file():
        raise StartupError(f"{folder} is no module: it has no __init__.py that names its module_class")
    package = _load(f"{PACKAGE}.{folder.name}", folder, init)
    module_class = getattr(package, "module_class", None)
    if not isinstance(module_class, type) or not issubclass(module_class, Module):
        raise StartupError(f"{init} must name the module's class: module_class = ..., a subclass of Module")
    return module_class


def _load(name: str, folder: Path, init: Path) -> ModuleType:
    """Import the package once per interpreter; another folder of the same name replaces it."""
    loaded = sys.modules.get(name)
    if loaded is not None and loaded.__file__ == str(init):
        return loaded
    for other in [key for key in sys.modules if key == name or key.startswith(name + ".")]:
        del sys.modules[other]
    parent = sys.modules.setdefault(PACKAGE, ModuleType(PACKAGE))
    parent.__path__ = []
    spec = importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(folder)])
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    try:
        spec.loader.exec_module(package)
    except BaseException:
        del sys.modules[name]
        raise
    setattr(parent, folder.name, package)
    return package
