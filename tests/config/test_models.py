from __future__ import annotations

from pathlib import Path

import pytest

from nightschool.config import RedactRule, When
from tests.config.files import UPSTREAM, faults, load


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("localhost:0", "localhost", 0),
        ("0.0.0.0:65535", "0.0.0.0", 65535),
        ("'[::1]:80'", "::1", 80),
        ("'[fe80::1%eth0]:80'", "fe80::1%eth0", 80),
    ],
)
def test_listen_is_host_and_port(tmp_path: Path, listen: str, host: str, port: int) -> None:
    config = load(tmp_path, UPSTREAM + f"listen: {listen}\n")

    assert (config.host, config.port) == (host, port)


@pytest.mark.parametrize(
    "listen", ["8080", "':8080'", "'::1:80'", "'a:'", "a:b", "'[::g]:80'", "a:70000", "http://a:80", "a:80/"]
)
def test_what_is_not_host_and_port_is_refused(tmp_path: Path, listen: str) -> None:
    (found,) = faults(tmp_path, UPSTREAM + f"listen: {listen}\n")

    assert found.startswith("2: listen: ")


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://api.openai.com/v1/",
        "http://127.0.0.1:8000",
        "http://[::1]:8000/v1",
        "HTTPS://EXAMPLE.com/a/b",
    ],
)
def test_a_base_url_is_kept_as_written_and_its_root_ends_without_a_slash(tmp_path: Path, url: str) -> None:
    upstream = load(tmp_path, f"upstreams: {{a: {{base_url: '{url}'}}}}").upstreams["a"]

    assert upstream.base_url == url
    assert upstream.root == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("api.openai.com/v1", "must be a URL such as"),
        ("ftp://a/v1", "must be a URL such as"),
        ("https://", "must be a URL such as"),
        ("https://a\\b/v1", "must be a URL such as"),
        ("https://a b/v1", "must be a URL such as"),
        ("https://bücher.example/v1", "must be a URL such as"),
        ("https://a:x/v1", "is not a URL: Port could not be cast"),
        ("https://a:70000/v1", "is not a URL: Port out of range"),
        ("https://a:0/v1", "has the port 0"),
        ("https://[::1/v1", "is not a URL: Invalid IPv6 URL"),
        ("https://me:pw@a/v1", "holds a user name or password"),
        ("https://a/v1?x=1", "must end before '?' and '#'"),
        ("https://a/v1#x", "must end before '?' and '#'"),
        ("https://a/v1?", "must end before '?' and '#'"),
        ("https://a/v1/chat/completions", "must end before '/v1/chat/completions' says which call it is"),
        ("", "must be a URL such as"),
    ],
)
def test_a_base_url_that_cannot_be_appended_to_is_refused(tmp_path: Path, url: str, problem: str) -> None:
    (found,) = faults(tmp_path, f"upstreams: {{a: {{base_url: '{url}'}}}}")

    assert found.startswith(f"1: upstreams.a.base_url: {problem}")


@pytest.mark.parametrize(
    ("upstream", "problem"),
    [
        ("kind: azure", ["api_version: is missing: kind azure needs it, such as \"2024-10-21\""]),
        ("kind: azure, api_version: 2024-10-21", []),
        ("kind: azure, api_version: 2025-04-01-preview", []),
        ("kind: azure, api_version: latest", ["api_version: must look like \"2024-10-21\" or \"2025-04-01-preview\","
                                              " but is 'latest'"]),
        ("api_version: 2024-10-21", ["api_version: belongs to kind azure; set `kind: azure`, or leave it out"]),
        ("kind: Azure", ["kind: must be one of 'openai' or 'azure', but is \"Azure\""]),
        ("keepalive_s: -1", ["keepalive_s: must be 0 or more, but is -1"]),
        ("max_connections: 0", ["max_connections: must be more than 0, but is 0"]),
        ("verify_tls: 1", ["verify_tls: must be true, false, or the path of a file with certificates of authorities"
                           " (PEM)"]),
        ("fallback: a", ["fallback: leads back to itself (a -> a); leave one of them out"]),
    ],
)  # fmt: skip
def test_rules_of_an_upstream(tmp_path: Path, upstream: str, problem: list[str]) -> None:
    found = faults(tmp_path, f"upstreams: {{a: {{base_url: http://a, {upstream}}}}}")

    assert found == [f"1: upstreams.a.{text}" for text in problem]


@pytest.mark.parametrize("name", ["a", "pii-redaction", "a.b_c-9", "0x", "a" * 64])
def test_names_are_slugs(tmp_path: Path, name: str) -> None:
    text = UPSTREAM + f"workloads: {{'{name}': {{when: {{model: x}}}}}}"

    assert list(load(tmp_path, text).workloads) == [name]


