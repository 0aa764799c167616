"""What pyproject.toml leaves out of an installation is found by the name under which it is imported."""

from __future__ import annotations

import pytest

from nightschool.extras import extra_of, missing


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("torch", "distill"),
        ("transformers.models", "distill"),
        ("openai", "distill"),  # which the demo's brings, too
        ("python_multipart", "console"),
        ("faker", "demo"),
        ("pytest", None),
        ("duckdb", None),
        ("nonsense", None),
    ],
)
def test_a_module_leads_to_its_extra(module: str, extra: str | None) -> None:
    assert extra_of(module) == extra


def test_nothing_is_missing_of_what_the_tests_are_installed_with() -> None:
    assert [missing(extra) for extra in ("distill", "console", "demo")] == [[], [], []]


def test_what_is_not_installed_is_missing() -> None:
    assert missing("vllm") == ["vllm"]
