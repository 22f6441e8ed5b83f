"""Curves on disk: round trips to the last bit, and the terms that rows bring along."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from support.laws import examples
from support.tables import FORMATS, ROW, per_format, write_rows

import clear_alloc as ca
from clear_alloc import files
from clear_alloc.curves import from_records
from clear_alloc.schema import QueryRow

law = examples(60, HealthCheck.function_scoped_fixture)
chance = st.floats(0, 1, exclude_min=True)
place = st.floats(0, 2.0**53)
scale = st.floats(1e-12, 2.0**53)
weight = st.floats(0, 2.0**53)
option = st.tuples(st.one_of(st.just(0.0), scale), weight)


def query(family, **parameters):
    return st.fixed_dictionaries({"family": st.just(family), **parameters, "weight": weight})


menus = st.lists(option, min_size=1, max_size=4).flatmap(
    lambda pairs: query("menu", costs=st.just([c for c, _ in pairs]), values=st.just([v for _, v in pairs]))
)
charged_menus = st.lists(st.tuples(option, chance, weight), min_size=1, max_size=4).flatmap(
    lambda options: query(
        "menu",
        costs=st.just([cost for (cost, _), _, _ in options]),
        values=st.just([value for (_, value), _, _ in options]),
        expected=st.just([cost * share for (cost, _), share, _ in options]),
        deviation=st.just([deviation for *_, deviation in options]),
    )
)


def resolvable(row):
    return row["width"] >= np.spacing(row["threshold"])


queries = st.one_of(
    query("shifted_surge", threshold=place, width=scale, peak=chance).filter(resolvable),
    query("cumulative_surge", threshold=place, width=scale, solvability=chance).filter(resolvable),
    query("lognormal", median=scale, spread=st.floats(1e-9, 20), solvability=chance),
)
# NUL and lone surrogates can't be in text files; every other character can.
ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
limits = st.one_of(st.just(float("nan")), st.integers(0, 1000).map(float))
caps = st.integers(0, 1000)
levels = st.one_of(
    st.none(),
    st.lists(caps, max_size=3).map(lambda several: (0, *several)),
    st.tuples(st.just(0), st.tuples(caps, st.one_of(st.none(), st.integers(1000, 2**53)))),
)


@st.composite
def curve_files(draw):
    """Names, records, and the columns of terms: each absent, for some queries, or for all."""
    kind = st.one_of(queries, draw(st.sampled_from([menus, charged_menus])))
    names = draw(st.lists(ids, unique=True, max_size=5))
    records = [draw(kind) for _ in names]
    floors = np.array([draw(limits) for _ in names], dtype=float)
    ceilings = np.where(np.isnan(floors), np.nan, floors + 2000.0)
    terms = {"min_tokens": floors, "max_tokens": ceilings}
    if draw(st.booleans()):
        terms["fallback"] = np.array([draw(limits) for _ in names], dtype=float)
    if draw(st.booleans()):
        terms["levels"] = tuple(draw(levels) if floor != floor else None for floor in floors)
    if draw(st.booleans()):
        terms["group"] = tuple(draw(st.one_of(st.none(), ids)) for _ in names)
    for name, amounts in (
        ("rate", st.floats(1e-15, 2.0**53)),
        ("call", st.one_of(st.just(0.0), st.floats(1e-15, 2.0**53))),
    ):
        if draw(st.booleans()):
            terms[name] = tuple(draw(priced(record, amounts)) for record in records)
    return names, records, terms


def priced(record, amounts):
    """One price for a query, or one per option where there are several."""
    k = len(record.get("costs", ()))
    several = st.lists(amounts, min_size=k, max_size=k).map(tuple)
    return st.one_of(amounts, several) if k > 1 else amounts


@pytest.mark.parametrize("suffix", FORMATS)
@law
@given(curve_files())
def test_curves_and_terms_come_back_bit_for_bit(tmp_path, suffix, content):
    names, records, terms = content
    curves = from_records([QueryRow(id=n, **r) for n, r in zip(names, records, strict=True)])
    path = tmp_path / f"curves.{suffix}"
    files.write_curves(path, curves, names, **terms)
    found = files.read_curves(path)
    assert found.ids == tuple(names)
    assert found.curves.to_records() == curves.to_records() == records
    for name in ("min_tokens", "max_tokens", "fallback"):
        numbers = terms.get(name)
        if name == "fallback" and (numbers is None or np.isnan(numbers).all()):
            assert found.fallback is None
        else:
            np.testing.assert_array_equal(getattr(found, name), numbers)
    for name in ("levels", "rate", "call", "group"):
        values = terms.get(name) or (None,)
        assert getattr(found, name) == (values if any(value is not None for value in values) else None)


@per_format
def test_zero_queries_are_no_error(tmp_path, suffix):
    path = tmp_path / f"curves.{suffix}"
    files.write_curves(path, ca.ShiftedSurge([], [], []), [])
    found = files.read_curves(path)
    assert len(found.curves) == len(found.ids) == len(found.min_tokens) == 0
    assert ca.allocate(found.curves, 100).utility == 0


@per_format
def test_rows_with_and_without_expected_costs_stand_in_one_file(tmp_path, suffix):
    menu = {"family": "menu", "costs": [9.0, 4.0], "values": [0.5, 0.2]}
    some = [
        {},
        {"expected": [3.0, 2.0]},
        {"deviation": [1.0, 0.5]},
        {"expected": [8.0, 4.0], "deviation": [2.0, 0.0]},
    ]
    surge = {"family": "shifted_surge", "threshold": 9.0, "width": 2.0, "peak": 0.8, "id": "s"}
    path = tmp_path / f"c.{suffix}"
    write_rows(path, [surge, *({**menu, **own, "id": str(k)} for k, own in enumerate(some))])
    _, *found = files.read_curves(path).curves.to_records()
    assert [r["expected"] for r in found] == [[9.0, 4.0], [3.0, 2.0], [9.0, 4.0], [8.0, 4.0]]
    assert [r["deviation"] for r in found] == [[0.0, 0.0], [0.0, 0.0], [1.0, 0.5], [2.0, 0.0]]
    assert all(r["costs"] == [9.0, 4.0] for r in found)
    write_rows(path, [surge, {**menu, "id": "m"}])
    assert "expected" not in files.read_curves(path).curves.to_records()[1]


def test_lists_in_cells_are_json_and_lists_of_lists_too_in_parquet(tmp_path):
    curves = ca.concatenate([ca.ShiftedSurge([1, 1], 2, 0.5), ca.Menu([[0, 9]], [[0.1, 0.5]])])
    terms = {"levels": [(0, 7), (0, (5, None)), None], "rate": [0.5, 2.0, (0.25, 1.0)], "call": [1.0, 2.0, 3.0]}
    for suffix in ("csv", "parquet"):
        files.write_curves(tmp_path / f"c.{suffix}", curves, ["a", "b", "c"], **terms)
    with (tmp_path / "c.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["levels"] for row in rows] == ["[0, 7]", "[0, [5, null]]", ""]
    assert [row["rate"] for row in rows] == ["0.5", "2.0", "[0.25, 1.0]"]
    table = pq.read_table(tmp_path / "c.parquet").to_pydict()
    assert table["levels"] == ["[0, 7]", "[0, [5, null]]", None]
    assert table["rate"] == [[0.5], [2.0], [0.25, 1.0]]
    assert table["call"] == [1.0, 2.0, 3.0]
    pq.write_table(pa.table({**{name: [ROW[name]] for name in ROW}, "levels": [[0, 7]]}), tmp_path / "own.parquet")
    assert files.read_curves(tmp_path / "own.parquet").levels == ((0, 7),)


def test_text_in_parquet_is_no_number_and_broken_lists_are_named(tmp_path):
    for column, text in (("rate", "0.5"), ("levels", "0, 7"), ("levels", "[0, 7"), ("call", "[1, 2")):
        pq.write_table(pa.table({**{name: [ROW[name]] for name in ROW}, column: [text]}), tmp_path / "c.parquet")
        with pytest.raises(ca.BadRow, match=rf"row 1: {column} is '{text[:2].replace('[', chr(92) + '[')}"):
            files.read_curves(tmp_path / "c.parquet")
        with (tmp_path / "c.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([[*ROW, column], [*ROW.values(), "1_0" if text == "0.5" else text]])
        with pytest.raises(ca.BadRow, match=rf"row 1: {column} is '"):
            files.read_curves(tmp_path / "c.csv")


@per_format
@pytest.mark.parametrize("name", ["rate", "call"])
def test_a_price_is_on_every_row_or_on_none(tmp_path, suffix, name):
    path = tmp_path / f"c.{suffix}"
    rows = [{**ROW, "id": "a", name: 2.0}, {**ROW, "id": "b", name: 3.0}, {**ROW, "id": "c"}]
    write_rows(path, rows)
    message = f"row 3: {name} is missing; allowed: budget units, as in row 1; give every row its {name}, or none"
    with pytest.raises(ca.BadRow, match=message):
        files.read_curves(path)
    write_rows(path, rows[:2])
    assert getattr(files.read_curves(path), name) == (2.0, 3.0)


@pytest.mark.parametrize("name", ["min_tokens", "levels", "rate", "group"])
def test_a_column_of_another_length_is_refused_before_a_file_is_made(tmp_path, name):
    values = np.array([1.0]) if name == "min_tokens" else [None]
    with pytest.raises(ca.InvalidArgument, match=f"{name} is 'of length 1'; allowed: length 2; pass one per query"):
        files.write_curves(tmp_path / "c.jsonl", ca.ShiftedSurge([1, 2], 3, 0.5), ["a", "b"], **{name: values})
    assert list(tmp_path.iterdir()) == []


def test_rows_and_caller_make_the_terms_together():
    nan, surge = float("nan"), ca.ShiftedSurge([900, 400], 250, 0.8)
    file = files.CurveFile(surge, ("a", "b"), np.array([nan, 5.0]), np.array([900.0, nan]))
    terms = file.terms(min_tokens=3, max_tokens=1200, levels={0, 700}, fallback=4, rate=0.5, call=2.0)
    assert (terms["min_tokens"].tolist(), terms["max_tokens"].tolist()) == ([3, 5], [900, 1200])
    assert [terms[name] for name in ("levels", "fallback", "rate", "call", "ids")] == [
        {0, 700},
        4,
        0.5,
        2.0,
        ("a", "b"),
    ]
    assert file.terms()["fallback"] == 0
    file = file._replace(
        fallback=np.array([nan, 5.0]), levels=((0, (5, None)), None), rate=(1.0, 2.0), call=(0.0, 9.0)
    )
    terms = file.terms(fallback=4)
    assert terms["fallback"].tolist() == [4, 5]
    assert (terms["levels"], terms["rate"], terms["call"]) == ([[0, [5, None]], None], (1.0, 2.0), (0.0, 9.0))
    for name, value in (("levels", {0, 7}), ("rate", 3.0), ("call", 3.0)):
        with pytest.raises(
            ca.InvalidArgument, match=f"^{name} is .*; allowed: absent, since rows .* column {name}; give"
        ):
            file.terms(**{name: value})
    for name in ("min_tokens", "fallback"):
        with pytest.raises(ca.InvalidArgument, match=rf"{name}\[0\] is -1"):
            file._replace(min_tokens=np.array([5.0, 5.0]), fallback=np.array([5.0, 5.0])).terms(**{name: -1})


@per_format
def test_a_file_is_allocated_as_its_queries_are(tmp_path, suffix):
    surge = {"family": "shifted_surge", "width": 250.0, "peak": 0.8}
    rows = [
        {**surge, "threshold": 900.0, "levels": [0, 1100], "rate": 0.25, "call": 1.0},
        {**surge, "threshold": 400.0, "levels": [0, [450, None]], "rate": 0.5, "call": 2.0},
        {"family": "menu", "costs": [40.0, 300.0], "values": [0.2, 0.5], "rate": [0.5, 0.75], "call": 0.0},
        {**surge, "threshold": 9000.0, "rate": 1.0, "call": 0.0, "fallback": 7},
    ]
    rows = [{**row, "id": name} for row, name in zip(rows, "abcd", strict=True)]
    path = tmp_path / f"c.{suffix}"
    file_rows = [{**row, "rate": row["rate"] if type(row["rate"]) is list else [row["rate"]]} for row in rows]
    as_text = {"levels": [json.dumps(row["levels"]) if "levels" in row else None for row in rows]}
    if suffix == "parquet":
        write_rows(path, [{**row, "levels": text} for row, text in zip(file_rows, as_text["levels"], strict=True)])
    else:
        write_rows(path, rows)
    file = files.read_curves(path)
    found = ca.allocate(file.curves, 900, **file.terms())
    direct = ca.allocate([ca.Query(**row) for row in rows], 900, fallback=[0, 0, 0, 7])
    assert found.tokens.tolist() == direct.tokens.tolist()
    assert (found.utility, found.spent, found.ids) == (direct.utility, direct.spent, ("a", "b", "c", "d"))
    assert found.tokens[3] == 7
    assert found.tokens[0] in (0, 1100)
    found.audit()


def test_floors_and_ceilings_join_those_of_the_caller():
    nan = float("nan")
    file = files.CurveFile(ca.ShiftedSurge([1, 1], 1, 1), ("a", "b"), np.array([nan, 5.0]), np.array([9.0, nan]))
    floors, ceilings = file.limits()
    assert (floors.tolist(), ceilings.tolist()) == ([0.0, 5.0], [9.0, 2.0**53])
    floors, ceilings = file.limits(3, 12)
    assert (floors.tolist(), ceilings.tolist()) == ([3.0, 5.0], [9.0, 12.0])


@per_format
def test_a_missing_parameter_is_named(tmp_path, suffix):
    path = tmp_path / f"c.{suffix}"
    write_rows(path, [{name: value for name, value in ROW.items() if name != "peak"}])
    with pytest.raises(ca.BadRow, match=r"row 1: peak is missing; .* takes threshold, width, peak; add peak"):
        files.read_curves(path)


@per_format
def test_an_unknown_family_is_refused(tmp_path, suffix):
    path = tmp_path / f"c.{suffix}"
    write_rows(path, [{**ROW, "family": "sigmoid"}])
    with pytest.raises(ca.BadRow, match=r"row 1: family is 'sigmoid'; allowed: 'shifted_surge', "):
        files.read_curves(path)
