from __future__ import annotations

import shutil
import time
from pathlib import Path

import certifi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nightschool.config import Config, InvalidConfig, Timeouts, load_config
from nightschool.errors import ConfigError
from tests.config.files import NO_ENV, UPSTREAM, faults, load, write


def test_one_upstream_is_a_complete_file(tmp_path: Path) -> None:
    config = load(tmp_path, UPSTREAM)

    assert config.default_upstream == "openai"
    assert (config.host, config.port) == ("127.0.0.1", 8080)
    assert config.data == tmp_path / "nightschool-data"


def test_the_file_is_the_option_then_the_variable_then_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, UPSTREAM + "workers: 1")
    for name, workers in (("variable", 2), ("option", 3)):
        (tmp_path / name).mkdir()
        write(tmp_path / name, UPSTREAM + f"workers: {workers}")
    env = {"NIGHTSCHOOL_CONFIG": "variable/nightschool.yaml"}

    assert load_config(None, NO_ENV).workers == 1
    assert load_config(None, env).workers == 2
    assert load_config(Path("option/nightschool.yaml"), env).workers == 3


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No such file(.|\n)*nightschool init"):
        load_config(tmp_path / "none.yaml", NO_ENV)


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="directory"):
        load_config(tmp_path, NO_ENV)


def test_all_faults_are_listed_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    text = """\
listn: 127.0.0.1:80
workers: 0
upstreams:
  a:
    base_url: ftp://a
    kind: azure
    fallback: c
  b: {base_url: http://b, api_key: sk-literal, fallback: b}
timeouts:
  connect_s: -1
  idle_s: soon
record:
  fsync: sometimes
  redact:
    - {pattern: "(", with: 7}
workloads:
  pii:
    whn: {model: x}
"""

    found = faults(tmp_path, text)

    assert found == [
        "1: default_upstream: is missing: say which of a, b answers what matches no workload",
        "1: listn: unknown key; did you mean 'listen'?",
        "2: workers: must be 1 or more, but is 0",
        '4: upstreams.a.api_version: is missing: kind azure needs it, such as "2024-10-21"',
        "5: upstreams.a.base_url: must be a URL such as https://api.openai.com/v1, but is 'ftp://a'",
        "7: upstreams.a.fallback: names the upstream 'c', which does not exist; there is a, b",
        "8: upstreams.b.api_key: must not stand in the file: put it into an environment variable and write ${NAME}",
        "8: upstreams.b.fallback: leads back to itself (b -> b); leave one of them out",
        "10: timeouts.connect_s: must be more than 0, but is -1",
        '11: timeouts.idle_s: must be a number, but is "soon"',
        "13: record.fsync: must be one of 'batch', 'always' or 'off', but is \"sometimes\"",
        "15: record.redact[0].pattern: is not a regular expression: "
        "missing ), unterminated subpattern at position 0, in '('",
        "15: record.redact[0].with: must be text (put it in quotes), but is 7",
        "18: workloads.pii.whn: unknown key; did you mean 'when'?",
    ]


def test_a_fault_is_printed_with_file_and_line(tmp_path: Path) -> None:
    file = write(tmp_path, UPSTREAM + "workloads:\n  pii: {whn: {model: x}}\n")

    with pytest.raises(InvalidConfig) as caught:
        load_config(file, NO_ENV)

    assert str(caught.value) == (
        f"the configuration has 1 problem:\n  {file}:3: workloads.pii.whn: unknown key; did you mean 'when'?"
    )


def test_hundreds_of_faults_do_not_fill_the_screen(tmp_path: Path) -> None:
    file = write(tmp_path, UPSTREAM + "".join(f"nonsense{i}: 1\n" for i in range(500)))

    with pytest.raises(InvalidConfig) as caught:
        load_config(file, NO_ENV)

    assert len(caught.value.faults) == 500
    assert str(caught.value).endswith("… and 460 more")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1: is empty"),
        ("# only a comment\n", "1: is empty"),
        ("- a\n", "1: must be a map of keys and values, such as `listen: 127.0.0.1:8080`"),
        ("upstreams: []", "1: upstreams: must be a map of keys and values, but is a list"),
        ("upstreams: {}", "1: upstreams: is empty: name at least one, with its base_url"),
        ("workers: 1", "1: upstreams: is missing"),
        (UPSTREAM + "timeouts: [5]", "2: timeouts: must be a map of keys and values, but is a list"),
        (UPSTREAM + "timeouts:", "2: timeouts: must be a map of keys and values, but is empty"),
        (UPSTREAM + "record: {redact: x}", '2: record.redact: must be a list, but is "x"'),
        (UPSTREAM + "workers: two", '2: workers: must be a whole number, but is "two"'),
        (UPSTREAM + "workers: 1.5", "2: workers: must be a whole number, but is 1.5"),
        (UPSTREAM + "workers: true", "2: workers: must be a whole number, but is true"),
        (UPSTREAM + 'workers: "2"', '2: workers: must be a whole number, but is "2"'),
        (UPSTREAM + "drain_s: .inf", "2: drain_s: must be a number, but is Infinity"),
        (UPSTREAM + "drain_s: .nan", "2: drain_s: must be a number, but is NaN"),
        (
            UPSTREAM + "dashboard: {}",
            "2: dashboard: unknown key; known here: listen, clients, open_to_anyone, workers, timeouts,"
            " drain_s, data, upstreams, default_upstream, prices, record, student, workloads, console, notify, limits",
        ),
    ],
)  # fmt: skip
def test_the_wrong_kind_of_value_says_what_it_is_and_what_it_must_be(tmp_path: Path, text: str, fault: str) -> None:
    assert faults(tmp_path, text) == [fault]


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deploy").mkdir()
    shutil.copy(certifi.where(), tmp_path / "deploy" / "ca.pem")
    file = write(tmp_path / "deploy", "data: ../store\nupstreams: {a: {base_url: 'https://a', verify_tls: ca.pem}}\n")
    monkeypatch.chdir(tmp_path)

    config = load_config(file.relative_to(tmp_path), NO_ENV)

    assert config.data == tmp_path / "deploy" / ".." / "store"
    assert config.upstreams["a"].verify_tls == tmp_path / "deploy" / "ca.pem"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("s3://bucket/prefix", "must be a folder of this machine; 's3://bucket/prefix' cannot be used yet"),
        ("~/data", "begins with ~, which is not replaced here: write the path out, not '~/data'"),
        ("''", "is not a path: ''"),
        ('"a\\0b"', r"is not a path: 'a\x00b'"),
        ("nightschool.yaml", "must be a folder, but"),
        ("[a]", "must be a path, but is a list"),
    ],
)
def test_data_must_be_a_folder(tmp_path: Path, data: str, problem: str) -> None:
    (found,) = faults(tmp_path, UPSTREAM + f"data: {data}\n")

    assert found.startswith(f"2: data: {problem}")


