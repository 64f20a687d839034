"""Messages in memory and on the wire: times, tolerated deviations, refusals with their place, bounds."""

from __future__ import annotations

import contextlib
import json
import logging
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from ocpp16 import messages
from ocpp16.messages import (
    ChargingSchedulePeriod,
    HeartbeatResponse,
    IdTagInfo,
    MeterValue,
    MeterValuesRequest,
    PayloadError,
    ResetRequest,
    ResetType,
    SampledValue,
    StatusNotificationRequest,
    Tolerated,
    UnitOfMeasure,
    check,
    decode,
    decode_request,
    decode_response,
    encode,
    encode_payload,
)
from ocpp16.messages.tolerance import LogOnce

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


def heartbeat(text: str) -> datetime:
    response = decode_response("Heartbeat", json.dumps({"currentTime": text}))
    assert isinstance(response, HeartbeatResponse)
    return response.current_time


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (NOON, "2024-05-01T12:00:00.000Z"),
        (NOON.replace(microsecond=123_999), "2024-05-01T12:00:00.123Z"),
        (NOON.replace(microsecond=999_999), "2024-05-01T12:00:00.999Z"),
        (datetime(2024, 5, 1, 12, 0), "2024-05-01T12:00:00.000Z"),
        (datetime(2024, 5, 1, 14, 0, tzinfo=timezone(timedelta(hours=2))), "2024-05-01T12:00:00.000Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
    ],
)
def test_times_are_sent_in_utc_with_three_decimals_cut_not_rounded(time: datetime, text: str) -> None:
    assert encode_payload(HeartbeatResponse(current_time=time)) == f'{{"currentTime":"{text}"}}'.encode()


def test_a_time_that_was_computed_from_a_message_is_settled_again() -> None:
    time = HeartbeatResponse(current_time=NOON).current_time
    shifted = HeartbeatResponse(current_time=time + timedelta(microseconds=1999))
    assert shifted.current_time == NOON + timedelta(milliseconds=1)
    local = HeartbeatResponse(current_time=time.astimezone(timezone(timedelta(hours=2))))
    assert encode_payload(local) == b'{"currentTime":"2024-05-01T12:00:00.000Z"}'


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-05-01T12:00:00Z", NOON),
        ("2024-05-01T12:00:00", NOON),
        ("2024-05-01T14:00:00+02:00", NOON),
        ("2024-05-01T00:30:00.000-11:30", NOON),
        ("2024-05-01T12:00:00.1Z", NOON.replace(microsecond=100_000)),
        ("2024-05-01T12:00:00.123999Z", NOON.replace(microsecond=123_000)),
        ("2024-05-01T12:00:00.123456789123Z", NOON.replace(microsecond=123_000)),
        ("2024-05-01T12:00:00z", NOON),
    ],
)
def test_times_are_read_with_offset_with_z_or_with_neither(text: str, time: datetime) -> None:
    assert heartbeat(text) == time
    assert heartbeat(text).tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-05-01 12:00:00Z", NOON),
        ("2024-05-01T12:00Z", NOON),
        ("2024-05-01T12:00:00,5", NOON.replace(microsecond=500_000)),
        ("2024-05-01T14:00:00+0200", NOON),
        ("2024-05-01T14:00:00+02", NOON),
        ("2024-04-30T24:00:00Z", NOON.replace(hour=0)),
        ("2024-04-30T23:59:60Z", NOON.replace(hour=0)),
        (" 2024-05-01T12:00:00Z ", NOON),
    ],
)
def test_other_readable_times_are_tolerated_and_reported(text: str, time: datetime) -> None:
    seen: list[tuple[Tolerated, str]] = []
    raw = json.dumps({"currentTime": text})
    response = decode_response("Heartbeat", raw, lambda *deviation: seen.append(deviation))
    assert response == HeartbeatResponse(current_time=time)
    assert seen == [(Tolerated.TIMESTAMP_FORM, "/currentTime")]


