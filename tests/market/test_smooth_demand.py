"""Demand of smooth curves: limits, parts of columns, sums in blocks, the best caps at a price."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import strategies, tolerances
from support.laws import examples
from support.smooth_cases import (
    COLUMNS,
    KINDS,
    LIMITS,
    case_of,
)

from clear_alloc.market import smooth_demand
from clear_alloc.support import parallel as blocks


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_known_of_all_is_known_of_some(kind, limits):
    """Exact: a part's columns are the same whether all were computed before, after, in blocks or never."""
    curves, terms, rng = case_of(kind, limits)
    n = len(curves)
    known = strategies.market_of(curves, **terms).divisible
    columns = {name: getattr(known, name) for name in COLUMNS}
    parts = (slice(7, 31), slice(0, n), slice(3, 4), np.sort(rng.permutation(n)[:20]), rng.permutation(n)[:5])
    parts += (np.empty(0, dtype=np.intp), np.array([4, 4, 9]))
    for rows in parts:
        before, after = strategies.market_of(curves, **terms).divisible.take(rows), known.take(rows)
        for name, column in columns.items():
            assert np.array_equal(getattr(before, name), column[rows]), name
            assert np.array_equal(getattr(after, name), column[rows]), name
        price = float(np.median(columns["entry_price"]))
        for method in ("demand_if_funded", "demand", "best_at", "surplus"):
            assert np.array_equal(getattr(before, method)(price), getattr(known, method)(price)[rows]), method
        # Parts of parts, of a side that knows something already and of one that doesn't.
        again = np.arange(len(before))[::-2]
        assert np.array_equal(after.take(again).start, columns["start"][rows][again])
        assert np.array_equal(before.take(again).entry_price, columns["entry_price"][rows][again])
    with strategies.patched(blocks, "BLOCK", 17), strategies.patched(smooth_demand, "BLOCK", 17):
        assert np.array_equal(strategies.market_of(curves, **terms).divisible.entry_price, columns["entry_price"])


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("kind", KINDS)
def test_limits_hold_whether_or_not_they_were_looked_at(kind, limits):
    curves, terms, _ = case_of(kind, limits, seed=1)
    side = strategies.market_of(curves, **terms).divisible
    low = np.maximum(side.floor, side.low)
    free = (side.high >= 2.0**53).all() and (low == 0).all()
    assert free or not side._unlimited
    assert side._unlimited == (not set(terms) & {"min_tokens", "max_tokens", "levels", "fallback"})
    ceiling = side.curves.ceiling
    assert np.array_equal(side.least, low)
    assert np.array_equal(side.stop, np.clip(ceiling, low, side.high))
    assert np.array_equal(side.last_whole, np.clip(np.ceil(ceiling), low, side.high))
    begins = side.curves.branch_start(side.charged.accounting)
    assert np.array_equal(side.start, np.clip(begins, low, side.stop))
    assert np.array_equal(side.floor_value, side.curves.utility(side.floor))
    assert np.array_equal(side.floor_charge, side.charge(side.floor))
    # The price of entry is the steepest slope from the floor to a feasible cap.
    caps = low + (side.stop - low) * np.linspace(0, 1, 4_001)[1:, None] ** 2
    run = side.charge(caps) - side.floor_charge
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(run > 1e-6, (side.curves.utility(caps) - side.floor_value) / run, 0.0).max(axis=0)
    seen = slopes * side.stop > 1e-9  # less is rounding, of what remains of a curve above all
    assert seen.sum() > 30
    assert (side.entry_price >= slopes * (1 - 1e-9))[seen].all()
    assert side.entry_price[seen] == pytest.approx(slopes[seen], rel=2e-2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("accounting", ["reserved", "expected"])
def test_totals_are_sums_whatever_the_blocks(kind, accounting):
    curves, terms, rng = case_of(kind, {"accounting": accounting, "rate": "own", "call": 3.0})
    side = strategies.market_of(curves, **terms).divisible
    caps = np.floor(rng.uniform(0, 1_500, len(side))) * (rng.random(len(side)) < 0.6)
    caps[20:40] = 0.0
    asks = ("charge", "variance", "third_moment", "worst")
    if kind == "after" and accounting == "expected":
        asks = (asks[0], asks[1], asks[3])
    plain = [float(getattr(side.charged, ask)(caps).sum()) for ask in asks]
    assert side.totals(caps, *asks) == plain
    for block in (1, 7, 20, len(side) - 1, len(side)):
        with strategies.patched(blocks, "BLOCK", block), strategies.patched(smooth_demand, "BLOCK", block):
            assert side.totals(caps, *asks) == pytest.approx(plain, rel=1e-12)
            assert side.largest_variance(caps) == side.charged.variance(caps).max()
    nobody = np.zeros(len(side))
    with strategies.patched(blocks, "BLOCK", 7), strategies.patched(smooth_demand, "BLOCK", 7):
        assert side.totals(nobody, *asks) == [0.0] * len(asks)
        assert side.largest_variance(nobody) == 0.0


@given(
    st.lists(strategies.smooth_records(), min_size=1, max_size=5),
    st.integers(0, 300),
    st.integers(1, 900),
    st.floats(0, 1.2),
)
@examples(100)
def test_demand_between_floor_and_ceiling_has_the_highest_surplus(records, floor, room, share):
    """Each query alone, against a grid of all allowed caps, at a price below and above its entry price."""
    curves = strategies.build(records)
    side = strategies.market_of(curves, floor, floor + room).divisible
    caps = np.linspace(floor, floor + room, 2 * room + 1)[:, None]
    values, base = curves.utility(caps), curves.utility(float(floor))
    with np.errstate(invalid="ignore", divide="ignore"):
        steepest = np.where(caps > floor, (values - base) / (caps - floor), 0.0).max(axis=0)
    slack = 2 * tolerances.SATURATION * curves.utility(1e60)
    assert (side.entry_price * (caps - floor) >= values - base - slack).all()
    for price in (share * float(np.max(side.entry_price)), float(np.max(steepest)) * 0.5):
        wanted = side.demand(price)
        assert (wanted >= floor).all()
        assert (wanted <= floor + room).all()
        surplus = curves.utility(wanted) - price * wanted
        assert (surplus >= (values - price * caps).max(axis=0) - slack).all()
        whole = np.arange(floor, floor + room + 1.0)[:, None]
        best = (curves.utility(whole) - price * whole).max(axis=0)
        assert (side.surplus(price) >= best - slack).all()
        assert (side.surplus(price) <= best + slack).all()
