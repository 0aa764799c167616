"""``make demo``: an unchanged application, the proxy in front of a real local model, and what was recorded.

    engine (vLLM, CPU) <- nightschool proxy <- app.py        then: nightschool logs | sql

Everything it writes is under ``.demo/``; what earlier runs recorded stays there. Whatever it starts it ends, however
it is left.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from demo.child import child_process, last_lines
from demo.engine import MODEL_NAME, ROOT, running_engine
from nightschool.errors import NightschoolError

FOLDER = ROOT / ".demo"
CONFIG = FOLDER / "nightschool.yaml"
NIGHTSCHOOL = Path(sys.executable).with_name("nightschool")
PROXY_START_LIMIT_S = 30.0
LISTENING = re.compile(r"listening on (http://\S+)")

CONFIG_TEXT = """\
# Written anew by every `make demo`: the engine gets another port each time.
listen: 127.0.0.1:0
data: ./data
upstreams:
  local: {{base_url: "{engine_url}"}}
prices:
  {model}: {{input: 10, output: 40}} # invented, to show the column: USD per million tokens
record:
  redact: [{{pattern: '[\\w.+-]+@[\\w-]+\\.\\w+', with: "[email]"}}]
workloads:
  weather: {{when: {{tool: get_weather}}}}
"""


def main() -> int:
    return told(demo)


def told(story: Callable[[], object]) -> int:
    """Tell it, as the only one; returns the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with only_demo():
            story()
    except KeyboardInterrupt:
        print("\nstopped; everything that was started has been ended", file=sys.stderr)
        return 130
    except NightschoolError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


def demo() -> None:
    begin = time.monotonic()
    step("a model: SmolLM2-135M in vLLM on this CPU (.demo/engine.log)")
    with running_engine(log=FOLDER / "engine.log", waiting=Waiting("for vLLM to load the model, 30 to 90 s")) as engine:
        say(f"answers at {engine.base_url} after {engine.start_s:.0f} s")

        step("the proxy in front of it (.demo/nightschool.yaml, .demo/proxy.log)")
        CONFIG.write_text(CONFIG_TEXT.format(engine_url=engine.base_url, model=MODEL_NAME))
        with running_proxy() as url:
            say(f"answers at {url}")

            step("the app, which knows nothing of it (demo/app.py)")
            run_app(f"{url}/v1")

            step("what was recorded")
            run_nightschool("logs", "list", "--limit", "4")
            run_nightschool("logs", "show", "--last")
            run_nightschool(
                "sql", "select workload, count(*) as exchanges, sum(cost_usd) as usd from exchanges group by 1"
            )
    step(f"done in {time.monotonic() - begin:.0f} s; proxy and engine are ended, the record stays")
    say(f'export PATH="$PWD/.venv/bin:$PATH" NIGHTSCHOOL_CONFIG={CONFIG.relative_to(ROOT)}')
    say("nightschool logs list                     # every exchange of every run")
    say("nightschool logs show ID                  # one of them, whole")
    say('nightschool sql "describe exchanges"      # the columns')


@contextlib.contextmanager
def only_demo() -> Iterator[None]:
    """Two at once would write each other's configuration."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NightschoolError("another demo is running in this folder", remedy="wait for it to end") from None
        yield


@contextlib.contextmanager
def running_proxy() -> Iterator[str]:
    """Start ``nightschool proxy`` and yield the address that it says it listens on."""
    with proxy_in(CONFIG, FOLDER / "proxy.log") as url:
        yield url


@contextlib.contextmanager
def proxy_in(config: Path, log: Path) -> Iterator[str]:
    """The same with any configuration."""
    command: list[str | Path] = [NIGHTSCHOOL, "proxy", "--config", config]
    with child_process(command, log=log, env=environment(), cwd=ROOT, patience_s=60) as process:
        deadline = time.monotonic() + PROXY_START_LIMIT_S
        while time.monotonic() < deadline and process.poll() is None:
            listening = LISTENING.search(log.read_text(errors="replace"))
            if listening:
                yield listening.group(1)
                return
            time.sleep(0.1)
        raise NightschoolError(
            f"the proxy did not start; the end of {log}:\n{last_lines(log)}",
            remedy=f"nightschool check --config {config}",
        )


def run_app(base_url: str) -> None:
    say(f"$ OPENAI_BASE_URL={base_url} python demo/app.py")
    _run(
        [sys.executable, str(ROOT / "demo" / "app.py")],
        environment(OPENAI_BASE_URL=base_url, OPENAI_API_KEY="sk-the-apps-own-key"),
    )


def run_nightschool(*arguments: str) -> None:
    shown = " ".join(f'"{part}"' if " " in part else part for part in arguments)
    print()
    say(f"$ nightschool {shown}")
    _run([str(NIGHTSCHOOL), *arguments], environment(NIGHTSCHOOL_CONFIG=str(CONFIG)))


def environment(**added: str) -> dict[str, str]:
    """Ours, without an HTTP proxy: everything here is on 127.0.0.1."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")} | added


def _run(command: list[str], env: dict[str, str]) -> None:
    """Run a command with its output on ours."""
    status = subprocess.run(command, env=env, cwd=ROOT).returncode
    if status != 0:
        raise NightschoolError(f"{' '.join(command)!r} ended with status {status}", remedy="see its output above")


class Waiting:
    """Says what is waited for: in place on a terminal, every 15 seconds elsewhere."""

    def __init__(self, for_what: str) -> None:
        self.for_what = for_what
        self.said_at = -15.0

    def __call__(self, seconds: float) -> None:
        if sys.stdout.isatty():
            print(f"\r  waiting {self.for_what}: {seconds:.0f} s ", end="", flush=True)
        elif seconds - self.said_at >= 15:
            self.said_at = seconds
            say(f"waiting {self.for_what}: {seconds:.0f} s")


def step(title: str) -> None:
    print(f"\n== {title}", flush=True)


def say(line: str) -> None:
    print(f"\r\x1b[K  {line}" if sys.stdout.isatty() else f"  {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
