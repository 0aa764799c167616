"""Runs as they go on, and what is damaged: told on the page, and never in its way."""

from __future__ import annotations

import json
import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Page, expect
from starlette.testclient import TestClient

from console.application import build_application
from console.desk import Desk
from distill.evaluate.result import ROWS
from distill.gate.decide import decide
from distill.gate.dossier import make_dossier, read_dossier, write_dossier
from distill.gate.evidence import Evidence, Row
from distill.night.report import Report, keep, nights_of
from distill.night.standing import only_night
from distill.train.points import Point, curve_csv
from distill.train.progress import LOCK, Progress, ProgressFile
from nightschool.config import load_config
from nightschool.store.durable import make_folder
from nightschool.store.lock import lock_at_once
from tests.console.house import SCRIPT, House, config, running_console
from tests.running import write_config

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


def test_a_new_folder_is_told_how_to_begin(tmp_path: Path) -> None:
    write_config(tmp_path, config())
    text = visitor(House(tmp_path, "")).get("/runs").text

    assert "Nothing has been learned yet" in text
    assert "nightschool distill w" in text


def test_an_adapter_shows_its_curve_and_what_it_was_made_of(house: House) -> None:
    points = [Point(n, n / 50, 100 * n, 2.0 * n, 0.01, 1 / n, 0.5 if n % 10 == 0 else None) for n in range(1, 61)]
    (house.data / "adapters" / house.adapter / "curve.csv").write_text(curve_csv(points))
    text = visitor(house).get(f"/runs/adapters/{house.adapter}").text
    manifest = json.loads((house.data / "adapters" / house.adapter / "manifest.json").read_bytes())

    assert 'role="img" aria-label="Loss over the steps of training"' in text
    assert text.count('<circle class="dot"') == 6
    assert f'href="/datasets/w/{manifest["dataset"]["name"]}"' in text
    assert manifest["hash"] in text


@pytest.mark.parametrize("curve", [b"", b"step,epoch\n1,2\n", b"\xff", b"x" * 200_000])
def test_an_adapter_without_a_curve_is_shown_all_the_same(house: House, curve: bytes) -> None:
    (house.data / "adapters" / house.adapter / "curve.csv").write_bytes(curve)
    answer = visitor(house).get(f"/runs/adapters/{house.adapter}")

    assert (answer.status_code, "Its curve is not there" in answer.text) == (200, True)


def test_an_adapter_is_shown_when_nobody_knows_of_replicas(house: House) -> None:
    (house.data / "registry" / "replicas.json").write_bytes(b"{")
    answer = visitor(house).get(f"/runs/adapters/{house.adapter}")

    assert (answer.status_code, "replicas.json" in answer.text) == (200, True)


def test_a_damaged_adapter_hides_no_other(house: House) -> None:
    damaged = house.data / "adapters" / "w--000000000000"
    shutil.copytree(house.data / "adapters" / house.adapter, damaged)
    (damaged / "manifest.json").write_bytes(b"{")
    text = visitor(house).get("/runs").text

    assert "the adapter w--000000000000 cannot be used" in text
    assert f'href="/runs/adapters/{house.adapter}">{house.adapter}</a>' in text


@pytest.mark.parametrize(
    ("damaged", "page"),
    [("evaluations/w/*/manifest.json", "/runs/evaluations/w/{}"), ("adapters/*/manifest.json", "/runs/adapters/{}")],
)
def test_bytes_that_are_no_text_are_damage_like_any_other(house: House, damaged: str, page: str) -> None:
    (file,) = house.data.glob(damaged)
    file.write_bytes(b'{"workload": "\xff"}')
    client = visitor(house)

    assert client.get("/runs").status_code == 200
    answer = client.get(page.format(file.parent.name))
    assert (answer.status_code, "Back to the overview" in answer.text) == (400, True)


def test_a_report_that_was_deleted_is_not_there(house: House) -> None:
    evaluation = one_in(house.data / "evaluations" / "w")
    (evaluation / "report.html").unlink()
    client = visitor(house)

    assert client.get(f"/runs/evaluations/w/{evaluation.name}/report").status_code == 404
    assert (
        f"/runs/evaluations/w/{evaluation.name}/report" not in client.get(f"/runs/evaluations/w/{evaluation.name}").text
    )


def test_script_in_an_answer_is_text(house: House) -> None:
    evaluation = one_in(house.data / "evaluations" / "w")
    rows = pq.read_table(evaluation / ROWS)
    harmful = [{**row, "answer": SCRIPT, "problem": SCRIPT, "reason": SCRIPT} for row in rows.to_pylist()]
    pq.write_table(pa.Table.from_pylist(harmful, schema=rows.schema), evaluation / ROWS)
    text = visitor(house).get(f"/runs/evaluations/w/{evaluation.name}").text

    assert "&lt;script&gt;window.harmed = true&lt;/script&gt;" in text
    assert "<script>window" not in text
    assert '<img src="x"' not in text
    assert 'onerror="' not in text


