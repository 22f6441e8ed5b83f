"""Rows of files: refused by file, row, field and value, in every format."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.tables import ROW, per_format, write_rows

import clear_alloc as ca
from clear_alloc import files
from clear_alloc.files import checked_rows


def test_whole_numbers_as_ids_are_read_as_their_digits(tmp_path):
    pq.write_table(pa.table({"query_id": [7, 8], "tokens": [1, 2], "correct": [0, 1]}), tmp_path / "r.parquet")
    (tmp_path / "r.jsonl").write_text('{"query_id": 7, "tokens": 1, "correct": 0}\n')
    (tmp_path / "r.csv").write_text("query_id,tokens,correct\n007,1,0\n")
    assert files.read_rollouts(tmp_path / "r.parquet")["query_id"].tolist() == ["7", "8"]
    assert files.read_rollouts(tmp_path / "r.jsonl")["query_id"].tolist() == ["7"]
    assert files.read_rollouts(tmp_path / "r.csv")["query_id"].tolist() == ["007"]


@per_format
def test_a_bad_row_is_named_by_file_row_field_and_value(tmp_path, suffix):
    path = tmp_path / f"c.{suffix}"
    write_rows(path, [ROW, {**ROW, "id": "b", "width": -3.5}])
    with pytest.raises(ca.BadRow) as caught:
        files.read_curves(path)
    assert (caught.value.source, caught.value.row) == (str(path), 2)
    assert str(caught.value) == (
        f"{path}, row 2: width is -3.5; allowed: a finite number of tokens, at least 1e-12 and at most "
        "2**53 = 9,007,199,254,740,992; correct the value or leave the row out"
    )


@per_format
def test_a_name_that_stands_twice_is_refused_with_both_rows(tmp_path, suffix):
    path = tmp_path / f"c.{suffix}"
    write_rows(path, [ROW, {**ROW, "id": "b"}, ROW])
    with pytest.raises(ca.BadRow, match=r"row 3: id 'a' is already in row 1; rename or remove one of them$"):
        files.read_curves(path)
    caps = tmp_path / f"caps.{suffix}"
    write_rows(caps, [{"query_id": "a", "tokens": 1, "funded": True}] * 2)
    with pytest.raises(ca.BadRow, match="row 2: query_id 'a' is already in row 1"):
        files.read_caps(caps)


def test_good_rows_of_parquet_are_not_shown_to_the_model_one_by_one(tmp_path, monkeypatch):
    # What makes a million rows a matter of seconds; a time limit would test the machine instead.
    files.write_rollouts(tmp_path / "r.parquet", {"query_id": ["a"] * 9, "tokens": [5] * 9, "correct": [1] * 9})
    own = {"rate": 0.5, "call": 1.0, "fallback": 3, "group": "g"}
    write_rows(tmp_path / "c.parquet", [{**ROW, **own, "id": str(k)} for k in range(9)])

    def shown(*_):
        raise AssertionError

    monkeypatch.setattr(checked_rows, "_checked_row", shown)
    assert len(files.read_rollouts(tmp_path / "r.parquet")["tokens"]) == 9
    found = files.read_curves(tmp_path / "c.parquet")
    assert len(found.curves) == 9
    assert (found.rate, found.call, found.group) == ((0.5,) * 9, (1.0,) * 9, ("g",) * 9)
    assert found.fallback.tolist() == [3.0] * 9
