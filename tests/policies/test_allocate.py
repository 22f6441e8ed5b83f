"""`allocate`: promises that hold whatever its parts do, and a price in place of a budget."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from oracles import milp
from support import strategies, tolerances
from support.listed_choices import KNOWN, instances
from support.refusals import refused

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


GOOD = ca.ShiftedSurge([100, 200, 300], 50, 0.5)


MENU = ca.Menu([[0, 80, 600], [80, 600], [600]], [[0.1, 0.2, 0.9], [0.3, 0.8], [0.5]])


NAN, INF = float("nan"), float("inf")


PRICED = {
    "tokens": (strategies.FAMILIES, {}),
    "levels": (strategies.FAMILIES, {"levels": "any"}),
    "floors": (strategies.FAMILIES, {"floors": True}),
    "fallbacks": (strategies.FAMILIES, {"levels": "any", "fallback": True}),
    "money": (strategies.FAMILIES, {"money": True}),
    "expected": ((*KNOWN, strategies.MENU), {"expected": True}),
}


@pytest.mark.parametrize("kind", PRICED)
def test_at_a_price_every_query_takes_what_is_best_for_it(kind):
    families, terms = PRICED[kind]
    rng = np.random.default_rng(15)
    for one in instances(15, 12, families, **terms, queries=5, scale=25.0):
        spent, everything = [], [c for options in one.lists for c in options]
        scale = sum(c.value for c in everything) / sum(c.charge for c in everything)
        for price in [0.0, *np.sort(scale * np.exp(rng.normal(0, 1.5, 4))), 1e6 * scale]:
            result = ca.allocate(strategies.build(one.records), price=price, **one.terms)
            result.audit()
            assert result.status is ca.Status.PRICED
            assert (result.price, result.margin) == (price, 0.0)
            assert result.budget == result.spent == pytest.approx(result.charges.sum(), rel=1e-12)
            worth = [milp.best_at(options, price) for options in one.lists]
            gained = result.utility - price * result.spent
            slack = tolerances.SATURATION * sum(max(c.value for c in options) for options in one.lists)
            assert gained == pytest.approx(math.fsum(worth), rel=1e-9, abs=slack)
            assert result.gap <= 1e-9 * result.utility + slack + tolerances.ROUNDING * price * result.spent
            spent.append(result.spent)
        assert (np.diff(spent) <= 1e-9 * spent[0]).all()
        assert spent[-1] == pytest.approx(sum(rest.charge for rest in map(resting, one.lists)), rel=1e-9, abs=1e-12)


def resting(options):
    return min(options, key=lambda c: (c.charge, -c.value))


def test_the_price_of_a_budget_spends_about_the_budget():
    rng = np.random.default_rng(16)
    for family in strategies.FAMILIES:
        curves = strategies.column(family, 2000, rng)
        for terms in ({}, {"rate": rng.uniform(1, 3, 2000)}, {"rate": 0.25}):
            given = ca.allocate(curves, 200_000, **terms)
            asked = ca.allocate(curves, price=given.price, **terms)
            asked.audit()
            assert asked.spent == pytest.approx(given.spent, rel=0.01)
            assert asked.price == given.price
            assert asked.utility <= given.upper_bound + given.price * max(asked.spent - 200_000, 0) + 1e-9
            dearer = ca.allocate(curves, price=given.price * 1.1, **terms)
            assert dearer.spent < asked.spent


def test_a_price_for_nobody_and_for_everybody():
    for curves, spent in ((GOOD, 750), (MENU, 1800)):
        free = ca.allocate(curves, price=0)
        assert (free.spent, free.status) == (spent, ca.Status.PRICED)
        assert ca.allocate(curves, price=1e9).spent == 0
        assert "PRICED_OUT" in {reason.name for reason in ca.allocate(curves, price=1e9).reasons}
    nobody = ca.allocate(GOOD[:0], price=3.0)
    nobody.audit()
    assert (nobody.spent, nobody.status) == (0, ca.Status.EMPTY)
    assert ca.allocate(GOOD, price=1e9, min_tokens=[0, 3, 0], fallback=[2, 2, 9]).tokens.tolist() == [2, 3, 9]
    assert ca.allocate(GOOD, price=0.004, rate=2.0).tokens.tolist() == ca.allocate(GOOD, price=0.008).tokens.tolist()


def test_a_budget_or_a_price_but_not_both():
    with pytest.raises(ca.InvalidArgument) as caught:
        ca.allocate(GOOD, 100, price=0.1)
    refused(caught, "price", None, 0.1, "absent beside a budget")
    with pytest.raises(ca.InvalidArgument) as caught:
        ca.allocate(GOOD)
    refused(caught, "budget", None, None, "a finite number of tokens, >= 0")


@pytest.mark.parametrize("bad", [-1.0, NAN, INF, [1.0, 2.0], {}, 1j, "1", True])
def test_bad_prices(bad):
    for argument in ("price", "start"):
        with pytest.raises(ca.InvalidArgument) as caught:
            ca.allocate(GOOD, **{"budget": None if argument == "price" else 100, argument: bad})
        assert caught.value.argument == argument
