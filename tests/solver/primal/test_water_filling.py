"""A funded set filled: refused where it cannot be paid, whole tokens, leftovers where they are worth most."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import integer_programme
from support import strategies, tolerances

import clear_alloc as ca
from clear_alloc.solver.pricing.clearing import clearing_price
from clear_alloc.solver.primal.solution import (
    evaluate,
    total_charge,
)
from clear_alloc.solver.primal.water_filling import greedy_funded_set, refill_funded


def test_a_plan_that_cannot_be_paid_is_refused():
    market = strategies.market_of(ca.ShiftedSurge([100, 200], 50, 0.5))
    both = (np.array([1, 1]),)
    assert refill_funded(market, both, 299, 1e-3) is None
    assert refill_funded(market, both, 300, 1e-3).decisions[0].sum() <= 300
    menu = strategies.market_of(ca.Menu([[10, 30]], [[0.1, 0.2]]))
    assert refill_funded(menu, (np.array([1]),), 29, 1e-3) is None
    assert refill_funded(menu, (np.array([1]),), 30, 1e-3).utility == 0.2


@pytest.mark.parametrize("seed", range(5))
def test_the_greedy_plan_can_always_be_paid_and_filled(seed):
    rng = np.random.default_rng(seed)
    curves = ca.concatenate([strategies.column(family, 20, rng) for family in strategies.FAMILIES])
    curves = ca.concatenate([curves, curves, curves])
    for floors in (0, 10):
        market = strategies.market_of(curves, 0)
        if floors:
            market = strategies.market_of(curves, np.where(np.arange(len(curves)) % 80 < 60, 10, 0), 5000)
        for budget in (2_500, 20_000, 90_000):
            clearing = clearing_price(market, budget)
            grant = refill_funded(market, greedy_funded_set(market, clearing, budget), budget, clearing.price)
            spent = total_charge(market, grant)
            assert spent <= budget
            assert spent >= budget - 200  # idle tokens are too few for anybody
            assert grant.utility == evaluate(market, grant.decisions).utility


def test_leftovers_go_to_the_one_use_where_they_are_worth_most():
    """Nobody is funded, and 70 tokens are left: they climb the convex part of one curve, or buy an option."""
    slow = ca.LognormalArrival([100, 90, 400], 0.3, [0.5, 0.5, 0.9])
    market = strategies.market_of(ca.concatenate([slow, ca.Menu([[69], [71]], [[1e-6], [0.9]])]))
    idle = (np.zeros(3, dtype=int), np.array([-1, -1]))
    grant = refill_funded(market, idle, 70, 1e-3)
    assert grant.decisions[0].tolist() == [0, 70, 0]
    assert grant.decisions[1].tolist() == [-1, -1]
    with_option = refill_funded(market, idle, 71, 1e-3)
    assert with_option.decisions[0].tolist() == [0, 0, 0]
    assert with_option.decisions[1].tolist() == [-1, 0]
    both = refill_funded(market, idle, 160, 1e-3)
    assert both.decisions[1].tolist() == [-1, 0]
    assert both.decisions[0].tolist() == [0, 89, 0]
    upgraded = refill_funded(
        strategies.market_of(ca.Menu([[10, 30, 60]], [[0.5, 0.6, 0.7]])),
        (np.array([0]),),
        55,
        1.0,
    )
    assert upgraded.decisions[0].tolist() == [1]


def test_leftovers_respect_ceilings_and_stop_where_nothing_is_gained():
    market = strategies.market_of(ca.ShiftedSurge([0, 100], 50, 0.5), max_tokens=40)
    grant = refill_funded(market, (np.array([1, 0]),), 1000, 1e-3)
    assert grant.decisions[0].tolist() == [40, 0]


def test_plans_within_the_funded_set_reach_the_integer_optimum():
    """On the concave branches alone nothing is lost: whole tokens against the dynamic programme."""
    rng = np.random.default_rng(1)
    for _ in range(30):
        n = int(rng.integers(1, 7))
        curves = ca.ShiftedSurge(np.zeros(n), rng.uniform(1, 40, n), rng.uniform(0.1, 1, n))
        market = strategies.market_of(curves)
        budget = float(rng.integers(1, 1 + int(np.ceil(curves.ceiling).sum())))
        grant = refill_funded(market, (np.ones(n, dtype=int),), budget, 1e-2)
        best = integer_programme.best_utility(curves.to_records(), int(budget))
        assert grant.utility == pytest.approx(best, rel=tolerances.ROUNDING)
