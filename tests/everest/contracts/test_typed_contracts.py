"""The generated classes as modules use them: round trips, optional members, enums, tables, and what they import."""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from everest.contracts.interfaces.auth_token_provider import AuthTokenProviderImplementation
from everest.contracts.interfaces.evse_manager import COMMANDS, EvseManagerClient, EvseManagerImplementation
from everest.contracts.interfaces.kvs import KvsImplementation
from everest.contracts.interfaces.system import SystemClient, SystemImplementation
from everest.contracts.types.authorization import IdToken, IdTokenType, ProvidedIdToken
from everest.contracts.types.board_support_common import ProximityPilotAmpacity
from everest.contracts.types.display_message import DisplayMessageStatusEnum, SetDisplayMessageResponse
from everest.contracts.types.energy import EnergyFlowRequest
from everest.contracts.types.evse_manager import SessionEvent, SessionEventEnum, StopTransactionReason
from everest.contracts.types.powermeter import Powermeter
from everest.contracts.types.system import BootReason, FirmwareUpdateMetadata
from everest.contracts.types.units import Energy
from everest.runtime.yaml_file import load

ROOT = Path(__file__).parents[3]
INTERFACES = sorted(path.stem for path in (ROOT / "interfaces").glob("*.yaml"))
TYPES = sorted(path.stem for path in (ROOT / "types").glob("*.yaml"))

SESSION_EVENT = {
    "uuid": "f7050e42",
    "timestamp": "2026-03-01T12:00:00.123Z",
    "event": "TransactionFinished",
    "transaction_finished": {
        "meter_value": {
            "timestamp": "2026-03-01T12:00:00.000Z",
            "energy_Wh_import": {"total": 1234.5, "L1": 400.0},
            "VAR": {"total": 0.25},
        },
        "reason": "Local",
        "id_tag": {"id_token": {"value": "TAG1", "type": "ISO14443"}, "authorization_type": "RFID", "connectors": [1]},
    },
}


def encoded(value: Any) -> Any:
    return json.loads(msgspec.json.encode(value))


def test_a_nested_event_is_decoded_into_typed_values_and_back() -> None:
    event = msgspec.json.decode(json.dumps(SESSION_EVENT), type=SessionEvent)
    assert event.event is SessionEventEnum.TransactionFinished
    assert event.transaction_finished is not None
    assert event.transaction_finished.reason is StopTransactionReason.Local
    assert event.transaction_finished.meter_value.energy_Wh_import.total == 1234.5
    assert event.transaction_finished.id_tag is not None
    assert event.transaction_finished.id_tag.id_token.type is IdTokenType.ISO14443
    assert encoded(event) == SESSION_EVENT


def test_what_is_absent_stays_absent() -> None:
    token = ProvidedIdToken(id_token=IdToken(value="A", type="Local"), authorization_type="RFID")  # type: ignore[arg-type]
    assert token.connectors is None
    assert encoded(token) == {"id_token": {"value": "A", "type": "Local"}, "authorization_type": "RFID"}


def test_an_empty_list_is_not_absent() -> None:
    decoded = msgspec.json.decode(
        b'{"id_token":{"value":"A","type":"Local"},"authorization_type":"RFID","connectors":[]}', type=ProvidedIdToken
    )
    assert decoded.connectors == []
    assert encoded(decoded)["connectors"] == []


def test_null_counts_as_absent() -> None:
    assert msgspec.json.decode(b'{"total": 1, "L1": null}', type=Energy) == Energy(total=1.0)


def test_a_missing_required_member_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="total"):
        msgspec.json.decode(b'{"L1": 1}', type=Energy)


def test_a_wrong_type_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="float"):
        msgspec.json.decode(b'{"total": "1"}', type=Energy)


def test_an_unknown_enum_value_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="enum"):
        msgspec.json.decode(b'"Sometimes"', type=BootReason)


def test_members_nobody_knows_are_passed_over() -> None:
    assert msgspec.json.decode(b'{"total": 2.0, "L9": 1}', type=Energy) == Energy(total=2.0)


def test_lengths_and_ranges_are_not_checked_by_the_types() -> None:
    long = msgspec.json.decode(json.dumps({"value": "x" * 99, "type": "Central"}), type=IdToken)
    assert len(long.value) == 99


def test_whole_numbers_become_floats_and_stay_floats() -> None:
    energy = msgspec.json.decode(b'{"total": 5}', type=Energy)
    assert isinstance(energy.total, float)
    assert msgspec.json.encode(energy) == b'{"total":5.0}'


def test_times_stay_text_as_they_came() -> None:
    reading = msgspec.json.decode(b'{"timestamp": "", "energy_Wh_import": {"total": 0}}', type=Powermeter)
    assert reading.timestamp == ""


def test_a_default_of_the_schema_does_not_appear_on_the_wire() -> None:
    assert FirmwareUpdateMetadata().disable_connectors_during_install is None
    assert encoded(FirmwareUpdateMetadata()) == {}


def test_an_enum_behind_a_wrongly_typed_reference_is_the_enum() -> None:
    decoded = msgspec.json.decode(b'{"status": "Accepted"}', type=SetDisplayMessageResponse)
    assert decoded.status is DisplayMessageStatusEnum.Accepted


