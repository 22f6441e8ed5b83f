"""What batches share: ids, scores from elsewhere, each request once, directories of results."""

from __future__ import annotations

import numpy as np
import pytest
from support.logs import chat, openai_line, refused_or_skipped, shown, write

import clear_alloc as ca
from clear_alloc import files, importers
from clear_alloc.importers import SAMPLE_NUMBER


def test_a_line_that_is_not_json_is_a_bad_row(tmp_path):
    path = write(tmp_path / "out.jsonl", [openai_line("good", chat(30))])
    path.write_text(path.read_text() + "{half a li\n")
    said, _ = refused_or_skipped(importers.from_openai_batch, path, {"good": 1})
    assert "the row is not one JSON object; repair or remove the line" in said


@pytest.mark.parametrize("name", ["q-7", "q#7"])
def test_a_sample_number_is_dropped_only_when_asked(tmp_path, name):
    path = write(tmp_path / "out.jsonl", [openai_line(name, chat(30)), openai_line("x-y-12", chat(31))])
    scores = {name: 1, "x-y-12": 0}
    assert shown(importers.from_openai_batch(path, scores))["query_id"] == [name, "x-y-12"]
    asked = importers.from_openai_batch(path, scores, id_pattern=SAMPLE_NUMBER)
    assert shown(asked)["query_id"] == ["q", "x-y"]


@pytest.mark.parametrize("odd", ["odd", "q-1-retry", "-1"])
def test_an_id_outside_the_pattern_is_a_bad_row(tmp_path, odd):
    path = write(tmp_path / "out.jsonl", [openai_line("q-1", chat(30)), openai_line(odd, chat(31))])
    said, _ = refused_or_skipped(importers.from_openai_batch, path, {"q-1": 1, odd: 0}, id_pattern=SAMPLE_NUMBER)
    assert f"custom_id is {odd!r}; allowed: what id_pattern" in said


@pytest.mark.parametrize(("pattern", "message"), [("(", "a regular expression;"), ("q.*", "with a group")])
def test_a_bad_pattern_is_refused(tmp_path, pattern, message):
    with pytest.raises(ca.InvalidArgument, match=message):
        importers.from_openai_batch(tmp_path / "unread.jsonl", {}, id_pattern=pattern)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_scores_may_be_a_file(tmp_path, suffix):
    path, scores = write(tmp_path / "out.jsonl", [openai_line("007", chat(30))]), tmp_path / f"scores.{suffix}"
    columns = {"custom_id": ["007", "other"], "correct": [True, False], "grader": ["x", "y"]}
    files.write_columns(scores, columns)
    assert shown(importers.from_openai_batch(path, scores))["correct"] == [1]


def test_bad_scores_are_refused(tmp_path):
    path = write(tmp_path / "out.jsonl", [openai_line("a", chat(30))])
    twice = write(tmp_path / "s.jsonl", [{"custom_id": "a", "correct": 1}, {"custom_id": "a", "correct": 0}])
    with pytest.raises(ca.BadRow, match="row 2: custom_id 'a' is already in row 1"):
        importers.from_openai_batch(path, twice)
    half = write(tmp_path / "h.jsonl", [{"custom_id": "a", "correct": 0.5}])
    with pytest.raises(ca.BadRow, match=r"row 1: correct is 0.5; allowed: 0 or 1"):
        importers.from_openai_batch(path, half)
    with pytest.raises(ca.InvalidArgument, match="scores is None; allowed: a file or mapping"):
        importers.from_openai_batch(path, None)
    with pytest.raises(ca.BadRow, match=r"row 1: correct is 0.5; allowed: 0 or 1"):
        importers.from_openai_batch(path, {"a": 0.5})


