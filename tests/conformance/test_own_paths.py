"""What schemathesis has found about nightschool's own paths, held by tests."""

from __future__ import annotations

import httpx
import pytest

from tests.conformance.stand import Stand


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_whoever_looks_after_the_process_may_ask_by_head(shared: Stand, path: str) -> None:
    answer = httpx.head(f"{shared.proxy.url}{path}")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(("path", "allowed"), [("/healthz", {"GET", "HEAD"}), ("/nightschool/v1/feedback", {"POST"})])
def test_a_method_that_is_refused_is_told_which_are_not(shared: Stand, path: str, allowed: set[str]) -> None:
    answer = httpx.put(f"{shared.proxy.url}{path}")
    assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (405, allowed)
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("score", [True, "1", [1]])
def test_a_score_that_is_no_number_is_refused_and_not_read_as_one(shared: Stand, score: object) -> None:
    given = {"id": "019ab0d3-0000-7000-8000-000000000000", "score": score}
    answer = httpx.post(f"{shared.proxy.url}/nightschool/v1/feedback", json=given)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "score")
