"""The command `python -m everest.codegen [--check]`: regenerate `src/everest/contracts`, or tell if that is needed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from everest.codegen import CodegenError, compare, generate, read_contracts, write

CHECKOUT = Path(__file__).resolve().parents[3]


def main(argv: list[str] | None = None) -> int:
    """Return the exit status: 0 done or up to date, 1 out of date or a contract file is wrong."""
    options = _parser().parse_args(argv)
    root: Path = options.root
    target: Path = options.target or root / "src" / "everest" / "contracts"
    if not (root / "interfaces").is_dir():
        return _fail([f"{root}: no folder interfaces/ in it; name the checkout with --root"])
    try:
        files = generate(read_contracts(root))
    except CodegenError as problem:
        return _fail([str(problem)])
    if options.check:
        problems = compare(files, target)
        return _fail([*problems, "run: python -m everest.codegen"]) if problems else 0
    for path in write(files, target):
        sys.stdout.write(f"{path}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m everest.codegen", description="Generate everest.contracts.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if anything is out of date")
    parser.add_argument("--root", type=Path, default=CHECKOUT, help="folder with interfaces/, types/ and errors/")
    parser.add_argument("--target", type=Path, help="package folder to write (default: ROOT/src/everest/contracts)")
    return parser


def _fail(lines: list[str]) -> int:
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    return 1


if __name__ == "__main__":
    sys.exit(main())
