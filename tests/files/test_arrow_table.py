"""Parquet and tables in memory: every type is read or refused in a sentence."""

from __future__ import annotations

import datetime as dt
import decimal
import random
import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import clear_alloc as ca
from clear_alloc import files
from clear_alloc.files import arrow_table


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


ROLLOUTS = {"query_id": ["a", "b", "a"], "tokens": [5, 6, 7], "correct": [1, 0, 1]}


def table(column=None, values=None):
    return pa.table(ROLLOUTS if column is None else {**ROLLOUTS, column: values})


def read(folder, content, **options):
    pq.write_table(content, folder / "r.parquet")
    return files.read_rollouts(folder / "r.parquet", **options)


NAMES = {
    "string_view": pa.array(["a", "b", "a"], pa.string_view()),
    "large_string": pa.array(["a", "b", "a"], pa.large_string()),
    "dictionary": pa.array(["a", "b", "a"]).dictionary_encode(),
    "dictionary of integers": pa.array([1, 2, 1]).dictionary_encode(),
    "unsigned": pa.array([1, 2, 2**64 - 1], pa.uint64()),
}
COUNTS = {
    "float16": pa.array(np.array([5, 6, 7], np.float16)),
    "float32": pa.array([5, 6, 7], pa.float32()),
    "decimal": pa.array([decimal.Decimal(k) for k in (5, 6, 7)], pa.decimal128(10, 0)),
    "dictionary": pa.array([5, 6, 7]).dictionary_encode(),
    "int8": pa.array([5, 6, 7], pa.int8()),
}
FOREIGN = {
    "binary": pa.array([b"a", b"b", b"c"]),
    "binary_view": pa.array([b"a", b"b", b"c"], pa.binary_view()),
    "date": pa.array([dt.date(2020, 1, 1)] * 3),
    "timestamp": pa.array([1, 2, 3], pa.timestamp("ns")),
    "duration": pa.array([1, 2, 3], pa.duration("ns")),
    "struct": pa.array([{"a": 1}] * 3),
    "map": pa.array([[("a", 1)]] * 3, pa.map_(pa.string(), pa.int64())),
    "fractions": pa.array([decimal.Decimal("1.5")] * 3, pa.decimal128(10, 2)),
    "long decimal": pa.array([decimal.Decimal(1)] * 3, pa.decimal256(50, 0)),
    "uuid": pa.array([b"a" * 16] * 3, pa.uuid()),
    "list of dates": pa.array([[dt.date(2020, 1, 1)]] * 3),
    "list of text": pa.array([["1"]] * 3, pa.list_(pa.string_view())),
}


@pytest.mark.parametrize("values", NAMES.values(), ids=NAMES)
def test_names_of_every_type_of_text_are_read_and_bad_rows_beside_them_named(tmp_path, values):
    assert read(tmp_path, table("query_id", values))["query_id"].tolist() == [str(v) for v in values.to_pylist()]
    bad = table("query_id", values).set_column(1, "tokens", [[5, -1, 7]])
    with pytest.raises(ca.BadRow, match="row 2: tokens is -1; allowed: a whole number"):
        read(tmp_path, bad)
    assert len(read(tmp_path, bad, skip_bad_rows=True)["tokens"]) == 2


@pytest.mark.parametrize("values", COUNTS.values(), ids=COUNTS)
def test_counts_of_every_type_of_number_are_read(tmp_path, values):
    assert read(tmp_path, table("tokens", values))["tokens"].tolist() == [5, 6, 7]


@pytest.mark.parametrize("column", ["query_id", "tokens", "cap"])
@pytest.mark.parametrize("values", FOREIGN.values(), ids=FOREIGN)
def test_types_that_no_field_takes_are_refused_by_column(tmp_path, column, values):
    with pytest.raises(ca.InvalidArgument, match=rf"the column {column} of .* is .of type .*; cast the column"):
        read(tmp_path, table(column, values), skip_bad_rows=True)


def test_foreign_types_of_columns_that_are_not_ours_are_ignored(tmp_path):
    content = pa.table({**ROLLOUTS, **{f"x{k}": values for k, values in enumerate(FOREIGN.values())}})
    assert read(tmp_path, content)["tokens"].tolist() == [5, 6, 7]


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32()])
def test_narrow_floats_are_held_to_the_bounds_that_their_rows_are(kind):
    spread = pa.array([2e-9, 1e-9, np.inf]).cast(pa.float32()).cast(kind, safe=False)
    rows = {"id": list("abc"), "family": ["lognormal"] * 3, "median": [9.0] * 3, "solvability": [0.5] * 3}
    with pytest.raises(ca.BadRow, match=r"row [12]: spread is "):
        files.curves_of_table(pa.table({**rows, "spread": spread}))


LISTS = [
    pa.list_view(pa.float64()),
    pa.large_list_view(pa.float16()),
    pa.large_list(pa.float32()),
    pa.list_(pa.float16()),
    pa.list_(pa.float64(), 2),
]


@pytest.mark.parametrize("lists", LISTS, ids=str)
def test_lists_of_every_type_are_read(lists):
    menu = {"id": ["a"], "family": ["menu"], "values": [[0.25, 0.5]], "costs": pa.array([[1, 2]], lists)}
    assert files.curves_of_table(pa.table(menu)).curves.to_records()[0]["costs"] == [1.0, 2.0]


