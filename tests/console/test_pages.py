"""Every page, in a real browser: it is there, tells what it should, can be read, and is harmless."""

from __future__ import annotations

import re
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.console.house import CALLED, DISLIKED, HARMFUL, House, rewritten, running_console
from tests.distill.dataset.traffic import asked, file, identity, user

PAGES = (
    "/",
    "/exchanges",
    "/exchanges?workload=w&text=mail",
    f"/exchanges/{CALLED}",
    "/relabel",
    f"/relabel/{CALLED}",
    "/datasets",
    "/datasets/w/*",
    "/runs",
    "/runs/evaluations/w/*",
    "/runs/decisions/w/*",
    "/runs/adapters/*",
    "/routing",
    "/routing/w",
    "/exchanges/there-is-none",
)
Scheme = Literal["light", "dark"]
WINDOWS = ((1280, 900, "light"), (390, 844, "dark"))


def visit(page: Page, site: str, path: str) -> None:
    """``*`` is followed by its link on the page of the list."""
    if not path.endswith("/*"):
        page.goto(f"{site}{path}")
        return
    page.goto(f"{site}/{path.split('/')[1]}")
    page.locator(f"a[href^='{path[:-1]}']").first.click()
    page.wait_for_url(f"**{path[:-1]}**")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_can_be_used_by_everybody(page: Page, site: str, path: str, scheme: Scheme) -> None:
    page.emulate_media(color_scheme=scheme)
    visit(page, site, path)

    found = Axe().run(page).response["violations"]

    serious = [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]
    assert serious == []


@pytest.mark.parametrize(("width", "height", "scheme"), WINDOWS)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_its_window_in_light_and_dark(
    page: Page, site: str, path: str, width: int, height: int, scheme: Scheme
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme)
    visit(page, site, path)

    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, [
        one
        for one in page.evaluate(
            """width => [...document.querySelectorAll("main *")].filter(one => one.getBoundingClientRect().right > width
            && !one.closest(".scroll")).map(one => one.outerHTML.slice(0, 120))""",
            width,
        )
    ]
    assert page.title().endswith("· nightschool")
    expect(page.locator("h1")).to_have_count(1)


def test_the_dark_page_is_dark(page: Page, site: str) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(site)

    red = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
    assert int(red) < 64


def test_the_overview_says_who_answers_how_well_and_for_what_money(
    page: Page, site: str, furnished_once: House
) -> None:
    page.goto(site)

    row = page.locator("#workloads tr", has_text="w").nth(1)
    expect(row).to_contain_text("canary 5 %")
    expect(row).to_contain_text("teacher 1.000")
    expect(row).to_contain_text("promoted")
    expect(page.locator("#sums")).to_contain_text("20 answers")
    expect(page.locator("#answers svg.chart rect.student").first).to_be_attached()
    expect(page.locator("#ledger")).to_contain_text("students' answers, had the teacher given them")


def test_times_are_those_of_who_looks(page: Page, site: str) -> None:
    page.goto(f"{site}/exchanges/{identity(7)}")

    expect(page.locator(".lead time")).to_have_text(re.compile(r"10 Mar 2026, 13:00:07"))  # 12:00:07 UTC
    expect(page.locator(".lead time")).to_have_attribute("title", "2026-03-10 12:00:07 UTC")


def test_exchanges_are_filtered_and_the_filter_stays_in_the_address(page: Page, site: str) -> None:
    page.goto(f"{site}/exchanges")
    page.get_by_label("Workload").select_option("w")
    page.get_by_label("Answered by").select_option("student")
    page.get_by_label("Tag").fill("box=out")
    page.get_by_role("button", name="Show").click()

    expect(page.locator("#rows tbody tr")).to_have_count(10)
    assert "target=student" in page.url
    page.get_by_label("Status").fill("500")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#rows")).to_contain_text("No exchange is like this")


def test_text_is_found_in_questions_and_answers(page: Page, site: str) -> None:
    page.goto(f"{site}/exchanges")
    page.keyboard.press("/")
    page.keyboard.type("sort mail 77")
    with page.expect_navigation():
        page.keyboard.press("Enter")

    assert len(listed(page)) == 1


def test_a_typing_error_in_a_filter_is_told(page: Page, site: str) -> None:
    page.goto(f"{site}/exchanges?since=yesterdayish&status=many&tag=box")

    told = page.locator(".caution").all_inner_texts()
    assert sorted(text.split(":")[0] for text in told) == ["since", "status", "tag"]
    assert "yesterdayish" in " ".join(told)


