"""Lenient decoding into the types of the contracts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from everest.runtime.codec import PayloadError, decode, decode_arguments


class Inner(msgspec.Struct, kw_only=True):
    number: int
    name: str | None = None


class Outer(msgspec.Struct, kw_only=True):
    inner: Inner
    items: list[Inner] | None = None


def test_types_and_required_fields_count_and_extra_members_pass() -> None:
    assert decode(b'{"inner":{"number":1,"more":2}}', Outer) == Outer(inner=Inner(number=1))
    for text in (b'{"inner":{}}', b'{"inner":{"number":"1"}}', b"{}", b"[]", b"null"):
        with pytest.raises(PayloadError):
            decode(text, Outer)


def test_whole_floats_count_as_integers_others_do_not() -> None:
    assert decode(b'{"inner":{"number":5.0}}', Outer).inner.number == 5
    with pytest.raises(PayloadError, match="number"):
        decode(b'{"inner":{"number":5.5}}', Outer)


@pytest.mark.parametrize("text", [b"", b"{", b'"\xff"', b"NaN", b"[" * 100_000, b"1e999"])
def test_undecodable_text_is_a_payload_error(text: bytes) -> None:
    with pytest.raises(PayloadError):
        decode(text, Any)


def test_arguments_may_have_any_name_and_none_may_be_null() -> None:
    arguments = {"from": int, "class": str, "self": float}
    assert decode_arguments("c", arguments, b'{"from":1,"class":"a","self":2,"x":3}') == {
        "from": 1,
        "class": "a",
        "self": 2.0,
    }
    for text in (b"null", b"", b"{}", b'{"extra":1}'):
        assert decode_arguments("c", {}, text) == {}
    for text in (b"[]", b"5", b'"x"'):
        with pytest.raises(PayloadError):
            decode_arguments("c", {}, text)
    with pytest.raises(PayloadError, match="class"):
        decode_arguments("c", arguments, b'{"from":1,"self":2}')
