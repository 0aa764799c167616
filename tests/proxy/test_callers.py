"""A caller is the same to the record from one request to the next, and its key is nowhere."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from proxy.callers import MAX_REMEMBERED, Callers, caller_secret


def test_one_credential_is_one_pseudonym_under_one_secret() -> None:
    callers = Callers(b"s" * 32)

    assert callers.pseudonym(b"Bearer a") == callers.pseudonym(b"Bearer a") == Callers(b"s" * 32).pseudonym(b"Bearer a")
    assert (
        len({callers.pseudonym(b"Bearer a"), callers.pseudonym(b"Bearer b"), Callers(b"t").pseudonym(b"Bearer a")}) == 3
    )


def test_a_pseudonym_is_sixteen_hex_digits() -> None:
    pseudonym = Callers(b"s" * 32).pseudonym(b"Bearer sk-secret")

    assert len(bytes.fromhex(pseudonym)) == 8


def test_more_callers_than_are_remembered_keep_their_pseudonyms() -> None:
    callers = Callers(b"s" * 32)
    first = callers.pseudonym(b"first")
    for number in range(MAX_REMEMBERED + 1):
        callers.pseudonym(b"%d" % number)

    assert callers.pseudonym(b"first") == first


def test_the_secret_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    secret = caller_secret(tmp_path)

    (file,) = (tmp_path / "keys").iterdir()
    assert (len(secret), file.read_bytes()) == (32, secret)
    assert caller_secret(tmp_path) == secret
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_another_folder_has_another_secret(tmp_path: Path) -> None:
    assert caller_secret(tmp_path / "a") != caller_secret(tmp_path / "b")


def test_a_secret_that_somebody_else_has_just_made_is_taken(tmp_path: Path) -> None:
    def made(number: int) -> bytes:
        return caller_secret(tmp_path / str(number // 4))

    with ThreadPoolExecutor(1) as one:  # workers are processes: within one, nobody races
        secrets = list(one.map(made, range(8)))

    assert len(set(secrets)) == 2
