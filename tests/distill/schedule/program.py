"""Stands for the `nightschool` command in tests of the scheduler: notes what it is asked, and does what a file says.

python -m tests.distill.schedule.program NOTES …     NOTES.does: sleep | fail | (nothing)
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path


def main() -> None:
    notes, *words = sys.argv[1:]
    with Path(notes).open("a") as file:
        file.write(f"{os.getpid()} {' '.join(words[:2])}\n")
    does = Path(f"{notes}.does")
    told = does.read_text().strip() if does.exists() else ""
    print(f"{words[0]} is at work", flush=True)
    if told == "sleep":
        time.sleep(120)
    if told == "fail":
        print("nightschool: the disk is full\n  try: make room", flush=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
