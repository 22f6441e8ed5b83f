"""Columns of Arrow and of dataframes: the numbers of numpy's way, names as they were, and no object per row."""

from __future__ import annotations

import ctypes
import gc
import sys

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
from clear_alloc import files
from clear_alloc.columns import arrow
from clear_alloc.columns.ids import QueryIds, read_ids
from clear_alloc.columns.validate import column

N = 11  # queries


class Array:
    """As libraries other than pyarrow lend a column: by the protocol, and by nothing else."""

    def __init__(self, values):
        self._values = pa.array(values)

    def __arrow_c_array__(self, requested_schema=None):
        return self._values.__arrow_c_array__(requested_schema)


class Stream:
    def __init__(self, values):
        self._values = pa.chunked_array([values[:2], values[2:]], type=pa.array(values).type)

    def __arrow_c_stream__(self, requested_schema=None):
        return self._values.__arrow_c_stream__(requested_schema)


class Uncounted(Array):
    """A lender may leave the nulls uncounted."""

    def __arrow_c_array__(self, requested_schema=None):
        schema, chunk = super().__arrow_c_array__(requested_schema)
        arrow._Chunk.from_address(arrow._pointer_of(chunk, b"arrow_array")).null_count = -1
        return schema, chunk


def cut(values):
    """Several chunks, one of them empty and one sliced out of a longer one."""
    array = pa.array(values)
    return pa.chunked_array([array[:1], array[1:1], pa.concat_arrays([array, array])[len(array) + 1 :]])


def sliced(values):
    """A slice whose neighbours are null: the offset counts for the numbers and for the bitmap of nulls."""
    array = pa.array(values)
    return pa.concat_arrays([pa.nulls(9, array.type), array, pa.nulls(1, array.type)])[9 : 9 + len(array)]


KINDS = {
    "pyarrow": pa.array,
    "pyarrow chunks": cut,
    "pyarrow slice": sliced,
    "pyarrow int32 or float32": lambda x: pa.array(x, pa.int32() if x.dtype.kind == "i" else pa.float32()),
    "numpy int32 or float32": lambda x: x.astype(np.int32 if x.dtype.kind == "i" else np.float32),
    "polars": pl.Series,
    "polars chunks": lambda x: pl.concat([pl.Series(x[:3]), pl.Series(x[3:])], rechunk=False),
    "pandas": lambda x: pd.Series(x, index=range(50, 50 + len(x))),
    "pandas nullable": lambda x: pd.Series(x, dtype="Int64" if x.dtype.kind == "i" else "Float64"),
    "pandas arrow": lambda x: pd.Series(x, dtype="int64[pyarrow]" if x.dtype.kind == "i" else "double[pyarrow]"),
    "another's array": Array,
    "another's array, uncounted": Uncounted,
    "another's stream": Stream,
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
RNG = np.random.default_rng(5)
TOKENS = RNG.integers(50, 900, (3, N))
CHANCE = RNG.integers(8, 64, N) / 64  # exact in 32 bits, as all numbers here are
WEIGHT = RNG.integers(1, 9, N) / 4
FAMILIES = {
    "shifted_surge": lambda to: ca.ShiftedSurge(to(TOKENS[0]), to(TOKENS[1]), to(CHANCE), to(WEIGHT)),
    "cumulative_surge": lambda to: ca.CumulativeSurge(to(TOKENS[0]), to(TOKENS[1]), to(CHANCE), to(WEIGHT)),
    "lognormal": lambda to: ca.LognormalArrival(to(TOKENS[0]), to(TOKENS[2] / 1024), to(CHANCE), to(WEIGHT)),
    "menu": lambda to: ca.Menu(
        [to(row) for row in TOKENS.T.copy()], [to(row) for row in np.outer(CHANCE, [1, 2, 3])], to(WEIGHT)
    ),
}
every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def terms(to):
    floors, ceilings = np.where(np.arange(N) == 3, 1, 0), np.full(N, 880)
    prices = {"rate": to(WEIGHT / 1024), "call": to(WEIGHT / 2)}
    return {"min_tokens": to(floors), "max_tokens": to(ceilings), "fallback": to(floors * 0 + 2), **prices}


@every_family
@every_kind
def test_caps_are_those_of_numpy(family, kind):
    asked = terms(np.asarray)
    curves, plain = family(kind), family(np.asarray)
    assert curves.to_records() == plain.to_records()
    for given_terms, expected in (({}, {}), (terms(kind), asked)):
        result, other = ca.allocate(curves, 12.0, **given_terms), ca.allocate(plain, 12.0, **expected)
        assert result.tokens.tolist() == other.tokens.tolist()
        assert (result.price, result.utility, result.spent) == (other.price, other.utility, other.spent)
    assert result.funded.any()


WIDTHS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(),
          pa.float16(), pa.float32(), pa.float64()]  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS, ids=str)
