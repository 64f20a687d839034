"""The generator: committed contracts are up to date, schemas become the right types, wrong files are named."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import msgspec
import pytest

from everest.codegen import CodegenError, compare, generate, read_contracts, write
from everest.codegen.__main__ import main
from everest.codegen.names import camel, enum_members, identifier

ROOT = Path(__file__).parents[3]


def contracts_of(folder: Path, **files: str) -> Path:
    """Write contract files (`types__demo` -> types/demo.yaml) and return the folder."""
    for kind in ("interfaces", "types", "errors"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        kind, stem = name.split("__")
        (folder / kind / f"{stem}.yaml").write_text(text, encoding="utf-8")
    return folder


def module_of(folder: Path, path: str, **files: str) -> Any:
    """Generate, and run the text of one module that refers to no other."""
    text = generate(read_contracts(contracts_of(folder, **files)))[path]
    module = types.ModuleType(f"generated_{folder.name}_{Path(path).stem}")
    sys.modules[module.__name__] = module
    exec(compile(text, path, "exec"), module.__dict__)
    return module


def typed(folder: Path, schema: str) -> Any:
    """The Python type of member `it` of a type, for a schema in flow style; `Demo` and `Other` can be referred to."""
    text = (
        f"description: Demo\ntypes:\n  Holder: {{type: object, required: [it], properties: {{it: {schema}}}}}\n"
        "  Demo: {type: object, properties: {a: {type: integer}}}\n  Colour: {type: string, enum: [red, green]}\n"
    )
    module = module_of(folder, "types/demo.py", types__demo=text)
    (field,) = msgspec.structs.fields(module.Holder)
    return field.type


def test_the_committed_contracts_are_what_the_generator_writes() -> None:
    files = generate(read_contracts(ROOT))
    assert compare(files, ROOT / "src" / "everest" / "contracts") == []


def test_the_command_checks_and_says_what_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = contracts_of(tmp_path, types__demo="description: Demo\ntypes: {A: {type: string}}\n")
    assert main(["--root", str(root), "--check"]) == 1
    assert "types/demo.py: missing" in capsys.readouterr().err
    assert main(["--root", str(root)]) == 0
    assert "demo.py" in capsys.readouterr().out
    assert main(["--root", str(root), "--check"]) == 0
    assert main(["--root", str(root)]) == 0
    assert capsys.readouterr().out == ""


def test_the_command_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "everest.codegen", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_folder_without_contracts_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(tmp_path)]) == 1
    assert "name the checkout with --root" in capsys.readouterr().err


def test_changed_and_surplus_files_are_found_and_mended(tmp_path: Path) -> None:
    files = {"__init__.py": "", "types/a.py": "A = 1\n"}
    assert len(write(files, tmp_path)) == 2
    (tmp_path / "types" / "a.py").write_text("A = 2\n")
    (tmp_path / "types" / "gone.py").write_text("")
    problems = compare(files, tmp_path)
    assert [problem.split(": ")[1] for problem in problems] == [
        "differs from what the contract files say",
        "no contract file stands behind it",
    ]
    write(files, tmp_path)
    assert compare(files, tmp_path) == []


def test_the_same_files_give_the_same_text() -> None:
    assert generate(read_contracts(ROOT)) == generate(read_contracts(ROOT))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ocpp_1_6_charge_point", "Ocpp16ChargePoint"),
        ("board_support_AC", "BoardSupportAC"),
        ("ac_rcd", "AcRcd"),
        ("kvs", "Kvs"),
        ("iso15118_extensions", "Iso15118Extensions"),
    ],
)
def test_class_names_are_camel_case(name: str, expected: str) -> None:
    assert camel(name) == expected


def test_enum_members_keep_their_names_where_python_allows_it() -> None:
    values = ["Local", "None", "4G", "a-b", "a b", "count", "AC"]
    assert enum_members(values) == [
        ("Local", "Local"), ("None_", "None"), ("_4G", "4G"), ("a_b", "a-b"), ("a_b_", "a b"), ("count_", "count"),
        ("AC", "AC"),
    ]  # fmt: skip


def test_identifiers_avoid_keywords_and_what_is_taken() -> None:
    assert [identifier("class"), identifier("x", {"x"}), identifier("9"), identifier("a.b")] == [
        "class_", "x_", "_9", "a_b",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ("{type: string}", str),
        ("{type: integer}", int),
        ("{type: number}", float),
        ("{type: boolean}", bool),
        ("{type: string, format: date-time}", str),
        ("{type: array, items: {type: integer}}", list[int]),
        ("{type: array}", list[Any]),
        ("{type: object}", dict[str, Any]),
        ("{type: object, additionalProperties: {type: number}}", dict[str, float]),
        ("{type: [string, 'null']}", str | None),
        ("{type: [integer, number]}", float),
        ("{type: ['null', string, number, integer, boolean, array, object]}", Any),
        ("{oneOf: [{type: string}, {type: integer}]}", str | int),
        ("{anyOf: [{type: object, properties: {a: {type: string}}}, {$ref: /demo#/Demo}]}", Any),
        ("{}", Any),
    ],
)
def test_schemas_become_python_types(tmp_path: Path, schema: str, expected: Any) -> None:
    assert typed(tmp_path, schema) == expected


@pytest.mark.parametrize("schema", ["{$ref: /demo#/Colour}", "{type: object, $ref: /demo#/Colour, maxLength: 3}"])
def test_a_reference_wins_over_what_stands_beside_it(tmp_path: Path, schema: str) -> None:
    assert [member.value for member in typed(tmp_path, schema)] == ["red", "green"]


def test_anonymous_classes_are_named_by_their_path(tmp_path: Path) -> None:
    text = """
