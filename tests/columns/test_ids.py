"""Names of queries: any column of them, each once, and no object per row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.text_columns import CURVES, ROWS, TEXTS, few, peak_of

import clear_alloc as ca
from clear_alloc.columns import ids as names
from clear_alloc.columns.ids import read_ids, repeated_row

WHOLES = {
    "numpy": lambda x: np.array(x),
    "numpy uint16": lambda x: np.array(x, dtype=np.uint16),
    "pyarrow": lambda x: pa.array(x),
    "pyarrow int8": lambda x: pa.array(x, pa.int8()),
    "pyarrow chunks": lambda x: pa.chunked_array([x[:2], x[2:]], type=pa.int64()),
    "polars": lambda x: pl.Series(x),
    "pandas": lambda x: pd.Series(x),
    "pandas nullable": lambda x: pd.Series(x, dtype="Int64"),
    **{
        f"polars {t}": lambda x, t=t: pl.Series(x, dtype=t)
        for t in (pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
    },
}
AS_OBJECTS = {
    "list": list, "tuple": tuple, "dict": dict.fromkeys, "generator": iter,
    "numpy objects": lambda x: np.array(x, dtype=object), "pandas objects": lambda x: pd.Series(x, dtype=object),
    "list of numpy's": lambda x: list(np.array(x)),
}  # fmt: skip
SAID = ["b", "", "query 3", "a", "ä€😀"]
COLUMNS = [
    *(pytest.param(SAID, make, id=f"text, {name}") for name, make in {**TEXTS, **AS_OBJECTS}.items()
      if name != "numpy bytes"),
    pytest.param([b"b", b"", b"a", b"query 3", b"\xff"], np.array, id="bytes, numpy"),
    *(pytest.param([3, 1, 0, 99, 7], make, id=f"whole, {name}") for name, make in {**WHOLES, **AS_OBJECTS}.items()),
    pytest.param([1.5, 2.0, -1.0, 0.0, 9.0], np.array, id="fractions, numpy"),
    pytest.param([1.5, 2.0, -1.0, 0.0, 9.0], pa.array, id="fractions, pyarrow"),
    pytest.param([1.5, 2.0, -1.0, 0.0, 9.0], pl.Series, id="fractions, polars"),
    pytest.param([1, "1", None, (1, 2), 2.5], tuple, id="anything hashable"),
    pytest.param([1, 2**70, -5, 0, 4], tuple, id="beyond 64 bits"),
    pytest.param([True, 4, 5, 6, 7], tuple, id="a boolean among numbers"),
    pytest.param([b"b", b"", b"a", b"query 3", b"\xff"], tuple, id="bytes, tuple"),
    pytest.param([4, 3, None, 1, 0], tuple, id="one None, tuple"),
    pytest.param(["x", None, "z", "y", ""], lambda x: np.array(x, dtype=np.dtypes.StringDType(na_object=None)),
                 id="one None, numpy strings"),
    pytest.param(SAID, lambda x: pa.array(x).dictionary_encode(), id="text, pyarrow dictionary"),
    pytest.param(SAID, lambda x: pd.Series(x, dtype="category"), id="text, pandas category"),
    pytest.param([None, "x", "y", "z", "w"], pl.Series, id="one null, polars"),
    pytest.param([4, 3, None, 1, 0], pa.array, id="one null, pyarrow"),
    pytest.param([3, 1, 0, 99, 7], lambda x: np.array(x, dtype=">i8"), id="whole, other byte order"),
]  # fmt: skip


@pytest.mark.parametrize(("names", "make"), COLUMNS)
def test_ids_come_back_as_they_were(names, make):
    result = ca.allocate(CURVES, 700, ids=make(names))
    result.audit()
    assert type(result.ids) is tuple
    assert result.ids == tuple(names)
    assert result.ids is result.ids
    assert result.to_dict()["ids"] == names
    plain = (str, bytes, int, float, tuple, type(None), np.str_, np.int64)
    assert all(isinstance(name, plain) for name in result.ids)
    shown = result.to_arrow()["query_id"].to_pylist()
    whole = all(name is None or (type(name) is int and name < 2**63) for name in names)
    typed = whole or all(isinstance(name, bytes) for name in names)
    assert shown == (names if typed else [None if name is None else str(name) for name in names])
    pa.table(result).take([1, 0])  # whatever type the names have, pyarrow can work with it
    pq.write_table(result.to_arrow(), pa.BufferOutputStream())


@pytest.mark.parametrize(
    ("make", "names"),
    [*((make, SAID) for make in TEXTS.values()), *((make, [3, 1, 0, 99, 7]) for make in WHOLES.values())],
    ids=[*(f"text, {name}" for name in TEXTS), *(f"whole, {name}" for name in WHOLES)],
)
def test_columns_of_ids_are_listed_only_when_asked_for(make, names):
    if make is TEXTS["numpy bytes"]:
        names = names[:4]
        result = ca.allocate(CURVES[:4], 700, ids=make(names))
    else:
        result = ca.allocate(CURVES, 700, ids=make(names))
    result.audit()
    repr(result)
    result.to_arrow()
    kept = result._problem.names
    assert not isinstance(kept.column, tuple)
    assert "listed" not in vars(kept)
    assert len(result.ids) == len(names)
    assert "listed" in vars(kept)


def refusal_of(ids, n):
    with pytest.raises(ca.InvalidArgument) as caught:
        read_ids(ids, n)
    return str(caught.value)


@few
@given(
    st.one_of(
        st.tuples(st.sampled_from(sorted(TEXTS)), st.lists(st.text("ab", max_size=3), min_size=1, max_size=9)),
        st.tuples(st.sampled_from(sorted(WHOLES)), st.lists(st.integers(0, 9), min_size=1, max_size=9)),
    )
)
def test_a_name_that_stands_twice_is_named_with_both_rows(case):
    kind, names = case
    make = (TEXTS if isinstance(names[0], str) else WHOLES)[kind]
    again = next((row for row, name in enumerate(names) if name in names[:row]), None)
    if again is None:
        listed = read_ids(make(names), len(names)).listed
        assert [n.decode() if isinstance(n, bytes) else n for n in listed] == names
        return
    name = names[again].encode() if kind == "numpy bytes" else names[again]
    assert refusal_of(make(names), len(names)) == (
        f"ids[{again}] is {name!r}; allowed: unique ids; "
        f"it is row {names.index(names[again])}'s id already; rename one"
    )


def test_ids_that_are_refused():
    for make in (*TEXTS.values(), list):
        assert refusal_of(make(["a", "b"]), 3) == "ids is 'of length 2'; allowed: length 3; pass one id per query"
        assert refusal_of(make(["a", "b"]), 1) == "ids is 'of length 2'; allowed: length 1; pass one id per query"
    twin = pa.DictionaryArray.from_arrays([0, 1], ["a", "a"])  # two numbers for one name
    assert refusal_of(twin, 2).startswith("ids[1] is 'a'; allowed: unique ids; it is row 0's id already")
    for two in (pa.array(["x", None, None]), pl.Series(["x", None, None])):
        assert refusal_of(two, 3).startswith("ids[2] is None; allowed: unique ids; it is row 1's id already")
    for loose in ([["a"], "b"], [("a", ["b"]), "b"], np.array([[1, 2], [3, 4]]), pa.array([[1], [2]])):
        assert "allowed: strings, integers or other hashable names; convert the id" in refusal_of(loose, 2)
    assert refusal_of(["a", {"b"}], 2).startswith("ids[1] is {'b'}; ")
    for single in (np.array(7), np.array("abc"), 7, "abc", b"abc"):
        assert "; allowed: 3 names, one per query; pass a list of ids" in refusal_of(single, 3)
    assert read_ids(None, 3) is None


def test_texts_with_one_fingerprint_are_told_apart(monkeypatch):
    assert len(set(names._fingerprints(np.array([f"{k:b}" for k in range(4096)])).tolist())) == 4096
    monkeypatch.setattr(names, "_fingerprints", lambda text: np.zeros(len(text), dtype=np.uint64))
    for kind in ("U", "S"):
        assert read_ids(np.array(["a", "b"], dtype=kind), 2) is not None
        assert refusal_of(np.array(["a", "b", "a"], dtype=kind), 3).startswith("ids[2] is ")


def test_later_changes_leave_the_ids_alone():
    array, series, frame = np.array(["a", "b"]), pl.Series(["a", "b"]), pd.Series(["a", "b"])
    objects, nullable = np.array(["a", "b"], dtype=object), pd.Series(["a", "b"], dtype="string")
    whole = pd.Series([1, 2])
    given_ids = (array, series, frame, objects, nullable)
    named = [read_ids(ids, 2) for ids in given_ids]
    numbered = read_ids(whole, 2)
    for ids in given_ids:
        ids[0] = "z"
    whole[0] = 9
    assert [names.listed for names in named] == [("a", "b")] * 5
    assert numbered.listed == (1, 2)


def test_no_object_per_row_is_made_of_names():
    texts = [f"{k:06}" for k in range(ROWS)]
    limits = {"numpy": 64, "numpy bytes": 46, "numpy strings": 40}  # the copy that is kept, and numbers to sort
    for name, make in TEXTS.items():
        given_ids = make(texts)
        assert peak_of(lambda ids=given_ids: read_ids(ids, ROWS)) < limits.get(name, 4), name
    for name in ("numpy", "pyarrow", "pyarrow chunks", "polars", "pandas"):
        given_ids = WHOLES[name](range(ROWS))
        assert peak_of(lambda ids=given_ids: read_ids(ids, ROWS)) < 20, name


@given(st.lists(st.one_of(st.none(), st.integers(0, 5), st.text("ab", max_size=2)), max_size=9))
def test_the_first_row_that_repeats_a_name_is_found(listed):
    again = next((row for row, name in enumerate(listed) if name in listed[:row]), None)
    assert repeated_row(listed) == (None if again is None else (again, listed.index(listed[again])))
