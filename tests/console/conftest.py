"""A furnished house, its console, and a real browser. Without a browser its tests are skipped, and say so."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.console.house import House, furnished, running_console

_EXPECTED = "status of 4|net::ERR_CONNECTION_REFUSED"
"""What a browser says of a page that is not there, and of a console that is away."""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_WITHIN_MS = 30_000
_SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="package")
def furnished_once(tmp_path_factory: pytest.TempPathFactory) -> House:
    with ThreadPoolExecutor(
        1
    ) as other:  # the browser has an event loop in this thread, and a night runs one of its own
        return other.submit(furnished, tmp_path_factory.mktemp("house")).result()


@pytest.fixture
def house(furnished_once: House, tmp_path: Path) -> House:
    """One that may be changed."""
    shutil.copytree(furnished_once.folder, tmp_path / "house")
    return House(tmp_path / "house", furnished_once.adapter)


@pytest.fixture(scope="package")
def site(furnished_once: House) -> Iterator[str]:
    """The address of a console over a house that nobody changes."""
    with running_console(furnished_once.folder) as url:
        yield url


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: sudo apt-get install chromium")
    expect.set_options(timeout=_WITHIN_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A new window. What a page throws fails the test, and so does whatever it wants from another host."""
    faults: list[str] = []
    context = chromium.new_context(locale="en-GB", timezone_id="Europe/Berlin", viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(_WITHIN_MS)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("request", lambda asked: None if asked.url.startswith("http://127.0.0.1") else faults.append(asked.url))
    yield page
    context.close()
    assert [fault for fault in faults if not re.search(_EXPECTED, fault)] == []
