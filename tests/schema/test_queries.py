"""Outside data: what is let in, what is refused, in which words, and that bulk and single checks agree."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pydantic
import pytest
from hypothesis import HealthCheck, given, reject
from hypothesis import strategies as st
from support.laws import examples

import clear_alloc.curves as families
from clear_alloc.curves.mixed import FAMILIES
from clear_alloc.errors import BadRow, InvalidArgument
from clear_alloc.files.arrow_table import numpy_column
from clear_alloc.files.checked_rows import read_checked
from clear_alloc.market.read_limits import read_feasible
from clear_alloc.market.tariff import read_tariff
from clear_alloc.schema import (
    LISTS,
    OPTIONAL,
    PARAMETERS,
    CapRow,
    GroupRow,
    Query,
    QueryRow,
    RolloutRow,
    refusal,
    suspects,
)
from clear_alloc.schema.bulk import Column

SURGE = {"id": "a", "family": "shifted_surge", "threshold": 900, "width": 250, "peak": 0.8}
GOOD = {
    "shifted_surge": SURGE,
    "cumulative_surge": {
        "id": "b", "family": "cumulative_surge", "threshold": 0, "width": 1.5, "solvability": 1
    },
    "lognormal": {"id": "c", "family": "lognormal", "median": 800.0, "spread": 0.4, "solvability": 0.7},
    "menu": {"id": "d", "family": "menu", "costs": [0, 300], "values": [0.2, 0.5]},
}  # fmt: skip
ROLLOUT = {"query_id": "a", "tokens": 512, "correct": 1}


def refused(model, **row):
    with pytest.raises(pydantic.ValidationError) as caught:
        model.model_validate(row)
    return str(refusal(caught.value, model))


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


BAD_FIELDS = [
    ("threshold", -1, "at least 0"),
    ("threshold", float("nan"), "finite"),
    ("threshold", float("inf"), "finite"),
    ("threshold", "900", "finite number"),
    ("threshold", True, "finite number"),
    ("threshold", 2.0**53 + 2, "2**53"),
    ("width", 0, "at least 1e-12"),
    ("width", -2, "at least 1e-12"),
    ("peak", 0, "above 0 and at most 1"),
    ("peak", 1.5, "above 0 and at most 1"),
    ("weight", -0.5, "at least 0"),
    ("weight", float("nan"), "finite value"),
    ("min_tokens", 1.5, "whole number"),
    ("min_tokens", -1, "at least 0"),
    ("max_tokens", float("inf"), "whole number"),
    ("id", "", "at least one character"),
    ("id", 1.5, "name"),
    ("id", None, "name"),
    ("family", "surge", "'lognormal'"),
]


@pytest.mark.parametrize(("field", "value", "allowed"), BAD_FIELDS)
def test_a_bad_field_is_named_with_its_value_and_what_is_allowed(field, value, allowed):
    with pytest.raises(InvalidArgument) as caught:
        Query(**{**SURGE, field: value})
    error = caught.value
    assert error.argument == field
    assert error.value == value or (value != value and error.value != error.value)
    assert allowed in error.allowed
    assert error.remedy == "correct the value or leave the row out"


@pytest.mark.parametrize("spread", [0, 1e-10, 20.5, -1])
def test_a_spread_out_of_range_is_refused(spread):
    with pytest.raises(InvalidArgument, match="1e-09 to 20"):
        Query(**{**GOOD["lognormal"], "spread": spread})


def test_a_misspelt_column_is_refused_with_the_names_that_exist():
    message = refused(QueryRow, **SURGE, treshold=900)
    assert message.startswith("treshold is 900; allowed: the columns id, family, threshold,")
    assert message.endswith("remove treshold or correct its name")


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


@pytest.mark.parametrize("name", ["rate", "call"])
def test_a_price_is_one_number_or_one_per_option(name):
    menu, least = GOOD["menu"], 1e-15
    assert getattr(Query(**SURGE, **{name: 2}), name) == 2.0
    assert getattr(Query(**SURGE, **{name: np.array([2.5])}), name) == 2.5  # a list of one is that number
    assert getattr(Query(**menu, **{name: [0.5, 2]}), name) == (0.5, 2.0)
    assert refused(QueryRow, **menu, **{name: [1.0, 2.0, 3.0]}) == (
        f"{name} is [1.0, 2.0, 3.0]; allowed: as many numbers as costs: 2; give one number, or one per option"
    )
    assert refused(QueryRow, **menu, **{name: []}).startswith(f"{name} is []; allowed: as many numbers as costs: 2")
    assert refused(QueryRow, **SURGE, **{name: [1.0, 2.0]}) == (
        f"{name} is [1.0, 2.0]; allowed: one number, since only a menu has options; give one number"
    )
    for bad in (-1.0, "1", True, float("nan"), float("inf"), 2.0**54):
        assert refused(QueryRow, **SURGE, **{name: bad}).startswith(f"{name} is {bad!r}; allowed: budget units per ")
        assert refused(QueryRow, **menu, **{name: [1.0, bad]}).startswith(f"{name}[1] is {bad!r}; allowed: budget")
    for value in (0.0, -5e-324, least, 2.0**53, np.nextafter(least, -1.0), np.nextafter(2.0**53, 2.0**54)):
        given = float(value)
        both = ({name: given}, {name: [1.0, given]})
        good = bool(least <= value <= 2.0**53 or (name == "call" and value == 0.0))
        assert [admits(Query, {**row, **own}) for row, own in zip((SURGE, menu), both, strict=True)] == [good, good]
        tariff = {
            "accounting": "reserved",
            "rate": None,
            "call": None,
            "lengths": lambda: np.ones(1, dtype=int),
            name: given,
        }
        assert admits(read_tariff, tariff) is good


@pytest.mark.parametrize(
    ("levels", "kept", "floor"),
    [
        ([0, 1024], (0, 1024), 0),
        ([4096.0, 7], (4096, 7), 7),
        ([0, [1024, 32000]], (0, (1024, 32000)), 0),
        ([[1024, None]], ((1024, None),), 1024),
        ([(5, 9), (5, 9)], ((5, 9), (5, 9)), 5),
        (np.array([1, 2]), (1, 2), 1),
        ([0], (0,), 0),
    ],
)
def test_levels_are_whole_caps_or_a_range(levels, kept, floor):
    query = Query(**SURGE, levels=levels)
    assert query.levels == kept
    assert read_feasible(1, levels=[list(query.levels)]).floor == floor


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


def test_a_group_has_a_name_and_perhaps_a_place_and_limits():
    assert GroupRow(name=7).model_dump() == {
        "name": "7", "parent": None, "budget": None, "guarantee": 0.0, "min_funded": 0.0
    }  # fmt: skip
    row = GroupRow(name="a", parent="", budget=0, guarantee=None, min_funded=None)
    assert (row.parent, row.budget, row.guarantee, row.min_funded) == (None, 0.0, 0.0, 0.0)
    for field, bad in (
        ("name", ""), ("parent", 1.5), ("budget", -1), ("budget", float("inf")), ("guarantee", -0.1),
        ("guarantee", "1"), ("min_funded", 1.1), ("min_funded", -0.1), ("min_funded", True),
    ):  # fmt: skip
        assert refused(GroupRow, **{"name": "a", field: bad}).startswith(f"{field} is {bad!r}; allowed: ")
    assert refused(GroupRow, name="a", bugdet=3).startswith("bugdet is 3; allowed: the columns name, parent, budget,")


def test_numbers_may_come_from_numpy():
    query = Query(**{**SURGE, "threshold": np.int64(900), "width": np.float32(250), "id": np.int32(7)})
    assert (query.threshold, query.width, query.id) == (900.0, 250.0, "7")
    menu = Query(id="m", family="menu", costs=np.array([1, 2]), values=np.array([0.5, 0.6]))
    assert menu.costs == (1.0, 2.0)


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


def admits(build, row):
    try:
        build(**row)
    except InvalidArgument:
        return False
    return True


def parameters(row):
    """What the curve class takes."""
    return {name: row[name] for name in (*PARAMETERS[row["family"]], "weight")}


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("tokens", -1, "at least 0"),
        ("tokens", 1.5, "whole number"),
        ("tokens", "512", "whole number"),
        ("tokens", True, "whole number"),
        ("tokens", 2**53 + 1, "2**53"),
        ("correct", 2, "0 or 1"),
        ("correct", 0.5, "0 or 1"),
        ("correct", "1", "0 or 1"),
        ("correct", None, "0 or 1"),
        ("query_id", "", "at least one character"),
        ("cap", 0, "at least 1"),
        ("cap", 99.5, "whole number"),
        ("weight", -1, "at least 0"),
    ],
)
def test_a_bad_rollout_is_refused(field, value, allowed):
    message = refused(RolloutRow, **{**ROLLOUT, field: value})
    assert message.startswith(f"{field} is {value!r}; allowed: ")
    assert allowed in message


def test_a_rollout_ends_at_its_cap():
    assert refused(RolloutRow, **ROLLOUT, cap=511).startswith("tokens is 512; allowed: at most the row's cap, 511")
    assert RolloutRow(**ROLLOUT, cap=512).cap == 512


@pytest.mark.parametrize("correct", [1, 1.0, True, np.int8(1), np.bool_(True)])
def test_correct_is_one_in_many_spellings(correct):
    row = RolloutRow(**{**ROLLOUT, "correct": correct, "tokens": 512.0}, question="ignored")
    assert (row.correct, row.tokens, type(row.correct), type(row.tokens)) == (1, 512, int, int)


def test_funded_is_a_flag_and_nothing_else():
    assert CapRow(query_id="a", tokens=3, funded=np.bool_(True)).funded is True
    assert refused(CapRow, query_id="a", tokens=3, funded=1).startswith("funded is 1; allowed: true or false")
    assert refused(CapRow, query_id="a", tokens=3, funded=True, choice=-2).startswith("choice is -2")


def test_a_reason_is_one_of_the_library_s_own_and_a_charge_is_not_negative():
    row = {"query_id": "a", "tokens": 3, "funded": False}
    assert CapRow(**row, reason="too_dear", charge=0).reason == "too_dear"
    assert refused(CapRow, **row, reason="dear").startswith(
        "reason is 'dear'; allowed: funded, worthless, too_dear, "
    )
    assert refused(CapRow, **row, charge=-0.5).startswith("charge is -0.5; allowed: a finite number of budget units")


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


def test_models_speak_json():
    assert QueryRow.model_validate_json(json.dumps(GOOD["menu"])) == QueryRow(**GOOD["menu"])
    row = {**GOOD["menu"], "levels": [0, [5, None]], "rate": [1, 2], "call": 3, "expected": [0, 1], "group": 4}
    query = QueryRow.model_validate_json(json.dumps(row))
    assert query == QueryRow(**row)
    assert (query.levels, query.rate, query.call, query.group) == ((0, (5, None)), (1.0, 2.0), 3.0, "4")
    assert QueryRow.model_validate_json(query.model_dump_json()) == query
    assert QueryRow.model_json_schema()["properties"].keys() == QueryRow.model_fields.keys()
