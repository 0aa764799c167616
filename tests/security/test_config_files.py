"""What a configuration file can do to the process that reads it: be refused, in a moment and in little memory."""

from __future__ import annotations

import os
import time
import tracemalloc
from pathlib import Path

import pytest

from nightschool.config import InvalidConfig, load_config
from nightschool.errors import ConfigError
from tests.config.files import UPSTREAM, load

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
TRICKS = {
    "a bomb of aliases": BOMB,
    "an alias to itself": "data: &a [*a]\n",
    "a call": "data: !!python/object/apply:os.system ['touch harmed']\n",
    "a module": "data: !!python/module:subprocess ''\n",
    "a tag of one's own": "data: !nightschool/run touch\n",
    "a binary": "data: !!binary aGFybWVk\n",
    "a set": "upstreams: !!set {a, b}\n",
    "a merge": "x: &x {data: harmed}\n<<: *x\n",
    "a list of merges": "<<: [{data: harmed}, {data: more}]\n",
    "two documents": "---\n--- {data: harmed}\n",
    "a directive": "%TAG ! tag:yaml.org,2002:python/\n---\ndata: !name:os.system ''\n",
    "an int of a million digits": "workers: " + "9" * 900_000 + "\n",
    "a float beyond reason": "drain_s: 1e999999\n",
    "brackets": "data: " + "[" * 500_000 + "\n",
    "braces": "data: " + "{a: " * 200_000 + "\n",
    "questions": "? " * 100_000 + "\n",
    "dashes": "- " * 100_000 + "\n",
    "quotes": "'" * 999_999,
    "a megabyte of keys": "".join(f"k{n}: 1\n" for n in range(90_000)),
    "a regular expression of a megabyte": "record: {redact: [{pattern: '" + "(" * 300_000 + "', with: x}]}\n",
}


@pytest.mark.parametrize("name", TRICKS)
def test_a_trick_is_refused_in_a_moment_and_in_little_memory(tmp_path: Path, name: str) -> None:
    began = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError):
            load(tmp_path, UPSTREAM + TRICKS[name])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert time.process_time() - began < 5
    assert peak < 200 << 20
    assert not (tmp_path / "harmed").exists()
    assert not Path("harmed").exists()


def test_a_file_without_an_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nightschool.yaml").symlink_to("/dev/zero")

    with pytest.raises(ConfigError, match="is larger than 1048576 bytes"):
        load_config(tmp_path / "nightschool.yaml", {})


@pytest.mark.parametrize("data", ["9" * 300, "a/" * 3000, '"\\0"', "a" * 5000])
def test_a_folder_that_no_disk_can_have_is_a_fault_of_its_line(tmp_path: Path, data: str) -> None:
    with pytest.raises(InvalidConfig, match="data: "):
        load(tmp_path, f"{UPSTREAM}data: {data}\n")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_may_not_be_looked_at_is_a_fault_of_its_line(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)

    with pytest.raises(InvalidConfig, match="Permission denied"):
        load(tmp_path, f"{UPSTREAM}data: closed/data\n")