description: Demo
types:
  Holder:
    description: Holds
    type: object
    properties:
      some_state: {type: string, enum: [a, b]}
      parts: {type: array, items: {type: object, properties: {x: {type: number}}}}
"""
    module = module_of(tmp_path, "types/demo.py", types__demo=text)
    assert [member.value for member in module.HolderSomeState] == ["a", "b"]
    decoded = msgspec.json.decode(b'{"some_state": "b", "parts": [{"x": 1}]}', type=module.Holder)
    assert decoded.some_state is module.HolderSomeState.b
    assert decoded.parts == [module.HolderPartsItem(x=1.0)]


def test_names_python_does_not_allow_are_renamed_and_stay_the_same_on_the_wire(tmp_path: Path) -> None:
    text = """
description: Demo
types:
  Holder:
    type: object
    required: [class]
    properties:
      class: {type: string}
      a-b: {type: integer}
      str: {type: string}
"""
    module = module_of(tmp_path, "types/demo.py", types__demo=text)
    wire = b'{"class":"x","a-b":1,"str":"s"}'
    decoded = msgspec.json.decode(wire, type=module.Holder)
    assert (decoded.class_, decoded.a_b, decoded.str_) == ("x", 1, "s")
    assert msgspec.json.encode(decoded) == wire
    assert msgspec.json.encode(module.Holder(class_="x")) == b'{"class":"x"}'


def test_a_member_named_like_its_type_does_not_hide_it(tmp_path: Path) -> None:
    text = """
