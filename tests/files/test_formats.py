"""Files: round trips to the last bit, refusals that name row and reason, and nothing ever half-written."""

from __future__ import annotations

import csv
import json
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import clear_alloc as ca
from clear_alloc import files
from clear_alloc.curves import from_records
from clear_alloc.files import atomic, checked_rows, formats
from clear_alloc.groups import Group
from clear_alloc.schema import QueryRow

FORMATS = ("jsonl", "csv", "parquet")
per_format = pytest.mark.parametrize("suffix", [*FORMATS, "ndjson"])
law = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def left_behind(folder):
    return [path.name for path in folder.iterdir() if path.name.endswith(".tmp")]


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


@per_format
@pytest.mark.parametrize("menu", [False, True])
def test_caps_come_back(tmp_path, suffix, menu):
    path = tmp_path / f"caps.{suffix}"
    curves = ca.ShiftedSurge([100, 200, 9000], 50, 0.5)
    curves = ca.concatenate([curves, ca.Menu([[0, 10]], [[0.1, 0.5]])]) if menu else curves
    names = ["a", 'b "quoted", with a comma', "c", "d"][: len(curves)]
    result = ca.allocate(curves, 400)
    files.write_caps(path, result, names)
    found = files.read_caps(path)
    assert found["query_id"].tolist() == names
    np.testing.assert_array_equal(found["tokens"], result.tokens)
    np.testing.assert_array_equal(found["funded"], result.funded)
    np.testing.assert_array_equal(found["choice"], result.choice if menu else [-1] * len(names))
    assert found["reason"].tolist() == [reason.name.lower() for reason in result.reasons]
    assert {"funded", "too_dear"} <= set(found["reason"])
    assert found["charge"].tolist() == result.charges.tolist()
    assert found["charge"].sum() == result.spent


@per_format
def test_caps_without_reasons_and_charges_are_read_too(tmp_path, suffix):
    path = tmp_path / f"caps.{suffix}"
    write_rows(
        path, [{"query_id": "a", "tokens": 1, "funded": True}, {"query_id": "b", "tokens": 0, "funded": False}]
    )
    found = files.read_caps(path)
    assert (found["tokens"].tolist(), found["reason"].tolist()) == ([1, 0], [None, None])
    assert np.isnan(found["charge"]).all()


def test_caps_are_charged_in_the_unit_of_the_budget(tmp_path):
    result = ca.allocate(ca.LognormalArrival([300, 900], 0.5, 0.9), 5.0, accounting="expected", rate=0.01, call=0.5)
    files.write_caps(tmp_path / "caps.csv", result, ["a", "b"])
    assert files.read_caps(tmp_path / "caps.csv")["charge"].sum() == pytest.approx(result.spent)
    assert 1.0 < result.spent < 5.0


@per_format
def test_zero_queries_are_no_error(tmp_path, suffix):
    path = tmp_path / f"curves.{suffix}"
    files.write_curves(path, ca.ShiftedSurge([], [], []), [])
    found = files.read_curves(path)
    assert len(found.curves) == len(found.ids) == len(found.min_tokens) == 0
    assert ca.allocate(found.curves, 100).utility == 0


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_an_empty_file_holds_zero_queries_but_is_no_rollouts(tmp_path, suffix):
    path = tmp_path / f"empty.{suffix}"
    path.touch()
    assert len(files.read_curves(path).curves) == 0
    with pytest.raises(ca.InvalidArgument, match=r"rollouts in .* is 0; allowed: at least 1; check the export"):
        files.read_rollouts(path)


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


GROUPS = [
    {"name": "team", "budget": 5000.0},
    {"name": "search", "parent": "team", "guarantee": 900.0},
    {"name": "chat", "parent": "team", "budget": 3000.0, "min_funded": 0.5},
]


@per_format
def test_groups_are_read(tmp_path, suffix):
    path = tmp_path / f"groups.{suffix}"
    write_rows(path, GROUPS)
    assert files.read_groups(path) == [Group(**row) for row in GROUPS]
    write_rows(path, [{"name": "a"}])
    assert files.read_groups(path) == [Group("a")]
    write_rows(path, [*GROUPS, {"name": "chat"}])
    with pytest.raises(ca.BadRow, match=r"row 4: name 'chat' is already in row 3"):
        files.read_groups(path)
    write_rows(path, [*GROUPS, {"name": "b", "budget": -1.0}])
    with pytest.raises(ca.BadRow, match=r"row 4: budget is -1.0; allowed: budget units, at least 0"):
        files.read_groups(path)


