"""Promises of `allocate` that hold whatever its parts do."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from support import strategies

import clear_alloc as ca
from clear_alloc.solver.primal.solution import floor_solution

MODULE = sys.modules["clear_alloc.solver.solve"]

STAGGERED = ca.ShiftedSurge(threshold=[100.0, 900.0], width=[10.0, 90.0], peak=0.9)
ALIKE_BUT_FOR_THE_THRESHOLD = ca.LognormalArrival(median=[300.0, 300.0, 6000.0], spread=0.1, solvability=0.9)


@pytest.mark.parametrize(
    ("curves", "budget", "better"),
    [(STAGGERED, 1100, "proportional"), (ALIKE_BUT_FOR_THE_THRESHOLD, 1200, "uniform")],
)
def test_a_rival_wins_where_the_repair_fails(monkeypatch, curves, budget, better):
    monkeypatch.setattr(MODULE, "_repaired", lambda market, *_: floor_solution(market))
    rivals = {"uniform": ca.uniform(curves, budget), "proportional": ca.proportional(curves, budget)}
    assert max(rivals, key=lambda name: rivals[name].utility) == better
    with strategies.repair_only():
        result = ca.allocate(curves, budget)
    result.audit()
    assert result.utility == rivals[better].utility


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.999])
@pytest.mark.parametrize("budget", [300, 1300, 2500])
def test_fractions_of_a_token_buy_nothing_and_change_no_price(budget, fraction):
    curves = ca.LognormalArrival(np.linspace(20, 90, 12), 0.4, 0.7)
    whole, more = ca.allocate(curves, budget), ca.allocate(curves, budget + fraction)
    assert ca.allocate(curves, 2501).price < ca.allocate(curves, 2500).price  # where a token would change it
    assert more.price == whole.price
    assert (more.tokens == whole.tokens).all()
    assert more.upper_bound == whole.upper_bound
    assert more.spent <= budget < more.budget


@pytest.mark.parametrize("budget", [50, 300, 1300])
def test_the_bound_is_at_most_the_dual_value_at_the_price(budget):
    curves = ca.LognormalArrival(np.linspace(20, 90, 12), 0.4, 0.7)  # small: solved exactly, and still certified
    result = ca.allocate(curves, budget)
    caps = curves.demand(result.price)
    dual = result.price * budget + (curves.utility(caps) - result.price * caps).sum()
    assert result.utility <= result.upper_bound <= dual * (1 + 1e-12)


def test_queries_bring_their_own_terms():
    """Levels, prices, fallbacks and expected costs on some of the objects, as on the arguments."""
    menus = [
        ca.Query(
            id="a", family="menu", costs=[200, 900], values=[0.3, 0.9], rate=1, expected=[100, 300], fallback=250
        ),
        ca.Query(id="b", family="menu", costs=[700], values=[0.8], rate=2),
        ca.Query(id="c", family="lognormal", median=300, spread=0.5, solvability=0.9, rate=1, levels=[0, 256, 1024]),
    ]
    expected, deviation = [[100, 300], [700]], [[0, 0], [0]]
    curves = ca.concatenate(
        [
            ca.Menu([[200, 900], [700]], [[0.3, 0.9], [0.8]], expected=expected, deviation=deviation),
            ca.LognormalArrival(300, 0.5, 0.9),
        ]
    )
    terms = {"rate": [1, 2, 1], "fallback": [250, 0, 0], "levels": [None, None, [0, 256, 1024]]}
    for budget in (250, 450, 700, 1900, 2500):
        for how in ({}, {"accounting": "expected", "overrun": 0.5}):
            one, other = ca.allocate(menus, budget, **how), ca.allocate(curves, budget, **how, **terms)
            one.audit()
            assert one.tokens.tolist() == other.tokens.tolist()
            assert (one.spent, one.utility) == (other.spent, other.utility)
            assert one.tokens[0] in (200, 900)
    with pytest.raises(ca.InvalidArgument, match=r"levels is 'given for all, and by queries of their own'"):
        ca.allocate(menus, 2500, levels={0, 512})
    with pytest.raises(ca.InvalidArgument, match=r"rate\[0\] is None; allowed: a price, as other queries have"):
        ca.allocate([ca.Query(id="d", family="menu", costs=[5], values=[0.1]), *menus], 2500)
