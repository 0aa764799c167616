"""Our own request headers: each is read, and each that says nonsense names itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.control import BadControlHeader, Control, read_control


def test_a_caller_who_says_nothing_is_recorded_and_routed_by_the_rules() -> None:
    assert read_control([(b"authorization", b"x"), (b"x-night", b"y")]) == Control(
        workload=None, conversation=None, tags={}, record=True, target=None
    )


def test_everything_that_can_be_said_is_understood() -> None:
    headers = [
        (b"x-nightschool-workload", b"invoices.v2"),
        (b"x-nightschool-conversation", b"thread/7=!"),
        (b"x-nightschool-tags", '{"team": "zürich", "empty": ""}'.encode()),
        (b"x-nightschool-record", b"off"),
        (b"x-nightschool-target", b"student"),
    ]

    assert read_control(headers) == Control(
        workload="invoices.v2",
        conversation="thread/7=!",
        tags={"team": "zürich", "empty": ""},
        record=False,
        target="student",
    )


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("workload", b"", "is not a name of lower-case letters"),
        ("workload", b"Invoices", "'Invoices' is not a name"),
        ("workload", b"-dash", "is not a name"),
        ("workload", b"a" * 65, "is not a name"),
        ("workload", b"a\n", "is not a name"),
        ("conversation", b"", "is not 1 to 200 printable ASCII"),
        ("conversation", b"a b", "is not 1 to 200 printable ASCII"),
        ("conversation", b"caf\xe9", "is not 1 to 200 printable ASCII"),
        ("conversation", b"x" * 201, "is not 1 to 200 printable ASCII"),
        ("tags", b"", "not a JSON object of strings"),
        ("tags", b"team=a", "not a JSON object of strings"),
        ("tags", b"[]", "not a JSON object of strings"),
        ("tags", b"null", "not a JSON object of strings"),
        ("tags", b'{"a": 1}', "not a JSON object of strings"),
        ("tags", b'{"a": null}', "not a JSON object of strings"),
        ("tags", b'{"a": "caf\xe9"}', "not a JSON object of strings"),
        ("tags", b"[" * 50_000, "not a JSON object of strings"),
        ("record", b"maybe", "'maybe' is neither on nor off"),
        ("record", b"ON", "'ON' is neither on nor off"),
        ("target", b"headmaster", "'headmaster' is neither teacher nor student"),
        ("tag", b"{}", "not known; did you mean x-nightschool-tags?"),
        ("", b"x", "not known; known are workload, conversation, tags, record, target"),
        ("unrelated", b"x", "not known; known are"),
    ],
)
def test_a_header_that_says_nonsense_names_itself(name: str, value: bytes, says: str) -> None:
    header = f"x-nightschool-{name}"

    with pytest.raises(BadControlHeader) as caught:
        read_control([(header.encode(), value)])

    assert caught.value.header == header
    assert str(caught.value).startswith(f"request header {header}: ")
    assert says in str(caught.value)


@pytest.mark.parametrize("name", [b"workload", b"record", b"tags", b"unknown"])
def test_a_header_that_is_given_twice_names_itself(name: bytes) -> None:
    header = (b"x-nightschool-" + name, b"on")

    with pytest.raises(BadControlHeader, match="given twice") as caught:
        read_control([header, (b"x-other", b"1"), header])

    assert caught.value.header == header[0].decode()


@given(st.binary(max_size=12), st.binary(max_size=30))
def test_any_bytes_are_understood_or_refused(name: bytes, value: bytes) -> None:
    header = b"x-nightschool-" + name
    said: Control | BadControlHeader
    try:
        said = read_control([(header, value)])
    except BadControlHeader as error:
        said = error

    assert isinstance(said, Control) or said.header == header.decode("latin-1")


def test_the_values_at_the_limits_are_accepted() -> None:
    headers = [(b"x-nightschool-workload", b"a" * 64), (b"x-nightschool-conversation", b"~" * 200)]

    control = read_control(headers)

    assert (control.workload, control.conversation) == ("a" * 64, "~" * 200)
