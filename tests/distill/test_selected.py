"""What a workload's name means where traffic was recorded before the rule that names it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from distill.selection import Selection, UnknownWorkload
from distill.workloads.discover import discover
from distill.workloads.mine import is_group_id
from distill.workloads.selected import condition_of
from nightschool.config import load_config
from nightschool.store.query import ask
from nightschool.store.reader import EVERYTHING
from tests.distill.recorded import Exchange, chat, record

TRIAGE = "You triage the tickets of a support desk. Answer with the name of the queue and with nothing else."
REVIEW = "You review the code of a colleague, kindly, and say what should be changed before it is merged today."


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Of triage four exchanges are older than its rule and two younger; of the reviews three are without a name."""
    exchanges = [
        *(Exchange(chat(TRIAGE, f"ticket {number}")) for number in range(4)),
        *(Exchange(chat(TRIAGE, f"ticket {number}"), workload="triage") for number in range(4, 6)),
        *(Exchange(chat(REVIEW, f"change {number}")) for number in range(3)),
    ]
    return record(tmp_path / "data", exchanges)


def groups(folder: Path) -> dict[int, str]:
    """Ids by number of exchanges."""
    return {each.exchanges: each.id for each in discover(folder, EVERYTHING).workloads if not each.named}


def count(folder: Path, selection: Selection) -> int:
    def question(connection: duckdb.DuckDBPyConnection) -> int:
        condition, values = condition_of(connection, folder, selection)
        [(found,)] = connection.execute(f"select count(*) from exchanges where {condition}", values).fetchall()
        return int(found)

    return ask(folder, question, selection.window)


def test_what_was_recorded_before_the_rule_belongs_to_the_workload_where_the_configuration_says_so(
    store: Path, tmp_path: Path
) -> None:
    file = tmp_path / "nightschool.yaml"
    file.write_text(
        "upstreams: {main: {base_url: http://127.0.0.1:9}}\n"
        f"workloads: {{triage: {{when: {{path: '*'}}, recorded_as: [{groups(store)[4]}]}}}}\n"
    )
    config = load_config(file, {})

    assert count(store, Selection("triage")) == 2
    assert count(store, Selection.configured(config, "triage")) == 6


def test_several_groups_may_have_become_one_workload(store: Path) -> None:
    found = groups(store)

    assert count(store, Selection("triage", recorded_as=(found[4], found[3]))) == 9


def test_a_group_without_a_rule_is_meant_by_its_id(store: Path) -> None:
    assert count(store, Selection(groups(store)[3])) == 3


def test_a_condition_means_what_it_says_and_nothing_more(store: Path) -> None:
    assert count(store, Selection("triage", "workload = 'triage'", recorded_as=(groups(store)[4],))) == 2


def test_a_group_that_there_is_not_is_refused_with_the_nearest(store: Path) -> None:
    known = groups(store)[4]

    with pytest.raises(UnknownWorkload, match=f"there is no group '{known[:-1]}'; did you mean '{known}'"):
        count(store, Selection("triage", recorded_as=(known[:-1],)))


def test_a_name_under_which_nothing_is_recorded_selects_nothing(store: Path) -> None:
    assert count(store, Selection("unheard-of")) == 0


@pytest.mark.parametrize("name", ["redaction", "support-triage", "triage-2026", "facade"])
def test_a_name_that_cannot_be_of_a_group_is_not_looked_for_among_the_groups(name: str) -> None:
    assert not is_group_id(name)


def test_the_id_of_a_group_and_of_a_variant_in_it_can_be_told_from_a_name(tmp_path: Path) -> None:
    shops = (REVIEW.replace("a colleague", f"a colleague of {shop}") for shop in ("Acme", "Initech"))
    folder = record(tmp_path, [Exchange(chat(shop, f"change {n}")) for shop in shops for n in range(20)])

    (found,) = discover(folder, EVERYTHING).workloads

    assert is_group_id(found.id)
    assert len(found.variants) == 2
    assert all(is_group_id(variant.id) for variant in found.variants)
