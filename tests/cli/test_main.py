from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import pytest

from cli.main import build_app
from tests.cli.command import Command
from tests.cli.stores import recorded

HEAVY = ("duckdb", "pyarrow", "pydantic", "httpx", "fastapi", "uvicorn", "yaml")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from cli.main import main\n"
        "try: main(['--help'])\n"
        f"except SystemExit: print('loaded:', [m for m in {HEAVY} if m in sys.modules])"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ended.stdout.splitlines()[-1] == "loaded: []"


def test_the_version_is_that_of_the_package(nightschool: Command) -> None:
    assert nightschool("--version").out == f"nightschool {version('nightschool')}\n"


@pytest.mark.parametrize("arguments", [["chek"], ["check", "--nonsense"], ["--config"]])
def test_wrong_usage_exits_with_2(nightschool: Command, arguments: list[str]) -> None:
    result = nightschool(*arguments)

    assert result.code == 2
    assert "Usage:" in result.err


def test_a_problem_is_explained_without_a_traceback_and_exits_with_1(nightschool: Command) -> None:
    result = nightschool("check")

    assert result == (
        1,
        "",
        "nightschool: nightschool.yaml cannot be read: No such file or directory\n"
        "  try: `nightschool init` writes a first one; --config FILE names another\n",
    )


@pytest.mark.parametrize(("package", "arguments"), [("torch", ["train", "w", "--base", "m"]), ("openai", ["audit"])])
def test_a_package_that_was_left_out_is_named_with_the_extra_that_brings_it(
    tmp_path: Path, package: str, arguments: list[str]
) -> None:
    (tmp_path / "nightschool.yaml").write_text("upstreams: {a: {base_url: http://a}}\n")
    code = f"import sys; sys.modules[{package!r}] = None; from cli.main import main; main({arguments!r})"

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)

    remedy = "pip install '.[distill]' in the clone of nightschool"
    assert (ended.returncode, ended.stderr) == (1, f"nightschool: this needs the package {package}\n  try: {remedy}\n")


COMMANDS = [
    command.name or command.callback.__name__ for command in build_app().registered_commands if command.callback
]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_a_configuration_and_shows_an_example(nightschool: Command, name: str) -> None:
    text = nightschool(name, "--help").out

    assert "--config" in text
    assert "Example" in text


def test_a_key_that_is_interrupted_exits_with_130(tmp_path: Path) -> None:
    code = (
        "import signal, typer, cli.main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # whoever started the tests may ignore it
        "def interrupted(): signal.raise_signal(signal.SIGINT)\n"
        "app = cli.main.build_app()\n"
        "app.command('interrupted')(interrupted)\n"
        "app(['interrupted'])"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=tmp_path, check=False)

    assert ended.returncode == 130


def test_what_the_disk_refuses_is_told_without_a_traceback(nightschool: Command, tmp_path: Path) -> None:
    recorded(tmp_path)
    (tmp_path / "data" / "manifest.json").unlink()
    (tmp_path / "data" / "manifest.json").mkdir()

    manifest = tmp_path / "data" / "manifest.json"
    assert nightschool("logs", "list") == (1, "", f"nightschool: {manifest}: Is a directory\n")


def test_a_full_device_is_told(tmp_path: Path) -> None:
    recorded(tmp_path)

    ended = in_a_shell(tmp_path, ["logs", "export", "/dev/full"])

    assert (ended.returncode, ended.stderr) == (1, "nightschool: No space left on device\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for others, and run as another account")
@pytest.mark.parametrize("arguments", [["logs", "list"], ["status"], ["init", "data/deep/nightschool.yaml"]])
def test_who_may_not_read_is_told_whom_to_run_it_as(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own is closed to others
        folder = Path(name)
        folder.chmod(0o755)
        recorded(folder).chmod(0o700)

        as_root_first = (
            f"cli.main.main({arguments!r})"  # so that all is imported: Python itself may be closed to others
        )
        before = f"try: {as_root_first}\nexcept SystemExit: os.seteuid(65534)"
        ended = in_a_shell(folder, arguments, before=before)

    assert ended.returncode == 1
    told = r"nightschool: [^\n]*data[^\n]*: Permission denied\n  try: [^\n]*as the user that owns[^\n]*\n\Z"
    assert re.search(told, ended.stderr), ended.stderr


def test_a_reader_that_goes_away_ends_a_command_in_silence(tmp_path: Path) -> None:
    recorded(tmp_path)
    reading, writing = os.pipe()
    os.close(reading)

    ended = in_a_shell(tmp_path, ["sql", "select range from range(100000)", "--csv"], stdout=writing)
    os.close(writing)

    assert (ended.returncode, ended.stderr) == (1, "")


def in_a_shell(
    folder: Path, arguments: list[str], *, before: str = "", stdout: int = subprocess.DEVNULL
) -> subprocess.CompletedProcess[str]:
    code = f"import os, cli.main\n{before}\ncli.main.main({arguments!r})"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False, cwd=folder)
