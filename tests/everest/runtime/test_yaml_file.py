"""The YAML dialect of EVerest (bus 6.0): what a scalar is, what is refused, and that every message names the place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everest.runtime import yaml_file
from everest.runtime.yaml_file import YamlError, load, parse


def value(text: str) -> Any:
    return parse(f"key: {text}\n").data["key"]


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("false", False)])
def test_only_true_and_false_are_booleans(text: str, expected: bool) -> None:
    assert value(text) is expected


@pytest.mark.parametrize("text", ["yes", "no", "on", "off", "True", "FALSE", "y", "N", "Yes", "OFF"])
def test_other_words_for_yes_and_no_are_strings(text: str) -> None:
    assert value(text) == text


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_null_has_five_spellings(text: str) -> None:
    assert value(text) is None


@pytest.mark.parametrize("text", ["nULL", "None", "nil"])
def test_other_spellings_of_null_are_strings(text: str) -> None:
    assert value(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("42", 42), ("-7", -7), ("+7", 7), ("010", 10), ("2147483647", 2**31 - 1), ("-2147483648", -(2**31))],
)
def test_integers_are_decimal_and_fit_32_bits(text: str, expected: int) -> None:
    assert value(text) == expected
    assert type(value(text)) is int


@pytest.mark.parametrize("text", ["2147483648", "-2147483649", "9" * 5000])
def test_a_larger_integer_is_an_error_with_its_place(text: str) -> None:
    with pytest.raises(YamlError, match=r"^f\.yaml:2:6: integer .* does not fit 32 bits; quote it") as caught:
        parse(f"a: 1\nkey: {text}\n", "f.yaml")
    assert (caught.value.line, caught.value.column) == (2, 6)


@pytest.mark.parametrize(
    ("text", "expected"), [("1.0", 1.0), ("1e3", 1000.0), ("-0.5", -0.5), (".5", 0.5), ("1.", 1.0), ("2.5E-1", 0.25)]
)
def test_a_point_or_an_exponent_makes_a_float(text: str, expected: float) -> None:
    assert value(text) == expected
    assert type(value(text)) is float


def test_a_float_beyond_all_bounds_is_an_error() -> None:
    with pytest.raises(YamlError, match="too large"):
        value("1e999")


@pytest.mark.parametrize(
    "text", ["2026-01-01", "2026-01-01T10:00:00Z", "1:30", "1_000", "0x1F", "0o17", ".inf", ".nan", "1.2.3", "-", "1,5"]
)
def test_everything_else_is_a_string(text: str) -> None:
    assert value(text if text != "-" else "'-'") == text


@pytest.mark.parametrize("text", ["'42'", '"42"', "'true'", '"null"', "'~'", '"1.5"', "''"])
def test_a_quoted_scalar_is_always_a_string(text: str) -> None:
    assert value(text) == text[1:-1]


def test_a_block_scalar_is_a_string() -> None:
    assert parse("a: |\n  42\nb: >-\n  true\n").data == {"a": "42\n", "b": "true"}


def test_keys_are_always_strings() -> None:
    assert parse("1: a\ntrue: b\nnull: c\n'x': d\n").data == {"1": "a", "true": "b", "null": "c", "x": "d"}


def test_block_and_flow_style_nest() -> None:
    text = "a:\n  - b: 1\n    c: [x, {y: 2}]\n  -\n    - z\nd: {}\ne: []\n"
    assert parse(text).data == {"a": [{"b": 1, "c": ["x", {"y": 2}]}, ["z"]], "d": {}, "e": []}


def test_an_empty_file_is_null() -> None:
    assert parse("").data is None
    assert parse("# only a comment\n").data is None


def test_a_single_scalar_is_a_document() -> None:
    assert parse("42\n").data == 42


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: !custom 1", r"1:4: tags \(!custom\)"),
        ("a: !!str 1", "1:4: tags"),
        ("a: !include other.yaml", r"1:4: tags \(!include\)"),
        ("a: &anchor 1", r"1:4: anchors \(&anchor\)"),
        ("a: &anchor {b: 1}", r"1:4: anchors \(&anchor\)"),
        ("a: 1\nb: *anchor", r"2:4: aliases"),
        ("<<: {a: 1}", "1:1: merge keys"),
        ("a: 1\n---\nb: 2", "2:1: a second document"),
        ("? [a, b]\n: 1", "1:3: a key has to be"),
        ("{{a: 1}: 2}", "1:2: a key has to be"),
    ],
)
def test_what_the_dialect_does_not_have_is_refused_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(YamlError, match=f"^f.yaml:{problem}"):
        parse(text, "f.yaml")


def test_a_merge_key_in_quotes_is_an_ordinary_key() -> None:
    assert parse("'<<': 1").data == {"<<": 1}


@pytest.mark.parametrize("text", ["topic: *", "topic: @x", "a: `b`", "a: &", "a:\n\tb: 1"])
def test_text_that_begins_with_a_special_character_is_an_error_that_says_so(text: str) -> None:
    with pytest.raises(YamlError, match=r"^f\.yaml:\d+:\d+: .*; quote text that begins with a special character"):
        parse(text, "f.yaml")


@pytest.mark.parametrize("text", ["a: [1", "a: {b", "a: b: c", "'x", "a: 1\n  b: 2", "a: }"])
def test_broken_syntax_is_an_error_with_line_and_column(text: str) -> None:
    with pytest.raises(YamlError, match=r"^f\.yaml:\d+:\d+: .*; check indentation") as caught:
        parse(text, "f.yaml")
    assert caught.value.line and caught.value.column


def test_control_characters_are_refused_with_their_place() -> None:
    with pytest.raises(YamlError, match=r"^f\.yaml:2:5: character U\+0000"):
        parse("a: 1\nb: x\x00y\n", "f.yaml")


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_and_does_not_exhaust_the_stack(opening: str) -> None:
    with pytest.raises(YamlError, match=f"nested deeper than {yaml_file.MAX_DEPTH} levels"):
        parse(opening * 100_000)


def test_nesting_up_to_the_bound_is_read() -> None:
    data = parse("[" * yaml_file.MAX_DEPTH + "]" * yaml_file.MAX_DEPTH).data
    for _ in range(yaml_file.MAX_DEPTH - 1):
        (data,) = data
    assert data == []


def test_the_last_of_two_equal_keys_counts_and_both_lines_are_named() -> None:
    document = parse("a: 1\nb:\n  x: 1\na: {c: 2}\n'a': 3\n", "f.yaml")
    assert document.data == {"a": 3, "b": {"x": 1}}
    assert document.warnings == [
        "f.yaml:4: key 'a' is there twice (first in line 1); the last counts",
        "f.yaml:5: key 'a' is there twice (first in line 4); the last counts",
    ]
    assert document.line("a") == 5
    assert document.line("a", "c") == 5


def test_keys_that_only_look_alike_are_no_duplicates() -> None:
    document = parse("a:\n  k: 1\nb:\n  k: 2\nc: [{k: 1}, {k: 2}]\n")
    assert document.warnings == []


def test_lines_of_keys_and_items_are_known() -> None:
    document = parse("# comment\na:\n  b: 1\n\n  c:\n    - x\n    - y: 2\n", "f.yaml")
    assert document.line() == 2
    assert document.line("a") == 2
    assert document.line("a", "b") == 3
    assert document.line("a", "c") == 5
    assert document.line("a", "c", 0) == 6
    assert document.line("a", "c", 1, "y") == 7
    assert document.place("a", "b") == "f.yaml:3"


def test_the_line_of_a_missing_key_is_that_of_its_parent() -> None:
    document = parse("a:\n  b: 1\n")
    assert document.line("a", "missing", "deeper") == 1
    assert document.line("missing") == 1


def test_a_file_is_read_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("a: grün\n", encoding="utf-8")
    document = load(path)
    assert document.data == {"a": "grün"}
    assert document.path == path


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert load(str(path)).data == {"a": 1}
    path.rename(tmp_path / "f.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert load(str(path)).data == {"a": 1}


def test_bytes_that_are_not_utf_8_are_an_error_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes("a: 1\nb: grün\n".encode("latin-1"))
    with pytest.raises(YamlError, match=r"f\.yaml:2:6: byte 0xfc is not UTF-8; save the file in UTF-8"):
        load(path)


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(YamlError, match=r"absent\.yaml: file not found"):
        load(tmp_path / "absent.yaml")


def test_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").mkdir()
    with pytest.raises(YamlError, match=r"f\.yaml: cannot be read"):
        load(tmp_path / "f.yaml")


def test_other_extensions_are_refused(tmp_path: Path) -> None:
    (tmp_path / "f.yml").write_text("a: 1")
    with pytest.raises(YamlError, match=r"'\.yml'; the file name has to end in \.yaml"):
        load(tmp_path / "f.yml")


@pytest.mark.parametrize("asked", ["f.yaml", "f.json"])
def test_json_is_read_only_where_there_is_no_yaml(tmp_path: Path, asked: str) -> None:
    (tmp_path / "f.json").write_text('{"a": {"b": [1, 2.5, true, null]}}')
    document = load(tmp_path / asked)
    assert document.data == {"a": {"b": [1, 2.5, True, None]}}
    assert document.path == tmp_path / "f.json"
    assert document.line("a", "b") == 1
    (tmp_path / "f.yaml").write_text("a: yaml\n")
    assert load(tmp_path / asked).data == {"a": "yaml"}


def test_equal_keys_in_json_are_warned_about(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text('{"a": 1, "a": 2}')
    document = load(tmp_path / "f.yaml")
    assert document.data == {"a": 2}
    assert [warning.endswith("key 'a' is there twice; the last counts") for warning in document.warnings] == [True]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 1,\n oops}', r"f\.json:2:2: not JSON"),
        ('{"a": NaN}', r"f\.json: NaN is not a JSON number"),
        ("[" * 100_000, r"f\.json: nested too deeply"),
        ("[" * 102 + "]" * 102, r"f\.json: nested deeper than 100 levels"),
        ("9" * 5000, r"f\.json: not readable as JSON"),
    ],
)
def test_broken_json_is_an_error_that_names_the_place(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "f.json").write_text(text)
    with pytest.raises(YamlError, match=problem):
        load(tmp_path / "f.json")


def test_the_reader_without_libyaml_understands_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: [1, 'x', {b: yes}]\nc: |\n  text\nd: 1.5\n"
    fast = parse(text)
    monkeypatch.setattr(yaml_file, "_LOADER", yaml_file.yaml.SafeLoader)
    slow = parse(text)
    assert slow == fast
    with pytest.raises(YamlError, match="anchors"):
        parse("a: &x 1")
    with pytest.raises(YamlError, match="check the escapes"):
        parse('a: "\\UFFFFFFFF"')


_PIECES = st.sampled_from(
    [*"{}[]:,-?&*!|>'\"%@#~\\ \n\t", "a", "1", "0.5", "<<", ": ", "- ", "---\n", "...\n", "\r\n", "é", "\ud800"]
)


@given(st.one_of(st.lists(_PIECES, max_size=40).map("".join), st.text(max_size=60)))
@settings(max_examples=400, deadline=None)
def test_any_text_is_either_read_or_refused_with_a_message(text: str) -> None:
    try:
        document = parse(text, "f.yaml")
    except YamlError as error:
        assert str(error).startswith("f.yaml")
    else:
        assert document.line() >= 1


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_either_read_or_refused_with_a_message(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(raw)
    try:
        load(path)
    except YamlError as error:
        assert str(error).startswith(str(path))
