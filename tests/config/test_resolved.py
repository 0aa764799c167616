from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.config import load_config, origins, read_config, resolved, resolved_yaml
from tests.config.files import UPSTREAM, write

ENV = {"K": "secret"}


def test_what_the_file_says_is_marked_with_its_line_and_the_rest_is_default(tmp_path: Path) -> None:
    text = """\
upstreams:
  openai:
    base_url: https://api.openai.com/v1
    api_key: ${K}
    timeouts: {idle_s: 7}
record:
  fsync: off
  redact: [{pattern: 'a: b', with: ''}]
workloads:
  pii: {when: {tag.team: "5"}}
"""
    file = write(tmp_path, text)

    assert resolved_yaml(read_config(file, ENV)) == (
        f"""\
# {file}, resolved; a value without a line number is the default
listen: 127.0.0.1:8080
open_to_anyone: false
workers: 1
timeouts:
  connect_s: 5
  first_byte_s: 600
  idle_s: 120
drain_s: 30
data: {tmp_path}/nightschool-data
upstreams:
  openai:
    base_url: https://api.openai.com/v1  # line 3
    kind: openai
    api_key: ${{K}}  # line 4
    headers: {{}}
    timeouts:
      connect_s: 5
      first_byte_s: 600
      idle_s: 7  # line 5
    keepalive_s: 4
    verify_tls: true
default_upstream: openai
prices: {{}}
record:
  bodies: full
  redact:
    - pattern: "a: b"  # line 8
      with: ""  # line 8
  logprobs: 0
  fsync: off  # line 7
  segment_s: 10
  segment_bytes: 16777216
  queue_bytes: 33554432
student:
  replicas: []
  unload_after_s: 3600
  first_token_s: 10
workloads:
  pii:
    when:
      tag:
        team: "5"  # line 10
      header: {{}}
    recorded_as: []
    distill:
      while_serving: share
      min_examples: 300
      max_examples: 10000
      test_share: 0.1
      newest_days: 7
      precision: auto
      load_in_4bit: false
      gradient_checkpointing: auto
      validations_per_epoch: 4
      patience: 4
      soft_labels: auto
      soft_share: 0.5
      seed: 1
    evaluate:
      spans: {{}}
      few_shot: 3
      concurrency: 8
      timeout_s: 300
    promote:
      mode: automatic
      criterion: parity
      margin: 0.03
      alpha: 0.05
      nights: 30
      min_rows: 300
      max_unscored: 0.02
      ramp:
        - 5
        - 25
        - 100
      teacher_share: 3
      step_audits: 30
      audit: 3
      false_alarm_audits: 10000
      on_harm: rollback
      shadow: 0
      slices:
        worst: 0.1
        min_rows: 100
      guards:
        schema_validity: 0.01
        refusals: 0.01
        cost_ratio: 1
    escalate:
      on:
        - invalid_output
        - timeout
        - error
      streams: flow
    decoding: greedy
console:
  listen: 127.0.0.1:8090
notify:
  on:
    - promote
    - rollback
    - failure
limits:
  request_body_bytes: 16777216
"""
    )


def test_origins_name_the_line_of_every_given_value(tmp_path: Path) -> None:
    loaded = read_config(write(tmp_path, UPSTREAM + "record:\n  redact:\n  - {pattern: a, with: b}\n"), ENV)

    assert origins(loaded) == {
        "upstreams.openai.base_url": 1,
        "record.redact[0].pattern": 4,
        "record.redact[0].with": 4,
    }


slugs = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)
texts = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF), min_size=1, max_size=12
).filter(lambda text: "${" not in text)
amounts = st.integers(1, 10**9) | st.floats(0.001, 10**6)
timeouts = st.fixed_dictionaries({}, optional={"connect_s": amounts, "first_byte_s": amounts, "idle_s": amounts})
upstreams = st.fixed_dictionaries(
    {"base_url": st.sampled_from(["https://a.example/v1/", "http://[::1]:8000"])},
    optional={
        "api_key": st.just("${K}"),
        "headers": st.dictionaries(
            st.sampled_from(["X-A", "x-b"]), st.sampled_from(["1", "a: ${K} #", "true", "", " "])
        ),
        "timeouts": timeouts,
        "keepalive_s": amounts,
        "max_connections": st.integers(1, 1000) | st.none(),
        "verify_tls": st.booleans(),
    },
)
conditions = st.fixed_dictionaries(
    {"model": texts},
    optional={"tool": texts, "schema": texts, "tag": st.dictionaries(texts, texts, max_size=2)},
)
files: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"upstreams": st.dictionaries(slugs, upstreams, min_size=1, max_size=1)},
    optional={
        "listen": st.sampled_from(["[::1]:0", "localhost:80"]),
        "drain_s": amounts,
        "timeouts": timeouts,
        "prices": st.dictionaries(texts, st.fixed_dictionaries({"input": amounts, "output": amounts}), max_size=2),
        "student": st.fixed_dictionaries({"replicas": st.lists(st.just("http://gpu-1:8000"), max_size=2)}),
        "workloads": st.dictionaries(slugs, st.fixed_dictionaries({"when": conditions}), max_size=3),
    },
)


@given(values=files)
def test_the_resolved_form_is_a_file_that_says_the_same(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    loaded = read_config(write(folder, json.dumps(values)), ENV)

    again = read_config(write(folder, resolved_yaml(loaded)), ENV)

    assert resolved(again) == resolved(loaded)
    assert load_config(again.file, ENV).upstreams.keys() == loaded.config.upstreams.keys()
