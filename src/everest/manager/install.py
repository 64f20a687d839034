"""`everest-manager install`: lay out an EVerest prefix, or put our modules into an existing one (bus 2.1, 2.5, 7).

    --prefix DIR    bin/manager, etc/everest, libexec/everest/modules, share/everest, lib/everest/everestpy
    --into PREFIX   our modules, each with a .venv of its own, and the contracts that are missing there

Nothing that somebody else installed is overwritten without being asked for. Copies only; no module is started here.
"""

from __future__ import annotations

import shlex
import shutil
import site
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

from everest.manager import cli, manifests, paths
from everest.manager.errors import BootError
from everest.manager.programs import INTERPRETER_FILE

ALIASES = {"EvseManager": "EvseManagerSim"}
"""Modules that are installed under a second name, the one EVerest's configurations use."""
CONTRACTS = ("interfaces", "types", "errors")
BINDING = ("framework", "runtime")
_KEPT = ".native"
_NEW = ".new"
_IGNORED = shutil.ignore_patterns("__pycache__", ".venv", "*.pyc")

MANAGER = """\
#!/bin/sh
# The manager of this EVerest prefix: the one of the Python environment that laid it out.
prefix=$(cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)
code='import sys; from everest.manager.start import main; sys.exit(main(prefix=sys.argv.pop(1)))'
exec {python} -P -c "$code" "$prefix" "$@"
"""

Ask = Callable[[str], bool]


def build_parser() -> cli.Parser:
    parser = cli.Parser(
        prog="everest-manager install",
        description="Lays out an EVerest prefix with this manager and its modules, or adds the modules to another one.",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--prefix", type=Path, metavar="DIR", help="lay out a complete prefix here")
    where.add_argument("--into", type=Path, metavar="PREFIX", help="put the modules into this existing EVerest")
    add = parser.add_argument
    add("--modules", nargs="+", metavar="NAME", help="only these modules; also EvseManager, which is EvseManagerSim")
    add("--yes", "-y", action="store_true", help="move what is in the way aside without asking")
    return parser


def main(words: Sequence[str]) -> int:
    """Returns the exit status: 0, or 1 when a module was left out. Raises ManagerError."""
    arguments = build_parser().parse_args(words)
    source = paths.resolve()
    names = chosen(source, arguments.modules, aliases=arguments.prefix is not None)
    try:
        if arguments.prefix is not None:
            lay_out(source, arguments.prefix.absolute(), names)
            return 0
        ask: Ask = (lambda question: True) if arguments.yes else at_the_terminal
        left_out = put_into(source, paths.of_prefix(arguments.into), names, ask)
    except OSError as error:
        raise BootError(f"{_what_failed(error)}; nothing more was installed") from error
    return 1 if left_out else 0


def _what_failed(error: OSError) -> str:
    """`file: reason`; copying a folder collects its failures in one error, of which the first is told."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        _, target, why = error.args[0][0]
        reason = why.partition("] ")[2].partition(": '")[0] or why
        return f"{target}: {reason}"
    return f"{error.filename}: {error.strerror}"


def chosen(source: paths.Layout, wanted: Sequence[str] | None, *, aliases: bool) -> dict[str, str]:
    """Folder name in the prefix -> module it is made of. Raises BootError for names that do not exist."""
    known = {name: name for name in manifests.available(source.modules_dir)}
    everything = known | {alias: name for alias, name in ALIASES.items() if name in known}
    if wanted is None:
        return everything if aliases else known
    for name in wanted:
        if name not in everything:
            raise BootError(f'there is no module "{name}"; there are: {", ".join(sorted(everything))}')
    return {name: everything[name] for name in wanted}


# --- a prefix of our own ---


def lay_out(source: paths.Layout, prefix: Path, names: dict[str, str]) -> None:
    """Write a complete prefix; one that we wrote before is renewed, somebody else's refused."""
    binding = prefix / "lib" / "everest" / "everestpy"
    if (prefix / "bin" / "manager").exists() and not (binding / INTERPRETER_FILE).is_file():
        raise BootError(f"{prefix} holds another EVerest already; add the modules to it by --into {prefix}")
    target = _layout(prefix)
    for name in CONTRACTS:
        _copy(getattr(source, f"{name}_dir"), target.data_dir / name)
    _copy(source.schemas_dir, target.schemas_dir)
    for folder in (target.data_dir / "www", target.data_dir / "migrations", target.modules_dir):
        folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(path for path in source.configs_dir.rglob("*") if path.is_file()):
        _configure(file, target.configs_dir / file.relative_to(source.configs_dir))
    _configure(source.default_config, target.default_config)
    _configure(source.logging_config_file, target.logging_config_file)
    (target.data_dir / "version_information.txt").write_text(f"{paths.PROJECT} {cli.version()}\n", encoding="utf-8")
    for folder_name, module in names.items():
        _place(source.modules_dir / module, target.modules_dir, folder_name)
    for package in BINDING:
        _copy(paths.PACKAGE.parent / package, binding / "everest" / package)
    (binding / INTERPRETER_FILE).write_text(f"{sys.executable}\n", encoding="utf-8")
    _write_manager(prefix / "bin" / "manager")
    say(f"laid out {prefix}; start it by {prefix}/bin/manager")


def _layout(prefix: Path) -> paths.Layout:
    prefix.mkdir(parents=True, exist_ok=True)
    return paths.of_prefix(prefix)


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True, ignore=_IGNORED)


