from __future__ import annotations

from pathlib import Path

import pytest

from nightschool.config import load_config
from nightschool.errors import ConfigError
from tests.config.files import NO_ENV, UPSTREAM, write


def price(text: str) -> str:
    return UPSTREAM + f"student: {{price: {text}}}\n"


def test_the_price_of_a_gpu_hour_over_its_tokens_is_a_price_per_million_tokens(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, price("{gpu_hour_usd: 1.2, tokens_per_hour: 4000000}")), NO_ENV)

    assert config.student.price is not None
    assert config.student.price.per_million == pytest.approx((0.3, 0.3))


def test_a_price_per_million_tokens_is_taken_as_it_is(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, price("{input: 0.25, output: 0.5}")), NO_ENV)

    assert config.student.price is not None
    assert config.student.price.per_million == (0.25, 0.5)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("{gpu_hour_usd: 1.2}", "student.price.tokens_per_hour: is missing: gpu_hour_usd alone is no price"),
        ("{output: 1.2}", "student.price.input: is missing: output alone is no price"),
        (
            "{input: 1.0, output: 1.0, gpu_hour_usd: 1.2}",
            "student.price.input: goes not together with gpu_hour_usd: give the price in one of the two ways",
        ),
        ("{}", "student.price: says no price: give `gpu_hour_usd` and `tokens_per_hour`, or `input` and `output`"),
    ],
)
def test_a_price_in_no_form_or_in_both_is_refused(tmp_path: Path, given: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        load_config(write(tmp_path, price(given)), NO_ENV)

    assert complaint in str(refusal.value)


def test_an_unknown_failure_to_escalate_on_is_refused(tmp_path: Path) -> None:
    text = UPSTREAM + "workloads: {w: {when: {tool: t}, escalate: {on: [anger]}}}\n"

    with pytest.raises(ConfigError, match=r"workloads\.w\.escalate\.on"):
        load_config(write(tmp_path, text), NO_ENV)
