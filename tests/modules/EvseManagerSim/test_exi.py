"""EXI by bits and by grammar, held to what another codec makes of the same messages (exi_vectors.json)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from modules.EvseManagerSim.exi import BitReader, BitWriter, ExiError
from modules.EvseManagerSim.exi_grammar import Tree
from modules.EvseManagerSim.exi_messages import (
    BODIES,
    MAX_MESSAGE,
    fragment,
    read_message,
    signed_info_fragment,
    write_message,
)
from tests.modules.EvseManagerSim.exi_samples import (
    FRAGMENTS,
    MESSAGES,
    REQUEST,
    RESPONSE,
    ROOTS,
    SIGNED_INFOS,
    WITH_TABLES,
    message,
    request,
    root_id,
)

VECTORS: dict[str, bytes] = {
    name: bytes.fromhex(octets)
    for name, octets in json.loads(Path(__file__).with_name("exi_vectors.json").read_text())["vectors"].items()
}
TABLES = pytest.mark.parametrize("tables", [False, True], ids=["without tables", "with tables"])


def vector(name: str, tables: bool) -> bytes:
    return VECTORS[name + (WITH_TABLES if tables else "")]


# --- held to another codec


def test_every_vector_has_its_sample() -> None:
    twice = [*MESSAGES, *SIGNED_INFOS]
    assert set(VECTORS) == {*FRAGMENTS, *twice, *(name + WITH_TABLES for name in twice)}


@TABLES
@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_is_written_as_another_codec_does(name: str, tables: bool) -> None:
    assert write_message(MESSAGES[name], tables=tables) == vector(name, tables)


@TABLES
@pytest.mark.parametrize("name", MESSAGES)
def test_what_another_codec_wrote_is_read(name: str, tables: bool) -> None:
    assert read_message(vector(name, tables)) == MESSAGES[name]


@pytest.mark.parametrize("name", FRAGMENTS)
def test_a_fragment_is_written_as_another_codec_does(name: str) -> None:
    assert fragment(*FRAGMENTS[name]) == VECTORS[name]


@TABLES
@pytest.mark.parametrize("name", SIGNED_INFOS)
def test_signed_info_is_written_as_another_codec_does(name: str, tables: bool) -> None:
    assert signed_info_fragment(SIGNED_INFOS[name], tables=tables) == vector(name, tables)


# --- bits


@given(some.lists(some.one_of(some.integers(), some.text(), some.binary(max_size=300)), max_size=20), some.booleans())
def test_a_reader_finds_what_a_writer_wrote(values: list[int | str | bytes], tables: bool) -> None:
    writer = BitWriter(tables=tables)
    for value in values:
        match value:
            case int():
                writer.integer(value)
            case str():
                writer.text("x", value)
            case bytes():
                writer.binary(value)
    reader = BitReader(writer.octets())
    for value in values:
        found = {int: reader.integer, str: lambda: reader.text("x"), bytes: reader.binary}[type(value)]()
        assert found == value
    assert reader.left < 8


@pytest.mark.parametrize(("value", "octets"), [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02")])
def test_unsigned_integers_have_seven_bits_per_octet(value: int, octets: str) -> None:
    writer = BitWriter()
    writer.unsigned(value)
    assert writer.octets().hex() == octets
    assert BitReader(bytes.fromhex(octets)).unsigned() == value


@pytest.mark.parametrize(
    ("octets", "what"),
    [
        ("", "ends too early"),
        ("05", "5 octets, 0 are left"),
        ("ffffffffffffffffff7f00", "octets, 1 are left"),
        ("80" * 65, "more than 64 octets"),
    ],
)
def test_a_binary_value_that_cannot_be_names_its_reason(octets: str, what: str) -> None:
    with pytest.raises(ExiError, match=what):
        BitReader(bytes.fromhex(octets)).binary()


@pytest.mark.parametrize(
    ("octets", "what"), [("03ffffffff7f", "is no character"), ("00", "a table of 0"), ("01", "a table of 0")]
)
def test_a_string_that_cannot_be_names_its_reason(octets: str, what: str) -> None:
    with pytest.raises(ExiError, match=what):
        BitReader(bytes.fromhex(octets)).text("x")


# --- messages


@pytest.mark.parametrize(
    ("octets", "what"),
    [
        ("", "ends too early"),
        ("01fe800100000004", "begins with 01fe8001"),
        ("80008c", r"its root is element 0, V2G_Message of urn:iso:15118:2:2013:MsgDef is 76"),
        ("8098", "V2G_Message/Header: it ends too early: 1 bits are due, 0 are left"),
        ("8099", r"V2G_Message: event 1 is none of the schema \(that has Header\)"),
        ("80980211", r"V2G_Message/Header/SessionID/#: a value has 8 octets, 0 are left"),
        ("80" * (MAX_MESSAGE + 1), f"{MAX_MESSAGE} are allowed"),
    ],
)
def test_what_is_no_message_names_place_and_reason(octets: str, what: str) -> None:
    with pytest.raises(ExiError, match=what):
        read_message(bytes.fromhex(octets))


def body(code: int) -> bytes:
    bits = BitWriter()
    for value, width in ((0x80, 8), (76, 7), (0, 3), (0, 8), (0, 1), (2, 2), (0, 1), (code, 6)):
        bits.number(value, width)
    return bits.octets() + bytes(8)


@pytest.mark.parametrize("code", [at for at, (_, type) in enumerate(BODIES) if type is None])
def test_another_message_is_named(code: int) -> None:
    with pytest.raises(ExiError, match=f"V2G_Message/Body/{BODIES[code][0]} is not understood here"):
        read_message(body(code))


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_cut_off_anywhere_says_where(name: str) -> None:
    whole = VECTORS[name]
    for length in range(0, len(whole) - 1, 11):
        with pytest.raises(ExiError):
            read_message(whole[:length])


@given(some.binary(max_size=400), some.sampled_from(["", *sorted(VECTORS)]))
def test_octets_of_any_kind_never_do_more_than_fail(octets: bytes, begin: str) -> None:
    whole = VECTORS.get(begin, b"\x80\x98\x02\x11")
    for data in (octets, whole[: len(whole) // 2] + octets):
        try:
            assert isinstance(read_message(data), list)
        except ExiError as error:
            assert str(error)


def test_twenty_roots_are_written_and_no_more() -> None:
    with pytest.raises(ExiError, match="RootCertificateID is not one of /"):
        write_message(message(REQUEST, request(*[root_id("CN=R", 1)] * 21)))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (message(REQUEST, request()), "/ is not one of RootCertificateID"),
        (message(REQUEST, request(*ROOTS)[1:]), "OEMProvisioningCert is not one of @Id"),
        (message(RESPONSE, [("ResponseCode", [("#", "FINE")])]), "'FINE' cannot be written"),
        (message("SessionStopReq", []), "cannot be written as None"),
    ],
)
def test_what_the_schema_does_not_know_is_not_written(content: Tree, what: str) -> None:
    with pytest.raises(ExiError, match=what):
        write_message(content)
