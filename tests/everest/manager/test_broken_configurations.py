"""Every mistake in a configuration is named with file, line and key, and says how to put it right (bus 6)."""

from __future__ import annotations

from pathlib import Path

import pytest

from everest.manager import cli
from everest.manager.errors import BootError, ConfigError
from tests.everest.manager.house import DEMO, House

LIMITED = """
provides: {main: {interface: demo, description: The demo}}
config:
  limit: {type: integer, description: A limit, minimum: 1}
  name: {type: string, description: A name, default: nobody}
"""
USER = """
provides: {}
requires: {source: {interface: demo}, spare: {interface: empty, min_connections: 0, max_connections: 2}}
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path / "prefix")
    house.manifest("Demo", DEMO)
    house.manifest("Limited", LIMITED)
    house.manifest("User", USER.replace("provides: {}\n", ""))
    house.manifest("Empty", "provides: {main: {interface: empty, description: Nothing}}")
    return house


def complaints(house: House, config_file: Path) -> list[str]:
    """What loading complains about, with the prefix cut off the file names."""
    with pytest.raises(ConfigError) as caught:
        house.load(config_file)
    return str(caught.value).replace(f"{house.root}/", "").splitlines()


CONFIG = "etc/everest/config.yaml"
MODULES = "libexec/everest/modules"

CASES = {
    "unknown module": (
        "active_modules:\n  one:\n    module: Demoo\n",
        [f'{CONFIG}:3: active_modules.one.module: there is no module "Demoo" in {MODULES}; did you mean "Demo"?'],
    ),
    "no module name": (
        "active_modules:\n  one: {}\n",
        [f'{CONFIG}:2: active_modules.one: "module" is missing; add "module:"'],
    ),
    "unknown key of a module": (
        "active_modules:\n  one:\n    module: Demo\n    conection: {}\n",
        [f'{CONFIG}:4: active_modules.one.conection: unknown key; did you mean "connections"?'],
    ),
    "unknown key at the top": (
        "active_module: {}\n",
        [f'{CONFIG}:1: active_module: unknown key; did you mean "active_modules"?'],
    ),
    "module id that is no name": (
        "active_modules:\n  1one: {module: Demo}\n",
        [f"{CONFIG}:2: active_modules.1one: this name is not allowed; a name matches ^[a-zA-Z_][a-zA-Z0-9_.-]*$"],
    ),
    "setting of a wrong type": (
        "settings:\n  validate_schema: yes\nactive_modules: {}\n",
        [f'{CONFIG}:2: settings.validate_schema: "yes" is not of type boolean; write a value of type boolean'],
    ),
    "config value that is a list": (
        "active_modules:\n  one:\n    module: Limited\n    config_module:\n      limit: [1]\n",
        [
            f"{CONFIG}:5: active_modules.one.config_module.limit: [1] is not of type boolean or integer or number or "
            "string; write a value of type boolean or integer or number or string"
        ],
    ),
    "missing mandatory parameter": (
        "active_modules:\n  one:\n    module: Limited\n    config_module: {name: x}\n",
        [
            f'{CONFIG}:4: active_modules.one.config_module: the parameter "limit" has no default and is not set; '
            'add "limit:" with a value of type integer'
        ],
    ),
    "float for an integer": (
        "active_modules:\n  one:\n    module: Limited\n    config_module: {limit: 5.0}\n",
        [
            f"{CONFIG}:4: active_modules.one.config_module.limit: 5.0 is not of type integer; "
            "write a whole number, like 16"
        ],
    ),
    "unquoted number for a string": (
        "active_modules:\n  one:\n    module: Limited\n    config_module:\n      limit: 5\n      name: 7\n",
        [
            f"{CONFIG}:6: active_modules.one.config_module.name: 7 is not of type string; "
            'write a string, in quotes: "..."'
        ],
    ),
    "value out of range": (
        "active_modules:\n  one:\n    module: Limited\n    config_module: {limit: 0}\n",
        [
            f"{CONFIG}:4: active_modules.one.config_module.limit: 0 is less than the minimum of 1; "
            "write a value that the manifest allows"
        ],
    ),
    "configured implementation that is not provided": (
        "active_modules:\n  one:\n    module: Demo\n    config_implementation:\n      mian: {}\n",
        [
            f"{CONFIG}:5: active_modules.one.config_implementation.mian: module Demo provides no such implementation; "
            'did you mean "main"?'
        ],
    ),
    "missing requirement": (
        "active_modules:\n  one:\n    module: User\n",
        [
            f"{CONFIG}:2: active_modules.one.connections.source: 0 connections, but exactly 1 needed "
            '(interface "demo"); connect an implementation of demo'
        ],
    ),
    "too many connections": (
        "active_modules:\n  d: {module: Demo}\n  one:\n    module: User\n    connections:\n      source:\n"
        "        - {module_id: d, implementation_id: main}\n        - {module_id: d, implementation_id: main}\n",
        [
            f"{CONFIG}:6: active_modules.one.connections.source: 2 connections, but exactly 1 needed "
            '(interface "demo"); remove connections'
        ],
    ),
    "undeclared requirement": (
        "active_modules:\n  d: {module: Demo}\n  one:\n    module: User\n    connections:\n"
        "      source: [{module_id: d, implementation_id: main}]\n"
        "      sauce: [{module_id: d, implementation_id: main}]\n",
        [
            f"{CONFIG}:7: active_modules.one.connections.sauce: module User has no such requirement; "
            'did you mean "source"?'
        ],
    ),
    "connection to an unknown module": (
        "active_modules:\n  demo: {module: Demo}\n  one:\n    module: User\n    connections:\n"
        "      source: [{module_id: demi, implementation_id: main}]\n",
        [
            f"{CONFIG}:6: active_modules.one.connections.source[0].module_id: "
            'there is no module "demi" in active_modules; did you mean "demo"?'
        ],
    ),
    "connection to an unknown implementation": (
        "active_modules:\n  demo: {module: Demo}\n  one:\n    module: User\n    connections:\n"
        "      source: [{module_id: demo, implementation_id: min}]\n",
        [
            f"{CONFIG}:6: active_modules.one.connections.source[0].implementation_id: "
            'module demo (Demo) provides no implementation "min"; did you mean "main"?'
        ],
    ),
    "connection to another interface": (
        "active_modules:\n  e: {module: Empty}\n  one:\n    module: User\n    connections:\n"
        "      source: [{module_id: e, implementation_id: main}]\n",
        [
            f"{CONFIG}:6: active_modules.one.connections.source[0].implementation_id: "
            'e/main is a "empty", but a "demo" is required; there are none'
        ],
    ),
    "mapping without an EVSE": (
        "active_modules:\n  one:\n    module: Demo\n    mapping:\n      module: {connector: 1}\n",
        [f'{CONFIG}:5: active_modules.one.mapping.module: "evse" is missing; add "evse:"'],
    ),
    "two probes": (
        "active_modules:\n  p: {module: ProbeModule}\n  q: {module: ProbeModule}\n",
        [f"{CONFIG}:3: active_modules.q.module: a second ProbeModule; p is one already; keep one"],
    ),
    "no mapping at all": ("- one\n", [f"{CONFIG}:1: is not a mapping; write `key: value` lines"]),
    "YAML that does not parse": (
        "active_modules:\n  one: {module: Demo\n",
        [
            f"{CONFIG}:3: while parsing a flow mapping did not find expected ',' or '}}'; "
            "check indentation, colons, quotes and brackets around this place"
        ],
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES.keys())
def test_a_mistake_in_the_config_is_named_with_line_key_and_fix(house: House, text: str, expected: list[str]) -> None:
    assert complaints(house, house.config(text)) == expected


def test_all_mistakes_are_reported_in_one_go(house: House) -> None:
    house.manifest("Wrong", "provides: {main: {interface: demi, description: The demo}}")
    found = complaints(
        house,
        house.config(
            """
            active_modules:
              a: {module: Nobody}
              b: {module: Limited, config_module: {limit: many}}
              c: {module: User}
              d: {module: Wrong}
            """
        ),
    )
    assert len(found) == 4
    assert {line.split(": ")[1] for line in found} == {
        "active_modules.a.module",
        "active_modules.b.config_module.limit",
        "active_modules.c.connections.source",
        "provides.main.interface",
    }


def test_a_config_that_breaks_its_schema_still_tells_of_unknown_modules(house: House) -> None:
    found = complaints(house, house.config("nonsense: 1\nactive_modules:\n  a: {module: Nobody}\n"))
    assert [line.split(": ")[1] for line in found] == ["nonsense", "active_modules.a.module"]


def test_mistakes_against_the_schema_do_not_hide_those_in_other_modules(house: House) -> None:
    found = complaints(
        house,
        house.config(
            """
            settings: {validate_schema: maybe}
            active_modules:
              a:
                module: Demo
                mapping: {module: {connector: 1}}
              b: {module: Limited, config_module: {limit: many}}
              c: {module: User, connections: {source: [{module_id: a, implementation_id: main}]}}
              d: {module: User, connections: {source: [{module_id: e, implementation_id: main}]}}
              f: {module: User, conections: {}}
              g: {}
              h: {module: Nobody}
            """
        ),
    )
    assert sorted(line.split(": ")[0].rpartition(":")[2] + " " + line.split(": ")[1] for line in found) == [
        "1 settings.validate_schema",
        "10 active_modules.g",
        "11 active_modules.h.module",
        "5 active_modules.a.mapping.module",
        "6 active_modules.b.config_module.limit",
        "8 active_modules.d.connections.source[0].module_id",
        "9 active_modules.f.conections",
    ]


def test_a_mistake_against_the_schema_hides_none_beside_it_in_the_same_module(house: House) -> None:
    config = house.config("""
        active_modules:
          user:
            module: User
            mapping: {module: {connector: 1}}
            connections:
              spare: {module_id: none}
              sourc: [{module_id: none, implementation_id: main}]
          other:
            module: User
            connections:
              source: [{module_id: limited}, {module_id: limited, implementation_id: man}]
          limited:
            module: Limited
            capabilities: none
            config_module: {limit: [1], name: 5}
            config_implementation: {main: 3, none: {}}
        """)
    assert [line.partition(": ")[2] for line in complaints(house, config)] == [
        'active_modules.limited.capabilities: "none" is not of type array; write a value of type array',
        "active_modules.limited.config_implementation.main: 3 is not of type object; write a value of type object",
        "active_modules.limited.config_module.limit: [1] is not of type boolean or integer or number or string; "
        "write a value of type boolean or integer or number or string",
        'active_modules.other.connections.source[0]: "implementation_id" is missing; add "implementation_id:"',
        'active_modules.user.connections.spare: {"module_id": "none"} is not of type array; '
        "write a value of type array",
        'active_modules.user.mapping.module: "evse" is missing; add "evse:"',
        "active_modules.limited.config_implementation.none: module Limited provides no such implementation; "
        "there are: main",
        'active_modules.limited.config_module.name: 5 is not of type string; write a string, in quotes: "..."',
        "active_modules.other.connections.source: 2 connections, but exactly 1 needed "
        '(interface "demo"); remove connections',
        "active_modules.other.connections.source[1].implementation_id: module limited (Limited) provides no "
        'implementation "man"; did you mean "main"?',
        'active_modules.user.connections.sourc: module User has no such requirement; did you mean "source"?',
        'active_modules.user.connections.source: 0 connections, but exactly 1 needed (interface "demo"); '
        "connect an implementation of demo",
    ]


def test_an_undeclared_requirement_without_connections_is_not_noticed(house: House) -> None:
    """Bus 6.6, point 8, as in the original."""
    stack = house.load(house.config("active_modules: {one: {module: Demo, connections: {nothing: []}}}\n"))
    assert list(stack.modules) == ["one"]


def test_warnings_are_told_beside_mistakes(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.manifest("Odd", "requires: {spare: {interface: demi}, other: {interface: far_away, min_connections: 0}}")
    config = house.config("active_modules:\n  one: {module: Odd}\n  two: {module: Nobody}\n  two: {module: Nobody}\n")
    assert cli.main(["--prefix", str(house.root), "--check", "--config", str(config)]) == 1
    lines = capsys.readouterr().err.replace(f"{house.root}/", "").splitlines()
    assert lines[0] == "everest-manager: 2 problems found"
    assert lines[1].startswith(f"{CONFIG}:4: active_modules.two.module: ")
    assert lines[2].startswith(f"{CONFIG}:2: active_modules.one.connections.spare: 0 connections")
    assert lines[3:] == [
        f"warning: {CONFIG}:4: key 'two' is there twice (first in line 3); the last counts",
        f'warning: {MODULES}/Odd/manifest.yaml:3: requires.spare.interface: there is no interface "demi" in '
        'share/everest/interfaces; did you mean "demo"?',
    ]


MANIFEST = f"{MODULES}/Bad/manifest.yaml"
MANIFESTS = {
    "unknown key": (
        "enable_external_mqt: true\n",
        f'{MANIFEST}:3: enable_external_mqt: unknown key; did you mean "enable_external_mqtt"?',
    ),
    "no interface": (
        "provides:\n  main: {description: Nothing}\n",
        f'{MANIFEST}:4: provides.main: "interface" is missing; add "interface:"',
    ),
    "unknown interface": (
        "provides:\n  main: {description: Nothing, interface: demmo}\n",
        f'{MANIFEST}:4: provides.main.interface: there is no interface "demmo" in share/everest/interfaces; '
        'did you mean "demo"?',
    ),
    "type that is none": (
        "config:\n  a: {type: boolen, description: A switch}\n",
        f'{MANIFEST}:4: config.a.type: "boolen" is not allowed; did you mean "boolean"?',
    ),
    "default of another type": (
        "config:\n  a:\n    type: boolean\n    description: A switch\n    default: 'true'\n",
        f'{MANIFEST}:7: config.a.default: "true" is not of type bool; write true or false',
    ),
    "negative min_connections": (
        "requires:\n  a: {interface: demo, min_connections: -1}\n",
        f"{MANIFEST}:4: requires.a.min_connections: -1 is out of range; write at least 0",
    ),
    "empty provides": (
        "provides: {}\n",
        f"{MANIFEST}:3: provides: is empty; write at least 1 or leave the key out",
    ),
}


@pytest.mark.parametrize(("text", "expected"), MANIFESTS.values(), ids=MANIFESTS.keys())
def test_a_mistake_in_a_manifest_is_named_with_line_key_and_fix(house: House, text: str, expected: str) -> None:
    house.manifest("Bad", text)
    assert complaints(house, house.config("active_modules: {bad: {module: Bad}}\n")) == [expected]


INTERFACE = "share/everest/interfaces/bad.yaml"
INTERFACES = {
    "argument without type": (
        "description: Bad\ncmds:\n  go:\n    description: Go\n    arguments:\n      a: {description: What}\n",
        f'{INTERFACE}:6: cmds.go.arguments.a: "type" is missing; add "type:"',
    ),
    "argument of type null": (
        "description: Bad\ncmds:\n  go:\n    description: Go\n    arguments:\n"
        "      a: {description: What, type: 'null'}\n",
        f'{INTERFACE}:6: cmds.go.arguments.a.type: "null" is not allowed; '
        "there are: array, boolean, integer, number, object, string",
    ),
    "default of a variable": (
        "description: Bad\nvars:\n  v:\n    description: What\n    type: integer\n    default: 1\n",
        f"{INTERFACE}:6: vars.v.default: this key is not allowed here; remove it",
    ),
    "schema that is none": (
        "description: Bad\nvars:\n  v:\n    description: What\n    type: integer\n    minimum: low\n",
        f"{INTERFACE}:6: vars.v.minimum: is not a JSON schema (draft-07): 'low' is not of type 'number'; "
        "correct the schema",
    ),
    "unknown errors file": (
        "description: Bad\nerrors:\n  - reference: /errors/demmo\n",
        f'{INTERFACE}:3: errors[0].reference: there is no errors file "demmo" in share/everest/errors; '
        'did you mean "demo"?',
    ),
    "error referenced twice": (
        "description: Bad\nerrors:\n  - reference: /errors/demo\n  - reference: /errors/demo#/OverHeat\n",
        f"{INTERFACE}:4: errors[1].reference: demo/OverHeat is referenced twice; remove one of the references",
    ),
    "reference that is none": (
        "description: Bad\nerrors:\n  - reference: demo\n",
        f'{INTERFACE}:3: errors[0].reference: "demo" does not have the required form; '
        "it must match ^/errors/[a-z][a-zA-Z0-9_]*(#/[A-Z][A-Za-z0-9]*)?$",
    ),
}


@pytest.mark.parametrize(("text", "expected"), INTERFACES.values(), ids=INTERFACES.keys())
def test_a_mistake_in_an_interface_is_named_with_line_key_and_fix(house: House, text: str, expected: str) -> None:
    house.write(INTERFACE, text)
    house.manifest("Bad", "provides: {main: {interface: bad, description: Bad}}")
    assert complaints(house, house.config("active_modules: {bad: {module: Bad}}\n")) == [expected]


def test_broken_types_and_errors_files_are_found_with_validate_schema_only(house: House) -> None:
    house.write("share/everest/types/bad.yaml", "description: Bad\ntypes:\n  T: {type: object}\n")
    house.write("share/everest/errors/bad.yaml", "description: Bad\nerrors:\n  - {name: lower, description: Bad}\n")
    modules = "active_modules: {demo: {module: Demo}}\n"
    assert house.load(house.config(modules)).types == {}
    assert complaints(house, house.config("settings: {validate_schema: true}\n" + modules)) == [
        'share/everest/types/bad.yaml:3: types.T: "description" is missing; add "description:"',
        'share/everest/errors/bad.yaml:3: errors[0].name: "lower" does not have the required form; '
        "it must match ^[A-Z][A-Za-z0-9]*$",
    ]


def test_mistakes_in_the_user_config_name_the_user_config(house: House) -> None:
    house.write(
        "etc/everest/user-config/config.yaml", '{"active_modules": {"one": {"config_module": {"limit": "x"}}}}\n'
    )
    config = house.config("active_modules:\n  one:\n    module: Limited\n    config_module: {limit: 3}\n")
    assert complaints(house, config) == [
        "etc/everest/user-config/config.yaml:1: active_modules.one.config_module.limit: "
        '"x" is not of type integer; write a whole number, like 16'
    ]


def test_unknown_parameters_duplicate_keys_and_idle_mappings_are_warnings(house: House) -> None:
    config = house.config(
        """
        active_modules:
          one:
            module: Limited
            config_module:
              limit: 3
              limit: 4
              nme: x
            mapping:
              implementations:
                mian: {evse: 1}
        """
    )
    stack = house.load(config)
    assert [warning.replace(f"{house.root}/", "") for warning in stack.warnings] == [
        f"{CONFIG}:6: key 'limit' is there twice (first in line 5); the last counts",
        f"{CONFIG}:10: active_modules.one.mapping.implementations.mian: module Limited provides no such "
        "implementation; the mapping has no effect",
        f"{CONFIG}:7: active_modules.one.config_module.nme: the manifest has no such parameter, it is ignored; "
        'did you mean "name"?',
    ]
    assert stack.modules["one"].parameters["!module"][0].value == 4


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (
            "{mqtt_external_prefix: everest/}",
            'mqtt_everest_prefix and mqtt_external_prefix are both "everest/"; make them different',
        ),
        (
            "{mqtt_broker_socket_path: /run/b, mqtt_broker_host: here}",
            "a broker socket (/run/b) and a broker host (here) are both given; keep one of them",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_a_boot_error(house: House, settings: str, complaint: str) -> None:
    with pytest.raises(BootError) as caught:
        house.load(house.config(f"settings: {settings}\n"))
    assert str(caught.value) == complaint


def test_a_prefix_without_its_directories_is_a_boot_error(house: House) -> None:
    (house.root / "share" / "everest" / "www").rmdir()
    with pytest.raises(BootError, match=r"share/everest/www is not a directory \(www_dir\)"):
        house.load(house.config("active_modules: {}\n"))
