"""What steps say about the bus is held against the interfaces and types of the stack: each mistake has its place, its
line and the fix, and all are told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from everest.manager import cli, paths
from everest.scenario import contracts, reading
from everest.scenario.model import Outcome
from everest.scenario.run import examine, play

HEAD = "scenario: S\nsteps:\n"
LIMITS = "evse_manager_1/external_limits/set_external_limits"
TRANSFER = "ocpp/data_transfer/data_transfer"
STOP = "evse_manager_1/evse/stop_transaction"


def file_of(tmp_path: Path, *lines: str, head: str = HEAD) -> Path:
    file = tmp_path / "x.yaml"
    file.write_text(head + "".join(f"  - {line}\n" for line in lines))
    return file


def told(tmp_path: Path, *lines: str, head: str = HEAD) -> list[str]:
    file = file_of(tmp_path, *lines, head=head)
    _, problems = examine(file, tmp_path)
    return [str(problem).removeprefix(f"{file}:") for problem in problems]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        # names
        ("{variable: ocp/main/is_connected}", 'variable: the station has no module "ocp"; did you mean "ocpp"?'),
        ("{variable: ocpp/mian/is_connected}", 'variable: ocpp has no implementation "mian"; did you mean "main"?'),
        ("{variable: ocpp/main/is_conected}", 'variable: ocpp/main has no variable "is_conected"; did you mean "is_co'),
        ("{call: evse_manager_1/evse/get_evs}",
         'call: evse_manager_1/evse has no command "get_evs"; did you mean "get'),
        ("{call: evse_manager_3/evse/get_evse}", 'call: the station has no module "evse_manager_3"; did you mean "evs'),
        ("{event: SesionStarted}", 'event: the station has no event "SesionStarted"; did you mean "SessionStarted"?'),
        ("{error: ac_rcd/CD}", 'error: the station has no error "ac_rcd/CD"; did you mean "ac_rcd/DC"?'),
        ("{error: generic/CommunicationFalt, connector: 1}", 'error: evse_manager_1 has no error "generic/Communica'),
        # fields, at any depth
        ("{event: SessionStarted, with: {session_startd: {}}}", "with.session_startd: a session event has no field "
         '"session_startd"; did you mean "session_started"?'),
        ("{event: SessionStarted, with: {session_started: {id_tag: {id_token: {valu: A}}}}}",
         'with.session_started.id_tag.id_token.valu: id_token has no field "valu"; did you mean "value"?'),
        ("{variable: ocpp/main/is_connected, with: {valeu: true}}", "with.valeu: ocpp/main/is_connected has no field "
         '"valeu"; did you mean "value"?'),
        ("{variable: evse_manager_1/powermeter/powermeter, with: {power_W: {totl: 5}}}",
         "with.power_W.totl: power_W has "
         'no field "totl"; did you mean "total"?'),
        # values and types
        ("{event: SessionStarted, with: {session_started: {reason: EVConected}}}",
         "with.session_started.reason: reason "
         "is never 'EVConected'; did you mean \"EVConnected\"?"),
        ("{event: SessionStarted, with: {session_started: {reason: /^X/}}}", "with.session_started.reason: reason is "
         "never '/^X/'; there are: Authorized, EVConnected"),
        ("{event: SessionStarted, with: {connector_id: one}}",
         "with.connector_id: connector_id is never 'one'; write a "
         "whole number"),
        ("{event: SessionStarted, with: {timestamp: today}}",
         "with.timestamp: timestamp is never 'today'; write a time"),
        ("{variable: ocpp/main/is_connected, with: {value: 'no'}}", "with.value: value is never 'no'; write true or"),
        # what is kept
        ("{event: SessionStarted, save: {x: uid}}", 'save.x: a session event has no field "uid"; did you mean "uuid"?'),
        ("{variable: ocpp/main/is_connected, save: {x: status}}", "save.x: ocpp/main/is_connected has no field "
         '"status"; there are: value'),
        ("{call: evse_manager_1/evse/get_evse, save: {x: connectors.0.idd}}", "save.x: the result of get_evse has no "
         'field "connectors.0.idd"'),
        # what is asked
        (f"{{call: {TRANSFER}, arguments: {{reqest: {{vendor_id: a}}, request: {{vendor_id: a}}}}}}",
         'arguments.reqest: data_transfer has no argument "reqest"; did you mean "request"?'),
        (f"{{call: {TRANSFER}}}", 'arguments: data_transfer needs the argument "request"; write `request: ...`'),
        (f"{{call: {TRANSFER}, arguments: {{request: {{vendor: a, vendor_id: a}}}}}}", "arguments.request.vendor: "
         'request has no field "vendor"; did you mean "vendor_id"?'),
        (f"{{call: {TRANSFER}, arguments: {{request: {{}}}}}}", 'arguments.request: request needs "vendor_id"; write'),
        (f"{{call: {STOP}, arguments: {{request: {{reason: Lokal}}}}}}", "arguments.request.reason: reason cannot be "
         "'Lokal'; did you mean \"Local\"?"),
        ("{call: evse_manager_1/evse/reserve, arguments: {reservation_id: seven}}", "arguments.reservation_id: "
         "reservation_id cannot be 'seven'; write a whole number"),
        # what comes back
        (f"{{call: {TRANSFER}, arguments: {{request: {{vendor_id: a}}}}, result: {{status: Acepted}}}}",
         "result.status: status is never 'Acepted'; did you mean \"Accepted\"?"),
        ("{call: evse_manager_1/evse/get_evse, result: {conectors: []}}",
         "result.conectors: the result of get_evse has "
         'no field "conectors"; did you mean "connectors"?'),
        ("{call: evse_manager_1/evse/pause_charging, result: Accepted}",
         "result: the result of pause_charging is never "
         "'Accepted'; write true or false"),
        ("{call: evse_manager_1/evse/cancel_reservation, result: true}",
         "result: cancel_reservation gives nothing back"),
        ("{call: evse_manager_1/evse/get_evse, result: {error: NotReddy}}", "result.error: error is never 'NotReddy'; "
         'did you mean "NotReady"?'),
    ],
)  # fmt: skip
def test_what_the_bus_never_says_or_takes_is_named(tmp_path: Path, step: str, said: str) -> None:
    (found,) = told(tmp_path, step)
    assert found.startswith(f"3: steps[0].{said}")


def test_every_mistake_is_told_at_once_each_in_its_own_line(tmp_path: Path) -> None:
    found = told(
        tmp_path,
        "event: SessionStarted\n    with:\n      uid: A\n      session_started:\n        reason: Plugged",
        f"call: {LIMITS}\n    arguments:\n      value:\n        schedule_import:\n"
        "          - timestamp: $now\n            limits_to_rot: {}",
    )
    assert [line.partition(";")[0] for line in found] == [
        '5: steps[0].with.uid: a session event has no field "uid"',
        "7: steps[0].with.session_started.reason: reason is never 'Plugged'",
        '10: steps[1].arguments.value: value needs "schedule_export"',
        '10: steps[1].arguments.value: value needs "schedule_setpoints"',
        '12: steps[1].arguments.value.schedule_import[0]: schedule_import needs "limits_to_root"',
        '12: steps[1].arguments.value.schedule_import[0]: schedule_import needs "limits_to_leaves"',
        '13: steps[1].arguments.value.schedule_import[0].limits_to_rot: schedule_import has no field "limits_to_rot"',
    ]


def test_a_mistake_in_a_repeat_is_told_once(tmp_path: Path) -> None:
    (found,) = told(tmp_path, "{repeat: 3, steps: [{event: SessionStarted, with: {uid: A}}]}")
    assert found.startswith("3: steps[0].steps[0].with.uid: ")


@pytest.mark.parametrize(
    "step",
    [
        "{event: SessionStarted, with: {session_started: {reason: '*', id_tag: absent}, uuid: $files}}",
        "{event: SessionStarted, with: {session_started: {reason: /EV/}}, save: {x: session_started.meter_value}}",
        "{event: TransactionFinished, with: {transaction_finished: {meter_value: {energy_Wh_import: {total: '> 5'}}}}}",
        "{variable: ocpp/main/is_connected, with: {value: '!= true'}, save: {x: value}}",
        "{variable: evse_manager_1/energy_grid/energy_flow_request, with: {children: {children: {uuid: a}}}}",
        f"{{call: {TRANSFER}, arguments: {{request: {{vendor_id: $files}}}}, result: {{data: absent}}}}",
        f"{{call: {TRANSFER}, arguments: {{raw: {{reqest: {{}}}}}}, result: {{error: MessageParsingError}}}}",
        "{call: evse_manager_1/evse/cancel_reservation, result: null}",
        "{call: persistent_store/main/store, arguments: {key: a, value: [1, {b: c}]}}",
        "{call: persistent_store/main/load, arguments: {key: a}, result: {b: c}, save: {x: b}}",
        "{call: evse_manager_1/evse/pause_charging, result: false, save: {x: value}}",
        "{error: ac_rcd/DC, connector: 2, state: cleared}",
    ],
)
def test_what_the_bus_may_say_or_take_is_no_mistake(tmp_path: Path, step: str) -> None:
    assert told(tmp_path, step) == []


def test_a_form_that_is_wrong_is_told_once(tmp_path: Path) -> None:
    (found,) = told(tmp_path, "{variable: ocpp/main, with: {a: 1}}")
    assert found.startswith("3: steps[0].variable: cannot be 'ocpp/main'")


ONE_EVSE = """\
active_modules:
  ev:
    module: EvseManagerSim
    mapping: {module: {evse: 4}}
    config_module: {connector_id: 4}
    connections:
      store: [{module_id: persistent_store, implementation_id: main}]
  persistent_store:
    module: PersistentStore
    config_module: {sqlite_db_file_path: x.db}
