"""The `nightschool` command, run in this process."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from cli.main import main


class Result(NamedTuple):
    code: int
    out: str
    err: str


class Command:
    """Calls as a shell would: arguments in; exit code, stdout and stderr out."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Result:
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = self._capsys.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Result(code or 0, out, err)
