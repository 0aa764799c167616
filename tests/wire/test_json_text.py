"""JSON as it is met in the wild."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightschool.wire import json_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


@settings(deadline=None)
@given(JSON)
def test_what_is_encoded_comes_back(value: Any) -> None:
    assert json_text.decode(json_text.encode(value)) == value


@settings(deadline=None)
@given(JSON)
def test_equal_values_have_one_canonical_text(value: Any) -> None:
    shuffled = json.loads(json.dumps(value), object_pairs_hook=lambda pairs: dict(reversed(pairs)))

    assert json_text.canonical(shuffled) == json_text.canonical(json.loads(json.dumps(value)))


@settings(deadline=None)
@given(st.binary())
def test_bytes_give_a_value_or_a_value_error(text: bytes) -> None:
    assert json_text.is_valid(text) in (True, False)


def test_not_a_number_is_read_and_written_as_null() -> None:
    assert math.isnan(json_text.decode(b"[NaN]")[0])
    assert json_text.encode(json_text.decode(b"[NaN, 1e999]")) == b"[null,null]"


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ('```json\n{"a": 1}\n```', '\n{"a": 1}\n'),
        (" ```JSON [1]```\n", " [1]"),
        ("```\n[1]\n```", "\n[1]\n"),
        ("```python\n[1]\n```", "python\n[1]\n"),
        ("``````", ""),
        ("`````", "`````"),
        ("[1]\n```", "[1]\n```"),
        ("Here: ```json\n[1]\n```", "Here: ```json\n[1]\n```"),
        (" [1] ", " [1] "),
    ],
)
def test_a_code_fence_around_json_is_taken_off(text: str, inside: str) -> None:
    assert json_text.unfenced(text) == inside


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    assert json_text.decode(b'"caf\xe9"') == "caf\ufffd"


def test_halves_of_a_pair_are_joined_when_they_meet_and_replaced_when_they_do_not() -> None:
    high, low = json_text.decode(rb'"\ud83d"'), json_text.decode(rb'"\ude00"')

    assert json_text.mend(high + low) == "😀"
    assert json_text.encode({high: [low + high]}) == '{"\ufffd":["\ufffd\ufffd"]}'.encode()


def test_deep_nesting_is_an_error_in_and_is_cut_off_out() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]

    with pytest.raises(ValueError, match="deep"):
        json_text.decode(b"[" * 100_000 + b"]" * 100_000)
    assert json_text.encode(value) == b"[" * 200 + b"null" + b"]" * 200