@pytest.mark.parametrize("form", [lambda a: a, lambda a: a[3:], lambda a: pa.chunked_array([a[:2], a[2:]])])
def test_numbers_of_any_width(width, form):
    dtype = np.dtype(width.to_pandas_dtype())
    ends = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    wanted = [0, 1, 5, 100, ends.max, ends.min, 3]
    found = column("weight", form(pa.array(np.array(wanted, dtype=dtype))))
    assert found.dtype == np.float64
    assert found.tolist() == [float(number) for number in wanted[-len(found) :]]
    assert len(found) in (7, 4)


def test_the_largest_whole_numbers_round_as_in_numpy():
    for values in (np.array([2**53 + 1, 2**63 - 1]), np.array([2**64 - 1], dtype=np.uint64)):
        assert arrow.numbers("x", pa.array(values)).tolist() == values.astype(np.float64).tolist()


def test_booleans_are_read_as_ever():
    flags = [True, False, True, True, False, False, True, False, True, True, False]
    wanted = column("x", flags).tolist()
    for kind in (pa.array, cut, sliced, pl.Series, Array, pd.Series):
        assert column("x", kind(flags)).tolist() == wanted == [float(flag) for flag in flags]


def test_empty_columns():
    for empty in (pa.array([]), pa.array([], pa.int32()), pa.chunked_array([], pa.float64()), pl.Series([]),
                  pl.Series([], dtype=pl.Int8), pd.Series([], dtype="Float64"), pa.array([1.0])[1:]):  # fmt: skip
        assert column("x", empty).shape == (0,)
    assert len(ca.allocate(ca.ShiftedSurge(pa.array([]), pa.array([]), pa.array([])), 10)) == 0


@few
@given(st.lists(st.one_of(st.none(), st.integers(-(2**31), 2**31)), max_size=40), st.data())
def test_the_first_null_is_named_and_all_else_is_read(values, data):
    """Cut anywhere, each piece a slice of a longer array; what stands where, Python's own lists say."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=4)))
    bounds = zip([0, *cuts], [*cuts, len(values)], strict=True)
    lead = data.draw(st.integers(0, 10))
    width = data.draw(st.sampled_from([pa.int64(), pa.float64()]))
    chunks = [pa.array([None, 3] * lead + values[low:high] + [None], width)[2 * lead : -1] for low, high in bounds]
    for lent in (pa.chunked_array(chunks), pl.Series(values, dtype=pl.Int64), pa.concat_arrays(chunks)):
        if None in values:
            with pytest.raises(ca.InvalidArgument) as caught:
                arrow.numbers("width", lent)
            assert (caught.value.argument, caught.value.row) == ("width", values.index(None))
        else:
            assert arrow.numbers("width", lent).tolist() == values


NULLS = {
    "pyarrow": lambda x: pa.array(x),
    "another's array, uncounted": Uncounted,
    "pyarrow chunks": lambda x: pa.chunked_array([x[:1], x[1:]], type=pa.float64()),
    "polars": lambda x: pl.Series(x),
    "pandas nullable": lambda x: pd.Series(x, dtype="Float64"),
    "pandas arrow": lambda x: pd.Series(x, dtype="double[pyarrow]"),
    "another's stream": Stream,
}


@pytest.mark.parametrize("kind", NULLS.values(), ids=NULLS)
@pytest.mark.parametrize("name", ["min_tokens", "max_tokens", "fallback", "rate", "call"])
def test_a_null_in_a_term(name, kind):
    with pytest.raises(ca.InvalidArgument) as caught:
        ca.allocate(ca.ShiftedSurge([1, 2, 3], 4, 0.5), 50, **{name: kind([1.0, 2.0, None])})
    assert str(caught.value) == f"{name}[2] is None; allowed: a number; fill the null or drop the query"
    assert caught.value.value is None


@pytest.mark.parametrize("name", ["threshold", "width", "peak", "weight"])
def test_a_null_in_a_parameter(name):
    parameters = {"threshold": [1, 1], "width": 5, "peak": 0.5, name: pl.Series([1.0, None])}
    with pytest.raises(ca.InvalidArgument, match=rf"^{name}\[1\] is None; allowed: a number; fill the null or drop"):
        ca.ShiftedSurge(**parameters)
    with pytest.raises(ca.InvalidArgument, match=r"^width\[0\] is None"):
        ca.ShiftedSurge(1, pa.nulls(2), 0.5)
    with pytest.raises(ca.InvalidArgument, match=r"^threshold\[1\] is nan; allowed: finite numbers"):
        ca.ShiftedSurge(pa.array([1.0, float("nan")]), 5, 0.5)


STRANGERS = {
    "decimal128(30, 2)": pa.array([1, 2]).cast(pa.decimal128(30, 2)),
    "dictionary<values=double, indices=int32, ordered=0>": pa.array([1.0, 2.0]).dictionary_encode(),
    "string": pa.array(["1", "2"]),
    "timestamp[ns]": pa.array([1, 2], pa.timestamp("ns")),
    "list<item: int64>": pa.chunked_array([[[1]], [[2]]]),
    "Table": pa.table({"a": [1, 2]}),
    "DataFrame": pl.DataFrame({"a": [1, 2]}),
    "String": pl.Series(["1", "2"]),
    "category": pd.Series([1, 2], dtype="category"),
    "Array": Array(["1"]),
}


@pytest.mark.parametrize(("kind", "values"), STRANGERS.items(), ids=STRANGERS)
def test_columns_of_anything_but_numbers_are_refused(kind, values):
    with pytest.raises(ca.InvalidArgument) as caught:
        ca.allocate(ca.ShiftedSurge([1, 2], 3, 0.5), 10, min_tokens=values)
    assert str(caught.value) == (
        f"min_tokens is 'of type {kind}'; allowed: a column of integers or floats; "
        "cast the column, or pass one column of the table"
    )


def lent_by(get_schema, get_next):
    """A stream made by hand, which fails where pyarrow's never do."""
    stream = arrow._Stream(get_schema=arrow._Get(get_schema), get_next=arrow._Get(get_next))
    stream.get_last_error = arrow._Tell(lambda _: None)
    new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    capsule = new(("PyCapsule_New", ctypes.pythonapi))(ctypes.addressof(stream), b"arrow_array_stream", None)
    return type("Lender", (), {"__arrow_c_stream__": lambda _: capsule, "kept": stream})()


