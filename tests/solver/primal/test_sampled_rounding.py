"""Whole caps of very many queries in one pass: within the pool, certified by a true bound."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support import strategies
from support.sampled_cases import sampled_case
from support.smooth_cases import (
    sampled_from,
)

import clear_alloc as ca
from clear_alloc.solver.pricing import clearing as pricer
from clear_alloc.solver.pricing.sampled import sampled_clearing
from clear_alloc.solver.primal.sampled_rounding import _greedy_by_ratio, _top_k_mask, sampled_solution


def test_the_largest_gains_are_as_many_as_there_are_tokens():
    rng = np.random.default_rng(3)
    for _ in range(40):
        gain = rng.integers(0, 5, 30).astype(float)
        for count in (0, 1, 7, 29, 30):
            marked = _top_k_mask(gain, count)
            assert marked.sum() == count
            assert gain[marked].min(initial=9.0) >= gain[~marked].max(initial=-1.0)


def test_the_best_buys_are_worth_most_per_unit_and_can_be_paid():
    rng = np.random.default_rng(4)
    for _ in range(40):
        gain, cost = np.maximum(rng.normal(size=30), 0.0), rng.uniform(0.1, 1.0, 30)
        left = float(rng.uniform(0, 0.9) * cost[gain > 0].sum())
        marked = _greedy_by_ratio(gain, cost, left)
        assert cost[marked].sum() <= left
        assert (gain[marked] > 0).all()
        rest = (gain > 0) & ~marked
        ratio = gain / cost
        assert ratio[marked].min(initial=np.inf) >= ratio[rest].max(initial=0.0)
        assert cost[marked].sum() + cost[rest][ratio[rest].argmax()] > left


@pytest.mark.parametrize("kind", strategies.SMOOTH)
@pytest.mark.parametrize("floor", [0, 1])
def test_caps_of_a_few_tokens_have_a_true_bound_as_well(kind, floor):
    """Of curves narrower than a token no whole cap may be worth its price: the floor is best then."""
    made_any = 0
    for seed in range(6):
        curves = strategies.draws(kind, 600, np.random.default_rng(seed), scale=2.0)
        market = strategies.market_of(curves, min_tokens=floor)
        pool = market.total_floor + math.floor(0.4 * float(curves.break_even.sum()))
        found = sampled_clearing(market, pool)
        made = found and sampled_solution(pricer.cleared(found[0]), found[1], pool)
        if made:
            made_any += 1
            assert made.dual_value == pytest.approx(market.dual_bound(found[0].high, pool), rel=1e-12)
            assert made.solution.utility <= made.dual_value * (1 + 1e-12)
    assert made_any


@pytest.mark.parametrize("most", [60, 200, 900])
def test_no_quick_cap_passes_its_ceiling(most):
    """Where everybody funded is at a ceiling, what is left has nowhere to go."""
    curves = strategies.draws(strategies.LOGNORMAL, 800, np.random.default_rng(1))
    market = strategies.market_of(curves, max_tokens=most)
    for pool in np.floor(np.linspace(0.3, 0.95, 12) * most * 800):
        found = sampled_clearing(market, float(pool))
        made = found and sampled_solution(pricer.cleared(found[0]), found[1], float(pool))
        if made:
            assert (made.solution.decisions[0] <= market.divisible.last_whole).all()
            assert made.solution.decisions[0].sum() <= pool
        with sampled_from(50):
            ca.allocate(curves, pool, max_tokens=most).audit()


@pytest.mark.parametrize("family", strategies.SMOOTH)
@pytest.mark.parametrize("floor", [0, 25])
def test_the_certificate_is_the_markets_own_dual_value(family, floor):
    market, pool, clearing, made = sampled_case(family=family, min_tokens=floor)
    assert made.dual_value == pytest.approx(market.dual_bound(clearing.price, pool), rel=1e-13)
    assert made.solution.utility == pytest.approx(
        float(market.divisible.curves.utility(made.solution.decisions[0]).sum()), rel=1e-13
    )
    assert made.solution.decisions[0].sum() == pool
    assert made.solution.utility <= made.dual_value
    assert (made.solution.decisions[0] == np.floor(made.solution.decisions[0])).all()
    assert ((made.solution.decisions[0] == floor) | (made.solution.decisions[0] >= market.divisible.least)).all()


@pytest.mark.parametrize("accounting", ["reserved", "expected"])
def test_leftovers_beyond_one_token_each_are_spent_at_one_lower_price(accounting):
    """And caps that don't fit the pool are nobody's: the plain path takes over."""
    market, pool, clearing, _ = sampled_case(family=strategies.LOGNORMAL, accounting=accounting, overrun=0.5)
    _, found = sampled_clearing(market, pool)
    more = sampled_solution(clearing, found, 1.02 * pool // 1)
    spent = market.divisible.charge(more.solution.decisions[0]).sum()
    assert 1.02 * pool // 1 - 1.0 < spent <= 1.02 * pool // 1
    assert more.dual_value == pytest.approx(market.dual_bound(clearing.price, 1.02 * pool // 1), rel=1e-13)
    side, caps = market.divisible, more.solution.decisions[0]
    inside = (caps > 1_000) & (caps > side.start + 2) & (caps < side.last_whole - 2)
    marginal = side.charged.efficiency(caps)[inside]
    assert inside.sum() > 1_000
    assert np.quantile(marginal, 0.99) / np.quantile(marginal, 0.01) < 1.2
    assert sampled_solution(clearing, found, pool - 5_000.0) is None
