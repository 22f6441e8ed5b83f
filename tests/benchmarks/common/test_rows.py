"""Rows in files: JSONL and Parquet say the same."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
from support.benchmark_runs import FILES, TINY, one_row, ran, tiny_cases

from benchmarks.common.environment import environment
from benchmarks.common.rows import read_cells, read_rows, row_of, write_parquet, write_rows
from benchmarks.experiments import EXPERIMENTS
from benchmarks.policies import POLICIES, Named
from benchmarks.rows import Row

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.mark.slow
def test_the_table_holds_the_same_rows_as_the_lines(tmp_path, monkeypatch):
    def broken(batch, budget):
        raise ValueError("no luck")

    monkeypatch.setitem(POLICIES, "played", Named(broken))
    monkeypatch.setitem(EXPERIMENTS, "peers", TINY._replace(policies=("played", "oracle", "uniform")))
    found = ran(tiny_cases(seeds=1), tmp_path)
    lines, table = (read_rows(tmp_path / name, Row) for name in FILES)
    assert lines == table == (found, [environment()])
    assert sum(row.error is not None for row in found) == 4
    schema = pq.read_schema(tmp_path / "rows.parquet")
    assert [str(schema.field(name).type) for name in ("seed", "level", "accuracy", "policy", "error")] == [
        "int64", "double", "double", "string", "string",
    ]  # fmt: skip


def test_a_row_of_which_something_is_missing_is_read_if_that_has_a_default(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_rows(path, [one_row("ours", seed, 0.5) for seed in (0, 1)], {"code": "a"})
    write_rows(path, [one_row("ours", 2, 0.5)], {"code": "b"}, kept=read_cells(path))
    rows, environments = read_rows(path, Row)
    assert [row.seed for row in rows] == [0, 1, 2]
    assert environments == [{"code": "a"}, {"code": "b"}]  # each once
    older = [{name: value for name, value in cell.items() if name != "gap"} for cell in read_cells(path)]
    assert [row_of(Row, cell) for cell in older] == rows
    without_policy = {name: value for name, value in older[0].items() if name != "policy"}
    for cell in ({"x": 1}, without_policy, 3, []):
        with pytest.raises(TypeError):
            row_of(Row, cell)


def test_a_table_without_rows_has_its_columns(tmp_path):
    write_parquet(tmp_path / "rows.parquet", [], {"code": "a"}, Row)
    assert read_rows(tmp_path / "rows.parquet", Row) == ([], [])