def test_an_empty_parent_is_none_and_an_empty_file_has_no_groups(tmp_path):
    pq.write_table(pa.table({"name": ["a", "b"], "parent": ["", "a"]}), tmp_path / "g.parquet")
    assert [group.parent for group in files.read_groups(tmp_path / "g.parquet")] == [None, "a"]
    (tmp_path / "g.csv").touch()
    assert files.read_groups(tmp_path / "g.csv") == []


def test_floors_and_ceilings_join_those_of_the_caller():
    nan = float("nan")
    file = files.CurveFile(ca.ShiftedSurge([1, 1], 1, 1), ("a", "b"), np.array([nan, 5.0]), np.array([9.0, nan]))
    floors, ceilings = file.limits()
    assert (floors.tolist(), ceilings.tolist()) == ([0.0, 5.0], [9.0, 2.0**53])
    floors, ceilings = file.limits(3, 12)
    assert (floors.tolist(), ceilings.tolist()) == ([3.0, 5.0], [9.0, 12.0])


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


def test_whole_numbers_as_ids_are_read_as_their_digits(tmp_path):
    pq.write_table(pa.table({"query_id": [7, 8], "tokens": [1, 2], "correct": [0, 1]}), tmp_path / "r.parquet")
    (tmp_path / "r.jsonl").write_text('{"query_id": 7, "tokens": 1, "correct": 0}\n')
    (tmp_path / "r.csv").write_text("query_id,tokens,correct\n007,1,0\n")
    assert files.read_rollouts(tmp_path / "r.parquet")["query_id"].tolist() == ["7", "8"]
    assert files.read_rollouts(tmp_path / "r.jsonl")["query_id"].tolist() == ["7"]
    assert files.read_rollouts(tmp_path / "r.csv")["query_id"].tolist() == ["007"]


