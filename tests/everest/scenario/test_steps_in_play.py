"""The steps for network, time, files and chance do what the reference page says."""

from __future__ import annotations

import asyncio
import signal
import threading
from pathlib import Path

import pytest
import yaml

from everest.manager import paths
from everest.manager.broker import find_mosquitto
from everest.scenario import reading
from everest.scenario.csms import Frame
from everest.scenario.model import Outcome
from everest.scenario.run import play

CHARGING = """\
  - {car: plug}
  - {card: ME}
  - {expect: StatusNotification, with: {connectorId: 1, status: Charging}}
"""


def played(
    tmp_path: Path, steps: str, head: str = "", *, virtual: bool = True, frames: list[Frame] | None = None
) -> Outcome:
    file = tmp_path / "played.yaml"
    file.write_text(f"scenario: S\n{head}steps:\n{steps}")
    folder = tmp_path / "state"
    folder.mkdir(exist_ok=True)
    return play(reading.load(file), folder, virtual=virtual, frames=frames)


def assert_passed(outcome: Outcome) -> None:
    assert outcome.passed, [outcome.failure, *(v.problem for v in outcome.verdicts if v.problem)]


def problem(outcome: Outcome) -> str:
    return next(verdict.problem for verdict in outcome.verdicts if verdict.problem)


def test_late_answers_come_after_the_time_that_was_told(tmp_path: Path) -> None:
    frames: list[Frame] = []
    steps = "  - {network: {late: 7 s}}\n  - {car: plug}\n  - {expect: StatusNotification}\n  - {wait: 10 s}\n"
    assert_passed(played(tmp_path, steps, frames=frames))
    asked = next(f for f in frames if f.action == "StatusNotification" and f.time > 2)
    answered = next(f for f in frames if not f.sent and f.message[1] == asked.message[1])
    assert answered.time - asked.time == pytest.approx(7)


def test_a_network_that_refuses_keeps_the_line_that_is_open(tmp_path: Path) -> None:
    steps = "  - {network: refuse}\n  - {csms: ClearCache, answer: Accepted}\n"
    assert_passed(played(tmp_path, steps))


def test_a_network_that_hangs_answers_when_it_is_online_again(tmp_path: Path) -> None:
    steps = """\
  - {network: hang}
  - {car: plug}
  - {card: ME}
  - {none: StartTransaction, for: 10 s}
  - {network: online}
  - {expect: StartTransaction}
"""
    assert_passed(played(tmp_path, steps))


def test_wait_until_ends_when_the_clock_says_so(tmp_path: Path) -> None:
    steps = "  - {power: 'off'}\n  - {wait: 'until 07:30'}\n  - {power: 'on'}\n  - {expect: BootNotification}\n"
    outcome = played(tmp_path, steps)
    assert_passed(outcome)
    assert outcome.verdicts[2].at == pytest.approx(23.5 * 3600)


def test_rounds_choose_anew_and_their_steps_are_numbered(tmp_path: Path) -> None:
    steps = "  - repeat: 8\n    steps:\n      - choose: {who: [A, B], long: 1 .. 3}\n      - wait: $long\n"
    outcome = played(tmp_path, steps)
    assert_passed(outcome)
    assert [v.step.number for v in outcome.verdicts][:3] == ["1.1.1", "1.1.2", "1.2.1"]
    assert {v.seconds for v in outcome.verdicts[1::2]} == {1.0, 2.0, 3.0}
    again = played(tmp_path, steps)
    assert [v.step.value for v in again.verdicts] == [v.step.value for v in outcome.verdicts]


UPLOAD = """\
  - {csms: GetDiagnostics, payload: {location: $files/}, save: {name: fileName}}
  - {upload: $name, with: {size: "> 100"}}
"""
DOWNLOAD = """\
  - {csms: UpdateFirmware, payload: {location: $files/a.bin, retrieveDate: $now}}
  - {order: [{FirmwareStatusNotification: {status: Downloading}}, {FirmwareStatusNotification: {status: %s}}]}
"""


@pytest.mark.parametrize("virtual", [True, False])
def test_files_are_fetched_and_brought(tmp_path: Path, virtual: bool) -> None:
    head = "csms: {files: {a.bin: served}}\n"
    assert_passed(played(tmp_path, UPLOAD + DOWNLOAD % "Downloaded", head, virtual=virtual))


@pytest.mark.parametrize("state", ["missing", "broken"])
@pytest.mark.parametrize("virtual", [True, False])
def test_a_file_that_cannot_be_fetched_is_a_failed_download(tmp_path: Path, state: str, virtual: bool) -> None:
    head = f"csms: {{files: {{a.bin: {state}}}}}\n"
    assert_passed(played(tmp_path, DOWNLOAD % "DownloadFailed", head, virtual=virtual))


