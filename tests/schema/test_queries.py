"""Queries: what is let in, what is refused, and in which words."""

from __future__ import annotations

import json

import numpy as np
import pydantic
import pytest
from support.rows import GOOD, SURGE, admits, refused

import clear_alloc.curves as families
from clear_alloc.curves.mixed import FAMILIES
from clear_alloc.errors import InvalidArgument
from clear_alloc.schema import (
    OPTIONAL,
    PARAMETERS,
    Query,
    QueryRow,
)


@pytest.mark.parametrize("family", GOOD)
def test_a_query_of_every_family_becomes_a_curve(family):
    query = Query(**GOOD[family])
    curves = families.from_records([query])
    assert isinstance(curves, FAMILIES[family])
    assert curves.to_records()[0]["weight"] == query.weight == 1.0


def test_parameters_are_those_of_the_curve_classes():
    for family, names in PARAMETERS.items():
        assert getattr(FAMILIES[family], "parameters", ("costs", "values")) == names
        assert FAMILIES[family].family == family


def test_a_query_shows_only_what_it_has():
    assert repr(Query(**SURGE)) == (
        "Query(id='a', family='shifted_surge', threshold=900.0, width=250.0, peak=0.8, weight=1.0)"
    )


def test_a_query_is_frozen():
    with pytest.raises(pydantic.ValidationError):
        Query(**SURGE).peak = 0.9


@pytest.mark.parametrize("family", GOOD)
def test_every_missing_parameter_is_named(family):
    for name in PARAMETERS[family]:
        row = {key: value for key, value in GOOD[family].items() if key != name}
        with pytest.raises(InvalidArgument, match=f"^{name} is missing; .*family '{family}' takes .*; add {name}$"):
            Query(**row)


@pytest.mark.parametrize("family", GOOD)
def test_every_foreign_parameter_is_named(family):
    every = {name: value for row in GOOD.values() for name, value in row.items() if name not in ("id", "family")}
    every |= {"expected": [0, 1], "deviation": [0, 1]}
    for name in every.keys() - {*PARAMETERS[family], *OPTIONAL.get(family, ())}:
        with pytest.raises(InvalidArgument, match=f"^{name} is .*; allowed: absent, .*; remove {name} or change"):
            Query(**GOOD[family], **{name: every[name]})


@pytest.mark.parametrize("spread", [0, 1e-10, 20.5, -1])
def test_a_spread_out_of_range_is_refused(spread):
    with pytest.raises(InvalidArgument, match="1e-09 to 20"):
        Query(**{**GOOD["lognormal"], "spread": spread})


def test_menus_need_equal_lengths_and_good_entries():
    menu = GOOD["menu"]
    for name in ("values", "expected", "deviation"):
        for few in ([0.5], [0.0, 0.5, 0.5]):
            message = f"{name} is {few}; allowed: as many numbers as costs: 2; pair every cost with one number"
            assert refused(QueryRow, **{**menu, name: few}) == message
    assert refused(QueryRow, **{**menu, "costs": [0, -3]}).startswith("costs[1] is -3")
    assert refused(QueryRow, **{**menu, "values": [float("nan"), 1]}).startswith("values[0] is nan")
    assert refused(QueryRow, **{**menu, "values": ["1", 1]}).startswith("values[0] is '1'")
    assert refused(QueryRow, **{**menu, "costs": [], "values": []}).startswith("costs is []")


def test_a_menu_s_costs_are_nothing_or_a_sane_number_of_tokens():
    for cost, good in ((0.0, True), (1e-12, True), (9e-13, False), (5e-324, False)):
        row = {**GOOD["menu"], "costs": [cost, 5.0]}
        assert admits(Query, row) is admits(families.Menu, {"costs": [[cost, 5.0]], "values": [[0.2, 0.5]]}) is good
    assert refused(QueryRow, **{**GOOD["menu"], "costs": [5, 1e-13]}) == (
        "costs is 1e-13; allowed: 0, or at least 1e-12 tokens; check the unit of the costs"
    )


@pytest.mark.parametrize("name", ["min_tokens", "fallback"])
def test_a_floor_or_fallback_above_the_ceiling_is_refused(name):
    message = refused(QueryRow, **SURGE, **{name: 20}, max_tokens=10)
    assert message == f"{name} is 20; allowed: at most max_tokens = 10 tokens; lower {name} or raise max_tokens"
    assert getattr(Query(**SURGE, **{name: 10}, max_tokens=10), name) == 10


def test_an_option_burns_no_more_than_its_cost_and_its_deviation_has_no_upper_end():
    menu = GOOD["menu"]
    query = Query(**menu, expected=[0, 300], deviation=[0, 9000])
    assert (query.expected, query.deviation) == ((0.0, 300.0), (0.0, 9000.0))
    assert refused(QueryRow, **menu, expected=[0, 301]) == (
        "expected is 301.0; allowed: at most the option's cost, 300 tokens; correct the option"
    )
    assert refused(QueryRow, **menu, deviation=[0, -1]).startswith("deviation[1] is -1; allowed: a list")


def test_what_a_menu_may_leave_out_is_left_to_its_class():
    plain, whole = Query(**GOOD["menu"]), Query(**GOOD["menu"], expected=[0, 200], deviation=[0, 40])
    assert plain.curve_parameters() == {**parameters({**GOOD["menu"], "weight": 1.0}), **NEITHER}
    assert set(whole.curve_parameters()) == {"costs", "values", "expected", "deviation", "weight"}
    (record,) = families.from_records([whole]).to_records()
    assert (record["expected"], record["deviation"]) == ([0.0, 200.0], [0.0, 40.0])
    assert "expected" not in families.from_records([plain]).to_records()[0]