def test_a_missing_file_of_authorities_is_refused(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, "upstreams: {a: {base_url: 'https://a', verify_tls: ca.pem}}\n")

    assert found.startswith("1: upstreams.a.verify_tls: must be true, false or a PEM file, but the file")


def test_no_part_of_a_configuration_can_be_changed(tmp_path: Path) -> None:
    config = load(tmp_path, UPSTREAM + "record: {redact: [{pattern: a, with: b}]}\n")

    with pytest.raises(ValidationError, match="frozen"):
        config.workers = 3
    with pytest.raises(ValidationError, match="frozen"):
        config.record.fsync = "off"
    with pytest.raises(TypeError):
        config.upstreams["b"] = config.upstreams["openai"]  # type: ignore[index]
    with pytest.raises(TypeError):
        config.upstreams["openai"].headers["a"] = "b"  # type: ignore[index]
    assert isinstance(config.record.redact, tuple)


def test_two_readings_of_one_file_are_equal(tmp_path: Path) -> None:
    text = (
        UPSTREAM + "workloads: {a: {when: {system_prompt: ^x, tag.k: v}}}\nrecord: {redact: [{pattern: a, with: b}]}\n"
    )

    assert load(tmp_path, text) == load(tmp_path, text)


def test_an_upstreams_waiting_times_are_completed_from_the_top(tmp_path: Path) -> None:
    text = """\
timeouts: {connect_s: 1, idle_s: 2}
upstreams:
  a: {base_url: http://a, timeouts: {idle_s: 9}}
  b: {base_url: http://b}
default_upstream: b
"""

    config = load(tmp_path, text)

    assert config.timeouts_of("a") == Timeouts(connect_s=1, first_byte_s=600, idle_s=9)
    assert config.timeouts_of("b") == config.timeouts


def test_a_configuration_made_in_python_is_checked_as_well() -> None:
    with pytest.raises(ValidationError, match="names the upstream 'nobody', which does not exist"):
        Config.model_validate({"upstreams": {"a": {"base_url": "http://a"}}, "default_upstream": "nobody"})


WHOLE = """\
listen: 127.0.0.1:8080
upstreams:
  a: {base_url: http://a/v1, kind: azure, api_version: 2024-10-21, api_key: "${K}", headers: {X-A: b}, fallback: b}
  b: {base_url: https://b, timeouts: {idle_s: 5}, verify_tls: false}
default_upstream: a
prices: {m: {input: 1, output: 2.5}}
record: {bodies: full, redact: [{pattern: "a+", with: b}], retention_days: 3}
workloads:
  w: {when: {tag.k: v, header.X-B: "*", system_prompt: ^x, path: /chat/*}, teacher: b}
"""
VALUES = [
    "",
    "[]",
    "{}",
    "null",
    "-1",
    "1e999",
    "'\\0'",
    '"{x}"',
    "[[a]]",
    "{a: 1}",
    "${K}",
    "*x",
    "&x y",
    "!t z",
    "(?P<",
    "\t",
]


@given(cut=st.integers(0, len(WHOLE)), length=st.integers(0, 30), put=st.sampled_from(VALUES) | st.text(max_size=8))
def test_a_damaged_file_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, cut: int, length: int, put: str
) -> None:
    file = write(tmp_path_factory.getbasetemp(), WHOLE[:cut] + put + WHOLE[cut + length :])

    try:
        config = load_config(file, {"K": "k"})
    except ConfigError:
        return

    assert config.default_upstream in config.upstreams


def test_a_large_file_of_faults_is_refused_quickly_and_briefly(tmp_path: Path) -> None:
    upstreams = "".join(f"  u{n}: {{base_url: '{'x' * 200}', fallback: u{(n + 1) % 2000}}}\n" for n in range(2000))
    file = write(tmp_path, f"upstreams:\n{upstreams}" + "".join(f"listn{n}: 1\n" for n in range(2000)))
    begun_s = time.thread_time()

    with pytest.raises(InvalidConfig) as caught:
        load_config(file, NO_ENV)

    assert len(caught.value.faults) > 4000
    assert len(str(caught.value)) < 40_000
    assert time.thread_time() - begun_s < 5  # of work, however busy the machine is