def test_pages_follow_one_another_without_gaps(page: Page, site: str) -> None:
    page.goto(f"{site}/exchanges?workload=w")

    seen = listed(page)

    assert len(seen) == len(set(seen)) == 460


def listed(page: Page) -> list[str]:
    """What the list has from here to its last page. Where looking for text takes long, a page may have no row."""
    seen: list[str] = []
    while True:
        seen += page.locator("#rows tbody a").evaluate_all("all => all.map(one => one.pathname)")
        older = page.locator("[data-key=n]")
        if not older.count():
            return seen
        with page.expect_navigation():
            page.keyboard.press("n")


def test_the_keyboard_steps_through_exchanges_and_back(page: Page, site: str) -> None:
    page.goto(f"{site}/exchanges?workload=calls")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    first = page.url
    with page.expect_navigation():
        page.keyboard.press("j")
    assert "workload=calls" in page.url
    assert page.url != first
    with page.expect_navigation():
        page.keyboard.press("k")
    assert page.url == first
    with page.expect_navigation():
        page.keyboard.press("u")
    assert page.url == f"{site}/exchanges?workload=calls"


def test_an_exchange_is_readable_with_why_and_raw_json(page: Page, site: str) -> None:
    page.goto(f"{site}/exchanges/{CALLED}")

    expect(page.locator(".turn.assistant pre")).to_contain_text('"city": "Bern 0"')
    page.goto(f"{site}/exchanges/{DISLIKED}")
    expect(page.locator("main")).to_contain_text("the conversation fell to the student on its way up")
    expect(page.locator("main")).to_contain_text("Feedback 0: wrong box")
    page.get_by_text("Request as it was sent").click()
    expect(page.locator("#request-json pre")).to_contain_text('"messages": [')


def test_recorded_html_and_script_are_text(page: Page, site: str) -> None:
    for path in (f"/exchanges/{identity(HARMFUL)}", "/exchanges?workload=calls", f"/relabel/{identity(HARMFUL)}", "/"):
        page.goto(f"{site}{path}")
        assert page.evaluate("window.harmed") is None
        assert page.locator("main script, main img").count() == 0
    page.goto(f"{site}/exchanges/{identity(HARMFUL)}")
    expect(page.locator(".turn.user .said")).to_contain_text("<script>window.harmed = true</script>")


def test_no_secret_is_on_any_page(page: Page, site: str) -> None:
    for path in PAGES:
        visit(page, site, path)
        assert "sk-of-the-house" not in page.content()
    page.goto(f"{site}/routing")
    expect(page.locator("pre")).to_contain_text("api_key: ${HOUSE_KEY}")


def test_a_dataset_shows_what_is_in_it_and_that_the_sides_share_nothing(page: Page, site: str) -> None:
    visit(page, site, "/datasets/w/*")

    expect(page.locator("#shared")).to_contain_text("Nothing: 0 exact inputs, 0 groups in common", timeout=20_000)
    expect(page.locator("#distributions")).to_contain_text("refund")
    page.keyboard.press("n")
    expect(page.locator("#sample h2")).to_contain_text("Example 2 of")


def test_what_is_recorded_appears_without_reloading(house: House, page: Page) -> None:
    with running_console(house.folder) as site:
        page.goto(f"{site}/exchanges?text=quite+new")
        expect(page.locator("#rows")).to_contain_text(re.compile("No exchange is like this|None so far"))
        file(house.data, [asked(9_000, user("something quite new"))])

        expect(page.locator("#rows tbody tr")).to_have_count(1, timeout=15_000)


def test_when_the_console_is_away_the_page_says_so_and_goes_on_when_it_is_back(house: House, page: Page) -> None:
    with running_console(house.folder) as site:
        port = site.rsplit(":", 1)[1]
        page.goto(f"{site}/exchanges")
    expect(page.locator("#away")).to_contain_text("has not answered since", timeout=15_000)

    rewritten(house.folder, {"console": {"listen": f"127.0.0.1:{port}"}})
    with running_console(house.folder):
        expect(page.locator("#away")).to_be_hidden(timeout=15_000)
        page.goto("about:blank")


def test_links_and_forms_work_without_script(chromium: Browser, site: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/exchanges")
    page.get_by_label("Workload").select_option("calls")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#rows tbody tr")).to_have_count(4)
    page.locator("#rows tbody a").last.click()
    expect(page.locator(".lead time")).to_contain_text("UTC")
    page.get_by_role("link", name="Relabel").last.click()
    page.get_by_role("button", name="Add a tool call").click()
    expect(page.locator("[name=call_name]")).to_have_count(2)
    context.close()
