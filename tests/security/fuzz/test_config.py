"""The configuration: any text is a Config or a ConfigError that says what to do, and nothing else, in a moment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightschool.config import Config, load_config
from nightschool.errors import ConfigError
from tests.security.fuzz.damage import damaged

ROOT = Path(__file__).parents[3]
SHIPPED = [path.read_bytes() for path in sorted((ROOT / "deploy").glob("*.yaml"))]
ENV: Mapping[str, str] = dict.fromkeys(("OPENAI_API_KEY", "AZURE_OPENAI_KEY", "AZURE_API_KEY", "SECRET"), "value")
PIECES = (
    *(
        b"&a [*a]",
        b"!!python/object/apply:os.system [id]",
        b"<<: *a",
        b"? [a]\n: b",
        b"${SECRET}",
        b"${",
        b"\0",
        b"\xff",
    ),
    *(b"1e999999", b"-.inf", b".nan", b"0x" + b"f" * 120, b"9" * 400, b"{" * 40, b"[" * 40, b"\n---\n", b"%YAML 9.9\n"),
    *(b"'", b'"\\ud800"', b"\xe2\x80\xa8", b"\t", b"- ", b": ", b"*", b"&b ", b"~", b"null", b"true", b"2026-01-01"),
)
KEYS = [b"listen", b"data", b"workers", b"upstreams", b"record", b"workloads", b"student", b"console", b"prices"]
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["${SECRET}", "127.0.0.1:0", "https://x/v1", "(a+)+$", "*", "../../etc", "0 2 * * *", "a:b"])
)
NAMES = sorted(
    {
        name
        for model in (Config, *(field.annotation for field in Config.model_fields.values()))
        for name in getattr(model, "model_fields", {})
    }
    | {"base_url", "api_key", "headers", "when", "distill", "promote", "tag.x", "header.x", "pattern", "with", "schema"}
)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=6), inner, max_size=5)
    ),
    max_leaves=25,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "nightschool.yaml"


def read_or_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    refusal = ""
    try:
        assert isinstance(load_config(file, ENV), Config)
    except ConfigError as error:
        refusal = str(error)
    refusal.encode()  # it can be printed
    assert not refusal or "\n" in refusal  # a problem, and what to do about it


@unhurried
@given(data=st.sampled_from(SHIPPED).flatmap(lambda shipped: damaged(shipped, PIECES)))
def test_a_damaged_file_is_read_or_refused(file: Path, data: bytes) -> None:
    read_or_refused(file, data)


@unhurried
@given(
    pieces=st.lists(
        st.sampled_from([*PIECES, *KEYS, b"\n", b"\n  ", b" "]) | st.text(max_size=6).map(lambda text: text.encode()),
        max_size=14,
    )
)
def test_any_text_is_read_or_refused(file: Path, pieces: list[bytes]) -> None:
    read_or_refused(file, b"".join(pieces))


@unhurried
@given(document=st.dictionaries(st.sampled_from(NAMES), DOCUMENTS, max_size=6))
def test_any_values_under_our_keys_are_read_or_refused(file: Path, document: dict[str, object]) -> None:
    whole = {"upstreams": {"main": {"base_url": "https://api.openai.com/v1"}}, **document}
    read_or_refused(file, yaml.safe_dump(whole, allow_unicode=True).encode("utf-8", "surrogatepass"))
