"""A format is a file and a hash over it."""

from __future__ import annotations

from dataclasses import replace

from nightschool.formats import CHATML, FORMATS, LLAMA3


def test_the_hash_names_the_template() -> None:
    assert len({format.template_hash for format in FORMATS}) == len(FORMATS)
    assert replace(LLAMA3, name=CHATML.name).template_hash == CHATML.template_hash


def test_a_template_writes_the_special_tokens_of_its_format_and_no_others() -> None:
    for format in FORMATS:
        written = format.template.partition("markers")[0]

        assert [token for token in format.special_tokens if token not in written] == []
        assert format.end_of_turn in format.special_tokens
        assert written.count("<|") == len(format.special_tokens)
