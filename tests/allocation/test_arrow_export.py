"""A result as an Arrow table: its columns, what holds for all rows, and whoever can read it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import clear_alloc as ca
from clear_alloc.allocation.arrow_export import KEY, arrow_table
from clear_alloc.columns.ids import QueryIds

CURVES = ca.ShiftedSurge([100, 400, 6000, 50, 80], [80, 200, 900, 20, 30], [0.9, 0.8, 0.7, 0.5, 0.6])


MENU = ca.Menu([[30, 60, 61], [500]], [[0.2, 0.3, 0.3], [0.9]])


@pytest.mark.parametrize("policy", [ca.allocate, ca.uniform], ids=lambda policy: policy.__name__)
@pytest.mark.parametrize("menus", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_a_result_as_a_table(policy, menus, named):
    curves = ca.concatenate([CURVES, MENU]) if menus else CURVES
    ids = [f"q{k}" for k in range(len(curves))] if named else None
    result = policy(curves, 3.5, rate=0.004, ids=ids)
    table = result.to_arrow()
    columns = {"query_id": ids, "tokens": result.tokens, "funded": result.funded, "choice": result.choice}
    columns = {name: values for name, values in {**columns, "charge": result.charges}.items() if values is not None}
    types = {"query_id": "string", "tokens": "int64", "funded": "bool", "choice": "int64", "charge": "double"}
    assert {field.name: str(field.type) for field in table.schema} == {name: types[name] for name in columns}
    assert table.column_names == list(columns)
    for name, values in columns.items():
        assert table[name].to_pylist() == list(values)
    assert ("choice" in columns, "query_id" in columns) == (menus, named)
    told = json.loads(table.schema.metadata[b"clear_alloc"])
    full = result.to_dict()
    assert told == {name: full[name] for name in ("price", "utility", "upper_bound", "budget", "spent", "status")}
    assert (told["price"] is None) == (policy is ca.uniform)
    assert told["status"] == "cleared"


def test_numbers_of_a_table_share_their_memory():
    result = ca.allocate(CURVES, 700)
    (chunk,) = result.to_arrow()["tokens"].chunks
    assert chunk.buffers()[1].address == result.tokens.ctypes.data


def test_dataframes_and_tables_are_made_of_a_result():
    result = ca.allocate(ca.concatenate([CURVES, MENU]), 700, ids=pl.Series(list("abcdefg")))
    wanted = result.to_arrow().to_pydict()
    assert pa.table(result).to_pydict() == wanted
    assert pl.DataFrame(result).to_dict(as_series=False) == wanted
    assert pd.DataFrame.from_arrow(result).to_dict(orient="list") == wanted
    narrow = result.to_arrow().schema.set(0, pa.field("query_id", pa.string()))
    assert wanted["query_id"] == list("abcdefg")
    assert result.to_arrow().schema.field("query_id").type == pa.large_string()
    assert pa.RecordBatchReader.from_stream(result, narrow).schema == narrow
    again = dict(zip(wanted["query_id"], wanted["tokens"], strict=True))
    assert again == dict(zip("abcdefg", result.tokens.tolist(), strict=True))


def test_an_empty_result_as_a_table():
    result = ca.allocate(ca.ShiftedSurge([], [], []), 10, ids=[])
    assert pa.table(result).to_pydict() == {"query_id": [], "tokens": [], "funded": [], "charge": []}
    assert str(pa.table(result).schema.field("query_id").type) == "string"


def test_columns_stand_behind_the_names_and_what_holds_for_all_is_json():
    table = arrow_table(QueryIds((3, None)), {"a": np.array([1, 2]), "b": np.array([0.5, 1.5])}, {"x": 1, "y": None})
    assert table.to_pydict() == {"query_id": [3, None], "a": [1, 2], "b": [0.5, 1.5]}
    assert json.loads(table.schema.metadata[KEY]) == {"x": 1, "y": None}
    assert arrow_table(None, {"a": np.array([1])}, {}).column_names == ["a"]
    with pytest.raises(ValueError, match="not JSON compliant"):
        arrow_table(None, {}, {"x": float("nan")})
