"""A night trains where there is something to learn, judges again where that may come out otherwise, and else rests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distill.dataset.snapshot import datasets_of
from distill.labels.write import write_label
from distill.night.report import reports_of
from distill.shadow.run import shadow
from nightschool.registry.replicas import ReplicaState, ReplicaStates, write_replicas
from nightschool.registry.routing import read_routing
from tests.distill.dataset.traffic import asked, examples, file, says, user
from tests.distill.evaluate.school import SYSTEM, label_of
from tests.distill.judge.scripted_judge import ScriptedJudge, running_judge
from tests.distill.night.school import School, knows_nothing
from tests.fake_replica import FakeReplica


def asked_again(school: School, numbers: range, first: int, **told: Any) -> None:
    """The same mail once more, answered as before."""
    file(
        school.folder,
        [
            asked(first + number, SYSTEM, user(f"please sort mail {number}"), answer=says(label_of(number)), **told)
            for number in numbers
        ],
    )


def groups_tested(school: School) -> int:
    return datasets_of(school.folder, "w")[-1].sides["test"].groups


def test_with_as_much_as_max_examples_allows_new_mail_still_makes_a_night(school: School) -> None:
    school.distill["max_examples"] = 150
    school.night()
    school.mail(2, first=500)

    assert (school.night(), school.trained) == ("nothing_new", 1)

    school.mail(100, first=600)

    assert (school.night(), school.trained) == ("qualified", 2)


def test_what_was_learned_is_nothing_new_when_it_is_asked_again(school: School) -> None:
    school.night()
    asked_again(school, range(400), 1000)

    assert (school.night(), school.trained) == ("nothing_new", 1)


@pytest.mark.parametrize("changed", ["rank", "base_model"])
def test_another_rank_or_base_model_makes_one_night(school: School, changed: str) -> None:
    school.night()
    if changed == "rank":
        school.distill["rank"] = 16
    else:
        school.base_model += "-2"

    assert (school.night(), school.trained) == ("qualified", 2)
    assert school.night() == "nothing_new"


def test_a_label_that_is_edited_makes_a_night(school: School) -> None:
    school.night()
    row = examples(school.folder, datasets_of(school.folder, "w")[-1])["train"][0]
    for trained, answer in enumerate(("refund", "billing"), start=2):
        write_label(school.folder, row["id"], says(answer), author="t", source="t")

        assert (school.night(), school.trained) == ("qualified", trained)
        assert school.night() == "nothing_new"


def test_other_criteria_have_the_same_student_judged_again_once(school: School) -> None:
    assert school.night(min_rows=5000) == "undecided"
    assert school.night(min_rows=5000) == "nothing_new"

    assert (school.night(), school.trained) == ("promoted", 1)
    assert school.night() == "nothing_new"


def test_another_scorer_has_the_same_student_judged_again_once(
    school: School, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function of the user's own is another one when its source has changed under the same name."""
    code = tmp_path / "my_scorer.py"
    code.write_text("def score(question, answer, reference):\n    return 0.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    school.evaluate["scorer"] = "my_scorer:score"
    assert school.night(min_rows=5000) == "undecided"
    assert school.night(min_rows=5000) == "nothing_new"
    code.write_text(code.read_text() + "# mended\n")

    assert [school.night(min_rows=5000) for _ in range(2)] == ["undecided", "nothing_new"]

    school.evaluate["scorer"] = "exact"

    assert [school.night(min_rows=5000) for _ in range(2)] == ["undecided", "nothing_new"]
    assert school.trained == 1


def test_an_undecided_student_is_judged_again_when_as_many_rows_have_come_as_matter(school: School) -> None:
    school.night(min_rows=5000)
    wanted: dict[str, Any] = {"min_rows": groups_tested(school) + 2}
    assert school.night(**wanted) == "undecided"
    assert reports_of(school.folder, "w")[-1].rows_needed == 2
    for number in range(500, 530):
        school.mail(1, first=number)
        if (outcome := school.night(**wanted)) != "nothing_new":
            break
        assert groups_tested(school) == wanted["min_rows"] - 2

    assert (outcome, groups_tested(school)) == ("undecided", wanted["min_rows"] - 1)
    assert school.trained == 1
    assert reports_of(school.folder, "w")[-1].adapter == reports_of(school.folder, "w")[0].adapter


def test_a_student_is_not_judged_by_what_it_was_taught(school: School) -> None:
    """A conversation links what it has learned with what is only tested: both are tested from then on."""
    school.night(min_rows=5000)
    sides = examples(school.folder, datasets_of(school.folder, "w")[-1])
    for number, side in enumerate(("test", "train")):
        mail = int(sides[side][0]["messages"].split("sort mail ")[1].split('"')[0])
        asked_again(school, range(mail, mail + 1), 1000 + number * 500, conversation="c")

    assert (school.night(), school.trained) == ("promoted", 2)


def test_what_the_shadow_has_rejected_is_not_judged_again(school: School, server: FakeReplica) -> None:
    school.night(min_rows=5000, shadow=100)
    candidate = read_routing(school.folder).students_of("w").candidate
    assert candidate is not None
    ready = ReplicaState(url=server.url, ready=True, adapters=(candidate.adapter,))
    write_replicas(school.folder, ReplicaStates(replicas=(ready,)))
    asked_again(school, range(400), 1000)
    server.rule = knows_nothing
    while read_routing(school.folder).wanted():
        assert shadow(school.config(min_rows=5000, shadow=100), "w") is not None

    assert (school.night(), school.trained) == ("nothing_new", 1)


def test_what_the_shadow_has_left_undecided_is_judged_again_once_it_is_off(school: School) -> None:
    assert school.night(min_rows=5000, shadow=100) == "undecided"
    assert school.night(shadow=100) == "nothing_new"

    assert (school.night(shadow=0), school.trained) == ("promoted", 1)
    assert read_routing(school.folder).students_of("w").stage == "canary"


def test_where_no_prompt_has_enough_examples_for_a_shadow_an_undecided_student_is_judged_again(
    tmp_path: Path, server: FakeReplica
) -> None:
    school = School(tmp_path, server.url)
    names = ["".join("abcdefghij"[int(digit)] for digit in str(number)) for number in range(400)]
    school.mail(400, system=lambda number: {"role": "system", "content": f"You sort mail for {names[number]}."})
    assert school.night(min_rows=5000, shadow=100) == "undecided"
    assert shadow(school.config(min_rows=5000, shadow=100), "w") is None

    assert (school.night(shadow=100), school.trained) == ("undecided", 1)
    assert "it could answer nobody" in reports_of(tmp_path, "w")[-1].told
    assert read_routing(tmp_path).wanted() == ()


def test_where_a_judge_keeps_the_shadow_away_an_undecided_student_is_judged_again(school: School) -> None:
    with running_judge(ScriptedJudge()) as judge:
        school.judge = judge.base_url
        assert school.night(min_rows=5000, shadow=100) == "undecided"

        assert (school.night(shadow=100), school.trained) == ("promoted", 1)
