"""Columns in bulk and rows one by one are checked alike."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pydantic
import pytest
from hypothesis import HealthCheck, given, reject
from hypothesis import strategies as st
from support.laws import examples
from support.rows import GOOD, ROLLOUT, SURGE

from clear_alloc.errors import BadRow
from clear_alloc.files.arrow_table import numpy_column
from clear_alloc.files.checked_rows import read_checked
from clear_alloc.schema import (
    LISTS,
    PARAMETERS,
    CapRow,
    GroupRow,
    QueryRow,
    RolloutRow,
    refusal,
    suspects,
)
from clear_alloc.schema.bulk import Column

# Values on both sides of every rule, by the kind of column that they can stand in together.
NUMBERS = [
    -1.0,
    0.0,
    -0.0,
    1e-12,
    0.5,
    1.0,
    1.5,
    3.0,
    20.0,
    21.0,
    2.0**53,
    2.0**54,
    float("nan"),
    float("inf"),
    None,
]
WHOLES = [-2, -1, 0, 1, 2, 3, 2**53, 2**53 + 1, 2**62, None]
NAMES = ["", "a", "b", "funded", *PARAMETERS, None]
OPTIONS = [[], [0.0], [0.0, 1.5], [-1.0, 1.5], [1.5, float("nan")], None]
CAPS = [[], [0], [0, 5], [5, 5], [-1], [2**53 + 1], None]
RANGES = [[], [[5, 9]], [[9, 5]], [[5, None]], [[5]], [[5, 9], [5, 9]], [[5, 9], [6, 9]], None]
FLAGS = [True, False, None]
POOLS = {
    **dict.fromkeys(("id", "query_id", "group", "name", "parent", "reason"), (NAMES, WHOLES, NUMBERS)),
    "family": (NAMES,),
    **dict.fromkeys(("costs", "values", "expected", "deviation"), (OPTIONS,)),
    "levels": (CAPS, RANGES, OPTIONS),
    **dict.fromkeys(("rate", "call"), (NUMBERS, OPTIONS, WHOLES, NAMES, FLAGS)),
    **dict.fromkeys(("tokens", "cap", "min_tokens", "max_tokens", "fallback"), (WHOLES, NUMBERS, NAMES, FLAGS)),
    "choice": (WHOLES, NUMBERS),
    "correct": (WHOLES, NUMBERS, FLAGS, NAMES),
    "funded": (FLAGS, WHOLES),
}
GOOD_TABLES = {
    QueryRow: [
        *GOOD.values(),
        {**SURGE, "threshold": 2.0**53, "width": 2.0},
        {**SURGE, "weight": 2.0, "min_tokens": 3, "max_tokens": 900},
        {**SURGE, "rate": 0.5, "call": 1.5, "fallback": 2, "max_tokens": 3, "group": "a"},
        {**SURGE, "levels": [0, 5]},
        {**GOOD["menu"], "expected": [0.0, 1.5], "deviation": [0.0, 1.5]},
    ],
    RolloutRow: [ROLLOUT, {"query_id": "b", "tokens": 3, "correct": 0, "cap": 3}, {**ROLLOUT, "weight": 0.5}],
    CapRow: [
        {"query_id": "a", "tokens": 0, "funded": False},
        {"query_id": "a", "tokens": 2, "funded": True, "choice": 1, "reason": "funded", "charge": 1.5},
    ],
    GroupRow: [
        {"name": "a"},
        {"name": "b", "parent": "a", "budget": 3.0, "guarantee": 1.0, "min_funded": 0.5},
    ],
}


@st.composite
def tables(draw):
    """A model and columns for it: good rows, of which up to two cells are replaced, or a whole column."""
    model = draw(st.sampled_from(list(GOOD_TABLES)))
    rows = draw(st.lists(st.sampled_from(GOOD_TABLES[model]), min_size=1, max_size=3))
    columns = {name: [row.get(name) for row in rows] for name in dict.fromkeys(key for row in rows for key in row)}
    for field in draw(st.lists(st.sampled_from(list(model.model_fields)), max_size=2)):
        pools = POOLS.get(field, (NUMBERS, WHOLES, NAMES))
        if draw(st.booleans()):
            pool = st.sampled_from(draw(st.sampled_from(pools)))
            columns[field] = draw(st.lists(pool, min_size=len(rows), max_size=len(rows)))
        else:
            column = columns.setdefault(field, [None] * len(rows))
            kind = next((type(value) for value in column if value is not None), None)
            pool = next((p for p in pools if type(p[0]) is kind), pools[0])
            column[draw(st.integers(0, len(rows) - 1))] = draw(st.sampled_from(pool))
    try:
        return model, pa.table(columns)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # two kinds that no column can hold together
        reject()


def first_refused_singly(model, table):
    for row, cells in enumerate(table.to_pylist(), start=1):
        try:
            model.model_validate(cells)
        except pydantic.ValidationError as error:
            return row, str(refusal(error, model))
    return None


@examples(250, HealthCheck.function_scoped_fixture)
@given(tables())
def test_a_table_is_checked_as_its_rows_are(tmp_path, content):
    model, table = content
    path = tmp_path / "t.parquet"  # overwritten by every example
    pq.write_table(table, path)
    expected = first_refused_singly(model, table)
    if expected is None:
        assert_same_as_models(read_checked(path, model).columns, model, table)
        return
    with pytest.raises(BadRow) as caught:
        read_checked(path, model)
    assert (caught.value.row, caught.value.reason) == expected


def test_a_gap_among_whole_numbers_is_no_name(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"name": ["a", "b"], "parent": pa.array([7, None], pa.int64())}), path)
    assert read_checked(path, GroupRow).columns["parent"].tolist() == ["7", None]


def assert_same_as_models(checked, model, table):
    rows = [model.model_validate(cells) for cells in table.to_pylist()]
    for field in model.model_fields:
        for found, row in zip(checked[field].tolist(), rows, strict=True):
            value = getattr(row, field)
            assert found == value or (value is None and found != found)


@pytest.mark.parametrize("model", GOOD_TABLES)
def test_no_refused_row_is_beyond_doubt(model):
    """Every value of every pool in every field of every good row: what the model refuses must be suspect."""
    for row in GOOD_TABLES[model]:
        for field in model.model_fields:
            for pool in POOLS.get(field, (NUMBERS, WHOLES, NAMES, FLAGS)):
                columns = {name: [value] * len(pool) for name, value in row.items()} | {field: pool}
                # Whole numbers with a gap, too, which turn to floats on their way to numpy.
                exact = pa.array(pool, pa.int64()) if pool is WHOLES else pa.array(pool)
                table = pa.table({name: exact if name == field else values for name, values in columns.items()})
                doubt = suspects(
                    model, {name: numpy_column("t", name, table.column(name)) for name in table.column_names}
                )
                for cells, suspect in zip(table.to_pylist(), doubt, strict=True):
                    assert suspect or accepted(model, cells), cells


def accepted(model, cells):
    try:
        model.model_validate(cells)
    except pydantic.ValidationError:
        return False
    return True


GOOD_ROWS = st.sampled_from(
    [
        *(r for f, r in GOOD.items() if f != "menu"),
        {**SURGE, "weight": None, "min_tokens": 3},
        {**SURGE, "rate": 1e-15, "call": 0.0, "fallback": 3, "max_tokens": 3, "group": "g"},
    ]
)


@given(st.lists(GOOD_ROWS, min_size=1, max_size=4))
def test_good_rows_of_smooth_families_are_beyond_doubt(rows):
    # Were they not, a million good rows would each be shown to the model, which takes minutes.
    columns = {}
    for field in QueryRow.model_fields:
        values = [row.get(field) for row in rows]
        missing = np.array([value is None for value in values])
        blank = "" if field in ("id", "family", "group") else 0.0
        filled = [blank if value is None else value for value in values]
        columns[field] = Column(np.array(filled, dtype=object if blank == "" else float), missing)
    for name in LISTS:
        del columns[name]
    assert not suspects(QueryRow, columns).any()


def test_good_rollouts_are_beyond_doubt():
    none, all_there = np.ones(3, dtype=bool), np.zeros(3, dtype=bool)
    for correct in (
        np.array([0, 1, 1], dtype=np.int8),
        np.array([0.0, 1.0, 0.0]),
        np.array([True, False, True]),
    ):
        columns = {
            "query_id": Column(np.array(["a", "b", "a"], dtype=object), all_there),
            "tokens": Column(np.array([1, 2, 3], dtype=np.uint32), all_there),
            "correct": Column(correct, all_there),
            "cap": Column(np.full(3, np.nan), none),
        }
        assert not suspects(RolloutRow, columns).any()