def _configure(source: Path, target: Path) -> None:
    """Copy a configuration file; one that is there and says something else is kept, ours is put beside it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and target.read_bytes() != source.read_bytes():
        new = target.with_name(target.name + _NEW)
        shutil.copyfile(source, new)
        say(f"kept {target}, which differs from ours; ours is {new.name}")
    else:
        shutil.copyfile(source, target)


def _place(module: Path, modules_dir: Path, name: str) -> None:
    """Copy a module; under a second name it is a link to the first, if that is there."""
    target = modules_dir / name
    if target.is_symlink():
        target.unlink()
    if name != module.name and (modules_dir / module.name).is_dir() and not target.exists():
        target.symlink_to(module.name)
    else:
        _copy(module, target)


def _write_manager(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(MANAGER.format(python=shlex.quote(sys.executable)), encoding="utf-8")
    path.chmod(0o755)


# --- into somebody else's prefix ---


def put_into(source: paths.Layout, target: paths.Layout, names: dict[str, str], ask: Ask) -> list[str]:
    """Install modules into an existing EVerest; names of those that were left out."""
    paths.check(target)
    left_out = []
    for name, module in names.items():
        folder = target.modules_dir / name
        if not _make_room(folder, name, ask):
            left_out.append(name)
            say(f"{name}: left out")
            continue
        _copy(source.modules_dir / module, folder)
        _write_environment(folder / ".venv")
        say(f"{name}: installed in {folder}")
    for added in _missing_contracts(source, target):
        say(f"added {added}, which was missing")
    return left_out


def _make_room(folder: Path, name: str, ask: Ask) -> bool:
    """Move aside what EVerest would start instead of our module.py, and a foreign manifest; False if told not to."""
    foreign = [folder / file for file in (name, "index.js") if (folder / file).is_file()]
    if not foreign and (not (folder / "manifest.yaml").exists() or _is_ours(folder)):
        return True
    if foreign:
        question = f"{foreign[0]} is a program of another module {name}, and EVerest would start it before ours"
    else:
        question = f"{folder} holds another module {name}"
    if not ask(f"{question}. Move it aside (to *{_KEPT}) and install ours?"):
        return False
    for path in [*foreign, folder / "manifest.yaml", folder / "module.py"]:
        if path.exists():
            path.rename(path.with_name(path.name + _KEPT))
    return True


def _is_ours(folder: Path) -> bool:
    try:
        return "everest.runtime" in (folder / "module.py").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _write_environment(folder: Path) -> None:
    """A virtual environment that finds what the installing environment finds, editable installs included."""
    venv.EnvBuilder(symlinks=True, with_pip=False, clear=True).create(folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    lines = [f"import site; site.addsitedir({place!r})" for place in _site_packages()]
    (packages / f"{paths.PROJECT}.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _site_packages() -> list[str]:
    places = site.getsitepackages()
    if site.ENABLE_USER_SITE:
        places.append(site.getusersitepackages())
    return [place for place in places if Path(place).is_dir()]


def _missing_contracts(source: paths.Layout, target: paths.Layout) -> list[Path]:
    """Copy interfaces, types and errors that the other EVerest does not have; never over its own."""
    added = []
    for name in CONTRACTS:
        here, there = getattr(source, f"{name}_dir"), getattr(target, f"{name}_dir")
        for file in sorted(here.glob("*.yaml")):
            if not (there / file.name).exists():
                shutil.copyfile(file, there / file.name)
                added.append(there / file.name)
    return added


def at_the_terminal(question: str) -> bool:
    """Ask a person; nobody there means no."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        sys.stderr.write("\n")
    return answer.strip().lower() in ("y", "yes")


def say(text: str) -> None:
    sys.stderr.write(f"everest-manager: {text}\n")
