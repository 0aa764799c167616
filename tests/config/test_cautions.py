from __future__ import annotations

from pathlib import Path

import pytest

from nightschool.config import restart_needed, warnings
from tests.config.files import UPSTREAM, load


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("192.168.0.9", True),
        ("[::1]", True),
        ("[fd00::1]", True),
        ("vllm", True),
        ("vllm.models.svc.cluster.local", True),
        ("gpu.internal", True),
        ("api.example.com", False),
        ("8.8.8.8", False),
        ("[2001:4860:4860::8888]", False),
    ],
)
def test_plain_http_is_warned_of_when_it_crosses_the_internet(tmp_path: Path, host: str, private: bool) -> None:
    plain = warnings(load(tmp_path, f"upstreams: {{a: {{base_url: 'http://{host}/v1'}}}}"))
    encrypted = warnings(load(tmp_path, f"upstreams: {{a: {{base_url: 'https://{host}/v1'}}}}"))

    assert [text.startswith("upstreams.a.base_url: requests and keys go to") for text in plain] == [True] * (
        not private
    )
    assert encrypted == []


def test_unverified_tls_is_warned_of(tmp_path: Path) -> None:
    (warning,) = warnings(load(tmp_path, "upstreams: {a: {base_url: https://a, verify_tls: false}}"))

    assert warning.startswith("upstreams.a.verify_tls: nobody checks who answers")


@pytest.mark.parametrize(
    ("second", "count"),
    [
        ("{base_url: https://b.example}", 1),
        ("{base_url: https://b.example, api_key: '${K}'}", 0),
        ("{base_url: https://b.example, headers: {Authorization: 'Bearer ${K}'}}", 0),
        ("{base_url: https://a.example/v2}", 0),
    ],
)
def test_callers_keys_that_a_fallback_carries_to_another_host_are_warned_of(
    tmp_path: Path, second: str, count: int
) -> None:
    text = f"upstreams:\n  a: {{base_url: https://a.example, fallback: b}}\n  b: {second}\ndefault_upstream: a\n"

    found = warnings(load(tmp_path, text, {"K": "k"}))

    assert len(found) == count
    assert all("callers' keys for a.example would be sent to b.example" in warning for warning in found)


def test_a_workload_that_another_hides_is_warned_of(tmp_path: Path) -> None:
    text = UPSTREAM + "workloads: {a: {when: {model: x}}, b: {when: {tool: y}}, c: {when: {model: x}}}"

    assert warnings(load(tmp_path, text)) == [
        "workloads.c: matches nothing, since a comes first and has the same conditions"
    ]


FIXED = "listen: 127.0.0.1:9\nworkers: 2\ndata: other\ndrain_s: 1\nrecord: {retention_days: 9}\n"


def test_only_what_is_fixed_at_the_start_needs_a_restart(tmp_path: Path) -> None:
    old = load(tmp_path, UPSTREAM)
    moved = load(tmp_path, UPSTREAM + FIXED)
    tuned = load(tmp_path, UPSTREAM + "record: {bodies: off}\ntimeouts: {idle_s: 1}\nlimits: {request_body_bytes: 1}\n")

    assert restart_needed(old, moved) == ["listen", "workers", "data", "drain_s", "record.retention_days"]
    assert restart_needed(old, tuned) == []


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ("{logprobs: 5}", []),
        ("{logprobs: 0, bodies: metadata}", []),
        ("{logprobs: 5, bodies: metadata}", ["record.logprobs: nothing is asked for, since record.bodies is metadata"]),
        (
            "{logprobs: 5, redact: [{pattern: a, with: b}]}",
            ["record.logprobs: nothing is asked for, since record.redact"],
        ),
    ],
)
def test_log_probabilities_that_are_never_asked_for_are_warned_of(tmp_path: Path, record: str, said: list[str]) -> None:
    warned = warnings(load(tmp_path, f"record: {record}\n{UPSTREAM}"))

    assert [text[: len(start)] for text, start in zip(warned, said, strict=True)] == said


JUDGED = "workloads: {w: {when: {model: x}, evaluate: {judge: {upstream: openai, model: m}}}}\n"


def test_a_judge_without_a_key_or_a_price_is_warned_of(tmp_path: Path) -> None:
    keyless = warnings(load(tmp_path, UPSTREAM + JUDGED))
    good = UPSTREAM.replace("}}", ", api_key: '${K}'}}") + JUDGED + "prices: {m: {input: 1.0, output: 2.0}}\n"

    assert [text.split(": ", 1)[1][:20] for text in keyless] == ["openai has no api_ke", "m has no price, so o"]
    assert warnings(load(tmp_path, good, {"K": "k"})) == []


@pytest.mark.parametrize(("scorer", "warned"), [("null", True), ("label", True), ("mine:right", False)])
def test_a_shadow_beside_a_judge_is_warned_of(tmp_path: Path, scorer: str, warned: bool) -> None:
    shadowed = JUDGED.replace("evaluate: {", f"promote: {{shadow: 20}}, evaluate: {{scorer: {scorer}, ")

    assert any("promote.shadow" in text for text in warnings(load(tmp_path, UPSTREAM + shadowed))) == warned


def test_a_judge_in_the_house_needs_no_key(tmp_path: Path) -> None:
    local = UPSTREAM.replace("https://api.openai.com/v1", "http://127.0.0.1:9/v1") + JUDGED

    assert not any("api_key" in text for text in warnings(load(tmp_path, local)))
