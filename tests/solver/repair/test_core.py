"""The core: its bounds hold for every subset, it leaves nothing better out, and ties leave room."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from oracles import integer_programme
from scipy.optimize import brentq
from scipy.special import lambertw
from support import strategies

import clear_alloc as ca
from clear_alloc.solver.pricing.clearing import clearing_price
from clear_alloc.solver.primal.solution import (
    floor_solution,
)
from clear_alloc.solver.primal.water_filling import greedy_funded_set, refill_funded
from clear_alloc.solver.repair.core import _OFFSETS, COPIES, CORE_SIDE, SETS, _core, _nearest, improved_funded_sets


def surge_worth(records, prices):
    """Highest surplus of a funded shifted surge at each price, on its concave branch: (prices, n), and its caps."""
    caps, values = [], []
    for r in records:
        k = np.minimum(prices * r["width"] / (r["peak"] * r["weight"]), np.e)
        x = 1.0 - np.real(lambertw(k))
        caps.append(r["threshold"] + r["width"] * x)
        values.append(r["weight"] * r["peak"] * x * np.exp(1.0 - x))
    return np.array(caps).T, np.array(values).T


def concave_optimum(records, budget):
    """The best real caps of a set that is funded in any case; -inf if it can't be paid. x >= 0 for each."""
    if not records:
        return 0.0
    if sum(r["threshold"] for r in records) > budget:
        return -np.inf

    def wanted(price):
        return float(surge_worth(records, np.array([price]))[0].sum()) - budget

    high = max(r["weight"] * r["peak"] * math.e / r["width"] for r in records)
    if wanted(0.0) <= 0.0:
        price = 0.0
    else:
        price = high if wanted(high) >= 0 else brentq(wanted, 0.0, high, xtol=1e-16, rtol=1e-14)
    return float(surge_worth(records, np.array([price]))[1].sum())


def greedy_of(market, pool):
    clearing = clearing_price(market, pool)
    plan = greedy_funded_set(market, clearing, pool)
    grant = refill_funded(market, plan, pool, clearing.price)
    return clearing, plan, floor_solution(market) if grant is None else grant


def core_cases(count, seed, family=strategies.SURGE, most=8):
    rng = np.random.default_rng(seed)
    for k in range(count):
        n = int(rng.integers(2, most + 1))
        records = [strategies.random_record(rng, family, 60.0) for _ in range(n)]
        # A curve that is concave from 0 makes no jump, and so is not in the core.
        records = [{**r, "threshold": max(r["threshold"], 1.0)} for r in records]
        if k % 3 == 0:
            records = [records[j % 2] for j in range(n)]
        budget = int(rng.uniform(0.05, 0.8) * strategies.build(records).break_even.sum()) + 1
        yield records, budget


def same_plan(one, other):
    return all((left == right).all() for left, right in zip(one, other, strict=True))


def kinds_of(records, funded):
    return tuple(sorted(str(r) for r, f in zip(records, funded, strict=True) if f))


@pytest.mark.slow
def test_the_core_s_bounds_hold_for_every_subset():
    better = 0
    for records, budget in core_cases(40, 3):
        market = strategies.market_of(strategies.build(records))
        clearing, plan, grant = greedy_of(market, float(budget))
        optimum = {}
        for funded in itertools.product([False, True], repeat=len(records)):
            chosen = [r for r, f in zip(records, funded, strict=True) if f]
            optimum[funded] = concave_optimum(chosen, budget)
        for known in (0.0, grant.utility):
            found = improved_funded_sets(market, plan, clearing, float(budget), known)
            bounds = [bound for _, bound in found]
            assert len(found) <= SETS
            assert bounds == sorted(bounds, reverse=True)
            assert not any(same_plan(rival, plan) for rival, _ in found)
            for rival, bound in found:
                assert bound >= optimum[tuple((rival[0] > 0).tolist())] * (1 - 1e-9)
            # Of sets that differ in the order of equal queries alone one is enough.
            worth = {kinds_of(records, funded): value for funded, value in optimum.items()}
            worth.pop(kinds_of(records, plan[0] > 0))
            if clearing.price > 0.0 and max(worth.values()) > known * (1 + 1e-9) + 1e-12:
                assert bounds
                assert bounds[0] >= max(worth.values()) * (1 - 1e-9)
                if len(found) < SETS:
                    for rival, _ in found:
                        worth.pop(kinds_of(records, rival[0] > 0), None)
                    assert max(worth.values(), default=0.0) <= known * (1 + 1e-9) + 1e-12
                better += 1
    assert better > 20


