"""OCPP-J frames: what is read, what is answered to broken ones, what is sent."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp16.messages import PayloadError, Tolerated, decode_request, decode_response
from ocpp16.wire import (
    Call,
    CallError,
    CallResult,
    ErrorCode,
    FrameError,
    call_error_for,
    encode,
    encode_call,
    encode_call_error,
    encode_call_result,
    parse,
)
from tests.support import traces


def refusal(frame: str | bytes) -> FrameError:
    with pytest.raises(FrameError) as error:
        parse(frame)
    return error.value


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('[2,"id","Reset",{"type":"Hard"}]', Call("id", "Reset", b'{"type":"Hard"}')),
        (' [ 2 , "id" , "Heartbeat" , { } ] ', Call("id", "Heartbeat", b"{ }")),
        ('[2,"' + "i" * 36 + '","Heartbeat",{}]', Call("i" * 36, "Heartbeat", b"{}")),
        ('[2,"id","Heartbeat",{},"more",5]', Call("id", "Heartbeat", b"{}")),
        (b'[2,"id","Heartbeat",{}]', Call("id", "Heartbeat", b"{}")),
        ('[3,"id",{"a":1}]', CallResult("id", b'{"a":1}')),
        ('[3,"id"]', CallResult("id", b"")),
        ('[4,"id","NotSupported","text",{"a":1}]', CallError("id", "NotSupported", "text", {"a": 1})),
        ('[4,"id","MadeUp"]', CallError("id", "MadeUp")),
        ('[4,"id"]', CallError("id", "GenericError")),
        ('[4,"id",5,null,"x"]', CallError("id", "GenericError")),
    ],
)
def test_frames_are_read(text: str | bytes, frame: Call | CallResult | CallError) -> None:
    assert parse(text) == frame


@pytest.mark.parametrize(
    "frame",
    [
        "", "nonsense", "{}", '"text"', "5", "null", "[", "[]", "[2]", '[2,"id"]', '[2,"id",5,{}]', '[2,"id",null,{}]',
        '[2,5,"Heartbeat",{}]', '[2,null,"Heartbeat",{}]', '[2,"' + "i" * 37 + '","Heartbeat",{}]',
        b'[2,"\xff","Heartbeat",{}]', b"\x00\x01", "\ud800", "[" * 100_000, '[2,"id","Heartbeat",' + "[" * 100_000,
        "[2," + "1" * 5000 + ',"Heartbeat",{}]',
    ],
)  # fmt: skip
def test_a_frame_whose_id_or_action_cannot_be_known_gets_generic_error_with_id_minus_one(frame: str | bytes) -> None:
    answer = refusal(frame).answer
    assert answer is not None
    assert (answer.message_id, answer.code) == ("-1", "GenericError")


@pytest.mark.parametrize(
    ("payload", "violation"),
    [
        ("", "OccurenceConstraintViolation"),
        (",[]", "TypeConstraintViolation"),
        (",null", "TypeConstraintViolation"),
        (',"text"', "TypeConstraintViolation"),
    ],
)
def test_a_payload_that_is_missing_or_no_object_gets_formation_violation(payload: str, violation: str) -> None:
    answer = refusal(f'[2,"id","Heartbeat"{payload}]').answer
    assert answer is not None
    assert (answer.message_id, answer.code) == ("id", "FormationViolation")
    assert answer.details == {"violation": violation, "path": "", "expected": "object"}


def test_an_unknown_action_gets_not_implemented_with_its_own_id() -> None:
    answer = refusal('[2,"id","Dance",{}]').answer
    assert answer is not None
    assert (answer.message_id, answer.code) == ("id", "NotImplemented")


@pytest.mark.parametrize(
    "frame", ['[1,"id"]', '[5,"id",{}]', '["2","id","Heartbeat",{}]', '[true,"id"]', "[null]", "[1e999,1]", '[3,5,{}]',
              '[4,null,"x"]', "[{}]"]
)  # fmt: skip
def test_other_message_types_and_answers_without_id_are_ignored(frame: str) -> None:
    assert refusal(frame).answer is None


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_no_input_breaks_the_parser(frame: str | bytes) -> None:
    try:
        parse(frame)
    except FrameError as error:
        assert error.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.lists(st.sampled_from([2, 3, 4, "id", "Reset"]) | JSON, max_size=6))
def test_no_array_breaks_the_parser(elements: list[object]) -> None:
    try:
        frame = parse(json.dumps(elements))
    except FrameError:
        return
    assert elements[0] in (2, 3, 4)
    assert frame.message_id == elements[1]


def test_frames_are_sent_as_compact_text() -> None:
    assert encode_call("id", "Reset", b'{"type":"Hard"}') == '[2,"id","Reset",{"type":"Hard"}]'
    assert encode_call_result("id", b"{}") == '[3,"id",{}]'
    assert encode_call_error(CallError("id", "NotSupported")) == '[4,"id","NotSupported","",{}]'


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=36), st.text(st.characters(exclude_categories=["Cs"]))
)
def test_what_is_sent_reads_back(message_id: str, text: str) -> None:
    payload = json.dumps({"data": text}).encode()
    for frame in (
        Call(message_id, "DataTransfer", payload),
        CallResult(message_id, payload),
        CallError(message_id, ErrorCode.GenericError.value, text[:255], {"x": text}),
    ):
        assert parse(encode(frame)) == frame


def test_the_description_of_a_call_error_is_cut_to_255_characters() -> None:
    assert len(json.loads(encode_call_error(CallError("id", "GenericError", "x" * 300)))[3]) == 255


def test_error_codes_are_spelled_as_in_1_6() -> None:
    assert [code.value for code in ErrorCode] == [
        "NotImplemented",
        "NotSupported",
        "InternalError",
        "ProtocolError",
        "SecurityError",
        "FormationViolation",
        "PropertyConstraintViolation",
        "OccurenceConstraintViolation",
        "TypeConstraintViolation",
        "GenericError",
    ]


def test_a_bad_payload_is_answered_with_formation_violation_and_the_finer_facts_in_the_details() -> None:
    with pytest.raises(PayloadError) as error:
        decode_request("Reset", b'{"type":"Off"}')
    answer = call_error_for("id", error.value)
    assert (answer.message_id, answer.code) == ("id", "FormationViolation")
    assert answer.description == "/type: Invalid enum value 'Off', expected one of Hard, Soft"
    assert answer.details == {
        "violation": "PropertyConstraintViolation",
        "path": "/type",
        "expected": "one of Hard, Soft",
    }


RECORDINGS = sorted(path.name.removesuffix(".ocpp.jsonl.gz") for path in traces.FOLDER.glob("*.ocpp.jsonl.gz"))


@pytest.mark.parametrize("recording", RECORDINGS)
def test_every_frame_of_a_real_everest_and_its_csms_reads_without_any_deviation(recording: str) -> None:
    actions: dict[str, str] = {}
    deviations: list[tuple[Tolerated, str]] = []

    def report(deviation: Tolerated, path: str) -> None:
        deviations.append((deviation, path))

    for event in traces.ocpp(recording):
        if not event.frame.startswith("["):
            continue
        frame = parse(event.frame)
        match frame:
            case Call():
                actions[frame.message_id] = frame.action
                decode_request(frame.action, frame.payload, report)
            case CallResult():
                decode_response(actions[frame.message_id], frame.payload, report)
    assert actions
    assert deviations == []
