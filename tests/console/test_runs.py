"""Runs as they go on, and what is damaged: told on the page, and never in its way."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from starlette.testclient import TestClient

from console.application import build_application
from console.desk import Desk
from distill.night.report import nights_of
from distill.night.standing import only_night
from distill.train.points import Point
from distill.train.progress import LOCK, Progress, ProgressFile
from nightschool.config import load_config
from nightschool.store.durable import make_folder
from nightschool.store.lock import lock_at_once
from tests.console.house import House, running_console

ENV = {**os.environ, "HOUSE_KEY": "k"}


def visitor(house: House) -> TestClient:
    file = house.folder / "nightschool.yaml"
    return TestClient(build_application(Desk(load_config(file, ENV), file, ENV)), base_url="http://127.0.0.1")


def one_in(folder: Path) -> Path:
    """The newest that is finished."""
    return max(path for path in folder.iterdir() if not path.name.startswith(".") and "lock" not in path.name)


def training(house: House, steps: int) -> None:
    folder = house.data / "runs" / "w--1"
    make_folder(folder)
    about = Progress(workload="w", dataset="d", base_model="b", run="w--1", device="cpu")
    points = [Point(n, n / 50, 100 * n, 2.0 * n, 0.01, 1 / n, 0.5 if n % 10 == 0 else None) for n in range(1, steps)]
    ProgressFile(folder, about).tell(points, 100)


def test_a_training_is_followed_live_with_its_curve_and_the_time_left(page: Page, house: House) -> None:
    training(house, 61)
    with running_console(house.folder) as site, lock_at_once(house.data / "runs" / "w--1" / LOCK):
        page.goto(f"{site}/runs")
        expect(page.locator("#now")).to_contain_text("w: a student is learning")
        expect(page.locator("#now")).to_contain_text("60 of 100")
        expect(page.locator("#now")).to_contain_text("1 min")
        expect(page.locator("#now polyline.other")).to_be_attached()

        training(house, 91)
        expect(page.locator("#now")).to_contain_text("90 of 100", timeout=15_000)


def test_a_training_that_was_killed_is_told_as_such(house: House) -> None:
    training(house, 61)

    assert "a training was interrupted" in visitor(house).get("/runs").text


def test_a_night_shows_the_step_that_it_is_at_and_one_that_was_killed_says_so(house: House) -> None:
    with only_night(house.data, "w") as night:
        night.enter("evaluate")
        standing = (nights_of(house.data) / "w.json").read_bytes()
        text = visitor(house).get("/runs").text
        assert "w: a night is running" in text
        assert re.search(r'aria-current="step">evaluate<', text)
    (nights_of(house.data) / "w.json").write_bytes(standing)

    assert "w: a night was interrupted" in visitor(house).get("/runs").text


def test_an_evaluation_shows_scores_and_the_worst_answers_side_by_side(house: House) -> None:
    evaluation = one_in(house.data / "evaluations" / "w")
    text = visitor(house).get(f"/runs/evaluations/w/{evaluation.name}").text

    first = text.split('<article class="pair">')[1]
    assert "other thing" in first
    assert "please sort mail" in first
    assert "/relabel/" in first
    assert "true is: teacher" in first


def test_the_report_is_served_whole_and_may_run_nothing(house: House) -> None:
    evaluation = one_in(house.data / "evaluations" / "w")
    report = visitor(house).get(f"/runs/evaluations/w/{evaluation.name}/report")

    assert report.text == (evaluation / "report.html").read_text()
    assert "script-src" not in report.headers["content-security-policy"]
    assert report.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_decision_shows_its_evidence_and_threshold_and_comes_out_again(house: House) -> None:
    decision = one_in(house.data / "decisions" / "w")
    page = f"/runs/decisions/w/{decision.stem}"
    text = visitor(house).get(page).text
    told = json.loads(decision.read_bytes())["decision"]

    assert f"{told['threshold']:,.0f} is enough" in text
    assert '<polyline class="line"' in text
    assert "promote" in text
    assert "the same to the last digit" in visitor(house).get(f"{page}?again=true").text


def test_a_decision_that_was_changed_is_refused(house: House) -> None:
    decision = one_in(house.data / "decisions" / "w")
    decision.write_bytes(decision.read_bytes().replace(b'"rows":', b'"rows" :').replace(b"0.05", b"0.06"))

    answer = visitor(house).get(f"/runs/decisions/w/{decision.stem}")

    assert (answer.status_code, "was changed after the decision" in answer.text) == (400, True)
    assert "damaged" in visitor(house).get("/runs").text


@pytest.mark.parametrize(
    ("damaged", "page", "told"),
    [
        ("evaluations/w/*/manifest.json", "/runs", "cannot be read"),
        ("evaluations/w/*/rows.parquet", "/runs/evaluations/w/{}", "its rows cannot be read"),
        ("datasets/w/*/manifest.json", "/datasets", "damaged"),
        ("datasets/w/*/train.parquet", "/datasets/w/{}", "its files cannot be read"),
        ("adapters/*/manifest.json", "/runs", "cannot be used"),
    ],
)
def test_a_damaged_file_is_told_and_the_rest_is_shown(house: House, damaged: str, page: str, told: str) -> None:
    (file,) = house.data.glob(damaged)
    file.write_bytes(b"{")
    client = visitor(house)

    answer = client.get(page.format(file.parent.name))

    assert (answer.status_code, told in answer.text) == (200, True)
    for other in ("/", "/exchanges", "/relabel", "/datasets", "/runs", "/routing", "/routing/w"):
        assert client.get(other).status_code == 200


@pytest.mark.parametrize(
    "page", ["/runs/evaluations/w/none", "/runs/decisions/w/none", "/runs/adapters/none", "/datasets/w/none",
             "/runs/evaluations/none/none", "/routing/none", "/exchanges/ffff0000ffff",
             "/relabel/ffff0000ffff", "/nowhere"]
)  # fmt: skip
def test_what_is_not_there_is_told_with_a_way_back(house: House, page: str) -> None:
    answer = visitor(house).get(page)

    assert (answer.status_code, "Back to the overview" in answer.text) == (404, True)


def test_a_folder_that_goes_while_it_is_looked_at_breaks_nothing(house: House) -> None:
    client = visitor(house)
    assert client.get("/runs").status_code == 200
    for name in ("evaluations", "decisions", "datasets", "adapters", "nights", "audits"):
        shutil.rmtree(house.data / name)

    for page in ("/", "/relabel", "/datasets", "/runs", "/routing", "/routing/w"):
        assert client.get(page).status_code == 200
