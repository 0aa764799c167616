"""The web page is open on this machine only, or has a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.password import fits, hash_of
from nightschool.config import load_config
from nightschool.errors import ConfigError
from tests.config.files import UPSTREAM, write

HASH = hash_of("open sesame")


def loaded(tmp_path: Path, section: str) -> None:
    load_config(write(tmp_path, f"{UPSTREAM}\nconsole: {section}"), {})


@pytest.mark.parametrize("listen", ["127.0.0.1:8090", "localhost:0", "[::1]:8090"])
def test_on_loopback_no_password_is_needed(tmp_path: Path, listen: str) -> None:
    loaded(tmp_path, f"{{listen: '{listen}'}}")


@pytest.mark.parametrize("listen", ["0.0.0.0:8090", "10.0.0.7:8090", "[::]:8090", "console.example.org:80"])
def test_on_any_other_address_it_is_refused_without_a_password(tmp_path: Path, listen: str) -> None:
    with pytest.raises(ConfigError, match=r"console.password_hash: is missing: others can reach .*--hash-password"):
        loaded(tmp_path, f"{{listen: '{listen}'}}")
    loaded(tmp_path, f"{{listen: '{listen}', password_hash: '{HASH}'}}")


def test_a_password_in_the_place_of_its_hash_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no hash of a password") as refused:
        loaded(tmp_path, "{password_hash: open-sesame}")
    assert "open-sesame" not in str(refused.value)


def test_a_hash_fits_its_password_alone() -> None:
    assert fits("open sesame", HASH)
    assert not fits("open Sesame", HASH)
    assert hash_of("open sesame") != HASH