def test_a_stream_that_breaks_off():
    released, format_ = [], b"l"
    release = arrow._Release(lambda _: released.append("schema"))  # kept alive here: C holds no references

    def get_schema(_, answer):
        schema = arrow._Schema.from_address(answer)
        schema.format, schema.release = format_, release
        return 0

    for lender in (lent_by(lambda *_: 5, lambda *_: 5), lent_by(get_schema, lambda *_: 5)):
        with pytest.raises(ca.InvalidArgument, match=r"^rate is .* \(the Arrow stream broke off: no reason given\)$"):
            ca.allocate(ca.ShiftedSurge([1, 2], 3, 0.5), 10, rate=lender)
    assert released == ["schema"]


@pytest.mark.slow
def test_what_was_lent_is_given_back():
    gc.collect()
    before = pa.total_allocated_bytes()
    values = np.arange(1.0, 50_001.0)
    for kind in (lambda x: pa.array(x).cast(pa.float32()), cut, Stream, Array):
        lent = kind(values)
        found = column("x", lent)
        with pytest.raises(ca.InvalidArgument):
            column("x", pa.concat_arrays([pa.array(values), pa.nulls(2, pa.float64())]))
        del lent
        gc.collect()
        assert pa.total_allocated_bytes() == before
        assert found.tolist() == values.tolist()


def test_curves_keep_nothing_that_is_not_theirs():
    numbers = np.array([100.0, 200.0])
    for kind in (pa.array, pl.Series, pd.Series, np.asarray):
        curves = ca.ShiftedSurge(kind(numbers), 50, 0.5)
        numbers[:] = 7.0
        assert curves.threshold.tolist() == [100.0, 200.0]
        numbers[:] = [100.0, 200.0]


def test_pandas_types_without_pyarrow_go_by_numpy(monkeypatch):
    numbers, names = pd.Series([1, 2], dtype="Int64"), pd.Series([5, 6], dtype="Int64")
    monkeypatch.setattr(pd.Series, "__arrow_c_stream__", lambda *_: (_ for _ in ()).throw(ImportError("pyarrow")))
    assert column("x", numbers).tolist() == [1.0, 2.0]
    assert read_ids(names, 2).listed == (5, 6)
    with pytest.raises(ca.InvalidArgument, match=r"^x\[1\] is "):
        column("x", pd.Series([1, None], dtype="Int64"))


@every_kind
@pytest.mark.parametrize("values", [np.arange(1, ROWS + 1), np.linspace(1.0, 9.0, ROWS)], ids=["whole", "fractions"])
def test_no_object_per_row_is_made_of_numbers(kind, values):
    # Ours is 8 bytes, chunks are joined for another 8, a mask is 1; one of Python's floats is 24 and its place 8.
    given_column = kind(values)
    assert peak_of(lambda: column("x", given_column)) < 20


@pytest.mark.parametrize("name", ["numpy", "pyarrow", "polars", "pandas"])
def test_no_object_per_row_is_made_of_a_table(name):
    # 8 for a charge that is computed, as much for what it is computed from, and masks; pyarrow's own are not counted.
    curves = ca.ShiftedSurge(np.full(ROWS, 100.0), 50.0, 0.5)
    result = ca.uniform(curves, 200.0 * ROWS, ids=TEXTS[name]([f"{k:06}" for k in range(ROWS)]))
    assert peak_of(result.to_arrow) < 30


