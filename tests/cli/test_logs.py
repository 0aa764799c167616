"""`nightschool logs`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from nightschool.store.lock import lock
from tests.cli.command import Command
from tests.cli.stores import IDS, configure, recorded
from tests.store.imports.files import CHAT, write
from tests.store.logs import NOON_US, exchange, open_log, text_id


@pytest.fixture
def data(nightschool: Command, tmp_path: Path) -> Path:
    return recorded(tmp_path)


class TestList:
    def test_the_newest_stand_on_top_with_what_was_asked(self, nightschool: Command, data: Path) -> None:
        code, out, err = nightschool("logs", "list")

        lines = out.splitlines()
        assert (code, err, len(lines)) == (0, "", 5)
        assert re.match(
            r"time \(UTC\) +id +workload +target +model +status +tokens +cost +latency +last question", lines[0]
        )
        assert [IDS[3 - n][-12:] in line for n, line in enumerate(lines[1:])] == [True] * 4
        assert "03-10 12:00:00" in lines[4]
        assert "Where is my parcel?" in lines[4]
        assert re.search(r"triage +teacher +gpt-x +200 +10 → 5 +\$0.0000 +2 ms", lines[4])

    @pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
    def test_the_table_fits_the_terminal(
        self, nightschool: Command, data: Path, monkeypatch: pytest.MonkeyPatch, width: int
    ) -> None:
        monkeypatch.setenv("COLUMNS", str(width))

        out = nightschool("logs", "list").out

        assert max(len(line) for line in out.splitlines()) <= width
        assert IDS[0][-12:] in out or width < 60

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            (["--limit", "1"], [3]),
            (["--workload", "triage"], [0]),
            (["--model", "gpt-*", "--limit", "2"], [3, 2]),
            (["--status", "error"], [2]),
            (["--tag", "feature=inbox"], [1]),
            (["--since", "2026-03-10T14:00:00"], [3, 2]),
            (["--until", "2026-03-10T13:00:00"], [0]),
            (["--where", "client = 'cafe'"], [1]),
            (["--since", "1m"], []),
        ],
    )
    def test_filters_pick(self, nightschool: Command, data: Path, options: list[str], expected: list[int]) -> None:
        code, out, _ = nightschool("logs", "list", "--json", *options)

        assert code == 0
        assert [row["id"] for row in json.loads(out)] == [IDS[n] for n in expected]

    def test_json_has_all_but_the_bodies(self, nightschool: Command, data: Path) -> None:
        (row,) = json.loads(nightschool("logs", "list", "--json", "--workload", "triage").out)

        assert (row["time"], row["last_question"]) == ("2026-03-10T12:00:00+00:00", "Where is my parcel?")
        assert (row["prompt_tokens"], row["cached_tokens"], row["tags"]) == (10, None, {})
        assert not {"request", "response"} & row.keys()

    @pytest.mark.parametrize(
        "options", [["--since", "soon"], ["--status", "ok"], ["--tag", "feature"], ["--limit", "0"], ["--nonsense"]]
    )
    def test_what_makes_no_sense_is_a_usage_error(self, nightschool: Command, data: Path, options: list[str]) -> None:
        assert nightschool("logs", "list", *options).code == 2

    def test_a_condition_that_the_engine_refuses_is_explained(self, nightschool: Command, data: Path) -> None:
        code, out, err = nightschool("logs", "list", "--where", "colour = 'red'")

        assert (code, out) == (1, "")
        assert 'Referenced column "colour" not found' in err
        assert "Traceback" not in err

    def test_before_anything_is_recorded_it_says_how_to_begin(self, nightschool: Command, tmp_path: Path) -> None:
        configure(tmp_path)

        code, _, err = nightschool("logs", "list")

        assert code == 1
        assert "no data folder" in err
        assert "nightschool proxy" in err

    def test_a_damaged_file_is_named_and_the_rest_listed(self, nightschool: Command, data: Path) -> None:
        segment = next(data.glob("exchanges/**/hour=12/*.parquet"))
        segment.write_bytes(b"")

        code, out, err = nightschool("logs", "list", "--json")

        assert (code, [row["id"] for row in json.loads(out)]) == (0, IDS[:0:-1])
        assert re.fullmatch(rf"nightschool: .*{segment.name} is left out, 1 rows: it has 0 bytes instead of \d+\n", err)


class TestShow:
    def test_an_exchange_is_shown_as_people_read_it(self, nightschool: Command, data: Path) -> None:
        code, out, _ = nightschool("logs", "show", IDS[0])

        assert code == 0
        assert re.search(r"status +200, stop\n", out)
        assert re.search(r"feedback +0.5\n", out)
        assert "\nuser\nWhere is\nmy parcel?\n\nassistant\nIt is [late].\n" in out

    def test_the_last_one_may_still_be_in_a_log(self, nightschool: Command, data: Path) -> None:
        assert "the newest" in nightschool("logs", "show", "--last").out

    def test_json_is_the_whole_record(self, nightschool: Command, data: Path) -> None:
        row = json.loads(nightschool("logs", "show", IDS[0][-12:], "--json").out)

        assert row["request"]["messages"] == [{"role": "user", "content": "Where is\nmy parcel?"}]
        assert row["response"]["usage"]["prompt_tokens"] == 10

    def test_an_id_that_is_not_there_is_explained(self, nightschool: Command, data: Path) -> None:
        code, _, err = nightschool("logs", "show", "ffffffff")

        assert (code, err) == (
            1,
            "nightschool: there is no exchange ffffffff\n  try: `nightschool logs list` shows the newest\n",
        )

    @pytest.mark.parametrize("arguments", [[], ["--last", "abcdef"]])
    def test_an_id_or_last_must_be_given(self, nightschool: Command, data: Path, arguments: list[str]) -> None:
        assert nightschool("logs", "show", *arguments).code == 2


class TestExport:
    def test_records_go_to_standard_output_alone(self, nightschool: Command, data: Path) -> None:
        code, out, err = nightschool("logs", "export", "-")

        assert (code, err) == (0, "4 exchanges written to standard output\n")
        assert {json.loads(line)["id"] for line in out.splitlines()} == set(IDS)

    def test_chats_are_written_to_a_file_and_the_rest_is_counted(
        self, nightschool: Command, data: Path, tmp_path: Path
    ) -> None:
        code, out, err = nightschool("logs", "export", "chats.jsonl", "--format", "openai")

        assert (code, out, err) == (0, "", "3 exchanges written to chats.jsonl\n1 left out: failed or cut\n")
        assert all("messages" in json.loads(line) for line in (tmp_path / "chats.jsonl").read_text().splitlines())

    def test_the_name_tells_that_parquet_is_wanted(self, nightschool: Command, data: Path, tmp_path: Path) -> None:
        nightschool("logs", "export", "some.parquet", "--status", "2xx")

        assert (tmp_path / "some.parquet").read_bytes()[:4] == b"PAR1"

    def test_an_export_that_fails_leaves_the_old_file(self, nightschool: Command, data: Path, tmp_path: Path) -> None:
        (tmp_path / "old.jsonl").write_text("old")

        assert nightschool("logs", "export", "old.jsonl", "--where", "nonsense").code == 1
        assert [path.name for path in tmp_path.glob("old*")] == ["old.jsonl"]
        assert (tmp_path / "old.jsonl").read_text() == "old"

    def test_an_unknown_format_is_a_usage_error(self, nightschool: Command, data: Path) -> None:
        assert nightschool("logs", "export", "-", "--format", "xml").code == 2


class TestImport:
    def test_what_came_of_it_is_said(self, nightschool: Command, tmp_path: Path) -> None:
        configure(tmp_path)
        write(tmp_path / "chats.jsonl", CHAT, "nonsense", CHAT)

        first = nightschool("logs", "import", "chats.jsonl", "--workload", "support")
        again = nightschool("logs", "import", "chats.jsonl", "--json")

        assert first.code == 0
        assert first.out == "2 exchanges in 1 conversations imported, 1 could not be read (from 2 chat examples)\n"
        assert first.err.startswith("nightschool: chats.jsonl: line 2 is not JSON")
        assert json.loads(again.out)["already_there"] == 2
        assert len(json.loads(nightschool("logs", "list", "--workload", "support", "--json").out)) == 2

    def test_a_file_that_is_nothing_is_explained(self, nightschool: Command, tmp_path: Path) -> None:
        configure(tmp_path)
        write(tmp_path / "nothing.jsonl", "hello", "world")

        code, out, err = nightschool("logs", "import", "nothing.jsonl")

        assert (code, out) == (1, "")
        assert "nothing.jsonl holds nothing that can be imported" in err

    def test_rows_that_retention_will_delete_are_warned_of(self, nightschool: Command, tmp_path: Path) -> None:
        configure(tmp_path)
        with (tmp_path / "nightschool.yaml").open("a") as config:
            config.write("record: {retention_days: 1}\n")
        write(tmp_path / "old.jsonl", {"request": {"prompt": "x"}, "response": {}, "time": "2020-01-01"})

        assert "older than record.retention_days (1)" in nightschool("logs", "import", "old.jsonl").err


class TestErase:
    def test_what_matches_is_erased_for_ever(self, nightschool: Command, data: Path) -> None:
        code, out, _ = nightschool("logs", "erase", "--client", "cafe", "--yes")

        assert (code, out) == (0, "1 exchanges erased\n")
        assert {row["id"] for row in json.loads(nightschool("logs", "list", "--json").out)} == set(IDS) - {IDS[1]}

    def test_its_bytes_can_be_deleted_at_once(self, nightschool: Command, data: Path) -> None:
        segment = next(data.glob("exchanges/**/hour=13/*.parquet"))

        assert "the old files stay" in nightschool("logs", "erase", "--client", "cafe", "--yes").err
        assert segment.exists()
        nightschool("logs", "erase", "--id", IDS[0], "--yes", "--now")

        assert not segment.exists()

    def test_all_that_is_given_must_hold(self, nightschool: Command, data: Path) -> None:
        options = ["--id", IDS[0], "--id", IDS[1], "--before", "2026-03-10T12:30:00"]

        assert nightschool("logs", "erase", "--yes", *options).out == "1 exchanges erased\n"

    def test_nothing_is_erased_without_a_yes(
        self, nightschool: Command, data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        with (tmp_path / "no").open("w+") as answer:
            answer.write("n\n")
            answer.seek(0)
            monkeypatch.setattr("sys.stdin", answer)
            code = nightschool("logs", "erase", "--where", "true").code

        assert code == 1
        assert len(json.loads(nightschool("logs", "list", "--json").out)) == 4

    def test_what_is_in_a_finished_log_is_erased_too(self, nightschool: Command, data: Path) -> None:
        code, out, err = nightschool("logs", "erase", "--id", IDS[3], "--yes")

        assert (code, out) == (0, "1 exchanges erased\n")
        assert "waiting until these are sealed" in err
        assert IDS[3] not in nightschool("logs", "list", "--json").out

    def test_what_does_not_match_is_told(self, nightschool: Command, data: Path) -> None:
        assert nightschool("logs", "erase", "--conversation", "nobody", "--yes").out == (
            "no exchange matches, nothing is erased\n"
        )

    def test_a_piece_of_an_id_is_enough_where_it_means_one(self, nightschool: Command, data: Path) -> None:
        assert nightschool("logs", "erase", "--id", IDS[1][-12:], "--yes").out == "1 exchanges erased\n"
        assert IDS[1] not in nightschool("logs", "list", "--json").out

    @pytest.mark.parametrize(("piece", "fault"), [("aaa19c97323f", "no exchange"), (IDS[0][:6], "fits several")])
    def test_a_piece_that_means_none_or_several_erases_nothing(
        self, nightschool: Command, data: Path, piece: str, fault: str
    ) -> None:
        code, out, err = nightschool("logs", "erase", "--id", IDS[0], "--id", piece, "--yes")

        assert (code, out) == (1, "")
        assert fault in err
        assert IDS[0] in nightschool("logs", "list", "--json").out

    @pytest.mark.parametrize("client", ["cafe", "nobody"])
    def test_what_could_not_be_searched_is_told_and_is_no_success(
        self, nightschool: Command, data: Path, client: str
    ) -> None:
        cut = next(data.glob("exchanges/**/hour=12/*.parquet"))
        cut.write_bytes(cut.read_bytes()[:100])

        code, out, err = nightschool("logs", "erase", "--client", client, "--yes")

        assert code == 1
        assert out in (
            "1 exchanges erased from what can be read\n",
            "no exchange matches in what can be read, nothing is erased\n",
        )
        assert f"in 1 files that cannot be read nothing was erased: {cut}" in err
        assert IDS[1] in nightschool("logs", "list", "--json").out or client == "cafe"

    def test_it_must_be_said_what_to_erase(self, nightschool: Command, data: Path) -> None:
        assert nightschool("logs", "erase", "--yes").code == 2


def test_a_running_proxy_and_its_recorder_disturb_nobody(nightschool: Command, data: Path) -> None:
    late = NOON_US + 99
    with lock(data / "recorder.lock"), open_log(data, [exchange(late, 99)]):
        assert text_id(late, 99) in nightschool("logs", "list", "--json").out
