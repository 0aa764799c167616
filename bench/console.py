"""The console over a million exchanges: how long its pages take, what it holds, and whether the traffic notices.

    python -m bench.console [FOLDER] [--rows N] [--rounds N] [--keep] [--json FILE]

The store is that of bench/store.py. Each page is asked for just after the start, when nothing is remembered, and again.
Then the proxy carries load, twice with nobody at its console and once with a person who clicks every second, in turn.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import yaml

from bench.figure import Figure, Spread, add_json_option, print_figures, write_figures
from bench.proxy import nightschool
from bench.proxy.cores import divide
from bench.proxy.generator import Generator, Upstream
from bench.proxy.process import peak_bytes
from bench.proxy.rounds import PLAIN, STREAMS, Load, Window, measure
from bench.store import file_traffic

WORK = Path(__file__).parent / ".work" / "console"
MOST_S = 1.0
MOST_BYTES = 400 * 2**20
_STATES = ("quiet", "quiet again", "clicked")
_PAGES = {
    "overview, 7 days": "/",
    "overview, 30 days": "/?days=30",
    "exchanges, first page": "/exchanges",
    "exchanges of a workload": "/exchanges?workload=pii-redaction",
    "exchanges that failed": "/exchanges?status=error",
    "exchanges with a text": "/exchanges?text=zymurgy",
    "relabel": "/relabel",
    "routing": "/routing",
}
_HELD_TO = ("overview, 7 days", "exchanges, first page")
_CLICKS = ("/", "/exchanges", "/exchanges?text=the", "/relabel", "/datasets", "/runs", "/routing")
_CLICK_EVERY_S = 1.0


def main(argv: list[str] | None = None) -> int:
    """0 when every target is met, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.console")
    parser.add_argument("folder", type=Path, nargs="?", default=WORK)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--keep", action="store_true", help="leave the store there, and take the one that is there")
    add_json_option(parser)
    arguments = parser.parse_args(argv)
    folder = arguments.folder
    try:
        figures = [
            *measure_pages(folder / "large", arguments.rows),
            *measure_traffic(folder / "proxy", arguments.rounds),
        ]
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    write_figures(arguments.json, figures)
    return print_figures(f"the console, {arguments.rows:,} exchanges", figures)


def measure_pages(folder: Path, rows: int) -> Iterator[Figure]:
    """Each page over a large store, and what the process holds afterwards."""
    if not (folder / "data" / "manifest.json").exists():
        file_traffic(folder / "data", rows)
    with running_console(_configured(folder)) as (url, process), _client(url) as client:
        for name, path in _PAGES.items():
            first, again = _seconds(client, path), _seconds(client, path)
            target, met = (f"<= {MOST_S:g} s", first <= MOST_S) if name in _HELD_TO else ("", None)
            yield Figure(name, f"{first:.2f} s, again {again:.3f} s", target, met)
        newest = client.get("/exchanges").text.split('href="/exchanges/')[1].split('"')[0]
        yield Figure("one exchange", f"{_seconds(client, f'/exchanges/{newest}'):.2f} s")
        for path in (*_PAGES.values(), *_PAGES.values()):
            client.get(path).raise_for_status()
        peak = peak_bytes(process.pid)
    yield Figure(
        "memory at its peak", f"{peak / 2**20:,.0f} MiB", f"<= {MOST_BYTES / 2**20:,.0f} MiB", peak <= MOST_BYTES
    )


def measure_traffic(folder: Path, rounds: int) -> Iterator[Figure]:
    """CPU of the proxy's worker and time to the first bytes, with a person at the console and without."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    cores = divide()
    with ExitStack() as stack:
        upstream = Upstream(stack, cores=cores.load, folder=folder)
        generator = Generator(stack, cores=cores.load, folder=folder)
        peer = nightschool.start(stack, upstream_port=upstream.port, cores=cores, folder=folder / "ours")
        file = folder / "ours" / "nightschool.yaml"
        url, _ = stack.enter_context(running_console(file))
        windows: dict[tuple[str, str], list[Window]] = {}
        measure(generator, peer, PLAIN, seconds=1.0, round_number=0)
        for number in range(1, rounds + 1):
            for load in (PLAIN, STREAMS):
                turn = number % len(_STATES)
                for state in (*_STATES[turn:], *_STATES[:turn]):
                    print(f"round {number} of {rounds}: {load.name}, {state}", file=sys.stderr)
                    with _clicking(url) if state == "clicked" else ExitStack():
                        window = measure(generator, peer, load, seconds=4.0, round_number=number)
                    windows.setdefault((load.name, state), []).append(window)
    for load in (PLAIN, STREAMS):
        quiet, again, clicked = (windows[load.name, state] for state in _STATES)
        yield from _compared(load, quiet, again, clicked)


def _compared(load: Load, quiet: list[Window], again: list[Window], clicked: list[Window]) -> Iterator[Figure]:
    """What clicking changes, and below it what two quiet times differ by, which is what this machine cannot tell."""
    cpu = _ratios(clicked, quiet, lambda window: window.cpu_per_exchange_s)
    noise = _ratios(again, quiet, lambda window: window.cpu_per_exchange_s)
    unsure = max(abs(ratio - 1) for ratio in noise)
    met = statistics.median(cpu) <= 1 + unsure
    yield _line(f"CPU per exchange, {load.name}: clicked / quiet", cpu, f"<= {1 + unsure:.2f}, the noise", met)
    yield _line("  quiet / quiet", noise)
    first = _ratios(clicked, quiet, lambda window: window.first_ms[0])
    yield _line(f"first bytes, median, {load.name}: clicked / quiet", first)
    yield _line("  quiet / quiet", _ratios(again, quiet, lambda window: window.first_ms[0]))


def _ratios(ones: list[Window], others: list[Window], of: Callable[[Window], float]) -> list[float]:
    return [of(one) / of(other) for one, other in zip(ones, others, strict=True)]


def _line(name: str, ratios: list[float], target: str = "", met: bool | None = None) -> Figure:
    shown = f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
    return Figure(name, shown, target, met, spread=Spread.of(ratios))


@contextmanager
def running_console(file: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Its address and its process."""
    command = [str(Path(sys.executable).with_name("nightschool")), "console", "--config", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "console_ready url=" in line:
                yield line.split("console_ready url=")[1].split()[0], process
                return
        raise SystemExit("the console did not start")
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _clicking(url: str) -> Iterator[None]:
    """A person who looks at one page after the other, and at the live parts of each."""
    stop = threading.Event()

    def click() -> None:
        with _client(url) as client:
            number = 0
            while not stop.wait(_CLICK_EVERY_S):
                client.get(_CLICKS[number % len(_CLICKS)])
                number += 1

    person = threading.Thread(target=click)
    person.start()
    try:
        yield
    finally:
        stop.set()
        person.join()


def _client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, trust_env=False, timeout=60)


def _seconds(client: httpx.Client, path: str) -> float:
    started = time.perf_counter()
    client.get(path).raise_for_status()
    return time.perf_counter() - started


def _configured(folder: Path) -> Path:
    """Both workloads of the traffic are known to it."""
    file = folder / "nightschool.yaml"
    told = {
        "data": "data",
        "upstreams": {"main": {"base_url": "http://127.0.0.1:9/v1"}},
        "workloads": {name: {"when": {"tag": {"w": name}}} for name in ("support-triage", "pii-redaction")},
        "console": {"listen": "127.0.0.1:0"},
    }
    file.write_text(yaml.safe_dump(told))
    return file


if __name__ == "__main__":
    sys.exit(main())
