"""Who may use the proxy, and that nobody else can spend the keys behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightschool.client_key import hash_of, new_key
from nightschool.config import ClientConfig, Config, warnings
from nightschool.config.clients import open_door
from tests.config.files import UPSTREAM, faults, load

HASH = "sha256:" + "0" * 64
OTHER = "sha256:" + "1" * 64
KEYED = "upstreams: {a: {base_url: https://a.example, api_key: '${K}'}}\n"
PRICED = "prices: {m: {input: 1.0, output: 1.0}}\n"
ENV = {"K": "k"}


def named(text: str) -> str:
    return f"clients: {{shop: {{key_hash: '{HASH}', {text}}}}}\n"


def client_in(config: Config) -> ClientConfig:
    assert config.clients is not None
    return config.clients["shop"]


@pytest.mark.parametrize(
    ("listen", "refused"),
    [
        ("127.0.0.1:80", False),
        ("127.9.9.9:80", False),
        ("'[::1]:80'", False),
        ("localhost:80", False),
        ("0.0.0.0:80", True),
        ("'[::]:80'", True),
        ("10.0.0.1:80", True),
        ("example.com:80", True),
    ],
)
def test_a_door_open_to_the_network_is_refused_while_there_is_a_key_behind_it(
    tmp_path: Path, listen: str, refused: bool
) -> None:
    with_key = faults(tmp_path, f"listen: {listen}\n{KEYED}", ENV)
    with_header = faults(
        tmp_path,
        f"listen: {listen}\nupstreams: {{a: {{base_url: https://a.example, headers: {{X-API-Key: '${{K}}'}}}}}}\n",
        ENV,
    )
    without_key = faults(tmp_path, f"listen: {listen}\n{UPSTREAM}")

    assert [text.startswith("1: listen: anyone who can reach") for text in with_key] == [True] * refused
    assert with_header == with_key
    assert without_key == []


def test_the_refusal_names_address_upstream_and_the_three_ways_out(tmp_path: Path) -> None:
    (said,) = faults(tmp_path, "listen: 10.0.0.1:80\n" + KEYED, ENV)

    assert "10.0.0.1" in said
    assert "the keys of a:" in said
    assert all(way in said for way in ("`clients`", "127.0.0.1", "`open_to_anyone: true`"))


@pytest.mark.parametrize("way_out", [named(""), "open_to_anyone: true\n"])
def test_each_way_out_lets_it_listen(tmp_path: Path, way_out: str) -> None:
    assert warnings(load(tmp_path, "listen: 0.0.0.0:80\n" + KEYED + way_out, ENV)) == []


def test_a_door_that_says_that_it_is_open_and_names_guests_is_a_fault(tmp_path: Path) -> None:
    (said,) = faults(tmp_path, KEYED + named("") + "open_to_anyone: true\n", ENV)

    assert said.startswith("3: open_to_anyone: is true, but `clients` says who may")


def test_an_address_other_than_the_files_can_be_asked_about(tmp_path: Path) -> None:
    on_loopback = load(tmp_path, KEYED, ENV)

    assert open_door(on_loopback, "127.0.0.1") is None
    assert "0.0.0.0" in (open_door(on_loopback, "0.0.0.0") or "")
    assert open_door(load(tmp_path, KEYED + named(""), ENV), "0.0.0.0") is None


# -- clients


def test_a_client_says_what_it_may(tmp_path: Path) -> None:
    text = named(f"previous_key_hash: '{OTHER}', workloads: [], requests_per_minute: 6, usd_per_day: 0.5")

    client = client_in(load(tmp_path, KEYED + PRICED + text, ENV))

    assert list(client.hashes) == [HASH, OTHER]
    assert (client.workloads, client.requests_per_minute, client.usd_per_day, client.usd_per_month) == (
        (),
        6,
        0.5,
        None,
    )
    assert client.has_budget


def test_what_makes_a_key_makes_a_hash_that_the_file_takes(tmp_path: Path) -> None:
    key_hash = hash_of(new_key().encode())

    assert client_in(load(tmp_path, KEYED + named("").replace(HASH, key_hash), ENV)).key_hash == key_hash


def test_a_key_in_place_of_its_hash_is_refused_and_never_repeated(tmp_path: Path) -> None:
    key = new_key()

    (said,) = faults(tmp_path, KEYED + named("").replace(HASH, key), ENV)

    assert said.startswith("2: clients.shop.key_hash: is a key, and its hash belongs here")
    assert key not in said


@pytest.mark.parametrize("given", ["sha256:" + "0" * 63, "sha256:" + "G" * 64, "f" * 64, "md5:abc", "''"])
def test_what_is_no_hash_is_refused(tmp_path: Path, given: str) -> None:
    (said,) = faults(tmp_path, KEYED + named("").replace(f"'{HASH}'", given), ENV)

    assert said.startswith("2: clients.shop.key_hash: is no hash of a key: `nightschool keys new NAME`")


@pytest.mark.parametrize(
    "second", [f"key_hash: '{HASH}'", f"key_hash: '{OTHER}', previous_key_hash: '{HASH}'"], ids=["new", "old"]
)
def test_two_clients_with_one_key_are_refused(tmp_path: Path, second: str) -> None:
    text = f"clients: {{shop: {{key_hash: '{HASH}'}}, thief: {{{second}}}}}\n"

    (said,) = faults(tmp_path, KEYED + text, ENV)

    assert ": is that of shop: every client has keys of its own" in said


@pytest.mark.parametrize("nobody", ["clients: {}\n", "clients:\n"])
def test_clients_that_are_nobody_are_refused_rather_than_everybody_let_in(tmp_path: Path, nobody: str) -> None:
    assert faults(tmp_path, KEYED + nobody, ENV) == [
        "2: clients: is empty, so nobody could use the proxy: name a client, or leave it out"
    ]


def test_a_name_that_the_record_uses_for_strangers_is_refused(tmp_path: Path) -> None:
    (said,) = faults(tmp_path, KEYED + named("").replace("shop", "0123456789abcdef"), ENV)

    assert "looks like what the record calls callers without a name" in said


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("https://a.example/v1", True),
        ("http://8.8.8.8/v1", True),
        ("http://127.0.0.1:8000/v1", False),
        ("http://vllm:8000/v1", False),
    ],
)
def test_an_upstream_across_the_internet_needs_a_key_of_its_own(tmp_path: Path, url: str, refused: bool) -> None:
    said = faults(tmp_path, f"upstreams: {{far: {{base_url: '{url}'}}}}\n" + named(""))

    assert [text.startswith("1: upstreams.far.api_key: is missing") for text in said] == [True] * refused


@pytest.mark.parametrize("key", ["usd_per_day", "usd_per_month"])
@pytest.mark.parametrize(
    ("rest", "problem"),
    [
        ("", "cannot be kept without `prices`"),
        (PRICED + "record: {bodies: off}\n", "cannot be kept: costs are read from records"),
        (PRICED + "record: {bodies: metadata}\n", None),
    ],
)
def test_a_budget_needs_prices_and_records(tmp_path: Path, key: str, rest: str, problem: str | None) -> None:
    said = faults(tmp_path, KEYED + named(f"{key}: 5.0") + rest, ENV)

    assert [f"2: clients.shop.{key}: {problem}" in text for text in said] == ([] if problem is None else [True])


@pytest.mark.parametrize(
    "value", ["requests_per_minute: 0", "usd_per_day: 0", "usd_per_month: -1", "workloads: ['A b']"]
)
def test_limits_that_make_no_sense_are_refused(tmp_path: Path, value: str) -> None:
    (said,) = faults(tmp_path, KEYED + PRICED + named(value), ENV)

    assert f"clients.shop.{value.split(':')[0]}" in said


@pytest.mark.parametrize("key", ["workloads", "requests_per_minute", "usd_per_day", "usd_per_month"])
def test_a_limit_whose_value_is_gone_is_refused_rather_than_lifted(tmp_path: Path, key: str) -> None:
    (said,) = faults(tmp_path, KEYED + PRICED + f"clients:\n  shop:\n    key_hash: '{HASH}'\n    {key}:\n", ENV)

    assert said.startswith(f"6: clients.shop.{key}: is empty: leave it out for no limit")
    assert ("or write [] for none at all" in said) == (key == "workloads")


def test_a_workload_without_a_rule_is_warned_of(tmp_path: Path) -> None:
    rules = "workloads: {triage: {when: {model: x}}}\n"

    (warning,) = warnings(load(tmp_path, KEYED + rules + named("workloads: [triage, triagee]"), ENV))

    assert warning.startswith("clients.shop.workloads: no rule names triagee")


def test_keys_that_never_travel_are_not_warned_of(tmp_path: Path) -> None:
    text = "upstreams: {a: {base_url: 'http://vllm/v1', fallback: b}, b: {base_url: 'http://other/v1'}}\n"

    assert warnings(load(tmp_path, text + "default_upstream: a\n" + named(""))) == []
