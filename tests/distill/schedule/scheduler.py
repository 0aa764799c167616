"""The scheduler as a process, whose jobs are those of a stand-in.

python -m tests.distill.schedule.scheduler CONFIG NOTES
"""

from __future__ import annotations

import sys
from pathlib import Path

from distill.schedule.service import schedule

if __name__ == "__main__":
    config, notes = sys.argv[1:]
    sys.exit(schedule(Path(config), [sys.executable, "-m", "tests.distill.schedule.program", notes]))
