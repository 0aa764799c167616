from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.config import InvalidConfig
from nightschool.config.yaml_file import MAX_BYTES, Node, read_yaml
from nightschool.errors import ConfigError
from tests.config.files import write


def read(folder: Path, text: str) -> object:
    return read_yaml(write(folder, text))[0].plain()


def fault(folder: Path, text: str | bytes) -> str:
    with pytest.raises(InvalidConfig) as caught:
        read_yaml(write(folder, text))
    (found,) = caught.value.faults
    return found.text("").removeprefix(":")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("TRUE", True),
        ("false", False),
        ('"true"', "true"),
        ("~", None),
        ("Null", None),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-3", -3),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("2026-05-01", "2026-05-01"),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("'7'", "7"),
        ("!!str 7", "7"),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(tmp_path: Path, text: str, value: object) -> None:
    found = read(tmp_path, f"key: {text}\n")

    assert found == {"key": value}
    assert isinstance(found, dict)
    assert type(found["key"]) is type(value)


def test_keys_are_text_whatever_they_look_like(tmp_path: Path) -> None:
    assert read(tmp_path, "no: 1\n8: 2\nnull: 3\n") == {"no": 1, "8": 2, "null": 3}


def test_every_key_knows_its_line(tmp_path: Path) -> None:
    root, _ = read_yaml(write(tmp_path, "a:\n  b: [x,\n   y]\n  tag.k: 1\n"))

    lines = [
        root.line_of(key) for key in (("a",), ("a", "b"), ("a", "b", 1), ("a", "tag", "k"), ("a", "none", "at all"))
    ]

    assert lines == [1, 2, 3, 4, 1]


def test_a_key_that_stands_twice_is_named_with_both_lines(tmp_path: Path) -> None:
    _, faults = read_yaml(write(tmp_path, "a:\n  b: 1\n  c: 2\n  b: 3\n"))

    assert [fault.text("f") for fault in faults] == ["f:4: a.b: stands twice, on lines 2 and 4; keep one"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: b: c\n", "1:5: is not YAML: mapping values are not allowed in this context"),
        ("a:\n\tb: 1\n", "2:1: a tab in the indentation; YAML wants spaces"),
        ("a: 1\n---\nb: 2\n", "2:1: begins a second document; only one fits in the file"),
        ("a: *b\n", "1:4: *b refers to an anchor that is not defined before it (quote a text with *)"),
        ("a: &a {b: *a}\n", "1:11: *a stands inside of what it refers to"),
        ("? [a]\n: 1\n", "1:3: is not a key: keys are plain text (quote a text that begins with { [ * or &)"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "3:3: is a merge key, which YAML 1.2 does not have; write the keys out"),
        (b"a: 1\nb: \xff\n", "2: is not UTF-8; save the file as UTF-8"),
        (b"a: 1\nb: \x07\n", r"2: holds the control character '\x07'; remove it"),
        ("a: " + "[" * 500, "1:36: is nested more than 32 deep"),
    ],
)
def test_what_is_not_our_yaml_is_refused_at_its_place(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert fault(tmp_path, text) == expected


def test_what_no_parser_would_follow_is_refused_as_too_deep(tmp_path: Path) -> None:
    assert fault(tmp_path, "a: " + "[" * 5000).endswith(": is nested more than 32 deep")


def test_tags_are_refused(tmp_path: Path) -> None:
    _, faults = read_yaml(write(tmp_path, "a: !!python/object/apply:os.system ['true']\n"))

    assert [fault.key for fault in faults] == ["a"]
    assert "tags are not used here" in faults[0].message


def test_an_unclosed_quote_is_refused_with_a_line(tmp_path: Path) -> None:
    assert fault(tmp_path, 'a: 1\nb: "open\n').startswith("3:1: is not YAML: ")


def test_aliases_stand_for_what_they_refer_to(tmp_path: Path) -> None:
    assert read(tmp_path, "a: &x {b: [1]}\nc: *x\n") == {"a": {"b": [1]}, "c": {"b": [1]}}


def test_aliases_cannot_make_a_small_file_large(tmp_path: Path) -> None:
    rows = ["a0: &a0 [1,1,1,1,1,1,1,1,1]"]
    rows += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20)]
    found = fault(tmp_path, "\n".join(rows))

    assert "makes more than 10000 values, with aliases replaced" in found


def test_many_values_are_refused_before_all_are_read(tmp_path: Path) -> None:
    found = fault(tmp_path, "a: [" + "1," * 400_000 + "}")

    assert "makes more than 10000 values" in found  # and not what is wrong at the end


def test_a_file_larger_than_a_megabyte_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="larger than 1048576 bytes"):
        read_yaml(write(tmp_path, "#" * (MAX_BYTES + 1)))


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    assert read_yaml(write(tmp_path, b"\xef\xbb\xbfa: 1\n"))[0].plain() == {"a": 1}


@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = write(tmp_path_factory.getbasetemp(), content)

    try:
        root, _ = read_yaml(file)
    except ConfigError:
        return

    assert isinstance(root, Node)


@given(text=st.text(alphabet="ab:-[]{}&*!|>'\"#,? \n\t%@`<", max_size=60))
def test_any_punctuation_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    file = write(tmp_path_factory.getbasetemp(), text)

    try:
        root, _ = read_yaml(file)
    except ConfigError:
        return

    assert root.size >= 1


texts = st.text(alphabet=st.characters(categories=["L", "N", "P", "S"], include_characters=" \t\n"), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(value=json_values)
def test_json_is_yaml_and_means_the_same(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    file = write(tmp_path_factory.getbasetemp(), json.dumps(value, ensure_ascii=False))

    assert read_yaml(file)[0].plain() == value
