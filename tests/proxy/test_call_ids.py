from __future__ import annotations

import pytest

from proxy.call_ids import call_id, digits_in, digits_of


def test_an_id_says_which_adapter_made_the_call() -> None:
    made = call_id("a--b--0123456789ab", "chatcmpl-1", 0)

    assert digits_in(made) == digits_of("a--b--0123456789ab") == "0123456789ab"


def test_the_calls_of_an_answer_and_of_two_answers_have_different_ids() -> None:
    ids = {call_id("w--0123456789ab", answer, position) for answer in ("1", "2", "11") for position in range(12)}

    assert len(ids) == 36


def test_an_id_is_as_long_as_openai_takes_it() -> None:
    assert len(call_id("w--0123456789ab", "chatcmpl-" + "f" * 100, 7)) <= 40


@pytest.mark.parametrize("other", ["call_abc", "call_ns_", "call_ns_0123_1", "xcall_ns_0123456789ab_0", ""])
def test_an_id_of_somebody_else_says_nothing(other: str) -> None:
    assert digits_in(other) is None