def test_a_menu_in_csv_is_a_json_list_in_a_cell(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text('id,family,costs,values,median,spread,solvability\na,menu,"[0, 300]","[0.2, 0.5]",,,\n'
                    "b,lognormal,,,800,0.4,0.7\n")  # fmt: skip
    assert files.read_curves(path).curves.to_records() == [
        {"family": "menu", "costs": [0.0, 300.0], "values": [0.2, 0.5], "weight": 1.0},
        {"family": "lognormal", "median": 800.0, "spread": 0.4, "solvability": 0.7, "weight": 1.0},
    ]
    path.write_text('id,family,costs,values\na,menu,0;300,"[0.2, 0.5]"\n')
    with pytest.raises(ca.BadRow, match="row 1: costs is '0;300'; allowed: a list"):
        files.read_curves(path)


ROW = {"id": "a", "family": "shifted_surge", "threshold": 900.0, "width": 250.0, "peak": 0.8}


def write_rows(path, rows):
    names = list(dict.fromkeys(name for row in rows for name in row))
    formats.write_columns(path, {name: [row.get(name) for row in rows] for name in names})


@per_format
def test_a_bad_row_is_named_by_file_row_field_and_value(tmp_path, suffix):
    path = tmp_path / f"c.{suffix}"
    write_rows(path, [ROW, {**ROW, "id": "b", "width": -3.5}])
    with pytest.raises(ca.BadRow) as caught:
        files.read_curves(path)
    assert (caught.value.source, caught.value.row) == (str(path), 2)
    assert str(caught.value) == (
        f"{path}, row 2: width is -3.5; allowed: a finite number of tokens, at least 1e-12 and at most "
        "2**53 = 9,007,199,254,740,992; correct the value or leave the row out"
    )


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


@per_format
def test_a_name_that_stands_twice_is_refused_with_both_rows(tmp_path, suffix):
    path = tmp_path / f"c.{suffix}"
    write_rows(path, [ROW, {**ROW, "id": "b"}, ROW])
    with pytest.raises(ca.BadRow, match=r"row 3: id 'a' is already in row 1; rename or remove one of them$"):
        files.read_curves(path)
    caps = tmp_path / f"caps.{suffix}"
    write_rows(caps, [{"query_id": "a", "tokens": 1, "funded": True}] * 2)
    with pytest.raises(ca.BadRow, match="row 2: query_id 'a' is already in row 1"):
        files.read_caps(caps)


@per_format
def test_an_unknown_column_of_curves_is_refused(tmp_path, suffix):
    path = tmp_path / f"c.{suffix}"
    write_rows(path, [{**ROW, "treshold": 3.0}])
    with pytest.raises((ca.BadRow, ca.InvalidArgument), match=r"treshold.*; allowed: .*threshold"):
        files.read_curves(path)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_missing_column_is_named_before_any_row(tmp_path, suffix):
    path = tmp_path / f"r.{suffix}"
    write_rows(path, [{"query_id": "a", "n_tokens": 4, "correct": 1}])
    with pytest.raises(
        ca.InvalidArgument, match="at least query_id, tokens, correct; add or rename a column to 'tokens'"
    ):
        files.read_rollouts(path)


def test_a_missing_key_is_named_in_jsonl(tmp_path):
    path = tmp_path / "r.jsonl"
    write_rows(path, [{"query_id": "a", "n_tokens": 4, "correct": 1}])
    with pytest.raises(ca.BadRow, match=r"row 1: tokens is missing; .*; add tokens"):
        files.read_rollouts(path)


@per_format
def test_two_weights_for_one_query_are_refused(tmp_path, suffix):
    path = tmp_path / f"r.{suffix}"
    files.write_rollouts(path, {"query_id": ["a", "a"], "tokens": [1, 2], "correct": [1, 1], "weight": [1.0, 2.0]})
    with pytest.raises(ca.BadRow, match=r"row 2: weight of query 'a' is 2.0; allowed: 1.0, as in row 1"):
        files.read_rollouts(path)


def test_rows_of_jsonl_are_counted_as_lines(tmp_path):
    path = tmp_path / "r.jsonl"
    good = json.dumps({"query_id": "a", "tokens": 3, "correct": 1})
    path.write_text(f"\ufeff{good}\n\n{good[:-1]}\n", encoding="utf-8")
    with pytest.raises(ca.BadRow, match=r"row 3: the row is .*; allowed: one JSON object; repair the row"):
        files.read_rollouts(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("query_id,tokens,correct\na,3,1\nb,4\n", "row 2: it has 2 cells; allowed: 3, as the header"),
        ("query_id,tokens,correct,tokens\na,3,1,3\n", "is 'tokens'; allowed: each name once"),
        ("query_id,tokens,correct\na,3,1\n\nb,x,0\n", "row 3: tokens is 'x'; allowed: a whole number"),
        ("query_id,tokens,correct\na,1_000,1\n", "row 1: tokens is '1_000'"),
        ("query_id,tokens,correct\na,nan,1\n", "row 1: tokens is nan"),
        ("query_id,tokens,correct\na,true,1\n", "row 1: tokens is True"),
        ("query_id,tokens,correct\n,3,1\n", "row 1: query_id is missing"),
        ('query_id,tokens,correct\n"a,3,1\n', "can't be read as CSV"),
        ("query_id;tokens;correct\na;3;1\n", "add or rename a column to 'query_id'"),
    ],
)
def test_broken_csv_is_refused(tmp_path, text, message):
    path = tmp_path / "r.csv"
    path.write_text(text)
    with pytest.raises((ca.BadRow, ca.InvalidArgument)) as caught:
        files.read_rollouts(path)
    assert message in str(caught.value)


def test_csv_that_is_not_utf8_is_refused(tmp_path):
    path = tmp_path / "r.csv"
    path.write_bytes("query_id,tokens,correct\nä,3,1\n".encode("latin-1"))
    with pytest.raises(ca.BadRow, match="can't be read as CSV in UTF-8"):
        files.read_rollouts(path)


def test_what_is_not_parquet_is_refused(tmp_path):
    path = tmp_path / "r.parquet"
    path.write_text("query_id,tokens\n")
    with pytest.raises(ca.InvalidArgument, match="is 'not Parquet'; allowed: a Parquet file; write it again"):
        files.read_rollouts(path)


@pytest.mark.parametrize("use", [files.read_rollouts, files.read_curves, files.read_caps])
def test_an_unknown_suffix_is_refused_with_the_known_ones(use):
    with pytest.raises(
        ca.InvalidArgument, match=r"suffix of x\.txt is '\.txt'; allowed: \.jsonl, \.ndjson, \.csv, \.parquet; "
    ):
        use("x.txt")


