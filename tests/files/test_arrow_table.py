"""Parquet and tables in memory: every type is read or refused in a sentence."""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import clear_alloc as ca
from clear_alloc import files


@pytest.mark.parametrize("kind", ["int32", "float64", "bool"])
def test_parquet_columns_of_many_types_are_read(tmp_path, kind):
    correct = {
        "int32": pa.array([1, 0], pa.int32()),
        "float64": pa.array([1.0, 0.0]),
        "bool": pa.array([True, False]),
    }
    table = {
        "query_id": pa.array(["a", "b"]).dictionary_encode(),
        "tokens": pa.array([7, 8], pa.uint16()),
        "correct": correct[kind],
        "cap": pa.array([7.0, None]),
    }
    pq.write_table(pa.table(table), tmp_path / "r.parquet")
    found = files.read_rollouts(tmp_path / "r.parquet")
    assert (found["query_id"].tolist(), found["correct"].tolist()) == (["a", "b"], [1, 0])
    np.testing.assert_array_equal(found["cap"], [7.0, np.nan])


def test_what_is_not_parquet_is_refused(tmp_path):
    path = tmp_path / "r.parquet"
    path.write_text("query_id,tokens\n")
    with pytest.raises(ca.InvalidArgument, match="is 'not Parquet'; allowed: a Parquet file; write it again"):
        files.read_rollouts(path)


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "c.parquet").touch()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    for use in (
        lambda: files.read_curves(tmp_path / "c.parquet"),
        lambda: files.write_curves(tmp_path / "new.parquet", ca.ShiftedSurge(1, 2, 0.5), ["a"]),
    ):
        with pytest.raises(ca.NotSupported, match=r"needs pyarrow, .*; run: pip install 'clear-alloc\[cli\]'"):
            use()
    assert [path.name for path in tmp_path.iterdir()] == ["c.parquet"]
