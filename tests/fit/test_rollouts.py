"""fit: every kind of table is read alike, every bad row is named."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from clear_alloc.errors import InvalidArgument
from clear_alloc.fit import fit

GOOD = {
    "query_id": ["b", "b", "a", "a", "a"],
    "tokens": [900, 1000, 310, 500, 290],
    "correct": [1, 0, 1, 0, 1],
    "cap": [None, 1000, None, 500, 500],
}

TABLES = {
    "lists": lambda t: t,
    "tuples": lambda t: {name: tuple(column) for name, column in t.items()},
    "arrays": lambda t: {
        "query_id": np.array(t["query_id"]),
        "tokens": np.array(t["tokens"], dtype=np.int32),
        "correct": np.array(t["correct"], dtype=bool),
        "cap": np.array(t["cap"], dtype=float),
    },
    "objects": lambda t: {name: np.array(column, dtype=object) for name, column in t.items()},
    "pandas": pd.DataFrame,
    "pandas nullable": lambda t: pd.DataFrame(t).convert_dtypes(),
    "pandas categories": lambda t: pd.DataFrame(t).astype({"query_id": "category"}),
    "pandas odd index": lambda t: pd.DataFrame(t, index=[7, 7, 3, 1, 0]),
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
    "pyarrow chunks": lambda t: pa.concat_tables([pa.table(t).slice(0, 2), pa.table(t).slice(2)]),
    "pyarrow string views": lambda t: (
        pa.table({**t, "query_id": pa.array(t["query_id"]).cast(pa.string_view())})
        if isinstance(t["query_id"][0], str)
        else pa.table(t)
    ),
    "pandas on arrow": lambda t: pd.DataFrame(t).convert_dtypes(dtype_backend="pyarrow"),
    "half floats": lambda t: {**t, "tokens": np.array(t["tokens"], dtype=np.float16)},
    "half floats of arrow": lambda t: pa.table({**t, "tokens": pa.array(np.array(t["tokens"], dtype=np.float16))}),
    "polars from pandas": lambda t: pl.from_pandas(pd.DataFrame(t)),
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_table_gives_the_same_curves(kind):
    expected, fitted = fit(GOOD), fit(TABLES[kind](GOOD))
    assert fitted.ids == ["b", "a"]
    assert all(type(i) is str for i in fitted.ids)
    assert fitted.report.censored.tolist() == [1, 1]
    for name in expected.curves.parameters:
        assert getattr(fitted.curves, name).tolist() == getattr(expected.curves, name).tolist()


def test_integer_ids_stay_integers():
    for kind in ("lists", "arrays", "objects", "pandas", "polars", "pyarrow"):
        fitted = fit(TABLES[kind]({**GOOD, "query_id": [30, 30, 4, 4, 4]}))
        assert fitted.ids == [30, 4]
        assert all(type(i) is int for i in fitted.ids)


def test_cap_may_be_left_out_and_other_columns_may_be_there():
    fitted = fit({**{name: GOOD[name] for name in ("query_id", "tokens", "correct")}, "model": ["x"] * 5})
    assert fitted.report.censored.tolist() == [0, 0]


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("family", ["lognormal", "empirical", "paper"])
def test_a_column_of_weights_reaches_the_curves(kind, family):
    weighted = GOOD | {"weight": [2.0, 2.0, 0.5, 0.5, 0.5]}
    fitted = fit(TABLES[kind](weighted) if kind != "arrays" else weighted, family)
    assert fitted.curves.weight.tolist() == [2.0, 0.5]


def test_the_argument_takes_the_place_of_the_column():
    weighted = GOOD | {"weight": [2.0, 2.0, 0.5, 0.5, 0.5]}
    assert fit(weighted, weight={"a": 3.0, "b": 4.0}).curves.weight.tolist() == [4.0, 3.0]
    with pytest.raises(InvalidArgument, match=r"weight\[1\] is 9"):
        fit({**weighted, "weight": [2, 9, 1, 1, 1]}, weight=1.0)


def with_(name, row, value):
    column = list(GOOD[name])
    column[row] = value
    return {**GOOD, name: column}


def without(name):
    return {other: column for other, column in GOOD.items() if other != name}


COUNT = "allowed: a finite number of tokens, 0 or more; repair the row or drop it"
IDS = "allowed: a string or an integer, one kind for all rows, never null; name the query of every rollout"
BAD = {
    "NaN tokens": (with_("tokens", 2, float("nan")), f"tokens[2] is nan; {COUNT}"),
    "null tokens": (with_("tokens", 2, None), f"tokens[2] is nan; {COUNT}"),
    "infinite tokens": (with_("tokens", 4, float("inf")), f"tokens[4] is inf; {COUNT}"),
    "negative tokens": (with_("tokens", 0, -5), f"tokens[0] is -5.0; {COUNT}"),
    "text tokens": (with_("tokens", 1, "1000"), "tokens[1] is '1000'; allowed: a number; convert the column"),
    "all text": ({**GOOD, "tokens": ["1"] * 5}, "tokens[0] is '1'; allowed: a number; convert the column"),
    "odd tokens": (with_("tokens", 3, [1]), "tokens[3] is [1]; allowed: a number; convert the column"),
    "too many tokens": (with_("tokens", 4, 2.0**54), "tokens[4] is 1.8014398509481984e+16; allowed: at most 2**53"),
    "complex tokens": (
        {**GOOD, "tokens": np.array(GOOD["tokens"], dtype=np.complex64)},
        "tokens[0] is (900+0j); allowed: a",
    ),
    "one complex": (with_("tokens", 1, 1j), "tokens[1] is 1j; allowed: a number; convert the column"),
    "text of arrow": ({**GOOD, "tokens": pa.array(["1"] * 5)}, "tokens[0] is '1'; allowed: a number; convert"),
    "lazy": (
        pl.DataFrame(GOOD).lazy(),
        "rollouts is 'a LazyFrame'; allowed: a dataframe in memory; pass rollouts.collect()",
    ),
    "correct 2": (with_("correct", 3, 2), "correct[3] is 2.0; allowed: 0 or 1 (or a boolean); score the rollout"),
    "correct half": (with_("correct", 3, 0.5), "correct[3] is 0.5; allowed: 0 or 1"),
    "correct null": (with_("correct", 0, None), "correct[0] is nan; allowed: 0 or 1"),
    "above cap": (
        with_("tokens", 3, 501),
        "tokens[3] is 501.0; allowed: at most the row's cap; record tokens and cap",
    ),
    "cap 0": (with_("cap", 1, 0), "cap[1] is 0.0; allowed: a positive number of tokens, or null; use null"),
    "cap infinite": (with_("cap", 1, float("inf")), "cap[1] is inf; allowed: a positive number of tokens, or null"),
    "weight null": ({**GOOD, "weight": [1, 1, 2, None, 2]}, "weight[3] is nan; allowed: a finite value of one right"),
    "weight negative": (
        {**GOOD, "weight": [1, 1, 2, 2, -2]},
        "weight[4] is -2.0; allowed: a finite value of one right",
    ),
    "weight text": ({**GOOD, "weight": ["1"] * 5}, "weight[0] is '1'; allowed: a number"),
    "two weights": (
        {**GOOD, "weight": [1, 1, 2, 2, 3]},
        "weight[4] is 3.0; allowed: 2.0, as in row 2 of the same query; give every query one weight",
    ),
    "short weight": ({**GOOD, "weight": [1]}, "weight is 'of length 1'; allowed: length 5, as query_id"),
    "null id": (with_("query_id", 4, None), f"query_id[4] is None; {IDS}"),
    "NaN id": (with_("query_id", 1, float("nan")), f"query_id[1] is nan; {IDS}"),
    "first id null": (with_("query_id", 0, None), f"query_id[0] is None; {IDS}"),
    "mixed ids": (with_("query_id", 3, 7), f"query_id[3] is 7; {IDS}"),
    "boolean ids": ({**GOOD, "query_id": [True] * 5}, f"query_id[0] is True; {IDS}"),
    "missing column": (without("correct"), "without column 'correct'\"; allowed: columns query_id, tokens, correct"),
    "found columns": (without("tokens"), "found query_id, correct, cap"),
    "short column": ({**GOOD, "correct": [1, 0]}, "correct is 'of length 2'; allowed: length 5, as query_id"),
    "short cap": ({**GOOD, "cap": [None]}, "cap is 'of length 1'; allowed: length 5, as query_id"),
    "flat": ({**GOOD, "tokens": np.ones((5, 2))}, "tokens is 'of shape (5, 2)'; allowed: one value per rollout"),
    "empty": ({name: [] for name in GOOD}, "rollouts is 'an empty table'; allowed: at least one rollout; check"),
    "not a table": ([1, 2], "rollouts is [1, 2]; allowed: a dataframe or a mapping of columns query_id, tokens"),
    "none finished": (
        {"query_id": ["a"], "tokens": [9], "correct": [0], "cap": [9]},
        "tokens is 'without a finished length'; allowed: at least one rollout of 1 token or more that ended before",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    table, message = BAD[case]
    with pytest.raises(InvalidArgument) as caught:
        fit(table)
    assert message in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("kind", ["pandas", "pandas nullable", "polars", "pyarrow"])
@pytest.mark.parametrize(
    "case", ["null id", "null tokens", "correct 2", "above cap", "two weights", "missing column", "empty"]
)
def test_bad_rows_of_dataframes_are_named_alike(kind, case):
    with pytest.raises(InvalidArgument) as caught:
        fit(TABLES[kind](BAD[case][0]))
    with pytest.raises(InvalidArgument) as plain:
        fit(BAD[case][0])
    assert (caught.value.argument, caught.value.row) == (plain.value.argument, plain.value.row)


def test_an_unknown_family_is_named():
    with pytest.raises(InvalidArgument, match="family is 'gamma'; allowed: one of lognormal, shifted_surge"):
        fit(GOOD, "gamma")


@pytest.mark.parametrize("family", ["shifted_surge", "cumulative_surge"])
def test_a_surge_needs_a_right_answer(family):
    with pytest.raises(InvalidArgument, match=f"allowed: at least one right answer for {family}; its shape"):
        fit({**GOOD, "correct": [0] * 5}, family)