def test_without_pyarrow_the_extra_is_named(monkeypatch):
    result = ca.allocate(CURVES, 700, ids=np.array(list("abcde")))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for use in (result.to_arrow, result.__arrow_c_stream__):
        with pytest.raises(ca.NotSupported) as caught:
            use()
        assert str(caught.value) == (
            "an Arrow table needs pyarrow, which is not installed; run: pip install 'clear-alloc[cli]'"
        )
    with pytest.raises(ca.NotSupported, match=r"^reading a table needs pyarrow, .*'clear-alloc\[cli\]'"):
        files.curves_of_table({"id": ["a"], "family": ["menu"]})
    assert result.ids == tuple("abcde")


TABLE = {
    "id": ["a", "b", "c", "d"],
    "family": ["lognormal", "menu", "lognormal", "shifted_surge"],
    "median": [600, None, 4000, None],
    "spread": [0.5, None, 0.25, None],
    "solvability": [0.9, None, 0.6, None],
    "costs": [None, [100.0, 200.0], None, None],
    "values": [None, [0.1, 0.2], None, None],
    "threshold": [None, None, None, 150],
    "width": [None, None, None, 50.0],
    "peak": [None, None, None, 0.5],
    "max_tokens": [None, None, 4096, None],
    "rate": [0.5, 1.0, 0.25, 2.0],
    "group": ["x", None, "y", "x"],
}
FORMS = {
    "dict": lambda t: t,
    "pyarrow": pa.table,
    "pyarrow batch": pa.RecordBatch.from_pydict,
    "pyarrow chunks": lambda t: pa.concat_tables([pa.table(t)[:1], pa.table(t)[1:]], promote_options="default"),
    "polars": pl.DataFrame,
    "pandas": lambda t: pd.DataFrame(t, index=[9, 7, 5, 3]),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_curves_of_a_table_are_those_of_its_file(form, tmp_path):
    path = tmp_path / "curves.parquet"
    pq.write_table(pa.table(TABLE), path)
    found, wanted = files.curves_of_table(form(TABLE)), files.read_curves(path)
    assert found.curves.to_records() == wanted.curves.to_records()
    assert found.ids == wanted.ids == ("a", "b", "c", "d")
    np.testing.assert_array_equal(found.max_tokens, [np.nan, np.nan, 4096, np.nan])
    assert (found.rate, found.group, found.levels) == ((0.5, 1.0, 0.25, 2.0), ("x", None, "y", "x"), None)
    result, other = (ca.allocate(read.curves, 900, **read.terms()) for read in (found, wanted))
    assert result.tokens.tolist() == other.tokens.tolist()
    assert result.ids == ("a", "b", "c", "d")


REFUSED_TABLES = {
    "a bad row": ({**TABLE, "spread": [0.5, None, -1.0, None]}, ca.BadRow, r"^the table, row 3: spread is -1.0; "),
    "a name twice": ({**TABLE, "id": list("abca")}, ca.BadRow, r"^the table, row 4: id 'a' is already in row 1"),
    "an unknown column": (
        {**TABLE, "tau": [1] * 4},
        ca.InvalidArgument,
        "^a column of the table is 'tau'; allowed: ",
    ),
    "no family": (
        {"id": ["a"]},
        ca.InvalidArgument,
        "^the header of the table is .* or rename a column to 'family'$",
    ),
}


@pytest.mark.parametrize("form", [FORMS["dict"], FORMS["polars"], pd.DataFrame], ids=["dict", "polars", "pandas"])
@pytest.mark.parametrize(("table", "error", "said"), REFUSED_TABLES.values(), ids=REFUSED_TABLES)
def test_a_bad_table(form, table, error, said):
    with pytest.raises(error, match=said):
        files.curves_of_table(form(table))


@pytest.mark.parametrize("table", [None, "curves.parquet", [1, 2], pa.array([1]), {"id": ["a"], "family": []}])
def test_what_is_no_table(table):
    with pytest.raises(
        ca.InvalidArgument, match=r"^the table is 'of type .*'; allowed: a table of pyarrow, polars or"
    ):
        files.curves_of_table(table)


def test_names_of_one_table_are_those_of_the_next():
    """A result's table is a table of a frame, and its ids the ids of another call."""
    first = ca.allocate(CURVES, 700, ids=list("abcde"))
    second = ca.allocate(CURVES, 700, ids=first.to_arrow()["query_id"], max_tokens=first.to_arrow()["tokens"])
    assert second.ids == first.ids
    assert (second.tokens <= first.tokens).all()
    assert QueryIds(("a", "a")).unique is False
