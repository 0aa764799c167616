"""Who asks, and may they: decided from the head of a request, and once more when its workload is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nightschool.client_key import hash_of, holds_key, new_key
from nightschool.config import Config
from nightschool.store.spend import FILE
from proxy.callers import Callers
from proxy.clients.known import KnownClients, NamedCallers
from proxy.clients.meters import Meters
from proxy.clients.refusal import Refusal
from proxy.connection import Headers
from proxy.headers import Replacement
from proxy.request_head import RequestHead
from proxy.route import Route

KEY, OLD_KEY, OTHER_KEY = (new_key() for _ in range(3))
BASE: Mapping[str, Any] = {
    "upstreams": {"main": {"base_url": "https://a.example/v1", "api_key": "sk"}},
    "prices": {"m": {"input": 1.0, "output": 1.0}},
    "workloads": {
        "triage": {"when": {"model": "m"}},
        "images": {"when": {"path": "/images/*"}},
        "other": {"when": {"tool": "t"}},
    },
}


def known(meters: Meters | None = None, **limits: Any) -> KnownClients:
    shop = {
        "key_hash": hash_of(KEY.encode()),
        "previous_key_hash": hash_of(OLD_KEY.encode()),
        **limits,
    }
    return KnownClients(Config.model_validate({**BASE, "clients": {"shop": shop}}), meters or Meters())


def head(*headers: tuple[str, str]) -> RequestHead:
    return RequestHead([(name.encode(), value.encode()) for name, value in headers])


def bearer(key: str, *more: tuple[str, str]) -> RequestHead:
    return head(("authorization", f"Bearer {key}"), *more)


def told(refused: Refusal | None) -> tuple[int, str] | None:
    return None if refused is None else (refused.status, json.loads(refused.body)["error"]["code"])


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", f"Bearer {KEY}")],
        [("authorization", f"bearer  {KEY} ")],
        [("authorization", KEY)],
        [("api-key", KEY)],
        [("x-api-key", KEY)],
        [("x-api-key", OLD_KEY)],
        [("authorization", "Basic dTpw"), ("api-key", KEY)],
        [("authorization", "Bearer sk-of-the-upstream"), ("x-api-key", KEY)],
    ],
)
def test_a_key_is_found_wherever_libraries_put_it(headers: list[tuple[str, str]]) -> None:
    assert known().refuses(head(*headers)) is None


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "")],
        [("authorization", "Bearer")],
        [("authorization", f"Bearer {OTHER_KEY}")],
        [("authorization", f"Bearer {KEY[:-1]}")],
        [("authorization", f"Bearer {KEY}x")],
        [("authorization", f"Basic {KEY}")],
        [("cookie", KEY)],
        [("x-api-key", hash_of(KEY.encode()))],
    ],
)
def test_whoever_has_no_key_is_a_stranger(headers: list[tuple[str, str]]) -> None:
    refused = known().refuses(head(*headers))

    assert told(refused) == (401, "invalid_api_key")
    assert refused is not None
    assert b"www-authenticate: Bearer\r\n" in refused.lines
    assert KEY.encode() not in refused.body


def test_a_change_of_the_configuration_counts_for_heads_that_are_known_already() -> None:
    asking = bearer(KEY)
    assert known().refuses(asking) is None
    config = {**BASE, "clients": {"desk": {"key_hash": hash_of(OTHER_KEY.encode())}}}

    assert told(KnownClients(Config.model_validate(config), Meters()).refuses(asking)) == (401, "invalid_api_key")


# -- workloads


@pytest.mark.parametrize(
    ("workload", "reason", "request_line", "code"),
    [
        ("triage", "rule", b"POST /chat/completions", None),
        ("triage", "header", b"POST /chat/completions", None),
        ("triage", "student", b"POST /chat/completions", None),
        ("triage", "header", b"POST /embeddings", None),
        ("images", "rule", b"POST /images/generations", None),
        ("other", "rule", b"POST /chat/completions", (403, "workload_not_allowed")),
        (None, "default", b"POST /chat/completions", (403, "workload_not_allowed")),
        (None, "default", b"GET /models", (403, "workload_not_allowed")),
        ("triage", "header", b"GET /files", (403, "workload_not_allowed")),
        ("triage", "header", b"POST /files", (403, "workload_not_allowed")),
        ("triage", "rule", b"GET /responses/resp_1", (403, "workload_not_allowed")),
        ("triage", "header", b"GET /chat/completions", (403, "workload_not_allowed")),
        ("images", "header", b"POST /images/generations", (403, "workload_not_allowed")),
    ],
)
def test_a_client_of_workloads_may_ask_models_about_these_and_nothing_else(
    workload: str | None, reason: str, request_line: bytes, code: tuple[int, str] | None
) -> None:
    method, path = request_line.split()
    route = Route(workload, ("main",), reason)
    kept = known(workloads=["triage", "images"])

    assert told(kept.forbids(bearer(KEY), route, method=method, endpoint=path.decode())) == code
    assert known().forbids(bearer(KEY), route, method=method, endpoint=path.decode()) is None


def test_a_stranger_is_one_also_when_its_request_has_begun_before_there_were_clients() -> None:
    route = Route("triage", ("main",), "rule")

    refused = known().forbids(bearer(OTHER_KEY), route, method=b"POST", endpoint="/chat/completions")

    assert told(refused) == (401, "invalid_api_key")


def test_a_client_of_no_workload_may_ask_for_what_the_proxy_answers_itself() -> None:
    nothing = known(workloads=[])

    assert nothing.is_stranger({b"authorization": f"Bearer {KEY}".encode()}) is None
    assert told(nothing.is_stranger({b"authorization": f"Bearer {OTHER_KEY}".encode()})) == (401, "invalid_api_key")
    assert told(nothing.is_stranger({})) == (401, "invalid_api_key")


# -- money


def spent(folder: Path, days: Mapping[str, float], today: str = "2026-11-26") -> Meters:
    (folder / FILE).write_text(json.dumps({"days": {day: {"shop": usd} for day, usd in days.items()}}))
    meters = Meters(data=folder, today=lambda: date.fromisoformat(today))
    meters.look()
    return meters


@pytest.mark.parametrize(
    ("days", "period"),
    [
        ({"2026-11-26": 0.99}, None),
        ({"2026-11-26": 1.0}, "day"),
        ({"2026-11-25": 7.0}, None),
        ({"2026-11-25": 9.0, "2026-11-26": 1.0}, "day"),
        ({"2026-11-25": 9.5, "2026-11-26": 0.5}, "month"),
        ({"2026-10-31": 9000.0}, None),
    ],
)
def test_a_budget_lasts_for_a_day_and_a_month(tmp_path: Path, days: Mapping[str, float], period: str | None) -> None:
    refused = known(spent(tmp_path, days), usd_per_day=1.0, usd_per_month=10.0).refuses(bearer(KEY))

    assert told(refused) == (None if period is None else (429, "insufficient_quota"))
    if refused is not None:
        assert f"USD per {period}" in json.loads(refused.body)["error"]["message"]
        assert b"x-should-retry: false\r\n" in refused.lines


def test_the_next_day_has_a_budget_of_its_own_though_nobody_writes_the_file(tmp_path: Path) -> None:
    days = iter(["2026-11-26", "2026-11-26", "2026-11-27"])
    (tmp_path / FILE).write_text(json.dumps({"days": {"2026-11-26": {"shop": 5.0}}}))
    meters = Meters(data=tmp_path, today=lambda: date.fromisoformat(next(days)))
    clients = known(meters, usd_per_day=1.0)
    meters.look()
    assert told(clients.refuses(bearer(KEY))) == (429, "insufficient_quota")

    meters.look()

    assert clients.refuses(bearer(KEY)) is None


def test_a_file_that_cannot_be_read_leaves_what_was_known_in_force(tmp_path: Path) -> None:
    meters = spent(tmp_path, {"2026-11-26": 5.0})
    (tmp_path / FILE).write_text("{")
    meters.look()

    assert told(known(meters, usd_per_day=1.0).refuses(bearer(KEY))) == (429, "insufficient_quota")


def test_who_has_a_budget_cannot_opt_out_of_being_recorded() -> None:
    unrecorded = bearer(KEY, ("x-nightschool-record", "off"))

    assert told(known(usd_per_day=1.0).refuses(unrecorded)) == (403, "recording_required")
    assert known().refuses(unrecorded) is None


# -- how often


def test_who_asks_too_often_is_told_when_to_ask_again() -> None:
    clients = known(requests_per_minute=6)
    assert clients.refuses(bearer(KEY)) is None

    refused = clients.refuses(bearer(KEY))

    assert told(refused) == (429, "rate_limit_exceeded")
    assert refused is not None
    waits = dict(refused.headers)
    assert waits[b"retry-after"] == b"10"
    assert 9000 < int(waits[b"retry-after-ms"]) <= 10_000


def test_a_change_of_the_configuration_fills_no_bucket() -> None:
    meters = Meters()
    assert known(meters, requests_per_minute=6).refuses(bearer(KEY)) is None

    assert told(known(meters, requests_per_minute=6).refuses(bearer(KEY))) == (429, "rate_limit_exceeded")


# -- what becomes of the key


def test_the_record_has_the_clients_name_and_a_strangers_hash() -> None:
    callers = Callers(b"s" * 32)
    clients = known()
    asking = head(("authorization", "Basic dTpw"), ("api-key", OLD_KEY))
    assert clients.refuses(asking) is None
    assert asking.credential is not None

    named = NamedCallers(clients, callers)

    assert named.pseudonym(asking.credential) == "shop"
    assert named.pseudonym(b"Bearer sk-other") == callers.pseudonym(b"Bearer sk-other")


@pytest.mark.parametrize("name", [b"authorization", b"api-key", b"x-api-key", b"x-anything"])
@pytest.mark.parametrize("form", ["%s", "Bearer %s", "Bearer  %s ", "a, %s"])
def test_no_upstream_ever_sees_a_key(name: bytes, form: str) -> None:
    headers: Headers = [(name, (form % OTHER_KEY).encode()), (b"accept", b"*/*")]

    assert RequestHead(headers).lines(Replacement([])) == b"accept: */*\r\n"


@pytest.mark.parametrize("value", [b"Bearer sk-abc", b"nsk-short", b"", b"nsk-" + b"." * 43])
def test_what_is_no_key_of_ours_passes(value: bytes) -> None:
    assert not holds_key(value)