@pytest.mark.parametrize("family", [*strategies.FAMILIES, "any"])
def test_no_better_whole_allocation_is_pruned_from_the_core(family):
    """Integer dynamic programming tells the optimum: the best bound is no less, or what is known is as good."""
    rng = np.random.default_rng(17)
    for _ in range(8):
        n = int(rng.integers(2, 8))
        names = [str(rng.choice(strategies.FAMILIES)) if family == "any" else family for _ in range(n)]
        records = [strategies.random_record(rng, name, 50.0) for name in names]
        records = [{**r, "threshold": max(r["threshold"], 1.0)} if "threshold" in r else r for r in records]
        budget = int(rng.uniform(0.1, 0.6) * n * 50) + 2
        market = strategies.market_of(strategies.build(records))
        clearing, plan, grant = greedy_of(market, float(budget))
        if clearing.price <= 0.0:
            continue
        best = integer_programme.best_utility(records, budget)
        found = improved_funded_sets(market, plan, clearing, float(budget), grant.utility)
        bounds = [bound for _, bound in found]
        assert bounds == sorted(bounds, reverse=True)
        side = market.divisible
        convex = 0.0 if side is None else side.value(side.start).sum()  # whole caps before the branch, at the most
        reached = max([grant.utility, *bounds[:1]])
        assert reached >= (best - convex) * (1 - 1e-9)
        for rival, bound in found:
            filled = refill_funded(market, rival, float(budget), clearing.price)
            if filled is not None and market.finite is None:  # what a plan leaves may buy a menu's next option
                assert filled.utility <= bound * (1 + 1e-9) + convex


def bound_of(records, funded, price, budget):
    """The smallest dual value of a funded set on the core's grid of prices; -inf if it can't be paid."""
    prices = np.concatenate([[0.0], price * _OFFSETS])
    chosen = [r for r, f in zip(records, funded, strict=True) if f]
    if sum(r["threshold"] for r in chosen) > budget:
        return -np.inf
    if not chosen:
        return 0.0
    caps, values = surge_worth(chosen, prices)
    return float((prices * budget + (values - prices[:, None] * caps).sum(axis=1)).min())


@pytest.mark.slow
def test_the_core_s_plans_are_the_best_of_all_subsets_in_order():
    """Also where there are ties, sets of equal size, and more branches than one level holds."""
    rng = np.random.default_rng(8)
    compared = 0
    for k in range(16):
        kinds = []
        for _ in range(5 if k % 2 else 9):
            common = {"family": strategies.SURGE, "weight": 1.0, "width": float(rng.uniform(5, 40))}
            kinds.append(
                {**common, "threshold": float(rng.integers(1, 5) * 10), "peak": float(rng.uniform(0.1, 1.0))}
            )
        records = kinds if k % 2 == 0 else [kinds[j] for j in (0, 0, 0, 1, 2, 3, 4)]
        budget = float(int(rng.uniform(0.2, 0.6) * strategies.build(records).break_even.sum()))
        market = strategies.market_of(strategies.build(records))
        clearing, plan, grant = greedy_of(market, budget)
        for known in (0.0, 0.9 * grant.utility):
            bounds = {}
            for funded in itertools.product([False, True], repeat=len(records)):
                bounds[kinds_of(records, funded)] = bound_of(records, funded, clearing.price, budget)
            found = improved_funded_sets(market, plan, clearing, budget, known)
            for rival, bound in found:
                assert bound == pytest.approx(bounds[kinds_of(records, rival[0] > 0)], rel=1e-9)
            own_kinds = kinds_of(records, plan[0] > 0)
            bounds.pop(own_kinds)
            best = sorted((value for value in bounds.values() if value > known), reverse=True)
            # Equal queries in another order are the same plan again, at most once.
            others = [bound for rival, bound in found if kinds_of(records, rival[0] > 0) != own_kinds]
            assert len(others) >= min(len(best), SETS - 1)
            assert others == pytest.approx(best[: len(others)], rel=1e-9)
            compared += len(found)
    assert compared > 80


def test_identical_queries_leave_room_in_the_core():
    distance = np.array([0.1] * 50 + [0.2] * 50 + list(np.linspace(0.3, 0.9, 30)))
    size = np.concatenate([np.full(100, 5.0), np.arange(30.0)])
    price_guess = _nearest(distance, size, np.arange(130))
    assert len(price_guess) == CORE_SIDE
    assert (price_guess < 50).sum() == COPIES
    assert ((price_guess >= 50) & (price_guess < 100)).sum() == min(COPIES, CORE_SIDE - COPIES)
    assert _nearest(distance, size, np.arange(3)).tolist() == [0, 1, 2]


def test_the_core_has_funded_and_unfunded_copies_of_the_marginal_kind():
    market = strategies.market_of(ca.Menu(np.full((30, 1), 10.0), np.full((30, 1), 0.5)))
    clearing = clearing_price(market, 65)
    plan = greedy_funded_set(market, clearing, 65)
    assert (plan[0] >= 0).sum() == 6
    core = [query for _, query in _core(market, plan, clearing.price)]
    assert sum(plan[0][row] >= 0 for row in core) == 6
    assert sum(plan[0][row] < 0 for row in core) == COPIES