"""


def test_the_stack_of_the_scenario_is_what_counts(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(ONE_EVSE)
    head = "scenario: S\nstation: {config: one.yaml}\nsteps:\n"
    found = told(
        tmp_path, "{variable: ocpp/main/is_connected}", "{car: plug}", "{fault: ac_rcd_DC, connector: 4}", head=head
    )
    assert found == [
        '4: steps[0].variable: the station has no module "ocpp"; there are: ev, persistent_store',
        "5: steps[1].car: there is no connector 1; write `connector: ...`; there are: 4",
    ]


def test_a_station_without_evses_has_no_session_events(tmp_path: Path) -> None:
    (tmp_path / "none.yaml").write_text("active_modules:\n" + ONE_EVSE[ONE_EVSE.index("  persistent_store:\n") :])
    (found,) = told(tmp_path, "{event: SessionStarted}", head="scenario: S\nstation: {config: none.yaml}\nsteps:\n")
    assert found.startswith("4: steps[0].event: no module of the station has session events")


def test_a_scenario_with_a_mistake_is_not_begun(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = file_of(tmp_path, "{event: SessionStarted, with: {uid: A}}")
    for flag in ("--check", "--virtual"):
        assert cli.main(["scenario", flag, str(file)]) == 1
        out, err = capsys.readouterr()
        assert f"{file}:3: steps[0].with.uid: a session event has no field" in err
        assert out == ""


def test_who_plays_a_file_without_the_check_hears_of_the_mistake_too(tmp_path: Path) -> None:
    outcome = played(tmp_path, f"{{call: {STOP}, arguments: {{request: {{reason: Lokal}}}}}}")
    assert "steps[0].arguments.request.reason: reason cannot be 'Lokal'" in outcome.failure


def played(tmp_path: Path, *lines: str) -> Outcome:
    scenario = reading.load(file_of(tmp_path, *lines))
    folder = tmp_path / "station"
    folder.mkdir()
    return play(scenario, folder, virtual=True)


def test_what_is_wrong_on_purpose_is_sent_as_it_is_and_its_failure_expected(tmp_path: Path) -> None:
    outcome = played(
        tmp_path,
        f"{{call: {STOP}, arguments: {{raw: {{request: {{reason: Lokal}}}}}}, "
        "result: {error: MessageParsingError, message: /reason/}, save: {why: error}}",
        f"{{call: {STOP}, arguments: {{request: {{reason: Local}}}}, result: false, save: {{stopped: value}}}}",
        f"{{call: {STOP}, arguments: {{request: {{reason: Local}}}}, result: $stopped}}",
        f"{{call: {STOP}, arguments: {{raw: {{}}}}, result: {{error: $why}}}}",
        f"{{call: {STOP}, arguments: {{request: {{reason: Local}}}}, result: {{error: HandlerException}}}}",
    )
    assert [verdict.passed for verdict in outcome.verdicts] == [True, True, True, True, False]
    assert outcome.verdicts[-1].problem.startswith(f"{STOP} gave False: ")


def test_a_failure_that_is_not_expected_is_told(tmp_path: Path) -> None:
    (verdict,) = played(tmp_path, f"{{call: {STOP}, arguments: {{raw: {{}}}}, result: true}}").verdicts
    assert verdict.problem.startswith(f"{STOP} failed: MessageParsingError: arguments of stop_transaction")


def test_a_variable_that_is_no_object_can_be_kept(tmp_path: Path) -> None:
    outcome = played(
        tmp_path,
        "{network: offline}",
        "{variable: ocpp/main/is_connected, with: {value: false}, save: {online: value}}",
        "{network: online}",
        "{variable: ocpp/main/is_connected, with: {value: true}, within: 2 min}",
        "{network: offline}",
        "{variable: ocpp/main/is_connected, with: {value: $online}}",
    )
    assert [verdict.problem for verdict in outcome.verdicts] == [""] * 6


def test_a_type_that_is_not_there_allows_anything(tmp_path: Path) -> None:
    types = contracts.Types(tmp_path)
    assert types.resolved({"type": "object", "$ref": "/nowhere#/Nothing"}) == {}


def test_a_type_may_hold_itself() -> None:
    request = contracts.types_of(paths.resolve().types_dir).resolved({"$ref": "/energy#/EnergyFlowRequest"})
    assert request["properties"]["children"]["items"] is request