def test_runs_are_read():
    menu = {"id": ["a"], "family": ["menu"], "values": [[0.25, 0.5]], "costs": [[1.0, 2.0]]}
    runs = pc.run_end_encode(pa.array(["menu"]))
    assert len(files.curves_of_table(pa.table({**menu, "family": runs})).curves) == 1


def test_text_that_is_not_utf8_is_refused_by_row(tmp_path):
    names = pa.array([b"a", b"\xff", b"b"]).view(pa.string())
    with pytest.raises(ca.BadRow, match="row 2: query_id is not UTF-8"):
        read(tmp_path, table("query_id", names), skip_bad_rows=True)


def test_a_field_inside_a_struct_is_mapped(tmp_path):
    usage = pa.array([{"n": 5, "d": {"cap": 9}}, {"n": 6, "d": None}, {"n": 7, "d": {"cap": None}}])
    content = table("usage", usage).drop_columns("tokens")
    found = read(tmp_path, content, columns={"tokens": "usage.n", "cap": "usage.d.cap"})
    assert found["tokens"].tolist() == [5, 6, 7]
    np.testing.assert_array_equal(found["cap"], [9.0, np.nan, np.nan])
    for wrong in ("usage.m", "usage.n.x", "usage.", "tokens.n"):
        with pytest.raises(ca.InvalidArgument, match=r"the column of .* for tokens is .*; map tokens to one of them"):
            read(tmp_path, content, columns={"tokens": wrong})
    literal = content.append_column("usage.n", pa.array([1, 2, 3]))
    assert read(tmp_path, literal, columns={"tokens": "usage.n"})["tokens"].tolist() == [1, 2, 3]


def dictionary_bomb(n=3_000):
    return {"query_id": pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), ["x" * 1_000]), "tokens": [1] * n}


BOMBS = {
    "rows": lambda: {"query_id": ["a"] * 30_000, "tokens": [1] * 30_000},
    "one long name": dictionary_bomb,
    "a long text": lambda: {"query_id": ["x" * 3_000_000], "tokens": [1]},
    "a column that is not ours": lambda: {"query_id": ["a"], "tokens": [1], "text": ["x" * 3_000_000]},
}


@pytest.mark.parametrize("make", BOMBS.values(), ids=BOMBS)
def test_a_file_that_would_fill_the_memory_is_refused_by_what_it_announces(tmp_path, monkeypatch, make):
    monkeypatch.setattr(arrow_table, "_ALWAYS", 2**17)
    content = make()
    path = tmp_path / "r.parquet"
    pq.write_table(pa.table({**content, "correct": [1] * len(content["tokens"])}), path, compression="zstd")
    with pytest.raises(ca.InvalidArgument, match=r"bytes in .*; allowed: at most (200|1000) times the"):
        files.read_rollouts(path)
    monkeypatch.setattr(arrow_table, "_ALWAYS", 2**28)
    assert len(files.read_rollouts(path)["tokens"]) == len(content["tokens"])


def test_long_lists_are_refused_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(arrow_table, "_ALWAYS", 2**17)
    menu = {"id": ["a"], "family": ["menu"], "costs": [[0.0] * 400_000], "values": [[0.5] * 400_000]}
    pq.write_table(pa.table(menu), tmp_path / "c.parquet", compression="zstd")
    with pytest.raises(ca.InvalidArgument, match=r"bytes in .*; allowed: at most 200 times"):
        files.read_curves(tmp_path / "c.parquet")


def test_a_large_file_that_packs_as_files_do_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(arrow_table, "_ALWAYS", 0)
    rng = np.random.default_rng(1)
    names = [f"query-{k:032d}" for k in rng.integers(0, 500, 20_000)]
    content = {"query_id": names, "tokens": rng.integers(1, 9_000, 20_000), "correct": rng.integers(0, 2, 20_000)}
    assert len(read(tmp_path, pa.table(content))["tokens"]) == 20_000


def test_damaged_files_are_read_or_refused_in_a_sentence(tmp_path):
    path, rng, refused = tmp_path / "r.parquet", random.Random(7), []
    pq.write_table(pa.table({**ROLLOUTS, "usage": [{"cap": 9}] * 3}), path)
    good = path.read_bytes()
    footer = int.from_bytes(good[-8:-4], "little") + 8
    for k in range(400):
        bad = bytearray(good)
        for _ in range(rng.choice([1, 1, 3])):
            bad[rng.randrange(len(bad) - footer if k % 4 else 0, len(bad))] = rng.randrange(256)
        path.write_bytes(bad if k % 9 else bad[: rng.randrange(len(bad))])
        try:
            files.read_rollouts(path, columns={"cap": "usage.cap"} if k % 2 else None)
        except ca.ClearAllocError as error:
            refused.append(str(error))
    assert len(refused) > 200
    assert all(len(message) < 1_000 and message.isprintable() for message in refused)


@pytest.mark.slow
def test_a_broken_footer_does_not_end_the_process(tmp_path):
    # pyarrow aborts where the metadata of such a column is asked for: a histogram of levels has one count too many.
    path, seen = tmp_path / "c.parquet", set()
    menu = {"id": ["a"], "family": ["menu"], "costs": [[1.0, 2.0]], "values": [[0.25, 0.5]]}
    pq.write_table(pa.table(menu), path, store_schema=False)
    good = path.read_bytes()
    footer = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
    for place in range(footer, len(good) - 8):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :])
        try:
            files.read_curves(path)
        except ca.ClearAllocError as error:
            seen.add(str(error))
    assert any("histogram" in message for message in seen), seen
