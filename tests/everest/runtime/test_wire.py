"""Envelopes: round trips of every message kind, and every malformed message of bus 1.5."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Raw

from everest.runtime import wire
from everest.runtime.errors import (
    COMMAND_ERRORS,
    CommandError,
    HandlerException,
    SchemaValidationError,
    WireError,
)
from everest.runtime.wire import Dialect, Envelope, MessageType

TOPIC = "everest/modules/example/impl/main/var/x"
ERROR = {
    "type": "example/OverHeat",
    "sub_type": "",
    "message": "97 C",
    "description": "Device is too hot",
    "severity": "High",
    "state": "Active",
    "origin": {"module_id": "bsp", "implementation_id": "main", "mapping": {"evse": 1, "connector": 1}},
    "timestamp": "2026-03-01T12:00:00.123Z",
    "uuid": "5e7a3f64-0c3c-4c0a-9a53-3f1d0c6ad8c1",
    "vendor_id": "everest",
}


def parsed(payload: bytes) -> Envelope:
    return wire.parse(TOPIC, payload)


def message(msg_type: str, data: Any) -> bytes:
    return json.dumps({"msg_type": msg_type, "data": data}).encode()


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (wire.build_var(16.0), {"msg_type": "Var", "data": {"data": 16.0}}),
        (wire.build_var(None), {"msg_type": "Var", "data": {"data": None}}),
        (
            wire.build_command("1-2", {"key": "abc"}, "example_user"),
            {"msg_type": "Cmd", "data": {"id": "1-2", "args": {"key": "abc"}, "origin": "example_user"}},
        ),
        (
            wire.build_command_result("1-2", "example", None),
            {
                "msg_type": "CmdResult",
                "data": {"type": "result", "data": {"id": "1-2", "retval": None, "origin": "example"}},
            },
        ),
        (
            wire.build_command_error("1-2", "example", HandlerException("division by zero")),
            {
                "msg_type": "CmdResult",
                "data": {
                    "type": "result",
                    "data": {
                        "id": "1-2",
                        "origin": "example",
                        "error": {
                            "__everest__error_type": "HandlerException",
                            "__everest__error_msg": "division by zero",
                        },
                    },
                },
            },
        ),
        (wire.build_error(ERROR, cleared=False), {"msg_type": "RaiseError", "data": ERROR}),
        (wire.build_error(ERROR, cleared=True), {"msg_type": "ClearError", "data": ERROR}),
        (
            wire.build_configuration_request("example", {"type": "Module"}, dialect=Dialect.B),
            {
                "msg_type": "ConfigurationRequest",
                "data": {"type": "Get", "origin": "example", "request": {"type": "Module"}},
            },
        ),
        (
            wire.build_configuration_response({"type": "Module", "data": {}}, dialect=Dialect.B),
            {
                "msg_type": "ConfigurationResponse",
                "data": {
                    "status": "Ok",
                    "status_info": "",
                    "type": "Get",
                    "response": {"type": "Module", "data": {}},
                },
            },
        ),
        (
            wire.build_configuration_response(None, type=None, status="Error", status_info="who?", dialect=Dialect.B),
            {
                "msg_type": "ConfigurationResponse",
                "data": {"status": "Error", "status_info": "who?", "response": None},
            },
        ),
        (
            wire.build_set_request({"module_id": "t"}, "updated", dialect=Dialect.B),
            {"msg_type": "ConfigurationRequest", "data": {"identifier": {"module_id": "t"}, "value": "updated"}},
        ),
        (wire.build_metadata(["a"], dialect=Dialect.B), {"msg_type": "ConfigurationResponse", "data": ["a"]}),
        (
            wire.build_module_metadata("Example", {"main": "example"}, dialect=Dialect.B),
            {
                "msg_type": "ConfigurationResponse",
                "data": {"module": "Example", "provides": {"main": {"interface": "example"}}},
            },
        ),
        (wire.build_module_ready(), {"msg_type": "ModuleReady", "data": True}),
        (wire.build_global_ready(), {"msg_type": "GlobalReady", "data": True}),
        (wire.build_shutdown(), True),
    ],
)
def test_every_message_is_built_as_the_reference_shows_it(built: bytes, expected: Any) -> None:
    assert json.loads(built) == expected
    assert b" " not in built.replace(b"division by zero", b"").replace(b"97 C", b"").replace(b"Device is too hot", b"")


def test_dialect_a_differs_in_the_two_configuration_strings_only() -> None:
    request = json.loads(wire.build_configuration_request("m", {"type": "Module"}, dialect=Dialect.A))
    response = json.loads(wire.build_configuration_response({}, dialect=Dialect.A))
    assert (request["msg_type"], response["msg_type"]) == ("GetConfig", "GetConfigResponse")
    assert parsed(json.dumps(request).encode()).kind is MessageType.ConfigurationRequest
    assert parsed(json.dumps(response).encode()).kind is MessageType.ConfigurationResponse
    assert parsed(json.dumps(request).encode()).dialect is Dialect.A
    assert parsed(message("ConfigurationRequest", {})).dialect is Dialect.B
    assert parsed(message("Var", {"data": 1})).dialect is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_know_are_sent_as_null(value: float) -> None:
    assert json.loads(wire.build_var({"power": value})) == {"msg_type": "Var", "data": {"data": {"power": None}}}


def test_what_json_cannot_express_is_an_error_of_the_sender() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    for value in ("\ud800", deep):
        with pytest.raises(ValueError, match=r"surrogates|deeply"):
            wire.build_var(value)
    with pytest.raises(TypeError):
        wire.build_var(object())


def test_a_variable_keeps_its_value_through_the_wire() -> None:
    for value in (None, 0, 16.5, "ä☃", [1, {"a": None}], {"data": {"data": 1}}):
        assert json.loads(bytes(wire.parse_var(parsed(wire.build_var(value))))) == value


def test_a_command_and_its_result_keep_their_content_through_the_wire() -> None:
    request = wire.parse_command(parsed(wire.build_command("1-2", {"key": "abc"}, "user")))
    assert (request.id, request.origin, json.loads(bytes(request.args))) == ("1-2", "user", {"key": "abc"})
    reply = wire.parse_command_result(parsed(wire.build_command_result("1-2", "example", [1])))
    assert (reply.id, reply.origin, bytes(reply.retval), reply.error) == ("1-2", "example", b"[1]", None)


@pytest.mark.parametrize("kind", COMMAND_ERRORS.values())
def test_each_command_error_arrives_as_the_class_of_its_name(kind: type[CommandError]) -> None:
    reply = wire.parse_command_result(parsed(wire.build_command_error("1", "m", kind("why"))))
    assert type(reply.error) is kind
    assert str(reply.error) == "why"


def test_an_error_makes_a_reply_a_failure_even_beside_a_retval() -> None:
    error = {"__everest__error_type": "SchemaValidationError", "__everest__error_msg": "bad result"}
    data = {"type": "result", "data": {"id": "1", "origin": "m", "retval": 5, "error": error}}
    assert isinstance(wire.parse_command_result(parsed(message("CmdResult", data))).error, SchemaValidationError)


def test_an_unknown_error_type_counts_as_a_handler_exception() -> None:
    error = {"__everest__error_type": "Invented", "__everest__error_msg": "x"}
    data = {"type": "result", "data": {"id": "1", "error": error}}
    assert isinstance(wire.parse_command_result(parsed(message("CmdResult", data))).error, HandlerException)


def test_a_private_subclass_of_a_command_error_is_sent_as_handler_exception() -> None:
    class Private(CommandError):
        pass

    sent = json.loads(wire.build_command_error("1", "m", Private("x")))
    assert sent["data"]["data"]["error"]["__everest__error_type"] == "HandlerException"


def test_configuration_messages_keep_their_content_through_the_wire() -> None:
    request = wire.parse_configuration_request(
        parsed(wire.build_configuration_request("m", {"type": "All"}, type="Get", dialect=Dialect.B))
    )
    assert (request.origin, request.type, request.request) == ("m", "Get", {"type": "All"})
    forwarded = wire.parse_set_request(parsed(wire.build_set_request({"module_id": "m"}, "5", dialect=Dialect.B)))
    assert (forwarded.identifier, forwarded.value) == ({"module_id": "m"}, "5")
    answer = wire.parse_configuration_response(
        parsed(wire.build_configuration_response({"status": "Accepted"}, type="Set", dialect=Dialect.B))
    )
    assert (answer.status, answer.type, answer.response) == ("Ok", "Set", {"status": "Accepted"})


@pytest.mark.parametrize(
    "payload", [b"true", b"[1]", b'"x"', b"5", b"null", b"{}", b'{"msg_type":5,"data":1}', b' {"a":1}']
)
def test_json_without_a_string_msg_type_is_no_envelope_but_not_wrong(payload: bytes) -> None:
    envelope = parsed(payload)
    assert envelope.kind is None
    assert bytes(envelope.data) == payload


NESTED = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"   ",
        b"{",
        b'{"msg_type":"Var","data":{"data":1}',
        b'{"msg_type":"Var","data":NaN}',
        b'{"msg_type":"Var","data":{"data":1}} trailing',
        b"\xff\xfe",
        b'{"msg_type":"\xff","data":1}',
        b'{"msg_type":"Var","data":' + NESTED + b"}",
        NESTED,
        b'{"a":' + NESTED + b"}",
        b'{"msg_type":"\\ud800","data":1}',
        b"everest",
    ],
)
def test_undecodable_json_is_a_wire_error_with_topic_and_reason(payload: bytes) -> None:
    with pytest.raises(WireError) as caught:
        parsed(payload)
    assert caught.value.topic == TOPIC
    assert caught.value.reason.startswith("undecodable JSON")


@pytest.mark.parametrize("name", ["Unknown", "", "var", "GetConfig "])
def test_an_unknown_msg_type_is_a_wire_error(name: str) -> None:
    with pytest.raises(WireError, match="unknown msg_type"):
        parsed(message(name, {}))


def read_data(envelope: Envelope) -> Any:
    return wire.parse_data(envelope)


def nested(depth: int) -> bytes:
    return b'{"msg_type":"Var","data":{"data":' + b"[" * depth + b"]" * depth + b"}}"


@pytest.mark.parametrize(
    ("payload", "read"),
    [
        (b'{"msg_type":"GlobalReady"}', read_data),
        (b'{"msg_type":"Var"}', wire.parse_var),
        (message("Var", 5), wire.parse_var),
        (message("Var", {}), wire.parse_var),
        (message("Var", {"value": 1}), wire.parse_var),
        (message("Cmd", {"args": {}, "origin": "m"}), wire.parse_command),
        (message("Cmd", {"id": "1", "args": {}}), wire.parse_command),
        (message("Cmd", {"id": "1", "args": {}, "origin": 5}), wire.parse_command),
        (message("Cmd", {"id": 1, "args": {}, "origin": "m"}), wire.parse_command),
        (message("Cmd", {"id": "1", "args": {}, "origin": "#"}), wire.parse_command),
        (message("Cmd", {"id": "1", "args": {}, "origin": "a/b"}), wire.parse_command),
        (message("Cmd", []), wire.parse_command),
        (message("CmdResult", {}), wire.parse_command_result),
        (message("CmdResult", {"data": {"retval": 1}}), wire.parse_command_result),
        (message("CmdResult", {"data": {"id": 5}}), wire.parse_command_result),
        (message("CmdResult", "x"), wire.parse_command_result),
        (message("ConfigurationRequest", {"type": "Get"}), wire.parse_configuration_request),
        (message("ConfigurationRequest", {"origin": "+"}), wire.parse_configuration_request),
        (message("ConfigurationRequest", {"value": "x"}), wire.parse_set_request),
        (message("ConfigurationRequest", {"identifier": {}, "value": 5}), wire.parse_set_request),
        (message("ConfigurationResponse", {"response": {}}), wire.parse_configuration_response),
        (nested(100_000), wire.parse_var),
        (b'{"msg_type":"ModuleReady","data":"\xff"}', read_data),
    ],
)
def test_a_message_of_the_wrong_shape_is_a_wire_error_and_nothing_else(
    payload: bytes, read: Callable[[Envelope], Any]
) -> None:
    with pytest.raises(WireError) as caught:
        value = read(parsed(payload))
        wire.parse_data(Envelope(TOPIC, None, value))
    assert caught.value.topic == TOPIC
    assert caught.value.reason


def test_a_command_without_arguments_may_say_null_or_leave_them_out() -> None:
    for data in ({"id": "1", "origin": "m", "args": None}, {"id": "1", "origin": "m"}):
        assert bytes(wire.parse_command(parsed(message("Cmd", data))).args) in (b"null", b"")


def test_raw_json_is_passed_through_builders_untouched() -> None:
    assert wire.build_var(Raw(b'{"a":1.50}')) == b'{"data":{"data":{"a":1.50}},"msg_type":"Var"}'


@pytest.mark.parametrize("depth", [*range(900, 1050, 10), 5000, 9990, 50_000])
def test_deep_nesting_is_read_or_a_wire_error_and_nothing_else(depth: int) -> None:
    """How deep the interpreter can read differs between its versions."""
    try:
        value = wire.parse_var(parsed(nested(depth)))
        wire.parse_data(Envelope(TOPIC, None, value))
    except WireError as error:
        assert error.topic == TOPIC and error.reason
