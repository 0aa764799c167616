"""`nightschool keys`: a key is shown once, and what is kept of it is a hash."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from nightschool.client_key import hash_of
from nightschool.config import load_config
from tests.cli.command import Command

FILE = Path("nightschool.yaml")
KEYED = """\
upstreams: {a: {base_url: https://a.example, api_key: "${PATH}"}}
prices: {m: {input: 1.0, output: 1.0}}
"""


def test_a_new_key_comes_with_the_lines_for_the_file(nightschool: Command) -> None:
    result = nightschool("keys", "new", "shop")

    (key,) = re.findall(r"^nsk-[A-Za-z0-9_-]{43}$", result.out, re.MULTILINE)
    lines = yaml.safe_load(result.out[result.out.index("clients:") :])
    assert lines == {"clients": {"shop": {"key_hash": hash_of(key.encode())}}}
    FILE.write_text(KEYED + yaml.safe_dump(lines))
    assert load_config(FILE, {"PATH": "k"}).clients
    assert [path for path in Path().rglob("*") if path.is_file()] == [FILE]


def test_every_key_is_another_one(nightschool: Command) -> None:
    keys = [json.loads(nightschool("keys", "new", "shop", "--json").out) for _ in range(3)]

    assert len({each["key"] for each in keys}) == 3
    assert all(each["key_hash"] == hash_of(each["key"].encode()) for each in keys)


@pytest.mark.parametrize("name", ["Shop", "a b", "../x", "", "0123456789abcdef"])
def test_a_name_that_the_file_would_refuse_gets_no_key(nightschool: Command, name: str) -> None:
    result = nightschool("keys", "new", name)

    assert (result.code, result.out) == (1, "")
    assert f"{name!r} is no name for a client" in result.err


def test_the_list_says_what_each_may_and_what_it_has_spent(nightschool: Command) -> None:
    zeros = "sha256:" + "0" * 63
    FILE.write_text(
        KEYED
        + f"""\
clients:
  shop: {{key_hash: "{zeros}1", workloads: [a, b], requests_per_minute: 6000, usd_per_day: 50.0}}
  desk: {{key_hash: "{zeros}2", previous_key_hash: "{zeros}3"}}
  prometheus: {{key_hash: "{zeros}4", workloads: []}}
"""
    )
    Path("nightschool-data").mkdir()
    today = datetime.now(UTC).date().isoformat()
    Path("nightschool-data/spend.json").write_text(json.dumps({"days": {today: {"shop": 1.25, "gone": 9.0}}}))

    plain, as_json = nightschool("keys", "list"), nightschool("keys", "list", "--json")

    cells = [re.split(r"\s{2,}", line.strip()) for line in plain.out.splitlines()]
    assert cells == [
        ["client", "workloads", "per minute", "today", "this month"],
        ["shop", "a, b", "6,000", "$1.25 of $50.00", "$1.25"],
        ["desk", "all", "$0.00", "$0.00"],
        ["prometheus", "none", "$0.00", "$0.00"],
    ]
    shop, desk, _ = json.loads(as_json.out)
    assert shop == {
        "client": "shop",
        "workloads": ["a", "b"],
        "requests_per_minute": 6000,
        "spent_today_usd": 1.25,
        "usd_per_day": 50.0,
        "spent_this_month_usd": 1.25,
        "usd_per_month": None,
        "two_keys": False,
    }
    assert (desk["workloads"], desk["two_keys"]) == (None, True)


def test_without_clients_the_list_says_who_may(nightschool: Command) -> None:
    FILE.write_text(KEYED)

    assert nightschool("keys", "list").out == "no clients: whoever can reach the proxy may use it\n"
    assert json.loads(nightschool("keys", "list", "--json").out) == []


def test_a_list_of_spending_that_cannot_be_read_says_what_to_do(nightschool: Command) -> None:
    FILE.write_text(KEYED)
    Path("nightschool-data").mkdir()
    Path("nightschool-data/spend.json").write_text("{")

    result = nightschool("keys", "list")

    assert result.code == 1
    assert "spend.json cannot be read" in result.err
    assert "try: delete it" in result.err
