"""Rollouts on disk: what comes back, and what is ignored or refused."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.tables import FORMATS, per_format

import clear_alloc as ca
from clear_alloc import files


@per_format
def test_rollouts_come_back(tmp_path, suffix):
    path = tmp_path / f"rollouts.{suffix}"
    rollouts = {"query_id": ["a", "b", "b"], "tokens": [1, 2**53, 0], "correct": [1, 0, 1]}
    files.write_rollouts(path, {**rollouts, "cap": [np.nan, 2.0**53, 7.0], "weight": [1.0, 0.5, 0.5]})
    found = files.read_rollouts(path)
    assert {name: found[name].tolist() for name in rollouts} == rollouts
    assert found["tokens"].dtype == np.int64
    np.testing.assert_array_equal(found["cap"], [np.nan, 2.0**53, 7.0])
    assert found["weight"].tolist() == [1.0, 0.5, 0.5]


@per_format
def test_columns_that_say_nothing_are_left_out(tmp_path, suffix):
    path = tmp_path / f"rollouts.{suffix}"
    files.write_rollouts(path, {"query_id": ["a"], "tokens": [1], "correct": [1], "cap": [np.nan], "weight": [1.0]})
    assert set(files.read_rollouts(path)) == {"query_id", "tokens", "correct"}


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_an_empty_file_holds_zero_queries_but_is_no_rollouts(tmp_path, suffix):
    path = tmp_path / f"empty.{suffix}"
    path.touch()
    assert len(files.read_curves(path).curves) == 0
    with pytest.raises(ca.InvalidArgument, match=r"rollouts in .* is 0; allowed: at least 1; check the export"):
        files.read_rollouts(path)


def test_extra_columns_of_rollouts_are_ignored_in_every_format(tmp_path):
    row = {
        "query_id": "a",
        "sample": 1,
        "tokens": 5,
        "correct": True,
        "question": 'what, "really"?\nyes',
        "tag": [1],
    }
    (tmp_path / "r.jsonl").write_text(json.dumps(row) + "\n\n", encoding="utf-8")
    pq.write_table(pa.table({name: [value] for name, value in row.items()}), tmp_path / "r.parquet")
    with (tmp_path / "r.csv").open("w", newline="", encoding="utf-8-sig") as stream:
        csv.writer(stream).writerows([row.keys(), row.values()])
    for suffix in FORMATS:
        found = files.read_rollouts(tmp_path / f"r.{suffix}")
        assert {name: v.tolist() for name, v in found.items()} == {
            "query_id": ["a"],
            "tokens": [5],
            "correct": [1],
        }


@per_format
def test_two_weights_for_one_query_are_refused(tmp_path, suffix):
    path = tmp_path / f"r.{suffix}"
    files.write_rollouts(path, {"query_id": ["a", "a"], "tokens": [1, 2], "correct": [1, 1], "weight": [1.0, 2.0]})
    with pytest.raises(ca.BadRow, match=r"row 2: weight of query 'a' is 2.0; allowed: 1.0, as in row 1"):
        files.read_rollouts(path)
