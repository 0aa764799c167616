"""Stands for the `nightschool` command in tests of the scheduler: notes what it is asked, and does what a file says.

python -m tests.distill.schedule.program NOTES …     NOTES.does: sleep | fail | linger | (nothing)

One that lingers is a night that takes its time to end when it is told to.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from distill.night.standing import only_night
from nightschool.config import load_config
from nightschool.stop import Stop


def main() -> None:
    notes, *words = sys.argv[1:]
    _note(notes, " ".join(words[:2]))
    does = Path(f"{notes}.does")
    told = does.read_text().strip() if does.exists() else ""
    print(f"{words[0]} is at work", flush=True)
    if told == "sleep":
        time.sleep(120)
    if told == "linger":
        _linger(notes, words)
    if told == "fail":
        print("nightschool: the disk is full\n  try: make room", flush=True)
        sys.exit(1)


def _note(notes: str, what: str) -> None:
    with Path(notes).open("a") as file:
        file.write(f"{os.getpid()} {what}\n")


def _linger(notes: str, words: list[str]) -> None:
    """As a night whose training still has something to write."""
    asked = Stop()
    asked.on_signals()
    with only_night(load_config(Path(words[3]), os.environ).data, words[1]) as night:
        night.enter("train")
        asked.wait(120)
        time.sleep(2)
        _note(notes, f"ended {words[1]}")
        os._exit(1)


if __name__ == "__main__":
    main()
