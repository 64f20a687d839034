"""Configuration parameters: is a value what the manifest asks for, and how does it look in Python and on the bus.

Types are exact (bus 6.6): an integer literal passes for `number`, `5.0` does not pass for `integer`, an unquoted number
not for `string`. Pure functions.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import jsonschema

from everest.manager.errors import BootError
from everest.manager.metaschema import show
from everest.manager.model import MODULE_SCOPE, ConfigParameter, DataType, Parameter, Scalar, Stack

_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
_WORDS: dict[DataType, str] = {
    "string": 'a string, in quotes: "..."',
    "number": "a number, like 16.0",
    "integer": "a whole number, like 16",
    "bool": "true or false",
}
_LEADING_INTEGER = re.compile(r"\s*[-+]?\d+")
_LEADING_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?)")


def has_type(value: object, datatype: DataType) -> bool:
    """The exact type check of a literal from a file."""
    match datatype:
        case "string":
            return isinstance(value, str)
        case "bool":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool) and _INT_MIN <= value <= _INT_MAX
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)


def typed(value: Any, datatype: DataType) -> Scalar:
    """`value` in the Python type that JSON must show: a `number` is always a float (bus 2.3)."""
    result: Scalar = float(value) if datatype == "number" and has_type(value, "number") else value
    return result


def value_problem(parameter: ConfigParameter, value: object) -> tuple[str, str] | None:
    """What is wrong with `value` for this parameter, and the fix; None when it is right."""
    if not has_type(value, parameter.datatype):
        return f"{show(value)} is not of type {parameter.datatype}", f"write {_WORDS[parameter.datatype]}"
    try:
        jsonschema.Draft7Validator(dict(parameter.schema)).validate(value)
    except jsonschema.ValidationError as error:
        return str(error.message), "write a value that the manifest allows"
    except jsonschema.SchemaError as error:
        return f"the schema of this parameter is wrong: {error.message}", "correct the manifest"
    return None


def parameter_of(declared: ConfigParameter, value: Scalar) -> Parameter:
    """The parameter with its checked value."""
    return Parameter(declared.name, typed(value, declared.datatype), declared.datatype, declared.mutability)


def parsed(text: str, datatype: DataType) -> Scalar | None:
    """Value of a run-time Set, which is always text (bus 6.7); None when it cannot be read."""
    match datatype:
        case "string":
            return text
        case "bool":
            return text in ("true", "1")
        case "integer":
            found = _LEADING_INTEGER.match(text)
            value = int(found[0]) if found else None
            return value if value is not None and _INT_MIN <= value <= _INT_MAX else None
        case "number":
            found = _LEADING_NUMBER.match(text)
            return float(found[0]) if found else None


def parameter_json(parameter: Parameter, *, read_write: bool = False) -> dict[str, Any]:
    """Wire form (bus 2.3). `read_write` shows a ReadOnly parameter as ReadWrite (bus 6.7, All)."""
    shown = "ReadWrite" if read_write and parameter.mutability == "ReadOnly" else parameter.mutability
    return {
        "name": parameter.name,
        "value": parameter.value,
        "characteristics": {"datatype": parameter.datatype, "mutability": shown},
    }


def with_parameter(stack: Stack, module_id: str, name: str, value: Any, scope: str = MODULE_SCOPE) -> Stack:
    """The stack with another value of one parameter; nothing is written.

    Raises BootError for an unknown parameter or a value the manifest does not allow.
    """
    module = stack.modules.get(module_id)
    manifest = stack.manifests[module.name] if module is not None else None
    if module is None or manifest is None:
        raise BootError(f"there is no module {module_id} whose {name} could be set")
    provided = manifest.provides.get(scope)
    declared = (manifest.parameters if scope == MODULE_SCOPE else provided.parameters if provided else {}).get(name)
    if declared is None:
        raise BootError(f"module {module.printable} has no parameter {scope}/{name}")
    wrong = value_problem(declared, value)
    if wrong is not None:
        raise BootError(f"{module_id}/{scope}/{name}: {wrong[0]}; {wrong[1]}")
    changed = parameter_of(declared, value)
    entries = tuple(changed if entry.name == name else entry for entry in module.parameters[scope])
    module = replace(module, parameters={**module.parameters, scope: entries})
    return replace(stack, modules={**stack.modules, module_id: module})