def test_enum_members_are_strings_and_keywords_get_an_underscore() -> None:
    assert ProximityPilotAmpacity.None_ == "None"
    assert f"{ProximityPilotAmpacity.A_13}" == "A_13"


def test_a_type_may_contain_itself() -> None:
    node: dict[str, Any] = {
        "uuid": "a", "node_type": "Generic", "schedule_import": [], "schedule_export": [], "schedule_setpoints": [],
        "children": [],
    }  # fmt: skip
    tree = msgspec.json.decode(json.dumps({**node, "children": [node]}), type=EnergyFlowRequest)
    assert tree.children[0].uuid == "a"


def test_commands_are_abstract_for_the_provider() -> None:
    with pytest.raises(TypeError, match="abstract"):
        KvsImplementation()  # type: ignore[abstract]
    assert AuthTokenProviderImplementation().interface == "auth_token_provider"


def test_parameters_of_a_command_are_its_arguments_on_both_sides() -> None:
    for side in (EvseManagerImplementation, EvseManagerClient):
        assert list(inspect.signature(side.enable_disable).parameters) == ["self", "connector_id", "cmd_source"]


async def test_a_client_calls_by_name_with_typed_arguments_and_result() -> None:
    calls: list[tuple[str, Any, Any]] = []

    class Recorder(SystemClient):
        def __init__(self) -> None:
            pass

        async def _call(self, command: str, arguments: Any, result: Any) -> Any:
            calls.append((command, arguments, result))
            return BootReason.PowerUp

    client = Recorder()
    assert await client.get_boot_reason() is BootReason.PowerUp
    await client.set_system_time("2026-01-01T00:00:00Z")
    assert calls == [
        ("get_boot_reason", {}, BootReason),
        ("set_system_time", {"timestamp": "2026-01-01T00:00:00Z"}, bool),
    ]


def test_a_client_subscribes_and_a_provider_publishes_by_the_name_of_the_variable() -> None:
    seen: list[Any] = []

    class Subscriber(EvseManagerClient):
        def __init__(self) -> None:
            pass

        def _subscribe(self, variable: str, type: Any, handler: Any) -> None:
            seen.append((variable, type))

    class Publisher(AuthTokenProviderImplementation):
        def _publish(self, variable: str, value: Any) -> None:
            seen.append((variable, value))

    Subscriber().on_session_event(lambda event: None)
    token = ProvidedIdToken(id_token=IdToken(value="A", type=IdTokenType.Local), authorization_type="RFID")  # type: ignore[arg-type]
    Publisher().publish_provided_token(token)
    assert seen == [("session_event", SessionEvent), ("provided_token", token)]


def test_the_tables_tell_types_and_errors() -> None:
    assert COMMANDS["get_evse"].arguments == {}
    assert COMMANDS["withdraw_authorization"].result is None
    assert COMMANDS["reserve"].arguments == {"reservation_id": int}
    assert SystemImplementation.errors == ("system/CommunicationFault",)
    assert "evse_manager/Inoperative" in EvseManagerImplementation.errors


@pytest.mark.parametrize("name", INTERFACES)
def test_tables_name_exactly_what_the_interface_file_names(name: str) -> None:
    data = load(ROOT / "interfaces" / f"{name}.yaml").data
    module = importlib.import_module(f"everest.contracts.interfaces.{name}")
    commands = data.get("cmds") or {}
    assert list(module.COMMANDS) == list(commands)
    assert list(module.VARIABLES) == list(data.get("vars") or {})
    for command, entry in commands.items():
        assert list(module.COMMANDS[command].arguments) == list(entry.get("arguments") or {})
        assert (module.COMMANDS[command].result is None) == ("result" not in entry)
    for kind in [*module.VARIABLES.values(), *(command.result for command in module.COMMANDS.values())]:
        msgspec.json.Decoder(kind)


@pytest.mark.parametrize("stem", TYPES)
def test_every_type_of_a_file_has_a_class_that_can_be_decoded(stem: str) -> None:
    module = importlib.import_module(f"everest.contracts.types.{stem}")
    for name, schema in load(ROOT / "types" / f"{stem}.yaml").data["types"].items():
        kind = getattr(module, name)
        msgspec.json.Decoder(kind)
        if schema["type"] == "object":
            fields = {field.encode_name: field.required for field in msgspec.structs.fields(kind)}
            assert fields == {key: key in schema.get("required", []) for key in schema["properties"]}, name
        else:
            assert [member.value for member in kind] == schema["enum"], name


def test_one_interface_imports_only_the_types_it_reaches() -> None:
    program = (
        "import sys, everest.contracts.interfaces.auth_token_validator;"
        "print(*sorted(name for name in sys.modules if name.startswith('everest.contracts.')))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert output.split() == [
        "everest.contracts.interfaces",
        "everest.contracts.interfaces.auth_token_validator",
        "everest.contracts.types",
        "everest.contracts.types.authorization",
        "everest.contracts.types.grid_support",
        "everest.contracts.types.iso15118",
        "everest.contracts.types.text_message",
    ]
