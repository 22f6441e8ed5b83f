"""Kinds of cell: numbers in many spellings, prices, levels."""

from __future__ import annotations

import numpy as np
import pytest
from support.rows import GOOD, SURGE, admits, refused

from clear_alloc.market.read_limits import read_feasible
from clear_alloc.market.tariff import read_tariff
from clear_alloc.schema import (
    Query,
    QueryRow,
)


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


def test_numbers_may_come_from_numpy():
    query = Query(**{**SURGE, "threshold": np.int64(900), "width": np.float32(250), "id": np.int32(7)})
    assert (query.threshold, query.width, query.id) == (900.0, 250.0, "7")
    menu = Query(id="m", family="menu", costs=np.array([1, 2]), values=np.array([0.5, 0.6]))
    assert menu.costs == (1.0, 2.0)