@pytest.mark.parametrize("virtual", [True, False])
def test_an_upload_that_is_refused_does_not_arrive(tmp_path: Path, virtual: bool) -> None:
    steps = UPLOAD.replace('"> 100"}}', '"> 100"}, within: 5 s}')
    outcome = played(tmp_path, "  - files: {'*': refused}\n" + steps, virtual=virtual)
    assert "within 5 s; there was none" in problem(outcome)


def test_readings_that_do_not_rise_fail(tmp_path: Path) -> None:
    rising = "  - {rising: Energy.Active.Import.Register, within: 40 s}\n"
    assert_passed(played(tmp_path, CHARGING + rising))
    paused = "  - {car: pause}\n  - {wait: 1 s}\n  - {rising: Energy.Active.Import.Register, within: 40 s}\n"
    assert "no 2 rising readings" in problem(played(tmp_path, CHARGING + paused))


def test_a_strict_order_suffers_no_other_of_its_kind(tmp_path: Path) -> None:
    order = """\
  - order: [{StatusNotification: {connectorId: 1, status: Charging}}]
    strict: true
"""
    said = problem(played(tmp_path, "  - {car: plug}\n  - {card: ME}\n" + order))
    assert 'comes next; there was StatusNotification {"connectorId": 1' in said
    assert_passed(
        played(tmp_path, "  - {car: plug}\n  - {card: ME}\n" + order.replace("strict: true", "strict: false"))
    )


def test_a_text_is_published_on_the_external_bus(tmp_path: Path) -> None:
    topic = "everest_external/nodered/1/carsim/cmd/modify_charging_session"
    ended = "  - {expect: StopTransaction, with: {reason: EVDisconnected}}\n"
    assert_passed(played(tmp_path, f"{CHARGING}  - {{publish: {topic}, payload: unplug}}\n{ended}"))


def test_a_car_may_do_other_commands(tmp_path: Path) -> None:
    steps = """\
  - {car: plug, commands: "sleep 1;iec_wait_pwr_ready;sleep 1;draw_power_regulated 6,1;sleep 3600"}
  - {card: ME}
  - {wait: 15 s}
  - expect: MeterValues
    with: {meterValue: {sampledValue: {measurand: Current.Import, phase: L1, value: "< 7"}}}
"""
    assert_passed(played(tmp_path, steps))


def test_a_failure_tells_what_the_station_logged(tmp_path: Path) -> None:
    outcome = played(tmp_path, "  - {choose: {what: [fly away]}}\n  - {car: $what}\n")
    assert "unknown command 'fly'" in " ".join(outcome.verdicts[1].details)


def test_a_station_that_does_not_start_tells_why(tmp_path: Path) -> None:
    outcome = played(tmp_path, "  - {wait: 1 s}\n", "station: {ocpp: {SupportedFeatureProfiles: Core.Nope}}\n")
    assert outcome.failure == "the station did not start"
    details = " ".join(outcome.details)
    assert "Core.SupportedFeatureProfiles: unknown feature profile 'Core.Nope'" in details


def test_a_configuration_beside_the_file_is_the_station(tmp_path: Path) -> None:
    stack = yaml.safe_load(paths.resolve().default_config.read_text())
    modules = stack["active_modules"]
    del modules["evse_manager_2"]
    for module in modules.values():
        for ends in module.get("connections", {}).values():
            ends[:] = [end for end in ends if end["module_id"] != "evse_manager_2"]
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(stack))
    head = "station: {config: small.yaml, ocpp: {NumberOfConnectors: 1}}\n"
    steps = """\
  - {expect: StatusNotification, with: {connectorId: 1}}
  - {none: StatusNotification, with: {connectorId: 2}}
"""
    assert_passed(played(tmp_path, steps, head))
    outcome = played(tmp_path, "  - {car: plug, connector: 2}\n", head)
    assert "there is no connector 2; there are: 1" in outcome.failure


def test_names_that_the_stack_has_not_are_told_before_anything_is_played(tmp_path: Path) -> None:
    outcome = played(tmp_path, "  - {card: X, connector: 7}\n  - {event: Sesion}\n  - {error: x/Y}\n")
    assert not outcome.verdicts
    assert [line.split("played.yaml:")[1][:28] for line in outcome.failure.splitlines()] == [
        "3: steps[0].connector: there", "4: steps[1].event: the stati", "5: steps[2].error: the stati",
    ]  # fmt: skip