def test_a_suffix_may_be_in_capitals(tmp_path):
    path = tmp_path / "C.JSONL"
    write_rows(path, [ROW])
    assert files.read_curves(path).ids == ("a",)


def test_a_missing_file_is_the_system_s_own_error(tmp_path):
    for suffix in FORMATS:
        with pytest.raises(FileNotFoundError):
            files.read_curves(tmp_path / f"nowhere.{suffix}")


@pytest.mark.parametrize(
    ("names", "message"), [(["a"], "length 2"), (["a", "a"], r"ids\[1\] is 'a'"), (["", "b"], "ids")]
)
def test_bad_ids_are_refused_before_a_file_is_made(tmp_path, names, message):
    with pytest.raises(ca.InvalidArgument, match=message):
        files.write_curves(tmp_path / "c.jsonl", ca.ShiftedSurge([1, 2], 3, 0.5), names)
    assert list(tmp_path.iterdir()) == []


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


class Crash(BaseException):
    """As an interrupt: not an Exception."""


@per_format
def test_a_crash_while_writing_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"c.{suffix}"
    write_rows(path, [ROW])
    before = path.read_bytes()

    def half(stream, _):
        stream.write(b"half of the new content")
        raise Crash

    for name in ("_write_json_lines", "_write_csv", "_write_parquet"):
        monkeypatch.setattr(formats, name, half)
    with pytest.raises(Crash):
        write_rows(path, [{**ROW, "id": "b"}])
    assert path.read_bytes() == before
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failing_disk_leaves_the_old_file(tmp_path, monkeypatch, call):
    path = tmp_path / "c.jsonl"
    path.write_text("old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), fail)
    with pytest.raises(OSError, match="No space left"):
        write_rows(path, [ROW])
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert left_behind(tmp_path) == []


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with atomic.replacing(path) as stream:
        stream.write(b"new")
        stream.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_content_is_on_disk_before_it_takes_the_name(tmp_path, monkeypatch):
    path, calls = tmp_path / "x.txt", []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append("sync"), sync(handle))[1])
    monkeypatch.setattr(Path, "replace", lambda a, b: (calls.append("replace"), replace(a, b))[1])
    with atomic.replacing(path) as stream:
        stream.write(b"new")
    assert calls == ["sync", "replace", "sync"]


def test_an_existing_file_keeps_its_mode_and_a_new_one_follows_the_umask(tmp_path):
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.touch()
    old.chmod(0o640)
    mask = os.umask(0o027)
    try:
        write_rows(old, [ROW])
        write_rows(new, [ROW])
    finally:
        os.umask(mask)
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert stat.S_IMODE(new.stat().st_mode) == 0o640
    old.chmod(0o600)
    write_rows(old, [ROW])
    assert stat.S_IMODE(old.stat().st_mode) == 0o600


def test_a_link_keeps_pointing_where_it_did(tmp_path):
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.touch()
    link.symlink_to(real)
    write_rows(link, [ROW])
    assert link.is_symlink()
    assert files.read_curves(real).ids == ("a",)


def test_a_directory_or_a_device_is_not_replaced(tmp_path):
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (folder, tmp_path / "pipe.csv"):
        with pytest.raises(ca.InvalidArgument, match="allowed: a regular file or a name not in use"):
            write_rows(path, [ROW])
    assert folder.is_dir()


def test_good_rows_of_parquet_are_not_shown_to_the_model_one_by_one(tmp_path, monkeypatch):
    # What makes a million rows a matter of seconds; a time limit would test the machine instead.
    files.write_rollouts(tmp_path / "r.parquet", {"query_id": ["a"] * 9, "tokens": [5] * 9, "correct": [1] * 9})
    own = {"rate": 0.5, "call": 1.0, "fallback": 3, "group": "g"}
    write_rows(tmp_path / "c.parquet", [{**ROW, **own, "id": str(k)} for k in range(9)])

    def shown(*_):
        raise AssertionError

    monkeypatch.setattr(checked_rows, "_checked_row", shown)
    assert len(files.read_rollouts(tmp_path / "r.parquet")["tokens"]) == 9
    found = files.read_curves(tmp_path / "c.parquet")
    assert len(found.curves) == 9
    assert (found.rate, found.call, found.group) == ((0.5,) * 9, (1.0,) * 9, ("g",) * 9)
    assert found.fallback.tolist() == [3.0] * 9
