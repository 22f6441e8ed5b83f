"""Sweeps of budgets: where they start and end, and what they say."""

from __future__ import annotations

import numpy as np
import pytest

import clear_alloc as ca
from clear_alloc.policies.frontier import frontier, lavish_budget, saturation_budget, scarce_budget

SURGES = ca.ShiftedSurge([100, 400, 700, 6000], [80, 200, 300, 900], [0.9, 0.8, 0.6, 0.7])
SLOW = ca.LognormalArrival([200, 900, 3000], [0.5, 0.7, 0.4], [0.9, 0.5, 0.3])
MENU = ca.Menu([[10, 300], [50]], [[0.2, 0.5], [0.4]])
EVERY = {"surges": SURGES, "slow": SLOW, "menu": MENU, "mixed": ca.concatenate([SURGES, MENU, SLOW])}


@pytest.mark.parametrize("curves", EVERY.values(), ids=EVERY)
def test_a_default_sweep_runs_from_somebody_funded_to_everybody_saturated(curves):
    swept = frontier(curves, points=9)
    assert 2 <= len(swept) <= 9
    assert (np.diff(swept.budget) > 0).all()
    assert (np.diff(swept.utility) >= 0).all()
    assert (np.diff(swept.price) <= 0).all()
    assert 0 < swept.funded_share[0] <= swept.funded_share[-1] == 1
    assert swept.price[-1] == 0
    assert swept.utility[-1] == pytest.approx(curves.utility(curves.ceiling).sum())
    assert (swept.gap >= 0).all()
    np.testing.assert_allclose(swept.gap, swept.upper_bound - swept.utility, atol=1e-15)
    assert (swept.spent <= swept.budget).all()


def test_landmarks_are_those_of_the_curves():
    assert saturation_budget(SURGES) == 180 + 600 + 1000 + 6900
    # One of four queries is more than 2 % of them: the cheapest one, at its break-even cap.
    best = SURGES[:1]
    assert scarce_budget(SURGES) == np.ceil(best.break_even[0])
    assert scarce_budget(SURGES) < lavish_budget(SURGES) <= saturation_budget(SURGES)
    assert lavish_budget(SLOW) < 0.3 * saturation_budget(SLOW)


def test_given_budgets_are_answered_in_their_order():
    swept = frontier(SURGES, [1000, 0, 300.5])
    assert swept.budget.tolist() == [1000, 0, 300.5]
    for budget, utility, price in zip(swept.budget, swept.utility, swept.price, strict=True):
        result = ca.allocate(SURGES, budget)
        assert (result.utility, result.price) == (utility, price)


def test_another_policy_can_be_swept_on_the_same_budgets():
    ours, theirs = frontier(SURGES), frontier(SURGES, policy=ca.uniform)
    np.testing.assert_array_equal(ours.budget, theirs.budget)
    assert (ours.utility >= theirs.utility).all()
    assert ours.utility[1] > theirs.utility[1]


def test_options_reach_the_policy_and_floors_the_default_budgets():
    swept = frontier(SURGES, min_tokens=50, max_tokens=120)
    assert swept.budget[0] == 200 + 70  # the floors, and what lifts the first query to its ceiling
    # Only the first surge rises below 120 tokens; the others stay at their floor.
    assert swept.spent[-1] == 120 + 3 * 50


def test_progress_is_told_of_every_budget():
    seen = []
    frontier(SURGES, [1, 2, 3], track=lambda budgets: (seen.append(b) or b for b in budgets))
    assert seen == [1, 2, 3]


def test_no_queries_give_an_empty_market_at_every_budget():
    swept = frontier(ca.ShiftedSurge([], [], []), [5, 10])
    assert swept.utility.tolist() == swept.funded_share.tolist() == [0, 0]
    assert len(frontier(ca.ShiftedSurge([], [], []))) == 1


def test_columns_are_plain():
    columns = frontier(SURGES, [5, 900]).to_columns()
    assert list(columns) == ["budget", "spent", "utility", "upper_bound", "gap", "price", "funded_share"]
    assert {type(value) for values in columns.values() for value in values} == {float}


def test_refusals():
    with pytest.raises(ca.InvalidArgument, match="points is 1; allowed: at least 2"):
        frontier(SURGES, points=1)
    with pytest.raises(ca.InvalidArgument, match="budget is -1"):
        frontier(SURGES, [-1])
