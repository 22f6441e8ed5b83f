"""The rivals: the caps that their definitions ask for, under the same limits, with the same result."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import strategies, tolerances
from support.laws import examples

import clear_alloc as ca

SURGES = ca.ShiftedSurge([100, 400, 900], [200, 300, 50], [0.9, 0.8, 0.7])
BASELINES = (ca.uniform, ca.proportional, ca.cutoff_plus_pad, ca.exact)
every = pytest.mark.parametrize("policy", BASELINES, ids=lambda policy: policy.__name__)


def test_uniform_is_one_cap_for_everybody():
    assert ca.uniform(SURGES, 602).tokens.tolist() == [200, 200, 200]
    # A ceiling of 300: the rest is not passed on, which is what makes it a naive rival.
    assert ca.uniform(SURGES, 1500).tokens.tolist() == [300, 500, 500]
    assert ca.uniform(SURGES, 2).tokens.tolist() == [0, 0, 0]
    assert ca.uniform(SURGES, 602.9).budget == 602.9


def test_uniform_between_floors_and_ceilings():
    result = ca.uniform(SURGES, 1000, min_tokens=[0, 550, 0], max_tokens=[150, 10**6, 10**6])
    assert result.tokens.tolist() == [150, 550, 300]
    assert ca.uniform(SURGES, 555, min_tokens=[0, 550, 0]).tokens.tolist() == [2, 550, 2]


def test_uniform_buys_the_best_option_within_the_cap():
    menu = ca.Menu([[10, 30, 50], [60], [40, 20]], [[0.1, 0.3, 0.2], [0.9], [0.4, 0.5]])
    result = ca.uniform(menu, 150)
    assert result.tokens.tolist() == [30, 0, 20]
    assert result.choice.tolist() == [1, -1, 1]


def test_proportional_follows_the_thresholds():
    assert ca.proportional(SURGES, 1400).tokens.tolist() == [100, 400, 900]
    assert ca.proportional(SURGES, 700).tokens.tolist() == [50, 200, 450]
    assert ca.proportional(SURGES, 700, min_tokens=[90, 0, 0]).tokens[0] == 90
    medians = ca.LognormalArrival([100, 300], 0.5, 0.5)
    assert ca.proportional(medians, 200).tokens.tolist() == [50, 150]
    menu = ca.Menu([[0, 10, 40], [90]], [[0, 0.1, 0.9], [0.5]])
    assert ca.proportional(menu, 100).tokens.tolist() == [10, 90]  # by the cheapest option worth anything


def test_proportional_is_uniform_where_no_threshold_says_anything():
    curves = ca.ShiftedSurge(np.zeros(4), 100, 0.5)
    assert ca.proportional(curves, 82).tokens.tolist() == ca.uniform(curves, 82).tokens.tolist() == [20] * 4
    tiny = ca.ShiftedSurge([0, 5e-324], 100, 0.5)
    assert ca.proportional(tiny, 50).tokens.tolist() == [0, 50]


def test_cutoff_plus_pad_funds_the_lowest_thresholds_with_one_pad():
    """At 640 tokens two queries can be funded: with 100 + pad and 400 + pad, and the best pad is near 70."""
    result = ca.cutoff_plus_pad(SURGES, 640)
    pad = result.tokens[0] - 100
    assert result.tokens.tolist() == [100 + pad, 400 + pad, 0]
    assert 60 <= pad <= 70
    by_hand = max(
        SURGES[:2].utility([100.0 + p, 400.0 + p]).sum() if 500 + 2 * p <= 640 else SURGES.utility(100.0 + p)[0]
        for p in range(1, 201)
    )
    assert by_hand * 0.95 <= result.utility <= by_hand  # neighbouring pads are 6 % apart


def test_cutoff_plus_pad_stops_at_the_first_that_does_not_fit():
    curves = ca.ShiftedSurge([100, 500, 500.5], [10, 10, 10], [0.5, 0.5, 0.5])
    result = ca.cutoff_plus_pad(curves, 621)
    assert result.tokens.tolist() == [110, 510, 0] or result.utility >= 0.99
    assert ca.cutoff_plus_pad(curves, 99).spent <= 99


def test_exact_beats_every_split_of_three():
    best = max(
        SURGES.utility(np.array([a, b, 700 - a - b], dtype=float)).sum()
        for a in range(0, 301, 1)
        for b in range(0, min(701 - a, 701), 7)
    )
    result = ca.exact(SURGES, 700)
    assert result.utility >= best
    assert result.price > 0


def test_exact_refuses_large_cases_and_says_what_to_do():
    many = ca.ShiftedSurge(np.full(1000, 1000), 1000, 0.5)
    with pytest.raises(ca.TooLarge, match=r"needs 1,000 smooth curves, the limit is 512; use ca\.allocate"):
        ca.exact(many, 10**6)


@every
@given(case=strategies.markets(), floor=st.integers(0, 40), data=st.data())
@examples(30)
def test_every_rival_keeps_budget_floors_and_ceilings(policy, case, floor, data):
    records, budget = case
    n = len(records)
    floors = [data.draw(st.sampled_from([0, floor])) for _ in records]
    ceilings = [floor + data.draw(st.sampled_from([0, 17, 250])) for _ in records]
    rows = zip(records, floors, ceilings, strict=True)
    floors = [strategies.payable(record, low, high) for record, low, high in rows]
    budget += sum(strategies.least_cost(record, low) for record, low in zip(records, floors, strict=True))
    result = policy(strategies.build(records), budget, min_tokens=floors, max_tokens=ceilings, ids=range(n))
    result.audit()
    assert result.policy == policy.__name__
    assert result.ids == tuple(range(n))
    assert sum(result.tokens.tolist()) <= budget
    assert (result.tokens >= floors).all()
    assert (result.tokens <= ceilings).all()
    assert result.upper_bound >= result.utility
    assert np.isnan(result.price) == (policy is not ca.exact)
    ours = ca.allocate(strategies.build(records), budget, min_tokens=floors, max_tokens=ceilings)
    assert result.utility <= ours.utility + ours.gap + tolerances.ROUNDING * max(1.0, ours.utility)


@every
def test_nothing_to_share_is_no_error(policy):
    for nobody in ([], SURGES[:0], ca.Menu([], [])):
        empty = policy(nobody, 100)
        empty.audit()
        assert (len(empty), empty.utility, empty.spent, empty.status) == (0, 0, 0, ca.Status.EMPTY)
    for curves in (SURGES, ca.Menu([[5]], [[0.5]])):
        nothing = policy(curves, 0)
        nothing.audit()
        assert nothing.tokens.tolist() == [0] * len(curves)
        assert not nothing.funded.any()


def test_every_rival_is_worth_less_than_the_price_on_scarce_tokens():
    """The reason for this library: a third of the break-even sum, a thousand different queries."""
    rng = np.random.default_rng(0)
    for family in strategies.SMOOTH:
        curves = strategies.draws(family, 1000, rng)
        budget = int(curves.break_even.sum() / 3)
        ours = ca.allocate(curves, budget).utility
        for policy in (ca.uniform, ca.proportional, ca.cutoff_plus_pad):
            assert policy(curves, budget).utility < 0.97 * ours
