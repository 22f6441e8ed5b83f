"""Outside data: what is let in, what is refused, in which words, and that bulk and single judges agree."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pydantic
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

import clear_alloc.curves as families
from clear_alloc.curves.mixed import FAMILIES
from clear_alloc.errors import BadRow, InvalidArgument
from clear_alloc.files.judged import _column, read_judged
from clear_alloc.schema import PARAMETERS, CapRow, Query, QueryRow, RolloutRow, refusal, suspects
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
    for name in every.keys() - set(PARAMETERS[family]):
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
    assert "values is '1 values'; allowed: as many as costs: 2" in refused(QueryRow, **{**menu, "values": [0.5]})
    assert "values is '3 values'; allowed: as many as costs: 2" in refused(QueryRow, **{**menu, "values": [0.5] * 3})
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


def test_a_floor_above_the_ceiling_is_refused():
    message = refused(QueryRow, **SURGE, min_tokens=20, max_tokens=10)
    assert message == (
        "min_tokens is 20; allowed: at most max_tokens = 10 tokens; lower min_tokens or raise max_tokens"
    )
    assert Query(**SURGE, min_tokens=10, max_tokens=10).min_tokens == 10


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
NAMES = ["", "a", "b", *PARAMETERS, None]
OPTIONS = [[], [0.0], [0.0, 1.5], [-1.0, 1.5], [1.5, float("nan")], None]
FLAGS = [True, False, None]
POOLS = {
    **dict.fromkeys(("id", "query_id"), (NAMES, WHOLES, NUMBERS)),
    "family": (NAMES,),
    **dict.fromkeys(("costs", "values"), (OPTIONS,)),
    **dict.fromkeys(("tokens", "cap", "min_tokens", "max_tokens"), (WHOLES, NUMBERS, NAMES, FLAGS)),
    "choice": (WHOLES, NUMBERS),
    "correct": (WHOLES, NUMBERS, FLAGS, NAMES),
    "funded": (FLAGS, WHOLES),
}
GOOD_TABLES = {
    QueryRow: [
        *GOOD.values(),
        {**SURGE, "threshold": 2.0**53, "width": 2.0},
        {**SURGE, "weight": 2.0, "min_tokens": 3, "max_tokens": 900},
    ],
    RolloutRow: [ROLLOUT, {"query_id": "b", "tokens": 3, "correct": 0, "cap": 3}, {**ROLLOUT, "weight": 0.5}],
    CapRow: [
        {"query_id": "a", "tokens": 0, "funded": False},
        {"query_id": "a", "tokens": 2, "funded": True, "choice": 1},
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


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables())
def test_a_table_is_judged_as_its_rows_are(tmp_path, content):
    model, table = content
    path = tmp_path / "t.parquet"  # overwritten by every example
    pq.write_table(table, path)
    expected = first_refused_singly(model, table)
    if expected is None:
        assert_same_as_models(read_judged(path, model).columns, model, table)
        return
    with pytest.raises(BadRow) as caught:
        read_judged(path, model)
    assert (caught.value.row, caught.value.reason) == expected


def assert_same_as_models(judged, model, table):
    rows = [model.model_validate(cells) for cells in table.to_pylist()]
    for field in model.model_fields:
        for found, row in zip(judged[field].tolist(), rows, strict=True):
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
                doubt = suspects(model, {name: _column(table.column(name)) for name in table.column_names})
                for cells, suspect in zip(table.to_pylist(), doubt, strict=True):
                    assert suspect or accepted(model, cells), cells


def accepted(model, cells):
    try:
        model.model_validate(cells)
    except pydantic.ValidationError:
        return False
    return True


GOOD_ROWS = st.sampled_from(
    [*(r for f, r in GOOD.items() if f != "menu"), {**SURGE, "weight": None, "min_tokens": 3}]
)


@given(st.lists(GOOD_ROWS, min_size=1, max_size=4))
def test_good_rows_of_smooth_families_are_beyond_doubt(rows):
    # Were they not, a million good rows would each be shown to the model, which takes minutes.
    columns = {}
    for field in QueryRow.model_fields:
        values = [row.get(field) for row in rows]
        missing = np.array([value is None for value in values])
        blank = "" if field in ("id", "family") else 0.0
        filled = [blank if value is None else value for value in values]
        columns[field] = Column(np.array(filled, dtype=object if blank == "" else float), missing)
    del columns["costs"], columns["values"]
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
