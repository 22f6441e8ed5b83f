"""Expected accounting, E min(length, cap), with and without a margin: against integer programming; very many."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.expected_cost import Lengths, best_of, checked, tables
from support import strategies, tolerances
from support.laws import examples
from support.length_records import lognormals, records_of, surges
from support.smooth_cases import (
    LIMITS,
    NEVER,
    case_of,
    sampled_from,
)

import clear_alloc as ca
from clear_alloc.policies.frontier import saturation_budget
from clear_alloc.solver.chance.margin import margin_of
from clear_alloc.solver.primal.solution import total_charge
from clear_alloc.solver.split_bounds import splits_dominated

expected = sys.modules["clear_alloc.solver.expected"]

EXPECTED = "expected"


MEAN = {"accounting": EXPECTED, "overrun": 0.5}  # no margin: spend to the mean


def small_case(rng, most, scale=None):
    n, scale = int(rng.integers(1, 7)), scale or float(rng.choice([2.0, 6.0, 15.0]))
    records = records_of(rng, n, scale)
    if rng.random() < 0.3:  # ties
        records = [records[0]] * n
    budget = float(n * scale * rng.choice([0.1, 0.3, 0.6, 1.0]) * rng.uniform(0.7, 1.3))
    return records, budget, int(min(most, np.ceil(strategies.build(records).ceiling).max()))


@pytest.mark.parametrize(("scale", "cases", "mean", "worst"), [(4.0, 24, 5e-3, 0.15), (40.0, 12, 1e-3, 0.01)])
def test_allocations_of_small_pools_come_near_the_integer_optimum(scale, cases, mean, worst):
    """A lost part of a token is a lot of a pool of ten; at 40 tokens a query it is hardly seen."""
    rng, losses = np.random.default_rng(12), []
    for _ in range(cases):
        records, budget, most = small_case(rng, 5 * int(scale) + 10, scale)
        result = ca.allocate(strategies.build(records), budget, **MEAN, max_tokens=most)
        worth, cost, _ = checked(result, records, most, budget)
        best = best_of(worth, cost, budget)
        if best > 1e-6:
            losses.append(1 - result.utility / best)
            assert result.upper_bound >= best * (1 - 1e-6)
    print(f"losses: mean {np.mean(losses):.2e}, worst {max(losses):.2e} of {len(losses)}")  # noqa: T201
    assert np.mean(losses) <= mean
    assert max(losses) <= worst
    assert min(losses) >= -1e-6


def test_tiny_medians_and_narrow_spreads_are_allocated():
    records = [
        *lognormals([1e-9, 0.02, 0.4], [0.5, 1.0, 0.3]),
        *lognormals([7, 11], [1e-6, 1e-3]),
        *surges(3.5, 1e-6),
    ]
    worth, cost, _ = tables(records, 12)
    for budget in (0.1, 0.3, 1.2, 5.0, 8.5, 20.0, 40.0):
        result = ca.allocate(strategies.build(records), budget, **MEAN, max_tokens=12)
        result.audit()
        assert result.utility == pytest.approx(best_of(worth, cost, budget), rel=5e-3)


def test_rates_calls_floors_and_levels_keep_their_meaning_under_expected_costs():
    rng, losses = np.random.default_rng(4), []
    for trial in range(12):
        records, _, most = small_case(rng, 40)
        n, rows = len(records), np.arange(len(records))
        rate, call = rng.uniform(0.5, 2, n), rng.choice([0.0, 1.0, 4.0], n)
        worth, cost, _ = tables(records, most)
        charge = rate[:, None] * cost + np.where(np.arange(most + 1) > 0, call[:, None], 0.0)
        floors = rng.integers(0, 4, n)
        terms = [{}, {"min_tokens": floors}, {"levels": {0, 3, 8, 20}}, {"fallback": 2}][trial % 4]
        allowed = [np.arange(most + 1) >= 0 for _ in rows]
        if "min_tokens" in terms:
            allowed = [np.arange(most + 1) >= f for f in floors]
        elif "levels" in terms:
            allowed = [np.isin(np.arange(most + 1), [0, 3, 8, 20]) for _ in rows]
        elif "fallback" in terms:
            allowed = [np.arange(most + 1) >= 2 for _ in rows]
        allowed = np.stack(allowed)
        least = np.where(allowed, charge, np.inf).min(axis=1).sum()
        budget = float(least + rng.uniform(0.1, 0.9) * (charge[:, -1].sum() - least))
        result = ca.allocate(
            strategies.build(records), budget, rate=rate, call=call, **MEAN, max_tokens=most, **terms
        )
        result.audit()
        assert allowed[rows, result.tokens].all()
        np.testing.assert_allclose(result.charges, charge[rows, result.tokens], rtol=1e-9, atol=1e-12)
        assert result.spent <= budget
        best = best_of(np.where(allowed, worth, -9.0), np.where(allowed, charge, 2 * budget), budget)
        losses.append(1 - result.utility / best if best > 1e-6 else 0.0)
        assert result.upper_bound >= best * (1 - 1e-6)
    print(f"losses: mean {np.mean(losses):.2e}, worst {max(losses):.2e} of {len(losses)}")  # noqa: T201
    assert np.mean(losses) <= 3e-3
    assert max(losses) <= 0.03


def test_one_rate_for_all_is_another_unit_and_nothing_else():
    curves = strategies.build(records_of(np.random.default_rng(2), 8))
    plain, money = ca.allocate(curves, 3000, **MEAN), ca.allocate(curves, 3000 * 2.5e-6, rate=2.5e-6, **MEAN)
    money.audit()
    assert money.utility == pytest.approx(plain.utility, rel=1e-9)
    assert money.spent == pytest.approx(plain.spent * 2.5e-6, rel=1e-6)


@pytest.mark.slow
@given(
    strategies.tied(st.one_of(strategies.lognormal_records(), strategies.cumulative_records()), most=3, copies=4),
    st.floats(0.02, 1.2),
)
@examples(15)
def test_no_baseline_and_no_reserved_cap_is_worth_more(records, share):
    """All charges are means, with ties; the budget runs from a few tokens to everything."""
    curves = strategies.build(records)
    budget = share * float(curves.cost(curves.ceiling, EXPECTED).sum())
    result = ca.allocate(curves, budget, **MEAN)
    result.audit()
    assert result.spent <= budget
    assert result.gap >= 0
    assert result.margin == 0
    for policy in (ca.uniform, ca.proportional, ca.cutoff_plus_pad):
        rival = policy(curves, budget, **MEAN)
        rival.audit()
        assert rival.spent <= budget
        assert result.utility >= rival.utility * (1 - 1e-3), policy.__name__
    reserved = ca.allocate(curves, budget)
    assert result.utility >= reserved.utility * (1 - 1e-3)
    more = ca.allocate(curves, 1.1 * budget, **MEAN)
    assert more.utility >= result.utility * (1 - 1e-3)
    assert more.price <= result.price * (1 + tolerances.PRICE_GRID)


def test_menus_are_allocated_by_what_they_are_expected_to_burn():
    """One column of menus alone, against all their combinations."""
    rng = np.random.default_rng(6)
    for _ in range(12):
        n = int(rng.integers(1, 6))
        costs, values = np.sort(rng.uniform(10, 900, (n, 3)), axis=1), rng.uniform(0.05, 1, (n, 3))
        expected = costs * rng.uniform(0.1, 1, (n, 3))
        budget = float(rng.uniform(0.1, 0.8) * expected.max(axis=1).sum())
        result = ca.allocate(ca.Menu(costs, values, expected=expected), budget, accounting=EXPECTED)
        result.audit()
        worth, burned = (np.hstack([np.zeros((n, 1)), column]) for column in (values, expected))
        rows = np.arange(n)
        assert result.margin == result.deviation == 0
        assert result.spent == pytest.approx(burned[rows, result.choice + 1].sum())
        assert result.utility == pytest.approx(worth[rows, result.choice + 1].sum())
        assert result.utility >= best_of(worth, burned, budget) * (1 - 1e-6)
        assert (result.tokens == np.where(result.choice < 0, 0, np.ceil(costs[rows, result.choice]))).all()


def test_a_price_in_place_of_a_budget_takes_what_is_worth_it():
    records = records_of(np.random.default_rng(9), 12, 40.0)
    curves = strategies.build(records)
    most = int(np.ceil(curves.ceiling).max())
    worth, cost, _ = tables(records, most)
    for share in (0.1, 0.5, 0.9):
        price = share * float(curves.reservation_price(EXPECTED).max())
        result = ca.allocate(curves, price=price, accounting=EXPECTED)
        result.audit()
        best = (worth - price * cost).max(axis=1).sum()
        assert result.utility - price * result.spent == pytest.approx(best, rel=1e-8)
        assert result.margin == 0
        assert result.deviation > 0 or not result.funded.any()


def test_a_running_batch_is_allocated_again_by_what_is_still_to_be_burned():
    rng = np.random.default_rng(10)
    records = records_of(rng, 4, 10.0)
    spent = np.array([2.0, 9, 1, 5])
    rest = strategies.build(records).after(spent)
    lengths = [Lengths(r, s) for r, s in zip(records, spent, strict=True)]
    caps = np.arange(61.0)
    worth, cost = (np.stack([ask(one, caps) for one in lengths]) for ask in (Lengths.utility, Lengths.cost))
    for budget in (4.0, 12.0, 25.0):
        result = ca.allocate(rest, budget, **MEAN, max_tokens=60)
        result.audit()
        rows = np.arange(4)
        assert result.utility == pytest.approx(worth[rows, result.tokens].sum(), rel=1e-9)
        assert result.spent == pytest.approx(cost[rows, result.tokens].sum(), rel=1e-9)
        assert result.utility >= best_of(worth, cost, budget) * (1 - 0.05)


def test_the_frontier_of_expected_costs_rises_and_keeps_its_budgets():
    curves = strategies.build(records_of(np.random.default_rng(13), 20))
    front = ca.frontier(curves, points=5, **MEAN)
    assert (np.diff(front.budget) > 0).all()
    assert (np.diff(front.utility) >= -1e-9).all()
    assert (front.spent <= front.budget).all()
    assert (front.gap >= 0).all()
    whole = float(curves.cost(np.ceil(curves.ceiling), EXPECTED).sum())
    assert saturation_budget(curves, **MEAN) == pytest.approx(whole, rel=1e-9)


def test_no_queries_and_no_budget_are_no_error():
    for curves in (ca.LognormalArrival([], [], []), ca.CumulativeSurge([], [], []), ca.Menu([], [])):
        empty = ca.allocate(curves, 10, accounting=EXPECTED)
        empty.audit()
        assert empty.spent == empty.margin == empty.utility == 0
    nothing = ca.allocate(strategies.build(records_of(np.random.default_rng(0), 6)), 0, accounting=EXPECTED)
    nothing.audit()
    assert not nothing.tokens.any()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [strategies.CUMULATIVE, strategies.LOGNORMAL])
@pytest.mark.parametrize("limits", [LIMITS[k] for k in ("expected", "expected rates", "expected floors")])
def test_a_crowd_settles_its_margin_and_spends_the_rest(kind, limits):
    n = 2_000 if kind == strategies.LOGNORMAL else 600
    curves, terms, _ = case_of(kind, {**limits, "overrun": 0.05}, n)
    budget = n * 250.0
    with sampled_from(50, block=700):
        fast = ca.allocate(curves, budget, **terms)
        fast.audit()
        market = strategies.market_of(curves, **terms)
        solved = expected._many_with_margin(market, budget, 1.6448536269514722, 0.0)
    assert solved is not None or kind == strategies.CUMULATIVE
    assert fast.margin > 0
    whole = 1.0 if kind == strategies.LOGNORMAL else 10.0  # a cap on a rising hazard is all or nothing
    assert budget - 2e-3 * whole * fast.margin <= fast.spent + fast.margin <= budget * (1 + 1e-12)
    with sampled_from(NEVER):
        plain = ca.allocate(curves, budget, **terms)
    # Margins are settled to 0.2 % of themselves, here about 1e-4 of the budget.
    assert fast.utility >= plain.utility * (1 - 1e-4 * whole)
    assert fast.utility <= plain.upper_bound * (1 + 1e-4 * whole)


def test_an_even_split_is_compared_with_the_whole_pool_and_no_margin():
    curves = strategies.draws(strategies.LOGNORMAL, 2_000, np.random.default_rng(0))
    asked = []

    def noted(market, pool, price, gap):
        asked.append((pool, market.dual_bound(price, pool) - gap))
        return splits_dominated(market, pool, price, gap)

    with sampled_from(50), strategies.patched(expected, "splits_dominated", noted):
        result = ca.allocate(curves, 500_000.0, accounting="expected")
    assert asked[-1][0] == 500_000.0
    assert asked[-1][1] == pytest.approx(result.utility, rel=1e-9)


def test_a_crowd_whose_floors_leave_no_room_for_the_margin_is_refused():
    curves = strategies.draws(strategies.LOGNORMAL, 900, np.random.default_rng(0))
    floors = float(curves.expected_cost(np.full(900, 200.0)).sum())
    with sampled_from(50), pytest.raises(ca.BudgetTooSmall, match="margin"):
        ca.allocate(curves, floors + 1.0, accounting="expected", min_tokens=200)
    with sampled_from(50):
        result = ca.allocate(curves, floors + 9_000.0, accounting="expected", min_tokens=200)
    result.audit()
    assert (result.tokens >= 200).all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["menus", "curves", "both"])
def test_no_answer_passes_the_pool_with_its_own_margin(kind):
    """Whatever margin was guessed at first: finite choices that vary much, in every combination, beside curves."""
    rng, bought = np.random.default_rng(0), 0
    for _ in range(6):
        n = int(rng.integers(2, 6))
        costs = np.cumsum(rng.uniform(20, 200, (n, 3)), axis=1)
        menus = ca.Menu(
            costs, np.sort(rng.uniform(0, 1, (n, 3)), axis=1), deviation=costs * rng.uniform(0, 0.5, (n, 3))
        )
        smooth = strategies.draws(strategies.LOGNORMAL, n, rng, scale=150.0)
        curves = {"menus": menus, "curves": smooth, "both": ca.concatenate([menus, smooth])}[kind]
        market, pool = strategies.market_of(curves, accounting=EXPECTED), float(rng.uniform(150, 900))
        for z_score in (0.5, 1.6, 2.3):
            solution = expected.solve_expected(market, pool, z_score, 0.0).solution
            held = margin_of(market, solution, z_score)
            assert total_charge(market, solution) + held <= pool * (1 + tolerances.ROUNDING)
            bought += solution.utility > 0
    assert bought > 12