@pytest.mark.parametrize("name", ["", "A", "-a", ".a", "a b", "ä", "a/b", "a" * 65, "a\\n"])
def test_other_names_are_refused(tmp_path: Path, name: str) -> None:
    (found,) = faults(tmp_path, UPSTREAM + f'workloads: {{"{name}": {{when: {{model: x}}}}}}')

    assert "is not a name: up to 64 of a-z" in found


def test_workloads_keep_the_order_of_the_file(tmp_path: Path) -> None:
    text = UPSTREAM + "workloads:\n" + "".join(f"  w{n}: {{when: {{model: x{n}}}}}\n" for n in (3, 1, 2))

    assert list(load(tmp_path, text).workloads) == ["w3", "w1", "w2"]


def test_circles_of_fallbacks_are_named_once(tmp_path: Path) -> None:
    upstreams = "".join(f"  {a}: {{base_url: http://{a}, fallback: {b}}}\n" for a, b in ("ab", "bc", "ca", "da"))

    found = faults(tmp_path, f"default_upstream: d\nupstreams:\n{upstreams}")

    assert found == ["3: upstreams.a.fallback: leads back to itself (a -> b -> c -> a); leave one of them out"]


def test_a_teacher_must_be_an_upstream(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, UPSTREAM + "workloads: {w: {when: {model: x}, teacher: opneai}}")

    assert found == "2: workloads.w.teacher: names the upstream 'opneai', which does not exist; did you mean 'openai'?"


@pytest.mark.parametrize(
    ("when", "problems"),
    [
        ("{}", [": has no condition, so it would match everything; give at least one of "
                "model, tool, path, schema, system_prompt, tag.<key>, header.<name>"]),
        ("{model: }", [": has no condition, so it would match everything; give at least one of "
                       "model, tool, path, schema, system_prompt, tag.<key>, header.<name>"]),
        ("{model: ''}", [".model: is an empty pattern, which matches nothing; leave the key out, or write \"*\""]),
        ("{model: 4}", [".model: must be text (put it in quotes), but is 4"]),
        ("{tag.k: ''}", [".tag.k: is an empty pattern, which matches nothing; leave the key out, or write \"*\""]),
        ("{tag: x}", ['.tag: must be a map of keys and values, but is "x"']),
        ("{tag.: x}", [".tag.: unknown key; did you mean 'tag'?"]),
        ("{tag.k: x, tag: {k: y}}", [".tag.k: is also given as 'k' below 'tag'; keep one"]),
        ("{path: chat/completions}", [".path: must begin with '/' or '*' to match a path, but is 'chat/completions'"]),
        ("{system_prompt: '['}", [".system_prompt: is not a regular expression: "
                                  "unterminated character set at position 0, in '['"]),
        ("{header.Authorization: '*'}", [".header.Authorization: is a credential, which never decides about a workload;"
                                         " use another header, or a tag"]),
        ("{header.x a: '*'}", [".header.x a: is not a header name: letters, digits and '-' only"]),
        ("{header.X-A: a, header.x-a: b}", [".header.x-a: is given twice; names of headers do not differ by case"]),
    ],
)  # fmt: skip
def test_conditions_that_cannot_be_meant_are_refused(tmp_path: Path, when: str, problems: list[str]) -> None:
    found = faults(tmp_path, UPSTREAM + f"workloads: {{w: {{when: {when}}}}}")

    assert found == [f"2: workloads.w.when{problem}" for problem in problems]


def test_tags_and_headers_may_be_dotted_or_nested(tmp_path: Path) -> None:
    dotted = load(tmp_path, UPSTREAM + "workloads: {w: {when: {tag.a.b: x, tag.c: y, header.X-D: z}}}")
    nested = load(tmp_path, UPSTREAM + "workloads: {w: {when: {tag: {a.b: x, c: y}, header: {X-D: z}}}}")

    assert dotted.workloads["w"].when == nested.workloads["w"].when
    assert dict(dotted.workloads["w"].when.tag) == {"a.b": "x", "c": "y"}


def test_a_condition_on_the_schema_has_a_name_that_python_leaves_free() -> None:
    assert When(schema="Ticket*").schema_name == "Ticket*"


def test_a_redaction_that_would_match_everywhere_is_refused(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, UPSTREAM + "record: {redact: [{pattern: 'a*', with: x}]}")

    assert found == ("2: record.redact[0].pattern: matches the empty text, so it would match everywhere: 'a*'")


def test_a_pattern_that_python_only_wonders_about_is_good(tmp_path: Path) -> None:
    config = load(tmp_path, UPSTREAM + "record: {redact: [{pattern: '[[a]', with: x}]}")

    assert config.record.redact[0].pattern.search("[")


def test_patterns_are_compiled_when_the_file_is_read(tmp_path: Path) -> None:
    config = load(tmp_path, UPSTREAM + "record: {redact: [{pattern: 'sk-\\w+', with: '[key]'}]}")

    assert config.record.redact == (RedactRule.model_validate({"pattern": r"sk-\w+", "with": "[key]"}),)
    assert config.record.redact[0].pattern.search("my sk-abc")
