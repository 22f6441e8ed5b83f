"""Any table, through a map of column names."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.logs import shown

import clear_alloc as ca
from clear_alloc import files, importers

THEIRS = {"question": ["a", "a", "007"], "n_out": [5, 6, 7], "ok": [True, False, True], "tokens": [0, 0, 0]}
MAP = {"query_id": "question", "tokens": "n_out", "correct": "ok"}


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_a_table_is_read_through_its_map(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    files.write_columns(path, {**THEIRS, "limit": [9, None, 9]})
    found = importers.from_table(path, columns={**MAP, "cap": "limit"})
    expected = {"query_id": ["a", "a", "007"], "tokens": [5, 6, 7], "correct": [1, 0, 1], "cap": [9, None, 9]}
    assert shown(found) == expected
    assert found.skipped == ()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_map_to_no_column_is_refused(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    files.write_columns(path, THEIRS)
    with pytest.raises(
        ca.InvalidArgument, match=r"for cap is 'limit'; allowed: its columns: question, n_out, ok, tok"
    ):
        importers.from_table(path, columns={**MAP, "cap": "limit"})
    with pytest.raises(ca.InvalidArgument, match="for correct is 'correct'; allowed: its columns"):
        importers.from_table(path, columns={"query_id": "question"})


def test_a_map_from_no_name_of_ours_is_refused(tmp_path):
    with pytest.raises(ca.InvalidArgument, match="a name in columns is 'question'; allowed: query_id, tokens, corr"):
        importers.from_table(tmp_path / "unread.csv", columns={"question": "query_id"})


def test_two_columns_of_the_mapped_name_are_refused(tmp_path):
    (tmp_path / "t.csv").write_text("question,n_out,ok,ok\na,1,1,0\n")
    with pytest.raises(ca.InvalidArgument, match="is 'ok'; allowed: each name once"):
        importers.from_table(tmp_path / "t.csv", columns=MAP)


def test_one_column_may_serve_two_names(tmp_path):
    pq.write_table(pa.table({"q": ["a"], "n": [7], "ok": [0]}), tmp_path / "t.parquet")
    found = importers.from_table(
        tmp_path / "t.parquet", columns={"query_id": "q", "tokens": "n", "cap": "n", "correct": "ok"}
    )
    assert shown(found) == {"query_id": ["a"], "tokens": [7], "correct": [0], "cap": [7]}