description: Demo
types:
  Part: {type: object, properties: {x: {type: integer}}}
  Holder: {type: object, properties: {Part: {$ref: /demo#/Part}, More: {$ref: /demo#/Part}}}
"""
    module = module_of(tmp_path, "types/demo.py", types__demo=text)
    decoded = msgspec.json.decode(b'{"Part":{"x":1},"More":{"x":2}}', type=module.Holder)
    assert (decoded.Part_.x, decoded.More.x) == (1, 2)


def test_files_may_refer_to_each_other_in_circles(tmp_path: Path) -> None:
    one = "description: One\ntypes: {A: {type: object, properties: {b: {$ref: /two#/B}}}}\n"
    two = "description: Two\ntypes: {B: {type: object, properties: {a: {$ref: /one#/A}}}}\n"
    target = tmp_path / "src" / "everest" / "contracts"
    write(generate(read_contracts(contracts_of(tmp_path, types__one=one, types__two=two))), target)
    program = (
        f"import sys, importlib, msgspec; import everest.contracts; everest.contracts.__path__ = [{str(target)!r}];"
        "one = importlib.import_module('everest.contracts.types.one');"
        'print(msgspec.json.decode(b\'{"b": {"a": {"b": null}}}\', type=one.A))'
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "A(b=B(a=A(b=None)))", done.stderr


def test_aliases_come_after_those_they_name(tmp_path: Path) -> None:
    text = """
description: Demo
types:
  Names: {type: array, items: {$ref: /demo#/Name}}
  Name: {type: string}
"""
    module = module_of(tmp_path, "types/demo.py", types__demo=text)
    assert module.Names == list[str]


def test_text_in_descriptions_and_values_cannot_break_the_code(tmp_path: Path) -> None:
    text = r'''
description: 'Ends with a quote "'
types:
  Holder:
    description: 'a """ b \ c"'
    type: object
    properties:
      state: {type: string, enum: ['a"b', 'c\d']}
'''
    module = module_of(tmp_path, "types/demo.py", types__demo=text)
    assert [member.value for member in module.HolderState] == ['a"b', "c\\d"]


INTERFACE = """
description: Demo
cmds:
  get: {description: Get, arguments: {mode: {type: string, enum: [fast, slow]}}, result: {type: integer}}
vars:
  state: {description: State, type: object, properties: {x: {type: number}}}
errors:
  - reference: /errors/demo
  - reference: /errors/more#/Second
  - reference: /errors/more#/Unknown
"""
ERRORS = "description: Errors\nerrors:\n  - {name: First, description: One}\n  - {name: Second, description: Two}\n"


def test_an_interface_gets_classes_tables_and_error_types(tmp_path: Path) -> None:
    files = {"interfaces__demo_1_x": INTERFACE, "errors__demo": ERRORS, "errors__more": ERRORS}
    module = module_of(tmp_path, "interfaces/demo_1_x.py", **files)
    assert module.ERRORS == ("demo/First", "demo/Second", "more/Second")
    assert module.COMMANDS["get"].arguments == {"mode": module.GetMode}
    assert module.COMMANDS["get"].result is int
    assert dict(module.VARIABLES) == {"state": module.State}
    assert module.Demo1XImplementation.interface == module.Demo1XClient.interface == "demo_1_x"


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"types__a": "description: A\ntypes:\n  B: {$ref: /a#/C}\n"}, r"a\.yaml:3: types\.B: .* leads nowhere"),
        ({"types__a": "description: A\ntypes:\n  B: {$ref: C}\n"}, r"a\.yaml:3: .* not of the form /file#/Type"),
        ({"types__a": "description: A\ntypes:\n  B: {type: strnig}\n"}, r"a\.yaml:3: types\.B: unknown type 'strnig'"),
        ({"types__a": "description: A\ntypes:\n  B: 1\n"}, r"a\.yaml:3: types\.B: a type has to be a mapping"),
        ({"types__a": "description: A\n"}, r"a\.yaml:1: types: has to be there"),
        ({"types__a": "[1]"}, r"a\.yaml: has to be a mapping"),
        ({"types__a": "a: ["}, r"a\.yaml:\d+:\d+: "),
        (
            {"types__a": "description: A\ntypes:\n  B: {$ref: /a#/C}\n  C: {$ref: /a#/B}\n"},
            r"types/a\.yaml: B, C refer to each other",
        ),
        (
            {"interfaces__i": "description: I\nerrors:\n  - reference: /errors/none\n"},
            r"i\.yaml:3: errors\.0: there is no errors/none\.yaml",
        ),
        ({"interfaces__i": "description: I\nerrors:\n  - reference: none\n"}, r"i\.yaml:3: .*looks like `reference:"),
        ({"interfaces__i": "description: I\ncmds:\n  class: {}\n"}, r"i\.yaml:3: cmds\.class: this name cannot be"),
        ({"interfaces__i": "description: I\ncmds:\n  raise_error: {}\n"}, r"i\.yaml:3: cmds\.raise_error: this name"),
        ({"interfaces__i": "description: I\ncmds:\n  list: {}\n"}, r"i\.yaml:3: cmds\.list: this name"),
        (
            {"interfaces__i": "description: I\ncmds:\n  on_x: {}\nvars:\n  x: {type: string}\n"},
            r"i\.yaml:3: cmds\.on_x: this name",
        ),
        (
            {"interfaces__i": "description: I\ncmds:\n  get:\n    arguments:\n      from: {type: string}\n"},
            r"i\.yaml:5: cmds\.get\.arguments\.from: this argument name",
        ),
        ({"interfaces__i": "description: I\nvars:\n  error: {type: string}\n"}, r"i\.yaml:3: vars\.error: this name"),
    ],
)
def test_a_wrong_file_is_named_with_line_and_key(tmp_path: Path, files: dict[str, str], problem: str) -> None:
    with pytest.raises(CodegenError, match=problem):
        generate(read_contracts(contracts_of(tmp_path, **files)))


def test_a_wrong_file_ends_the_command_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = contracts_of(tmp_path, types__a="description: A\ntypes:\n  B: {type: strnig}\n")
    assert main(["--root", str(root)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    root = contracts_of(tmp_path, types__a="description: A\ntypes: {}\n")
    (root / "types" / "sub").mkdir()
    (root / "types" / "sub" / "a.yaml").write_text("description: A\ntypes: {}\n")
    with pytest.raises(CodegenError, match="has the same name"):
        read_contracts(root)
