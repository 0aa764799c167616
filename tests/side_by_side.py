"""How tests are divided among processes that run them side by side: ``pytest -n 3``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling


@cache
def asks_for_engine(file: Path) -> bool:
    """Whether some test in it starts a real vLLM."""
    return "pytest.mark.vllm" in file.read_text()


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """A file is run by one process, so that what its tests share is made once, and all that ask for the engine by the
    same one: two engines that start at once would have to share cores and memory."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return "engine" if asks_for_engine(self.config.rootpath / file) else file
