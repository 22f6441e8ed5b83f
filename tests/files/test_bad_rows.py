"""Bad rows of rollouts: refused with row and reason, or skipped on request, counted and listed; never silently."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import clear_alloc as ca
from clear_alloc import files
from clear_alloc.cli import main

GOOD = {"query_id": "a", "tokens": 5, "correct": 1}
BAD = [
    ({**GOOD, "tokens": None}, "tokens is"),
    ({**GOOD, "tokens": -1}, "tokens is -1; allowed: a whole number"),
    ({**GOOD, "tokens": 1.5}, "tokens is 1.5; allowed: a whole number"),
    ({**GOOD, "correct": 2}, "correct is 2; allowed: 0 or 1"),
    ({**GOOD, "tokens": 9, "cap": 8}, "tokens is 9; allowed: at most the row's cap, 8"),
    ({**GOOD, "cap": 0}, "cap is 0; allowed:"),
    ({**GOOD, "query_id": None}, "query_id is"),
]
FORMATS = ("jsonl", "csv", "parquet")


def write(path, rows):
    names = list(dict.fromkeys(name for row in rows for name in row))
    files.write_columns(path, {name: [row.get(name) for row in rows] for name in names})
    return path


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("row", "reason"), BAD)
def test_a_bad_row_is_refused_or_skipped_for_the_same_reason(tmp_path, suffix, row, reason):
    path = write(tmp_path / f"r.{suffix}", [GOOD, row, {**GOOD, "query_id": "b", "cap": 7}])
    with pytest.raises(ca.BadRow) as caught:
        files.read_rollouts(path)
    table = files.read_rollouts(path, skip_bad_rows=True)
    assert caught.value.reason.startswith(reason)
    assert table.skipped == (files.Skipped(str(path), 2, caught.value.reason),)
    assert table["query_id"].tolist() == ["a", "b"]
    assert (table["tokens"].tolist(), table["tokens"].dtype) == ([5, 5], np.int64)
    np.testing.assert_array_equal(table["cap"], [np.nan, 7.0])


@pytest.mark.parametrize("suffix", FORMATS)
def test_nothing_is_skipped_where_nothing_is_bad(tmp_path, suffix):
    path = write(tmp_path / f"r.{suffix}", [GOOD] * 3)
    asked, unasked = files.read_rollouts(path, skip_bad_rows=True), files.read_rollouts(path)
    assert asked.skipped == unasked.skipped == ()
    assert {k: v.tolist() for k, v in asked.items()} == {k: v.tolist() for k, v in unasked.items()}
    assert repr(asked) == "<RolloutTable: 3 rollouts, 0 rows skipped>"
    assert len(asked) == len(list(asked)) == 3


def test_mixed_types_and_broken_lines_of_jsonl(tmp_path):
    path = tmp_path / "r.jsonl"
    good = json.dumps(GOOD).encode()
    lines = [good, b'{"query_id": "a", "tokens": "7", "correct": 1}', b"[1]", b'{"a": \xff}', b"{", b"", good]
    path.write_bytes(b"\n".join(lines))
    table = files.read_rollouts(path, skip_bad_rows=True)
    assert [row.row for row in table.skipped] == [2, 3, 4, 5]
    assert table.skipped[0].reason.startswith("tokens is '7'; allowed: a whole number")
    assert len(table["tokens"]) == 2
    mapped = files.read_rollouts(path, columns={"cap": "limit"}, skip_bad_rows=True)
    assert [row.row for row in mapped.skipped] == [2, 3, 4, 5]


def test_rows_with_a_cell_too_many_are_bad_rows(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("query_id,tokens,correct\na,1,1\nb,2,1,oops\nc\n\nd,4,0\n")
    with pytest.raises(ca.BadRow, match=r"row 2: it has 4 cells; allowed: 3, as the header; quote cells"):
        files.read_rollouts(path)
    table = files.read_rollouts(path, skip_bad_rows=True)
    assert [(row.row, row.reason[:13]) for row in table.skipped] == [(2, "it has 4 cell"), (3, "it has 1 cell")]
    assert table["query_id"].tolist() == ["a", "d"]


def test_what_is_no_csv_at_all_is_not_skipped(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text('query_id,tokens,correct\na,1,1\n"a"x,2,1\nb,3,1\n')
    with pytest.raises(ca.BadRow, match="row 2: the text can't be read as CSV"):
        files.read_rollouts(path, skip_bad_rows=True)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_second_weight_of_a_query_is_a_bad_row(tmp_path, suffix):
    bad = {**GOOD, "correct": 2, "weight": 9.0}
    rows = [bad, {**GOOD, "weight": 2.0}, {**GOOD, "weight": 3.0}, {**GOOD, "query_id": "b", "weight": 3.0}]
    path = write(tmp_path / f"r.{suffix}", rows)
    table = files.read_rollouts(path, skip_bad_rows=True)
    assert [row.row for row in table.skipped] == [1, 3]
    assert "weight of query 'a' is 3.0; allowed: 2.0, as in row 2" in table.skipped[1].reason
    assert table["weight"].tolist() == [2.0, 3.0]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_of_bad_rows_only_is_refused(tmp_path, suffix):
    path = write(tmp_path / f"r.{suffix}", [{**GOOD, "correct": 2}, {**GOOD, "correct": 3}])
    with pytest.raises(ca.InvalidArgument, match="all 2 rows were skipped, the first for: row 1: correct is 2"):
        files.read_rollouts(path, skip_bad_rows=True)


def test_good_rows_of_parquet_keep_their_numbers(tmp_path):
    table = {"query_id": [f"q{k}" for k in range(9)], "tokens": range(9), "correct": [0, 2, 1] * 3}
    pq.write_table(pa.table(table), tmp_path / "r.parquet")
    found = files.read_rollouts(tmp_path / "r.parquet", skip_bad_rows=True)
    assert [row.row for row in found.skipped] == [2, 5, 8]
    assert found["tokens"].tolist() == [0, 2, 3, 5, 6, 8]


# ---- the command


def rollouts(path, bad=0):
    rows = [{"query_id": q, "tokens": 100 + 10 * k, "correct": k % 2} for q in "ab" for k in range(8)]
    return str(write(path, [*rows[:3], *[{**GOOD, "correct": 2}] * bad, *rows[3:]]))


def test_the_command_refuses_or_lists_what_it_skips(tmp_path, capsys):
    path, curves = rollouts(tmp_path / "r.jsonl", bad=23), tmp_path / "c.jsonl"
    assert main(["fit", path, "-o", str(curves)]) == 2
    assert "row 4: correct is 2; allowed: 0 or 1" in capsys.readouterr().err
    assert not curves.exists()
    assert main(["fit", path, "-o", str(curves), "--skip-bad-rows"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "skipped 23 bad rows:" in lines
    assert sum(line.startswith("  row ") for line in lines) == 20
    assert "  and 3 more" in lines
    assert main(["fit", path, "-o", str(curves), "--skip-bad-rows", "--json"]) == 0
    skipped = json.loads(capsys.readouterr().out)["skipped"]
    assert (skipped["count"], [row["row"] for row in skipped["rows"]]) == (23, list(range(4, 24)))
    assert skipped["rows"][0]["reason"].startswith("correct is 2; allowed: 0 or 1")


def test_the_command_without_skipped_rows_says_nothing_of_them(tmp_path, capsys):
    assert main(["fit", rollouts(tmp_path / "r.csv"), "-o", str(tmp_path / "c.csv"), "--skip-bad-rows"]) == 0
    assert "skipped" not in capsys.readouterr().out


def test_reports_are_written_as_json_and_as_a_picture(tmp_path, capsys):
    path, names = rollouts(tmp_path / "r.jsonl", bad=1), [tmp_path / "report.json", tmp_path / "report.png"]
    words = ["fit", path, "-o", str(tmp_path / "c.jsonl"), "--skip-bad-rows", "--family", "auto"]
    assert main([*words, "--report", str(names[0]), "--report", str(names[1])]) == 0
    out = capsys.readouterr().out
    assert all(f"report written to {name}" in out for name in names)
    said = json.loads(names[0].read_text())
    assert (said["skipped"]["count"], [query["id"] for query in said["queries"]]) == (1, ["a", "b"])
    assert names[1].read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.jsonl", "r.jsonl", "report.json", "report.png"]


def test_a_report_that_cannot_be_made_stops_the_command_before_anything_is_written(tmp_path, capsys):
    path, curves = rollouts(tmp_path / "r.jsonl"), tmp_path / "c.jsonl"
    assert main(["fit", path, "-o", str(curves), "--report", str(tmp_path / "report.txt")]) == 2
    assert "allowed: .json, .png, .svg, .pdf; rename the report" in capsys.readouterr().err
    single = write(tmp_path / "s.jsonl", [GOOD])
    assert main(["fit", str(single), "-o", str(curves), "--report", str(tmp_path / "report.png")]) == 2
    assert "record more rollouts" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.jsonl", "s.jsonl"]


def test_the_command_maps_columns(tmp_path, capsys):
    path = tmp_path / "t.csv"
    files.write_columns(path, {"question": ["x", "x", "y"], "n": [9, 8, 7], "ok": [True, False, True]})
    words = ["fit", str(path), "-o", str(tmp_path / "c.jsonl"), "--map", "query_id=question", "--map", "tokens=n"]
    assert main([*words, "--map", "correct=ok", "--json"]) == 0
    assert [query["id"] for query in json.loads(capsys.readouterr().out)["queries"]] == ["x", "y"]


def test_the_command_reads_batches_with_scores(tmp_path, capsys):
    usage = {"completion_tokens": 40, "completion_tokens_details": {"reasoning_tokens": 30}}
    body = {"object": "chat.completion", "choices": [{"finish_reason": "stop"}], "usage": usage}
    lines = [{"custom_id": f"q-{k}", "response": {"status_code": 200, "body": body}, "error": None} for k in range(4)]
    path, scores = tmp_path / "out.jsonl", tmp_path / "scores.csv"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    files.write_columns(scores, {"custom_id": [f"q-{k}" for k in range(4)], "correct": [1, 0, 1, 1]})
    words = ["fit", str(path), "-o", str(tmp_path / "c.jsonl"), "--importer", "openai-batch", "--json"]
    assert main([*words, "--scores", str(scores), "--option", r"id_pattern=(.+)-\d+"]) == 0
    [query] = json.loads(capsys.readouterr().out)["queries"]
    assert (query["id"], query["n"], query["solved"]) == ("q", 4, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--importer", "wandb"],
            "--importer is 'wandb'; allowed: table, inspect, lm-eval, openai-batch, anthropic-b",
        ),
        (["--map", "query_id"], "--map is 'query_id'; allowed: name=value"),
        (["--map", "cap=a", "--map", "cap=b"], "--map names 'cap' twice"),
        (
            ["--map", "cap=a", "--importer", "inspect"],
            "--map is 'cap=a'; allowed: absent with --importer inspect",
        ),
        (["--scores", "s.csv"], "--scores is 's.csv'; allowed: absent with --importer table"),
        (["--importer", "lm-eval", "--option", "cap=x"], "option cap is 'x'; allowed: a number"),
        (["--importer", "lm-eval"], "sample logs hold no token counts"),
        (
            ["--importer", "anthropic-batch"],
            "--scores is None; allowed: a file with the columns custom_id and correct with",
        ),
    ],
)
def test_bad_words_are_refused(tmp_path, capsys, words, message):
    path = rollouts(tmp_path / "r.jsonl")
    assert main(["fit", path, "-o", str(tmp_path / "c.jsonl"), *words]) == 2
    out, err = capsys.readouterr()
    assert (out, message in err) == ("", True), err
    assert not (tmp_path / "c.jsonl").exists()