def test_a_table_of_rollouts_goes_straight_into_fit(tmp_path):
    rng = np.random.default_rng(3)
    names, lengths = np.repeat(["q1", "q2"], 8), np.rint(rng.lognormal(6, 0.5, 16)).astype(int).tolist()
    lines = [openai_line(f"{name}-{k}", chat(n)) for k, (name, n) in enumerate(zip(names, lengths, strict=True))]
    path = write(tmp_path / "out.jsonl", lines)
    scores = {line["custom_id"]: k % 2 for k, line in enumerate(lines)}
    table = importers.from_openai_batch(path, scores, id_pattern=SAMPLE_NUMBER)
    fitted = ca.fit(table)
    assert list(fitted.ids) == ["q1", "q2"]
    assert repr(table) == "<RolloutTable: 16 rollouts, 0 rows skipped>"
    direct = ca.fit({"query_id": names, "tokens": lengths, "correct": [k % 2 for k in range(16)]})
    assert fitted.curves.to_records() == direct.curves.to_records()


def test_a_directory_of_results_is_one_table(tmp_path):
    write(tmp_path / "1.jsonl", [openai_line("q1-1", chat(30))])
    write(tmp_path / "2.jsonl", [openai_line("q1-2", {**chat(40), "model": "o4"})])
    scores = write(tmp_path / "scores.jsonl", [{"custom_id": name, "correct": 1} for name in ("q1-1", "q1-2")])
    found = importers.from_openai_batch(tmp_path, scores, id_pattern=SAMPLE_NUMBER)
    assert shown(found) == {"query_id": ["q1", "q1"], "tokens": [30, 40], "correct": [1, 1]}
    assert found.notes[0].startswith("2 models are pooled as if they were one (o3, o4)")


def test_a_request_stands_once_in_all_files_of_a_directory(tmp_path):
    write(tmp_path / "1.jsonl", [openai_line("q1-1", chat(30))])
    write(tmp_path / "2.jsonl", [openai_line("q1-1", chat(40))])
    with pytest.raises(ca.BadRow, match=r"2.jsonl, row 1: request 'q1-1': it stands in an earlier row too"):
        importers.from_openai_batch(tmp_path, {"q1-1": 1})


DEEP = {"objects": '{"a":' * 100_000 + "1" + "}" * 100_000, "lists": "[" * 100_000 + "]" * 100_000}


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("line", ["{}", '{{"custom_id": "q2", "response": {}}}'])
def test_deep_nesting_is_a_bad_row(tmp_path, kind, line):
    path = write(tmp_path / "out.jsonl", [openai_line("q1", chat(30))])
    path.write_text(path.read_text() + line.format(DEEP[kind]) + "\n")
    reason, table = refused_or_skipped(importers.from_openai_batch, path, {"q1": 1})
    assert reason == "the row is not one JSON object; repair or remove the line (it is nested too deep)"
    assert shown(table)["tokens"] == [30]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"custom_id": "q2", "custom_id": "q3"}', "the key 'custom_id' stands twice"),
        (b'{"custom_id": "q2", "x": "\xff"}', "can't decode byte 0xff"),
        (b'{"custom_id": "q2", "x": "\0"}', "Invalid control character"),
        (b'{"custom_id": "q2", "x": 1' + b"0" * 5000 + b"}", "a number has 5,001 digits"),
    ],
)
def test_hostile_lines_are_bad_rows(tmp_path, line, reason):
    path = write(tmp_path / "out.jsonl", [openai_line("q1", chat(30))])
    path.write_bytes(path.read_bytes() + line + b"\n")
    said, _ = refused_or_skipped(importers.from_openai_batch, path, {"q1": 1})
    assert reason in said


def test_long_texts_of_others_are_not_echoed_whole(tmp_path):
    path = write(tmp_path / "out.jsonl", [openai_line("good", chat(30)), openai_line("x" * 10**6, chat(30))])
    reason, _ = refused_or_skipped(importers.from_openai_batch, path, {"good": 1})
    assert len(reason) < 600
    failed = openai_line("bad", {"error": {"message": "\x1b[31m" + "y" * 10**6}}, status=429)
    path = write(tmp_path / "out.jsonl", [openai_line("good", chat(30)), failed])
    reason, _ = refused_or_skipped(importers.from_openai_batch, path, {"good": 1})
    assert len(reason) < 600
    assert reason.isprintable()
