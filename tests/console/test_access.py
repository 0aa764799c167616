"""Who may see the console, and whose forms count."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from console.password import hash_of
from console.session import Session, Sessions
from tests.console.house import config, rewritten, running_console
from tests.running import start, write_config
from tests.waiting import until

PASSWORD = "open sesame"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A console with a password, over nothing."""
    folder = tmp_path_factory.mktemp("locked")
    write_config(folder, config(console={"listen": "127.0.0.1:0", "password_hash": hash_of(PASSWORD)}))
    with running_console(folder) as url:
        yield url


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A console on loopback, over nothing."""
    folder = tmp_path_factory.mktemp("opened")
    write_config(folder, config())
    with running_console(folder) as url:
        yield url


def client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, trust_env=False, timeout=20)


def token_of(page: httpx.Response) -> str:
    return page.text.split('name="token" value="')[1].split('"')[0]


def test_without_the_password_no_page_is_shown_and_with_it_the_wanted_one(page: Page, locked: str) -> None:
    page.goto(f"{locked}/routing?x=1")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.get_by_label("Password").fill("open sesam")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("That is not the password.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()

    page.wait_for_url("**/routing?x=1")
    page.get_by_role("button", name="Log out").click()
    page.goto(f"{locked}/")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_link_from_elsewhere_finds_who_is_logged_in_and_ends_no_login(page: Page, locked: str) -> None:
    page.goto(f"{locked}/login")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{locked}/")
    page.goto(f"{locked}/routing/w")
    page.get_by_role("button", name="Hold…").click()
    page.locator("dialog[open]").get_by_label("Your name").fill("ann")
    page.locator("dialog[open] form button").first.click()
    expect(page.get_by_role("status").first).to_contain_text("Done by ann")

    elsewhere = page.context.new_page()
    elsewhere.set_content(f'<a href="{locked}/routing/w">look at this</a>')
    elsewhere.get_by_role("link").click()

    expect(elsewhere.get_by_role("heading", name="w", exact=True)).to_be_visible()
    expect(elsewhere.locator("input[name=author]").first).to_have_value("ann")
    page.get_by_role("button", name="Log out").click()  # a form of before counts
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_another_password_is_taken_over_and_ends_every_session(tmp_path: Path) -> None:
    def form(page: httpx.Response, password: str) -> dict[str, str]:
        return {"token": token_of(page), "password": password}

    write_config(tmp_path, config(console={"listen": "127.0.0.1:0", "password_hash": hash_of(PASSWORD)}))
    with running_console(tmp_path) as url, client(url) as known:
        known.post("/login", data=form(known.get("/login"), PASSWORD))
        assert known.get("/").status_code == 200

        rewritten(tmp_path, {"console": {"listen": "127.0.0.1:0", "password_hash": hash_of("another")}})

        until(lambda: known.get("/").status_code == 303, what="the end of the session")
        assert known.post("/login", data=form(known.get("/login"), PASSWORD)).status_code == 403
        assert known.post("/login", data=form(known.get("/login"), "another")).status_code == 303
        assert known.get("/").status_code == 200


def test_on_an_open_address_the_password_stays_when_the_file_names_one_of_this_machine(tmp_path: Path) -> None:
    write_config(tmp_path, config(console={"listen": "0.0.0.0:0", "password_hash": hash_of(PASSWORD)}))
    with running_console(tmp_path) as url, client(url.replace("0.0.0.0", "127.0.0.1")) as stranger:
        rewritten(tmp_path, {"console": {"listen": "127.0.0.1:0", "url": "http://console.example"}})

        foreign = {"host": "evil.example"}
        until(lambda: stranger.get("/", headers=foreign).status_code == 421, what="the other url")
        assert stranger.get("/", headers={"host": "console.example"}).headers["location"].startswith("/login")


@pytest.mark.parametrize("path", ["/", "/exchanges", "/relabel", "/datasets", "/runs", "/routing", "/routing/w"])
def test_every_page_asks_for_the_login(locked: str, path: str) -> None:
    with client(locked) as stranger:
        assert stranger.get(path).headers["location"].startswith("/login?next=")
        assert stranger.post(path, data={}).status_code == 401


def test_a_login_leads_to_no_other_site(locked: str) -> None:
    with client(locked) as known:
        token = token_of(known.get("/login"))
        for to in ("//evil.example", "https://evil.example", "/\\evil.example"):
            answer = known.post("/login", data={"token": token, "password": PASSWORD, "next": to})
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
            token = token_of(known.get("/routing"))


def test_who_guesses_has_to_wait_even_with_the_right_password(tmp_path: Path) -> None:
    write_config(tmp_path, config(console={"listen": "127.0.0.1:0", "password_hash": hash_of(PASSWORD)}))
    with running_console(tmp_path) as url, client(url) as guesser:
        token = token_of(guesser.get("/login"))
        said = [
            guesser.post("/login", data={"token": token, "password": word}).status_code for word in (*"abcde", PASSWORD)
        ]

    assert said == [403] * 5 + [429]


def test_a_cookie_is_signed_for_one_password_and_no_script_or_site_gets_it(locked: str) -> None:
    with client(locked) as known:
        token = token_of(known.get("/login"))
        given = known.post("/login", data={"token": token, "password": PASSWORD}).headers["set-cookie"]
        cookie = given.split("=", 1)[1].split(";")[0]
        assert "HttpOnly" in given
        assert "samesite=lax" in given.lower()
        assert known.get("/").status_code == 200
    for forged in (cookie[:-2] + "xx", Sessions(b"another", None).cookie(Session("a", True))):
        with client(locked) as forger:
            assert forger.get("/", headers={"cookie": f"nightschool={forged}"}).status_code == 303


def test_a_form_without_the_token_of_its_session_is_refused(opened: str) -> None:
    with client(opened) as other, client(opened) as one:
        foreign = token_of(other.get("/routing/w"))
        one.get("/")
        for form in ({}, {"token": ""}, {"token": foreign}):
            answer = one.post("/routing/w", data={"hand": "hold", **form})
            assert answer.status_code == 403
            assert "too old to be sent" in answer.text


def test_a_login_form_too_long_to_be_one_is_refused_before_it_is_read(locked: str) -> None:
    address = urlsplit(locked)
    with socket.create_connection((address.hostname, address.port), timeout=20) as stranger:
        stranger.sendall(
            f"POST /login HTTP/1.1\r\nhost: {address.netloc}\r\ncontent-length: {1 << 30}\r\n"
            "content-type: application/x-www-form-urlencoded\r\n\r\n".encode()
        )
        answer = stranger.recv(1 << 16)

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_form_that_does_not_say_how_long_it_is_is_refused(locked: str) -> None:
    with client(locked) as stranger:
        answer = stranger.post(
            "/login", content=iter([b"password=x"]), headers={"content-type": "application/x-www-form-urlencoded"}
        )

    assert answer.status_code == 411
    assert "must say how long it is" in answer.text


def test_no_file_is_taken_with_a_form(locked: str) -> None:
    with client(locked) as stranger:
        assert stranger.post("/login", files={"token": b"x" * 1000}).status_code == 400


def test_a_form_may_hold_a_label_of_megabytes_and_no_more(opened: str) -> None:
    with client(opened) as visitor:
        token = token_of(visitor.get("/routing/w"))
        said = [
            visitor.post("/logout", data={"token": token, "text": "ä" * size}).status_code
            for size in (1 << 20, 2 << 20)
        ]

    assert said == [303, 413]


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"origin": "null"}]
)
def test_a_form_of_another_site_is_refused_though_it_has_cookie_and_token(opened: str, headers: dict[str, str]) -> None:
    with client(opened) as tricked:
        token = token_of(tricked.get("/routing/w"))
        assert tricked.post("/routing/w", data={"token": token, "hand": "hold"}, headers=headers).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8090", "127.0.0.1.evil.example"])
def test_on_loopback_a_foreign_name_leads_nowhere(opened: str, host: str) -> None:
    with client(opened) as tricked:
        assert tricked.get("/", headers={"host": host}).status_code == 421


def test_a_page_may_run_and_fetch_nothing_but_its_own(opened: str) -> None:
    with client(opened) as visitor:
        policy = visitor.get("/").headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    "path", ["/datasets/w/..%2F..%2Fkeys", "/runs/adapters/..%2f..%2fkeys", "/runs/evaluations/w/..%2Fx/report",
             "/runs/decisions/..%2F..%2F/x", "/static/../service.py", "/static/..%2fservice.py"]
)  # fmt: skip
def test_no_address_leads_out_of_its_folder(opened: str, path: str) -> None:
    with client(opened) as visitor:
        assert visitor.get(path).status_code == 404


def test_on_an_open_address_it_does_not_start_without_a_password(tmp_path: Path) -> None:
    file = write_config(tmp_path, config(console={"listen": "0.0.0.0:0"}))
    process = start(file, {"HOUSE_KEY": "k"}, command="console")
    said, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "password_hash: is missing" in said


def test_a_taken_port_is_told(opened: str, tmp_path: Path) -> None:
    file = write_config(tmp_path, config(console={"listen": opened.removeprefix("http://")}))
    process = start(file, {"HOUSE_KEY": "k"}, command="console")
    said, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "the console cannot listen on" in said


def test_over_an_empty_folder_every_page_says_what_to_do_next(page: Page, opened: str) -> None:
    told = {
        "/": "OPENAI_BASE_URL=",
        "/exchanges": "nightschool logs import",
        "/relabel": "Nothing is in doubt",
        "/datasets": "nightschool dataset build w",
        "/runs": "nightschool distill w",
        "/routing": "No replica is known",
    }
    for path, words in told.items():
        page.goto(f"{opened}{path}")
        expect(page.locator("main")).to_contain_text(words)
