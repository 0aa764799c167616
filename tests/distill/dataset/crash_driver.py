"""Kills a build at every single step that it takes in the file system, and looks what is there then.

Run as a process of its own: ``python -m tests.distill.dataset.crash_driver FOLDER`` prints one line of JSON. Each step
is tried in a forked child, which an audit hook kills just before the step; the parent must stay free of threads, so it
touches neither pyarrow nor DuckDB.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from distill.dataset.snapshot import datasets_of, folder_of
from nightschool.digest import digest_of
from tests.distill.dataset.traffic import asked, built, contents, file, user
from tests.store.crash_driver import in_child

STEPS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir"}


def prepare(folder: Path) -> None:
    """A store with something to learn, and something to leave out."""
    file(folder, [asked(number, user(f"question {number // 2}")) for number in range(120)])


def killed_before_step(number: int, folder: Path) -> None:
    """Build, and die by SIGKILL before the step ``number``."""
    steps = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal steps
        creates = event == "open" and arguments[2] & os.O_CREAT
        if (event in STEPS or creates) and str(folder) in str(arguments[0]):
            steps += 1
            if steps == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    built(folder)


def check_whole(folder: Path) -> None:
    """Whatever can be seen is complete."""
    for manifest in datasets_of(folder, "w"):
        place = folder_of(folder, manifest)
        assert {name: digest_of(place / name) for name in manifest.files} == manifest.files
        assert (place / "README.md").read_text().startswith("---\nconfigs:")


def check_again(folder: Path, undisturbed: Path) -> None:
    """The same command again gives what an undisturbed build gives, and nothing is left of the crash."""
    check_whole(folder)
    built(folder)
    assert contents(folder) == contents(undisturbed)


def main() -> None:
    place = Path(sys.argv[1])
    template, undisturbed, folder = place / "template", place / "undisturbed", place / "store"
    assert in_child(prepare, template) == 0
    shutil.copytree(template, undisturbed)
    assert in_child(built, undisturbed) == 0
    problems: list[str] = []
    number, code = 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        number += 1
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
        code = in_child(killed_before_step, number, folder)
        if in_child(check_again, folder, undisturbed):
            problems.append(f"before step {number}")
    print(json.dumps({"steps": number - 1, "last": code, "problems": problems}))


if __name__ == "__main__":
    main()