@pytest.mark.parametrize(
    "text",
    ["", "now", "2024-05-01", "2024-02-30T00:00:00Z", "2024-05-01T25:00:00Z", "2024-05-01T24:00:01Z",
     "2024-05-01T12:00:61Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "9999-12-31T24:00:00Z",
     "２０２４-05-01T12:00:00Z", "2024-05-01T12:00:00+99:00"],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(PayloadError) as refusal:
        heartbeat(text)
    assert (refusal.value.violation, refusal.value.path) == ("PropertyConstraintViolation", "/currentTime")
    assert refusal.value.expected == "RFC 3339 time"


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_message_equals_what_comes_back_from_the_wire(time: datetime) -> None:
    message = HeartbeatResponse(current_time=time)
    assert decode_response("Heartbeat", encode_payload(message)) == message
    assert timedelta() <= time - message.current_time < timedelta(milliseconds=1)


def test_messages_cannot_be_changed() -> None:
    message = ResetRequest(type=ResetType.Hard)
    with pytest.raises(AttributeError):
        message.type = ResetType.Soft  # type: ignore[misc]


def test_absent_members_stay_off_the_wire() -> None:
    value = MeterValue(timestamp=NOON, sampled_value=(SampledValue(value="1"),))
    raw = encode_payload(MeterValuesRequest(connector_id=1, meter_value=(value,)))
    assert (
        raw
        == b'{"connectorId":1,"meterValue":[{"timestamp":"2024-05-01T12:00:00.000Z","sampledValue":[{"value":"1"}]}]}'
    )


def test_deviations_are_reported_by_name_and_place() -> None:
    payload = (
        '{"connectorId":1.0,"transactionId":null,"more":{"a":[null]},"meterValue":[{"timestamp":"2024-05-01T12:00Z",'
        '"sampledValue":[{"value":"1","unit":"Celcius"},{"value":"2","unit":"percent","x":1}]}]}'
    )
    seen: set[tuple[str, str]] = set()
    message = decode_request("MeterValues", payload, lambda kind, path: seen.add((kind.name, path)))
    assert seen == {
        ("WHOLE_NUMBER_WITH_FRACTION", "/connectorId"),
        ("NULL_MEMBER", "/transactionId"),
        ("ADDITIONAL_MEMBER", "/more"),
        ("TIMESTAMP_FORM", "/meterValue/*/timestamp"),
        ("UNIT_SPELLING", "/meterValue/*/sampledValue/*/unit"),
        ("ADDITIONAL_MEMBER", "/meterValue/*/sampledValue/*/x"),
    }
    assert isinstance(message, MeterValuesRequest)
    units = [value.unit for value in message.meter_value[0].sampled_value]
    assert units == [UnitOfMeasure.Celsius, UnitOfMeasure.Percent]


def test_a_deviation_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    report = LogOnce().reporter("ResetRequest")
    with caplog.at_level(logging.WARNING, "ocpp16.messages"):
        for _ in range(3):
            report(Tolerated.ADDITIONAL_MEMBER, "/extra")
    assert len(caplog.records) == 1
    assert "ResetRequest: tolerated at /extra" in caplog.text


def test_a_peer_cannot_fill_memory_or_log_with_new_deviations(caplog: pytest.LogCaptureFixture) -> None:
    report = LogOnce().reporter("ResetRequest")
    with caplog.at_level(logging.WARNING, "ocpp16.messages"):
        for number in range(LogOnce.LIMIT + 50):
            report(Tolerated.ADDITIONAL_MEMBER, f"/x{number}")
    assert len(caplog.records) == LogOnce.LIMIT


def test_of_duplicate_keys_the_last_counts() -> None:
    assert decode_request("Reset", b'{"type":"Hard","type":"Soft"}') == ResetRequest(type=ResetType.Soft)


SAMPLE = '{"connectorId":1,"meterValue":[{"timestamp":"2024-05-01T12:00:00Z","sampledValue":[{"value":"1"},%s]}]}'
PERIODS = (
    '{"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxProfile",'
    '"chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","chargingSchedulePeriod":%s}}}'
)


@pytest.mark.parametrize(
    ("action", "payload", "violation", "path", "expected"),
    [
        ("Reset", "{}", "OccurenceConstraintViolation", "/type", "a required member"),
        ("Reset", '{"type":5}', "TypeConstraintViolation", "/type", "string"),
        ("Reset", '{"type":null}', "TypeConstraintViolation", "/type", "string"),
        ("Reset", '{"type":"Off"}', "PropertyConstraintViolation", "/type", "one of Hard, Soft"),
        ("Reset", "[]", "TypeConstraintViolation", "", "object"),
        ("Reset", "", "TypeConstraintViolation", "", "JSON object"),
        ("Reset", '{"type":"Hard"', "TypeConstraintViolation", "", "JSON object"),
        ("MeterValues", SAMPLE % '{"value":2}', "TypeConstraintViolation", "/meterValue/0/sampledValue/1/value",
         "string"),
        ("MeterValues", '{"connectorId":1,"meterValue":[]}', "OccurenceConstraintViolation", "/meterValue",
         "array of length >= 1"),
        ("GetConfiguration", json.dumps({"key": ["a", "b" * 51]}), "PropertyConstraintViolation", "/key/1",
         "string of length <= 50"),
        ("GetConfiguration", '{"key":"a"}', "TypeConstraintViolation", "/key", "array"),
        ("UnlockConnector", '{"connectorId":1.5}', "TypeConstraintViolation", "/connectorId", "integer"),
        ("UnlockConnector", '{"connectorId":true}', "TypeConstraintViolation", "/connectorId", "integer"),
        ("UnlockConnector", '{"connectorId":"1"}', "TypeConstraintViolation", "/connectorId", "integer"),
        ("UnlockConnector", '{"connectorId":1e999}', "TypeConstraintViolation", "", "JSON object"),
        ("SetChargingProfile", PERIODS % '[{"startPeriod":0,"limit":6},{"startPeriod":1,"limit":6.15}]',
         "PropertyConstraintViolation", "/csChargingProfiles/chargingSchedule/chargingSchedulePeriod/1/limit",
         "number with at most one decimal"),
        ("SetChargingProfile", PERIODS % '[{"limit":6}]', "OccurenceConstraintViolation",
         "/csChargingProfiles/chargingSchedule/chargingSchedulePeriod/0/startPeriod", "a required member"),
    ],
)  # fmt: skip
def test_a_refusal_names_violation_place_and_what_was_expected(
    action: str, payload: str, violation: str, path: str, expected: str
) -> None:
    with pytest.raises(PayloadError) as refusal:
        decode_request(action, payload)
    assert (refusal.value.violation, refusal.value.path, refusal.value.expected) == (violation, path, expected)
    assert path in refusal.value.text
    assert expected in refusal.value.text or path == ""


def test_a_refusal_stays_short_whatever_the_peer_wrote() -> None:
    with pytest.raises(PayloadError) as refusal:
        decode_request("Reset", json.dumps({"type": "x" * 100_000}))
    assert len(refusal.value.text) < 255


@pytest.mark.parametrize(
    "raw", [b'{"type":"Hard\xff"}', b'{"type":"Hard","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "\ud800"]
)
def test_bytes_that_are_no_readable_json_are_refused_as_such(raw: bytes | str) -> None:
    with pytest.raises(PayloadError, match="no readable JSON"):
        decode_request("Reset", raw)


@given(st.sampled_from(sorted(messages.request_types())), st.data())
def test_no_payload_breaks_the_decoder(action: str, data: st.DataObject) -> None:
    members = [field.encode_name for field in structs.fields(messages.request_types()[action])] or ["x"]
    payload = data.draw(st.dictionaries(st.sampled_from(members) | st.text(), JSON, max_size=8))
    with contextlib.suppress(PayloadError):
        decode_request(action, json.dumps(payload), lambda kind, path: None)


@pytest.mark.parametrize("number", ["1" * 5000, "-" + "1" * 5000, "1e5000", "0." + "1" * 5000])
def test_absurd_numbers_are_refused(number: str) -> None:
    with pytest.raises(PayloadError):
        decode_request("UnlockConnector", f'{{"connectorId":{number}}}')


@given(st.integers(0, 100_000))
def test_every_number_with_one_decimal_is_a_rate(tenths: int) -> None:
    assert ChargingSchedulePeriod(start_period=0, limit=tenths / 10).limit == tenths / 10


@pytest.mark.parametrize("limit", [6.15, float("nan"), float("inf"), 0.05])
def test_a_rate_with_more_decimals_cannot_be_made(limit: float) -> None:
    with pytest.raises(ValueError, match="at most one decimal"):
        ChargingSchedulePeriod(start_period=0, limit=limit)


def test_check_finds_a_text_that_is_too_long_to_be_sent() -> None:
    check(_status("x" * 50))
    with pytest.raises(PayloadError) as refusal:
        check(_status("x" * 51))
    assert refusal.value.path == "/info"


def _status(info: str) -> StatusNotificationRequest:
    return StatusNotificationRequest(
        connector_id=1,
        error_code=messages.ChargePointErrorCode.NoError,
        status=messages.ChargePointStatus.Available,
        info=info,
    )


def test_data_types_are_encoded_and_decoded_by_themselves() -> None:
    info = IdTagInfo(status=messages.AuthorizationStatus.Accepted, expiry_date=NOON)
    assert encode(info) == b'{"status":"Accepted","expiryDate":"2024-05-01T12:00:00.000Z"}'
    assert decode(IdTagInfo, encode(info)) == info


def test_the_public_names_are_complete() -> None:
    assert sorted(set(messages.__all__)) == messages.__all__
    for base in (messages.Request, messages.Response):
        for message in base.__subclasses__():
            assert getattr(messages, message.__name__) is message