NEITHER = {"expected": None, "deviation": None, "costs": (0.0, 300.0), "values": (0.2, 0.5)}


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([], "levels is []; allowed: a list of whole caps in tokens, [0, 1024, 4096], or of 0 and a range"),
        (1024, "levels is 1024; allowed: a list"),
        ("0,1024", "levels is '0,1024'; allowed: a list"),
        ([0, 1.5], "levels[1] is 1.5; allowed: a list"),
        ([0, True], "levels[1] is True; allowed: a list"),
        ([-1], "levels[0] is -1; allowed: a list"),
        ([0, 2**53 + 1], "levels[1] is 9007199254740993; allowed: a list"),
        ([0, [5]], "levels[1] is [5]; allowed: a list"),
        ([0, [5, 6, 7]], "levels[1] is [5, 6, 7]; allowed: a list"),
        ([0, [5, -1]], "levels[1] is -1; allowed: a list"),
        ([0, [None, 5]], "levels[1] is None; allowed: a list"),
        ([0, [9, 5]], "levels is (9, 5); allowed: low <= high; swap the two"),
        ([0, 5, [7, 9]], "levels is [0, 5, (7, 9)]; allowed: whole caps alone, or one range and 0; list the caps"),
        ([[5, 6], [7, 9]], "levels is [(5, 6), (7, 9)]; allowed: whole caps alone, or one range and 0; list the"),
    ],
)
def test_bad_levels_are_refused(levels, message):
    assert refused(QueryRow, **SURGE, levels=levels).startswith(message)


def test_levels_that_leave_nothing_beside_the_row_s_own_limits_are_refused():
    row = {**SURGE, "levels": [512]}
    assert refused(QueryRow, **row, max_tokens=500) == (
        "levels is '512'; allowed: an allowed cap from 0 to 500 tokens (min_tokens to max_tokens); "
        "allow another cap, or 0, or move the limits"
    )
    assert Query(**row, min_tokens=512, max_tokens=512).levels == (512,)
    assert refused(QueryRow, **row, min_tokens=513).startswith("levels is '512'; allowed: an allowed cap from 513 to")
    assert Query(**{**SURGE, "levels": [0, 512]}, max_tokens=500, fallback=3).fallback == 3


def test_absent_and_null_are_the_same():
    assert Query(**SURGE, spread=None, weight=None, min_tokens=None) == Query(**SURGE)


def test_a_query_inside_a_foreign_model_errs_as_pydantic_does():
    class Job(pydantic.BaseModel):
        query: Query

    assert Job(query=SURGE).query == Query(**SURGE)
    with pytest.raises(pydantic.ValidationError, match="peak is missing"):
        Job(query={key: value for key, value in SURGE.items() if key != "peak"})


EDGES = {
    "threshold": (0.0, 2.0**53), "width": (1e-12, 2.0**53), "peak": (5e-324, 1.0), "median": (1e-12, 2.0**53),
    "spread": (1e-9, 20.0), "solvability": (5e-324, 1.0), "weight": (0.0, 2.0**53),
}  # fmt: skip


@pytest.mark.parametrize("family", ["shifted_surge", "cumulative_surge", "lognormal"])
def test_the_schema_admits_what_the_curves_admit_at_every_edge(family):
    for name in (*PARAMETERS[family], "weight"):
        low, high = EDGES[name]
        for value in (low, high, np.nextafter(low, -1.0), np.nextafter(high, 2 * high)):
            row = {**GOOD[family], "weight": 1.0, name: float(value)}
            if name == "threshold":
                row["width"] = 2.0
            assert admits(Query, row) is admits(FAMILIES[family], parameters(row)) is bool(low <= value <= high)


@pytest.mark.parametrize("family", ["shifted_surge", "cumulative_surge"])
@pytest.mark.parametrize("threshold", [0.0, 1.0, 1e6, 2.0**52, 2.0**53])
def test_a_width_that_rounding_loses_is_refused_by_both(family, threshold):
    spacing = max(np.spacing(threshold), 1e-12)
    for width, good in ((spacing, True), (0.99 * spacing, False)):
        row = {**GOOD[family], "weight": 1.0, "threshold": threshold, "width": width}
        assert admits(Query, row) is admits(FAMILIES[family], parameters(row)) is good


def parameters(row):
    """What the curve class takes."""
    return {name: row[name] for name in (*PARAMETERS[row["family"]], "weight")}


def test_models_speak_json():
    assert QueryRow.model_validate_json(json.dumps(GOOD["menu"])) == QueryRow(**GOOD["menu"])
    row = {**GOOD["menu"], "levels": [0, [5, None]], "rate": [1, 2], "call": 3, "expected": [0, 1], "group": 4}
    query = QueryRow.model_validate_json(json.dumps(row))
    assert query == QueryRow(**row)
    assert (query.levels, query.rate, query.call, query.group) == ((0, (5, None)), (1.0, 2.0), 3.0, "4")
    assert QueryRow.model_validate_json(query.model_dump_json()) == query
    assert QueryRow.model_json_schema()["properties"].keys() == QueryRow.model_fields.keys()