def test_scores_that_are_no_numbers_are_told(house: House) -> None:
    evaluation = one_in(house.data / "evaluations" / "w")
    rows = pq.read_table(evaluation / ROWS)
    words = pa.array(["much"] * len(rows))
    pq.write_table(rows.set_column(rows.schema.get_field_index("score"), "score", words), evaluation / ROWS)
    answer = visitor(house).get(f"/runs/evaluations/w/{evaluation.name}")

    assert (answer.status_code, "its rows cannot be read" in answer.text) == (200, True)


def test_evidence_beyond_what_a_number_holds_is_drawn(house: House) -> None:
    dossier = read_dossier(one_in(house.data / "decisions" / "w"))
    evidence = Evidence(tuple(Row(f"g{n}", teacher=0.0, student=1.0) for n in range(3_000)))
    made = decide(evidence, dossier.criteria)
    assert made.path[-1] > 720
    file = write_dossier(
        make_dossier(dossier.subject, evidence, dossier.criteria, made, datetime.now(UTC)),
        house.data / "decisions" / "w",
    )
    answer = visitor(house).get(f"/runs/decisions/w/{file.stem}")

    assert (answer.status_code, ">1e1" in answer.text) == (200, True)


def test_a_decision_says_what_was_asked_for(house: House) -> None:
    decision = one_in(house.data / "decisions" / "w")
    criteria, rows = read_dossier(decision).criteria, read_dossier(decision).evidence.rows
    text = visitor(house).get(f"/runs/decisions/w/{decision.stem}").text

    assert f"a margin of {criteria.margin:g}" in text
    assert f"at least {criteria.min_rows:,} groups" in text
    assert f"groups, of {len(rows):,} rows that were read" in text


def test_a_decision_that_was_put_right_is_shown_again(house: House) -> None:
    decision = one_in(house.data / "decisions" / "w")
    whole = decision.read_bytes()
    client = visitor(house)
    decision.write_bytes(b"{")
    assert "damaged" in client.get("/runs").text

    decision.write_bytes(whole)

    assert "damaged" not in client.get("/runs").text


def test_what_a_list_leaves_out_is_one_link_away_even_without_nights(house: House) -> None:
    shutil.rmtree(nights_of(house.data))
    evaluation = one_in(house.data / "evaluations" / "w")
    for n in range(6):
        copy = evaluation.with_name(f"copy-{n}")
        shutil.copytree(evaluation, copy)
        told = json.loads((copy / "manifest.json").read_bytes())
        (copy / "manifest.json").write_text(json.dumps({**told, "id": copy.name}))
    client = visitor(house)

    assert '<a href="?all=w">2 more of w</a>' in client.get("/runs").text
    assert client.get("/runs?all=w").text.count(">copy-") == 6


def test_nights_of_a_workload_with_a_slash_in_its_name_are_listed(house: House) -> None:
    report = Report(workload="mail/in", started="2026-11-25T02:00:00+00:00", finished="2026-11-25T02:10:00+00:00",
                    outcome="too_few", told="there are too few")  # fmt: skip
    keep(house.data, report)

    assert "Nights of mail/in" in visitor(house).get("/runs").text


@pytest.mark.parametrize("damage", [b'{"workload": "\xff"}', b"{", b""])
def test_no_page_fails_over_a_manifest_that_is_damaged(house: House, damage: bytes) -> None:
    for place in ("evaluations/w/*", "adapters/*", "datasets/w/*"):
        for file in house.data.glob(f"{place}/manifest.json"):
            file.write_bytes(damage)
    client = visitor(house)

    for page in ("/", "/relabel", "/datasets", "/runs", "/routing/w"):
        assert client.get(page).status_code == 200


def test_no_page_fails_over_rows_without_their_columns(house: House) -> None:
    rows = one_in(house.data / "evaluations" / "w") / ROWS
    pq.write_table(pq.read_table(rows).drop_columns(["score"]), rows)
    client = visitor(house)

    for page in ("/", "/relabel", f"/runs/evaluations/w/{rows.parent.name}"):
        assert client.get(page).status_code == 200


def test_an_address_that_is_not_understood_gets_a_page(house: House) -> None:
    answer = visitor(house).get("/datasets/w/x?at=many")

    assert (answer.status_code, "Back to the overview" in answer.text, "of at is" in answer.text) == (422, True, True)
