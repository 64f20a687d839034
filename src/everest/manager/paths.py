"""Where contracts, modules and configurations are: one resolver for three homes (bus 2.1).

    prefix      an EVerest installation, `--prefix DIR`: bin, libexec/everest/modules, share/everest, etc/everest
    checkout    the source tree above this package (pyproject.toml with our name): interfaces/, modules/, ...
    wheel       the prefix that an installed wheel carries as package data (`everest/manager/prefix`)

Pure look-up: nothing is created or written. `settings.*_dir` is applied in settings.py.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from everest.manager.errors import BootError

PROJECT = "everest-ocpp16"
PACKAGE = Path(__file__).resolve().parent

Kind = Literal["prefix", "checkout", "wheel"]


@dataclass(frozen=True, slots=True)
class Layout:
    """Every place the manager looks at. All absolute."""

    kind: Kind
    prefix: Path
    configs_dir: Path
    default_config: Path
    modules_dir: Path
    data_dir: Path
    interfaces_dir: Path
    types_dir: Path
    errors_dir: Path
    schemas_dir: Path
    www_dir: Path | None
    logging_config_file: Path

    @property
    def python_binding_dirs(self) -> list[Path]:
        """What goes in front of PYTHONPATH: EVerest's own binding, where this prefix has one (bus 2.1)."""
        return [path for path in (self.prefix / lib / "everest" / "everestpy" for lib in _LIBS) if path.is_dir()]

    @property
    def node_modules_dir(self) -> Path | None:
        for lib in _LIBS:
            path = self.prefix / lib / "everest" / "node_modules"
            if path.is_dir():
                return path
        return None


_LIBS = ("lib", "lib64")


def resolve(prefix: Path | None = None) -> Layout:
    """The layout of `prefix`, else of the checkout around this package, else of the installed wheel.

    Raises BootError when the directory is not there.
    """
    if prefix is not None:
        return of_prefix(prefix)
    root = checkout_root()
    if root is not None:
        return of_checkout(root)
    carried = PACKAGE / "prefix"
    if not carried.is_dir():
        raise BootError(f"no modules found beside {PACKAGE}; install the wheel or say --prefix DIR")
    return of_wheel(carried)


def checkout_root(package: Path = PACKAGE) -> Path | None:
    """The source tree that holds this package as `src/everest/manager`, or None when it is installed."""
    if len(package.parents) < 3 or package.parents[1].name != "src":
        return None
    root = package.parents[2]
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError):
        return None
    return root if project.get("project", {}).get("name") == PROJECT else None


def of_prefix(prefix: Path) -> Layout:
    """EVerest's layout. `/usr` has its configuration in `/etc/everest`, `x/usr` beside it in `x/etc/everest`."""
    prefix = prefix.absolute()
    if not prefix.is_dir():
        raise BootError(f"prefix {prefix} is not a directory; say --prefix with an EVerest installation")
    configs = (prefix.parent if prefix.name == "usr" else prefix) / "etc" / "everest"
    logging_base = Path("/etc/everest") if prefix == Path("/usr") else prefix / "etc" / "everest"
    share = prefix / "share" / "everest"
    return Layout(
        kind="prefix",
        prefix=prefix,
        configs_dir=configs,
        default_config=configs / "default.yaml",
        modules_dir=prefix / "libexec" / "everest" / "modules",
        data_dir=share,
        interfaces_dir=share / "interfaces",
        types_dir=share / "types",
        errors_dir=share / "errors",
        schemas_dir=share / "schemas",
        www_dir=share / "www",
        logging_config_file=logging_base / "default_logging.cfg",
    )


def of_wheel(prefix: Path) -> Layout:
    """The prefix inside the installed package: EVerest's layout, with our schemas and logging file."""
    return replace(
        of_prefix(prefix),
        kind="wheel",
        schemas_dir=PACKAGE / "schemas",
        www_dir=None,
        logging_config_file=PACKAGE / "default_logging.cfg",
    )


def of_checkout(root: Path) -> Layout:
    """The source tree: the same things one level up."""
    return Layout(
        kind="checkout",
        prefix=root,
        configs_dir=root / "config",
        default_config=root / "manifest.yaml",
        modules_dir=root / "modules",
        data_dir=root,
        interfaces_dir=root / "interfaces",
        types_dir=root / "types",
        errors_dir=root / "errors",
        schemas_dir=PACKAGE / "schemas",
        www_dir=None,
        logging_config_file=PACKAGE / "default_logging.cfg",
    )


def check(layout: Layout) -> None:
    """Raise BootError for the first place that must exist and does not (bus 2.1)."""
    for name in ("configs_dir", "modules_dir", "interfaces_dir", "types_dir", "errors_dir", "schemas_dir", "www_dir"):
        path: Path | None = getattr(layout, name)
        if path is not None and not path.is_dir():
            raise BootError(f"{path} is not a directory ({name}); correct --prefix or settings.{name}")
    if not layout.logging_config_file.is_file():
        raise BootError(
            f"{layout.logging_config_file} is not a file (logging_config_file); "
            "correct --prefix or settings.logging_config_file"
        )


def find_config(layout: Layout, name: str | None) -> Path:
    """The config file: `name` as a path, else `<configs>/<name>.yaml`, else the default config (bus 2.6)."""
    if name is None:
        candidates = [layout.default_config]
    else:
        candidates = [Path(name), layout.configs_dir / f"{name}.yaml"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.absolute()
        twin = candidate.with_suffix(".json" if candidate.suffix == ".yaml" else ".yaml")
        if twin.is_file():
            return twin.absolute()
    looked = " nor ".join(str(candidate) for candidate in candidates)
    raise BootError(f"there is no config file {looked}; say --config FILE")
