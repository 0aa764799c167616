"""Importing: again, in part, at the same time, and files that are not what they should be."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from nightschool.errors import ImportFileError, StoreBusy, StoreError
from nightschool.store.absorb import absorb, finished_logs
from nightschool.store.compact import compact_once
from nightschool.store.imports.importer import BATCH_ROWS, import_files
from nightschool.store.lock import lock
from nightschool.store.manifest import prepare_folder, publish, read_manifest
from nightschool.store.sweep import sweep
from nightschool.wire.redact import Redactor
from tests.store.imports.files import ANSWER, CHAT, PAIR, QUESTION, bring, write
from tests.store.logs import DAY_US, NOON_US, exchange, ids, rows, write_log


def chat(number: int) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": f"question {number}"}, ANSWER]}


def test_importing_a_file_again_adds_nothing(tmp_path: Path) -> None:
    file = write(tmp_path / "chats.jsonl", *(chat(n) for n in range(5)))
    first = bring(tmp_path / "data", file)
    before = ids(tmp_path / "data")

    again = bring(tmp_path / "data", file)

    assert (first.exchanges, again.exchanges, again.already_there) == (5, 0, 5)
    assert ids(tmp_path / "data") == before


def test_what_is_imported_is_redacted_and_known_again_under_other_rules(tmp_path: Path) -> None:
    rule = Redactor([(re.compile("sk-[0-9]+"), "[key]")])
    request = {"messages": [{"role": "user", "content": "I am sk-34"}], "metadata": {"a": "sk-5"}}
    told = {"content": [{"token": "sk-", "logprob": -0.5}, {"token": "34", "logprob": -0.1}]}
    response = {"choices": [{"message": {"role": "assistant", "content": "you are sk-34"}, "logprobs": told}]}
    line = json.dumps({"request": request, "response": response}).replace("sk-34", "\\u0073k-34")
    file = write(tmp_path / "pairs.jsonl", line)

    assert import_files(tmp_path / "data", [file], prices={}, redactor=rule).exchanges == 1
    ((asked, said, logprobs, tags),) = rows(
        tmp_path / "data", "select request, response, logprobs, tags from exchanges"
    )
    assert (logprobs, "token" in said) == (None, False)
    assert json.loads(asked)["messages"][0]["content"] == "I am [key]"
    assert json.loads(said)["choices"][0]["message"]["content"] == "you are [key]"
    assert tags == {"a": "[key]"}
    assert bring(tmp_path / "data", file).exchanges == 0


def test_a_file_that_has_grown_adds_what_is_new(tmp_path: Path) -> None:
    bring(tmp_path / "data", write(tmp_path / "chats.jsonl", *(chat(n) for n in range(5))))

    again = bring(tmp_path / "data", write(tmp_path / "chats.jsonl", *(chat(n) for n in range(8))))

    assert (again.exchanges, again.already_there) == (3, 5)


def test_the_same_call_twice_in_a_file_is_two_exchanges_also_when_imported_again(tmp_path: Path) -> None:
    file = write(tmp_path / "chats.jsonl", chat(1), chat(1), chat(2))

    assert (bring(tmp_path / "data", file).exchanges, bring(tmp_path / "data", file).exchanges) == (3, 0)


def test_order_of_keys_and_white_space_do_not_make_another_exchange(tmp_path: Path) -> None:
    bring(tmp_path / "data", write(tmp_path / "a.jsonl", PAIR))

    turned = json.dumps(dict(reversed(PAIR.items())), separators=(" ,  ", " :  "))
    assert bring(tmp_path / "data", write(tmp_path / "b.jsonl", turned)).already_there == 1


def test_ids_of_timed_exchanges_are_the_same_in_every_store(tmp_path: Path) -> None:
    file = write(tmp_path / "pairs.jsonl", PAIR)
    bring(tmp_path / "a", file)
    bring(tmp_path / "b", file)

    assert ids(tmp_path / "a") == ids(tmp_path / "b")


def test_recorded_and_imported_exchanges_stand_side_by_side(tmp_path: Path) -> None:
    prepare_folder(tmp_path / "data")
    write_log(tmp_path / "data", [exchange(NOON_US)])
    absorb(tmp_path / "data", finished_logs(tmp_path / "data"))

    assert bring(tmp_path / "data", write(tmp_path / "chats.jsonl", CHAT)).exchanges == 1
    assert len(ids(tmp_path / "data")) == 2


def test_exchanges_of_many_days_make_few_segments(tmp_path: Path) -> None:
    """In no order, as a dump of a database may be."""
    times = [(NOON_US + n * 7 % 30 * DAY_US + n * 60_000_000) / 1e6 for n in range(300)]
    file = write(tmp_path / "pairs.jsonl", *({**PAIR, "time": time} for time in times))

    bring(tmp_path / "data", file)

    assert len(read_manifest(tmp_path / "data").segments("exchanges")) <= 31


BAD = [
    ("{ no json", "line 2 is not JSON"),
    ("7", "line 2 is neither an object nor a list of messages"),
    ('{"a": 1}', "line 2 has neither messages, nor request and response"),
    ('{"messages": []}', "line 2 has no messages"),
    ('{"messages": [{"content": "x"}]}', "line 2 message 0 has no role"),
    ('{"messages": [{"role": "user", "content": "x"}]}', "line 2 has no assistant message"),
    ('{"messages": [{"role": "assistant", "content": "x"}]}', "line 2 has nothing before its assistant message"),
    ('{"request": 1, "response": {}}', "line 2 has a request that is neither an object nor a list of messages"),
    ('{"request": {}, "response": 1}', "line 2 has a response that is neither an object nor text"),
    ('{"request": {}, "response": {}, "status": 9999}', "line 2 has status = 9999, which is no HTTP status"),
    ('{"request": {}, "response": {}, "time": "soon"}', "line 2 has time = 'soon': neither ISO 8601"),
    ('{"custom_id": 1, "body": {}}', "line 2 has custom_id = 1, which is no text"),
    ('{"custom_id": "a", "response": null, "error": "late"}', "line 2 has no response: late"),
    ('{"id": 1, "time": "x", "request": "", "response": "", "endpoint": "", "target": ""}', "line 2 is no exported"),
    ("[" * 5000, "line 2 is not JSON"),
]


@pytest.mark.parametrize(("bad", "fault"), BAD)
def test_a_bad_line_is_named_with_its_reason_and_the_others_are_imported(tmp_path: Path, bad: str, fault: str) -> None:
    result = bring(tmp_path / "data", write(tmp_path / "mixed.jsonl", chat(1), bad, chat(2)))

    assert (result.exchanges, result.bad_items) == (2, 1)
    assert result.faults[0].startswith(f"mixed.jsonl: {fault}")


def test_of_very_many_bad_lines_the_first_are_named_and_all_are_counted(tmp_path: Path) -> None:
    result = bring(tmp_path / "data", write(tmp_path / "mixed.jsonl", chat(1), *["nonsense"] * 100))

    assert (result.bad_items, len(result.faults)) == (100, 20)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "it is empty"),
        ("\n \n", "it is empty"),
        ("[]", "it is empty"),
        ("hello\nworld", "line 2 is not JSON"),
        ('[{"messages": [', "is not JSON"),
        ('{"a": 1}', "has neither messages"),
    ],
)
def test_a_file_in_which_nothing_can_be_read_is_an_error(tmp_path: Path, content: str, fault: str) -> None:
    with pytest.raises(ImportFileError, match=fault):
        bring(tmp_path / "data", write(tmp_path / "bad.jsonl", content))


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match=r"nowhere\.jsonl cannot be read: No such file"):
        bring(tmp_path / "data", tmp_path / "nowhere.jsonl")


def test_two_imports_at_a_time_would_double_what_both_have(tmp_path: Path) -> None:
    prepare_folder(tmp_path / "data")
    with lock(tmp_path / "data" / "import.lock"), pytest.raises(StoreBusy, match="another import"):
        bring(tmp_path / "data", write(tmp_path / "chats.jsonl", CHAT))


def test_what_the_store_held_may_be_merged_and_swept_while_an_import_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number in range(2):
        bring(data, write(tmp_path / "old.jsonl", chat(number)))
        write_log(data, [exchange(NOON_US + number, number)])
        absorb(data, finished_logs(data))
    file = write(tmp_path / "chats.jsonl", *(chat(n) for n in range(BATCH_ROWS + 10)))
    swept: list[int] = []

    def progress(_path: Path, read_bytes: int) -> None:
        if not swept and read_bytes > file.stat().st_size // 2:
            assert compact_once(data)
            swept.append(sweep(data, grace_s=0))

    imported = import_files(data, [file], prices={}, progress=progress)

    assert swept[0] >= 2
    assert (imported.exchanges, imported.already_there) == (BATCH_ROWS + 8, 2)


def test_a_store_that_cannot_be_asked_is_an_error_of_the_store(tmp_path: Path) -> None:
    data = tmp_path / "data"
    bring(data, write(tmp_path / "old.jsonl", chat(1)))
    (segment,) = read_manifest(data).segments("exchanges")
    stored = pq.read_table(data / segment.path, partitioning=None)
    pq.write_table(stored.rename_columns([f"{name}_" for name in stored.column_names]), data / segment.path)
    size = (data / segment.path).stat().st_size
    changed = msgspec.structs.replace(segment, bytes=size)
    publish(data, lambda manifest: manifest.with_table("exchanges", (changed,)))

    with pytest.raises(StoreError):
        bring(data, write(tmp_path / "new.jsonl", chat(2)))


def test_progress_is_told_in_bytes_of_each_file(tmp_path: Path) -> None:
    lines = write(tmp_path / "chats.jsonl", CHAT, CHAT)
    array = write(tmp_path / "episodes.json", json.dumps([{"traj": [QUESTION, ANSWER]}] * 2))
    told: list[tuple[str, int]] = []

    import_files(
        tmp_path / "data", [lines, array], prices={}, progress=lambda path, done: told.append((path.name, done))
    )

    half, whole = lines.stat().st_size // 2, array.stat().st_size
    assert told == [
        ("chats.jsonl", half),
        ("chats.jsonl", 2 * half),
        ("episodes.json", whole // 2),
        ("episodes.json", whole),
    ]
