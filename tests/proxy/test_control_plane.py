"""Feedback, health and metrics: what the proxy answers by itself."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from demo.scripted_upstream import ScriptedUpstream
from tests.raw import ask, chat_request, request
from tests.running import RunningProxy
from tests.waiting import until

KEYS = {"message", "type", "param", "code"}


def post(proxy: RunningProxy, body: Any) -> httpx.Response:
    return httpx.post(f"{proxy.url}/nightschool/v1/feedback", json=body, timeout=20)


def test_feedback_stands_beside_the_exchange_it_is_about(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    exchange_id = ask(proxy.url, chat_request()).header("x-nightschool-id")
    given = {"id": exchange_id, "score": 0.5, "comment": "fine, café", "user": "u1"}

    assert post(proxy, given).status_code == 202
    sql = "SELECT score, comment, user FROM feedback WHERE exchange_id = ?"
    until(lambda: proxy.rows(sql, [exchange_id]) == [{"score": 0.5, "comment": "fine, café", "user": "u1"}])


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "id"),
        ({"id": "no id", "score": 1}, "id"),
        ({"id": "018f0000-0000-7000-8000-000000000000"}, "score"),
        ({"id": "018f0000-0000-7000-8000-000000000000", "score": "high"}, "score"),
        ({"id": "018f0000-0000-7000-8000-000000000000", "score": 1, "stars": 5}, "stars"),
        ([], "body"),
    ],
)
def test_wrong_feedback_is_400_and_says_what_is_wrong(proxy: RunningProxy, body: Any, named: str) -> None:
    answer = post(proxy, body)

    assert (answer.status_code, set(answer.json()["error"])) == (400, KEYS)
    assert named in answer.json()["error"]["message"]


def test_a_proxy_that_answers_is_healthy_and_ready(proxy: RunningProxy) -> None:
    health, ready = (httpx.get(f"{proxy.url}/{name}") for name in ("healthz", "readyz"))

    assert (health.status_code, ready.status_code) == (200, 200)
    assert ready.json()["status"] == "ready"


def test_metrics_count_requests_by_workload_upstream_and_status(
    proxy: RunningProxy, upstream: ScriptedUpstream
) -> None:
    def count(**labels: str) -> float:
        return proxy.metric("nightschool_requests_total", **labels)

    before = count(workload="by-model", upstream="other", status="200"), count(status="418")
    ask(proxy.url, chat_request("routed-1"))
    ask(proxy.url, chat_request("status-418"))

    assert (count(workload="by-model", upstream="other", status="200"), count(status="418")) == (
        before[0] + 1,
        before[1] + 1,
    )
    assert proxy.metric("nightschool_open_requests") == 0


def test_a_workload_that_only_a_caller_names_makes_no_new_series(proxy: RunningProxy) -> None:
    for number in range(20):
        ask(proxy.url, chat_request(headers=[("x-nightschool-workload", f"made-up-{number}")]))

    assert "made-up" not in httpx.get(f"{proxy.url}/metrics").text


def test_metrics_speak_prometheus_text(proxy: RunningProxy) -> None:
    answer = httpx.get(f"{proxy.url}/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE nightschool_records_lost_total counter" in answer.text


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_wrong_method_is_405_in_openais_shape(proxy: RunningProxy, method: str) -> None:
    answer = ask(proxy.url, request(method, "/nightschool/v1/feedback"))

    assert (answer.status, set(answer.json()["error"])) == (405, KEYS)