def test_ctrl_c_ends_the_scenario_with_the_verdicts_so_far(tmp_path: Path) -> None:
    threading.Timer(4, lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)).start()
    outcome = played(tmp_path, "  - {csms: ClearCache, answer: Accepted}\n  - {wait: 60 s}\n", virtual=False)
    assert (outcome.interrupted, outcome.failure) == (True, "interrupted")
    assert [verdict.passed for verdict in outcome.verdicts] == [True]
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


@pytest.mark.skipif(find_mosquitto() is None, reason="needs mosquitto")
def test_modules_as_processes_are_killed_by_a_power_loss_and_start_again(tmp_path: Path) -> None:
    steps = """\
  - {fault: PermanentFault}
  - {expect: StatusNotification, with: {connectorId: 1, status: Faulted}}
  - {error: evse_manager/Inoperative, connector: 1}
  - {power: 'off'}
  - {power: 'on'}
  - {expect: BootNotification}
  - {csms: ClearCache, answer: Accepted}
"""
    file = tmp_path / "played.yaml"
    file.write_text(f"scenario: S\nsteps:\n{steps}")
    assert_passed(play(reading.load(file), tmp_path, virtual=False, processes=True))


def test_a_command_of_a_module_is_called_and_its_result_is_looked_at(tmp_path: Path) -> None:
    steps = """\
  - {call: evse_manager_2/evse/get_evse, result: {id: 2}, save: {number: id}}
  - {car: plug, connector: $number}
  - {call: evse_manager_2/evse/enable_disable, arguments: {connector_id: 0, cmd_source: {enable_source: LocalAPI,
      enable_state: Disable, enable_priority: 1}}, result: false}
  - {expect: StatusNotification, with: {connectorId: 2, status: Unavailable}}
"""
    assert_passed(played(tmp_path, steps))


def test_a_command_that_gives_something_else_or_fails_is_told(tmp_path: Path) -> None:
    other = "  - {call: evse_manager_2/evse/get_evse, result: {id: 1}}\n"
    assert "evse_manager_2/evse/get_evse gave " in problem(played(tmp_path, other))
    assert problem(played(tmp_path, other)).endswith("id is 2, expected 1")
    nobody = "  - {call: ocpp/data_transfer/data_transfer, arguments: {request: {vendor_id: X}}, within: 1 ms}\n"
    late = "  - {network: hang}\n" + nobody
    assert problem(played(tmp_path, late)) == "ocpp/data_transfer/data_transfer was not answered within 0.001 s"


def test_an_expectation_saves_what_only_the_answer_of_the_central_system_has(tmp_path: Path) -> None:
    steps = """\
  - {network: {late: 3 s}}
  - {car: plug}
  - {card: ME}
  - {expect: StartTransaction, save: {tx: transactionId, card: idTag, status: idTagInfo.status}}
  - {network: online}
  - {car: unplug}
  - {expect: StopTransaction, with: {transactionId: $tx, idTag: absent}}
  - {card: $card}
  - {expect: Authorize, with: {idTag: ME}}
"""
    assert_passed(played(tmp_path, steps))


def test_an_answer_that_does_not_come_cannot_be_saved(tmp_path: Path) -> None:
    refused = "csms: {answers: {StartTransaction: {error: InternalError}}}\n"
    step = "  - {expect: StartTransaction, save: {tx: transactionId}}\n"
    told = played(tmp_path, "  - {car: plug}\n  - {card: ME}\n" + step, refused)
    assert problem(told) == 'StartTransaction was answered by the central system with "InternalError"'
    steps = """\
  - {car: plug}
  - {expect: StatusNotification, with: {status: Preparing}}
  - {network: hang}
  - {card: ME}
  - {expect: Authorize, save: {said: idTagInfo.status}}
"""
    assert problem(played(tmp_path, steps)) == "Authorize was not answered by the central system within 30 s"


def test_a_raw_error_code_is_sent_as_it_is(tmp_path: Path) -> None:
    frames: list[Frame] = []
    head = "csms: {answers: {BootNotification: [{error: {raw: Whatever}}]}}\n"
    assert_passed(played(tmp_path, "  - {expect: BootNotification}\n  - {wait: 1 s}\n", head, frames=frames))
    assert next(frame.message[2] for frame in frames if not frame.sent) == "Whatever"


def test_a_raw_answer_is_sent_as_it_is(tmp_path: Path) -> None:
    frames: list[Frame] = []
    head = "csms: {answers: {BootNotification: [{raw: {error: 5}}]}}\n"
    assert_passed(played(tmp_path, "  - {expect: BootNotification}\n  - {wait: 1 s}\n", head, frames=frames))
    assert next(frame.message[2] for frame in frames if not frame.sent) == {"error": 5}
