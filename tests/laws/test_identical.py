"""Ties: n identical queries are split as well as they can be, as if their prices were not all the same."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import integer_programme
from support import strategies, tolerances

import clear_alloc as ca

ONE = {
    "surge": {"family": strategies.SURGE, "threshold": 100.0, "width": 60.0, "peak": 0.8},
    "surge from 0": {"family": strategies.SURGE, "threshold": 0.0, "width": 60.0, "peak": 0.8},
    "steep surge": {"family": strategies.SURGE, "threshold": 100.0, "width": 1.5, "peak": 0.8},
    "step": {"family": strategies.SURGE, "threshold": 100.0, "width": 1e-9, "peak": 0.8},
    "steep cumulative": {"family": strategies.CUMULATIVE, "threshold": 100.2, "width": 0.02, "solvability": 0.6},
    "late surge": {"family": strategies.SURGE, "threshold": 97.3, "width": 4000.0, "peak": 0.8},
    "cumulative": {"family": strategies.CUMULATIVE, "threshold": 80.5, "width": 15.0, "solvability": 0.6},
    "log-normal": {"family": strategies.LOGNORMAL, "median": 90.0, "spread": 0.4, "solvability": 0.9},
    "wide log-normal": {"family": strategies.LOGNORMAL, "median": 90.0, "spread": 1.5, "solvability": 0.9},
    "menu": {"family": strategies.MENU, "costs": [150.5], "values": [0.7]},
    "menu of three": {"family": strategies.MENU, "costs": [40, 90, 155], "values": [0.12, 0.55, 0.9]},
    "free menu": {"family": strategies.MENU, "costs": [0, 90, 155], "values": [0.1, 0.55, 0.9]},
}


def equal_splits(record, n, budget):
    """Optimum for n identical smooth queries: m share the budget as evenly as whole tokens allow, the rest get none.

    Whoever is funded stands on the concave branch, but for one, who may stand on the convex branch: so the best of
    m equal shares, with and without one query that gets any other cap.
    """
    if record["family"] == strategies.MENU:
        return menu_splits(record, n, budget)
    top = int(np.ceil(strategies.build([record]).ceiling[0])) + 1
    value = strategies.build([record]).utility(np.arange(min(budget, top) + 1.0)[:, None])[:, 0]

    def equal(m, pool):
        share, more = divmod(pool, m)
        low, high = (value[min(cap, len(value) - 1)] for cap in (share, share + 1))
        return (m - more) * low + more * high

    best = value[-1]
    for m in range(1, n + 1):
        best = max(best, equal(m, budget))
        if m < n:
            odd = np.unique(np.linspace(0, len(value) - 1, 60).astype(int))
            best = max(best, *(value[cap] + equal(m, budget - cap) for cap in odd))
    return best


def menu_splits(record, n, budget):
    """Optimum for n identical menus by Bellman's recursion over the number of queries used."""
    free = integer_programme.utility(record, 0)
    caps = [
        cap
        for cap in integer_programme.allowed_caps(record, 0, budget)
        if integer_programme.utility(record, cap) > free
    ]
    best = np.zeros(budget + 1)
    for _ in range(min(n, budget // min(caps, default=budget + 1))):
        new = best.copy()
        for cap in caps:
            np.maximum(
                new[cap:], best[: budget + 1 - cap] + integer_programme.utility(record, cap) - free, out=new[cap:]
            )
        best = new
    return n * free + best[-1]


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("n", [2, 3, 7, 40, 250, 1000])
def test_as_many_identical_queries_are_funded_as_fit(name, n):
    """Within a thousandth of the optimum, at budgets that fit one, some and nearly all of the queries."""
    record = ONE[name]
    one = strategies.build([record])
    usual = one.ceiling if record["family"] == strategies.MENU else one.break_even
    for fit in sorted({1, 2, (n + 1) // 2, n - 1}):
        for slack in (0.0, 0.45, 0.97):
            budget = int((fit + slack) * np.ceil(usual[0] + 1e-9))
            result = ca.allocate(strategies.build([record] * n), budget)
            best = equal_splits(record, n, budget)
            assert result.utility <= best + tolerances.SATURATION * best
            assert result.utility >= best * (1 - 1e-3)
            assert result.upper_bound >= best * (1 - tolerances.SATURATION)
            result.audit()


@pytest.mark.parametrize("n", [2, 3, 10, 100, 1000])
@pytest.mark.parametrize("width", [1e-9, 0.5, 1.0])
def test_a_step_funds_exactly_as_many_as_it_fits(n, width):
    """Rounded down, every cap is worth nothing: some must give theirs up for the token that the others lack."""
    curves = ca.ShiftedSurge(np.full(n, 100), width, 0.5)
    for fit in {1, n // 2, n - 1, n}:
        result = ca.allocate(curves, 101 * fit + 50)
        assert int(result.funded.sum()) in (fit, fit + 1)  # one more may get the rest, which buys nothing
        assert int((result.tokens == 101).sum()) == fit
        assert result.utility == pytest.approx(0.5 * fit, rel=tolerances.ROUNDING)


@pytest.mark.parametrize("family", strategies.FAMILIES)
@pytest.mark.parametrize("closeness", [1e-15, 1e-12, 1e-9, 1e-6, 1e-3])
def test_near_ties_are_as_good_as_ties(family, closeness):
    """Prices a hair apart fall between two grid points, or just not: neither may cost a query."""
    rng = np.random.default_rng(7)
    record = {"surge": ONE["surge"], strategies.SURGE: ONE["surge"], strategies.CUMULATIVE: ONE["cumulative"],
              strategies.LOGNORMAL: ONE["log-normal"], strategies.MENU: ONE["menu"]}[family]  # fmt: skip
    n = 60
    records = [{**record, "weight": 1.0 + closeness * rng.uniform(-1, 1)} for _ in range(n)]
    usual = strategies.build([record]).ceiling if family == strategies.MENU else strategies.build([record]).break_even
    for fit in (1, 13, 30, 59):
        budget = int((fit + 0.4) * np.ceil(usual[0]))
        result = ca.allocate(strategies.build(records), budget)
        best = equal_splits(record, n, budget)
        assert result.utility >= best * (1 - 1e-3 - 2 * closeness)
        assert result.upper_bound >= best * (1 - 2 * closeness - tolerances.SATURATION)


@pytest.mark.parametrize("kinds", [("menu", "menu of three"), ("surge", "menu of three"), ("surge", "cumulative"),
                                   ("surge", "steep surge", "menu", "log-normal")])  # fmt: skip
@pytest.mark.parametrize("budget", [157, 286, 500, 1111, 3000])
def test_ties_of_several_kinds(kinds, budget):
    """Many copies of the nearest kind must not keep the other kinds out of the core."""
    records = [ONE[name] for name in kinds] * 60
    best = integer_programme.best_utility(records, budget)
    result = ca.allocate(strategies.build(records), budget)
    assert result.utility >= best * (1 - 5e-3)
    assert result.upper_bound >= best * (1 - tolerances.SATURATION)


@pytest.mark.parametrize("name", ONE)
def test_a_budget_below_the_cheapest_break_even_buys_the_best_it_can(name):
    record = ONE[name]
    for n in (1, 3, 400):
        one = strategies.build([record])
        least = 90 if record["family"] == strategies.MENU else int(one.break_even[0])
        for budget in sorted({1, least // 3, (2 * least) // 3, least - 1} - {0, -1}):
            result = ca.allocate(strategies.build([record] * n), budget)
            best = equal_splits(record, n, budget)
            assert result.utility == pytest.approx(best, rel=1e-6, abs=1e-15)


def test_a_curve_and_a_menu_that_leave_at_the_very_same_price():
    """One bracket holds both kinds of jumps: what the curves take is not there for the menus any more."""
    surge = ca.ShiftedSurge(np.full(40, 64.0), 3.0, 0.8)
    price = float(surge.reservation_price()[0])
    menu = ca.Menu(np.full((40, 1), 64.0), np.full((40, 1), 64.0 * price))
    assert menu.reservation_price()[0] == price
    curves = ca.concatenate([surge, menu])
    records = curves.to_records()
    for budget in (700, 1500, 3000):
        with strategies.repair_only():
            result = ca.allocate(curves, budget)
        best = integer_programme.best_utility(records, budget)
        assert result.utility >= best * 0.98  # a dozen of swaps would be needed for the rest
        result.audit()


@pytest.mark.parametrize("n", [1, 3, 50])
def test_pools_of_any_size_are_shared_in_a_few_rounds(n):
    """A price bracket of 2**-28 leaves millions of tokens over when the pool is 2**53: they go in blocks."""
    for scale in (1e3, 1e9, 1e14):
        curves = ca.concatenate([ca.CumulativeSurge(np.linspace(0, 1, n) * scale, scale, 0.5), ca.Menu([[1]], [[1]])])
        budget = np.floor(min(3.0 * n * scale, 2.0**53))
        with strategies.repair_only():
            result = ca.allocate(curves, budget)
        result.audit()
        assert result.spent == budget
        assert result.gap <= 1e-4 * result.utility or n < 50


def test_a_scarce_budget_is_certified_against_what_it_can_pay():
    """Caps beyond the whole budget count for nothing in the bound: one query gets all, and no gap is left."""
    curves = ca.ShiftedSurge(np.full(400, 100.0), 60.0, 0.8)
    with strategies.repair_only():
        for budget in (110, 120, 130):
            result = ca.allocate(curves, budget)
            assert sorted(result.tokens.tolist())[-1] == budget
            assert result.gap <= tolerances.SATURATION
            assert result.price == pytest.approx(float(curves[0].reservation_price()[0]), rel=tolerances.PRICE_GRID)
