"""Generates `everest.contracts` (typed Python) from the bus contracts in `interfaces/`, `types/` and `errors/`.

`sources` reads the YAML files and resolves references, `names` makes Python names, `expressions` turns JSON schemas
into type expressions, `types_module` and `interface_module` write one module each, `__main__` is the command
`python -m everest.codegen [--check]`.
May be imported here: everest.runtime only. Nothing imports this package at run time of a module.
"""

from everest.codegen.generate import compare, generate, write
from everest.codegen.sources import CodegenError, Contracts, read_contracts

__all__ = ["CodegenError", "Contracts", "compare", "generate", "read_contracts", "write"]
