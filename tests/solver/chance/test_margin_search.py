"""The search for a margin: it spends the pool, keeps the agreed chance, and refuses floors that leave no room."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.expected_cost import checked, tables
from scipy import stats
from support import strategies
from support.laws import examples
from support.length_records import DRAWS, EXPECTED, batch, lognormals, realised, records_of, surges

import clear_alloc as ca
from clear_alloc.solver.chance.margin import margin_of, scaled_margin
from clear_alloc.solver.chance.margin_search import check_floors, solve_with_margin, solve_within
from clear_alloc.solver.primal.solution import floor_solution, total_charge
from clear_alloc.solver.splits import uniform_solution


@pytest.mark.parametrize("z_score", [0.3, 1.6448536269514722, 3.0])
@pytest.mark.parametrize("n", [3, 60, 400])
def test_the_search_spends_the_pool_on_charge_and_margin_and_never_more(n, z_score):
    """The rule is an even split of a smaller pool; what it leaves is a few tokens of its own cap."""
    market = strategies.market_of(strategies.build(batch(n, 3)), **EXPECTED)
    pool = 350.0 * n
    asked = []

    def rule(inner):
        asked.append(inner)
        return uniform_solution(market, inner)

    found = solve_with_margin(market, pool, z_score, rule, uniform_solution(market, pool))
    used = total_charge(market, found) + margin_of(market, found, z_score)
    assert used <= pool
    assert used >= pool - 2.0 * n  # one token more for each would not fit
    assert len(asked) <= 8
    assert all(market.total_floor <= inner <= pool for inner in asked)


def test_of_what_fits_the_search_keeps_the_best():
    market = strategies.market_of(strategies.build(batch(40, 4)), **EXPECTED)
    pool, seen = 14_000.0, []

    def rule(inner):
        seen.append(uniform_solution(market, inner))
        return seen[-1]

    found = solve_with_margin(market, pool, 1.6, rule, uniform_solution(market, pool))
    fits = [one for one in seen if total_charge(market, one) + margin_of(market, one, 1.6) <= pool]
    assert fits
    assert found.utility == max(one.utility for one in fits)
    floors = floor_solution(market)
    nothing = solve_with_margin(market, pool, 1.6, lambda _: uniform_solution(market, pool), floors)
    assert nothing.utility == floors.utility  # the rule's answer never fits


def test_floors_whose_margin_does_not_fit_are_refused_before_the_rule_is_asked():
    market = strategies.market_of(strategies.build(batch(10, 4)), min_tokens=400, **EXPECTED)
    floors = floor_solution(market)
    needed = market.total_floor + margin_of(market, floors, 1.6)
    for ask in (check_floors, lambda *terms: solve_with_margin(*terms, None, floors)):
        with pytest.raises(ca.BudgetTooSmall, match="min_tokens and their margin") as refused:
            ask(market, needed - 1.0, 1.6)
        assert (refused.value.required, refused.value.budget) == pytest.approx((needed, needed - 1.0))
    assert check_floors(market, needed + 1e-6, 1.6).decisions[0].tolist() == [400.0] * 10
    kept = solve_with_margin(market, needed + 1e-6, 1.6, lambda _: floors, floors)
    assert kept.decisions[0].tolist() == [400.0] * 10


@pytest.mark.parametrize("guess", [0.0, 0.5, 1.0, 3.0, 50.0])
def test_what_is_held_fits_beside_the_charge_whatever_was_guessed(guess):
    market = strategies.market_of(strategies.build(batch(200, 6)), **EXPECTED)
    pool = 70_000.0

    def held(solution):
        return scaled_margin(market, solution, 1.5)

    exact = held(uniform_solution(market, pool))
    found = solve_within(market, pool, held, guess * exact, lambda inner: uniform_solution(market, inner))
    used = total_charge(market, found) + held(found)
    assert pool - 2.0 * 200 <= used <= pool


def test_a_rule_that_needs_most_of_the_pool_is_asked_for_more_or_not_at_all():
    market = strategies.market_of(strategies.build(batch(50, 6)), **EXPECTED)
    pool = 20_000.0

    def held(solution):
        return scaled_margin(market, solution, 0.01)

    def late(inner):
        return uniform_solution(market, inner) if inner >= 0.9 * pool else None

    found = solve_within(market, pool, held, 0.2 * pool, late)
    assert found is not None
    assert total_charge(market, found) + held(found) <= pool
    assert solve_within(market, pool, held, 0.2 * pool, lambda _: None) is None


@pytest.mark.parametrize(
    ("n", "seed", "tokens"), [(50, 1, 300), (50, 2, 800), (500, 3, 150), (500, 4, 600), (5000, 5, 400)]
)
def test_real_sums_pass_the_budget_as_often_as_agreed(n, seed, tokens):
    records, budget = batch(n, seed), float(n * tokens)
    result = ca.allocate(strategies.build(records), budget, **EXPECTED, overrun=0.05)
    result.audit()
    sums = realised(records, result.tokens, np.random.default_rng(seed))
    share = (sums > budget).mean()
    print(f"n={n}, {tokens} tokens a query: {share:.2%} pass the budget")  # noqa: T201
    assert 0.03 <= share <= 0.07
    assert sums.mean() == pytest.approx(result.spent, rel=5 / np.sqrt(DRAWS) * result.deviation / result.spent)
    assert sums.std() == pytest.approx(result.deviation, rel=0.08)


@pytest.mark.parametrize("overrun", [0.05, 0.2])
def test_surges_and_log_normals_together_pass_the_budget_as_often_as_agreed(overrun):
    rng = np.random.default_rng(21)
    records = [*batch(100, 6), *surges(rng.uniform(0, 900, 100), rng.uniform(50, 400, 100), rng.uniform(0.2, 1, 100))]
    result = ca.allocate(strategies.build(records), 60_000, **EXPECTED, overrun=overrun)
    result.audit()
    share = (realised(records, result.tokens, rng) > 60_000).mean()
    assert 0.6 * overrun <= share <= 1.4 * overrun


def test_menus_that_vary_pass_the_budget_as_often_as_agreed():
    """Each option burns a part of its cost, spread evenly: mean a half, deviation cost / sqrt(12)."""
    rng = np.random.default_rng(22)
    costs, values = np.cumsum(rng.uniform(100, 900, (80, 3)), 1), np.sort(rng.uniform(0, 1, (80, 3)), axis=1)
    menu = ca.Menu(costs, values, expected=costs / 2, deviation=costs / np.sqrt(12))
    result = ca.allocate(menu, 20_000, **EXPECTED, overrun=0.05)
    result.audit()
    bought = np.where(result.choice >= 0, costs[np.arange(80), result.choice], 0.0)
    assert result.spent == pytest.approx(bought.sum() / 2)
    assert result.deviation == pytest.approx(np.sqrt((bought**2).sum() / 12))
    assert result.margin == pytest.approx(stats.norm.isf(0.05) * result.deviation)
    sums = (rng.uniform(0, 1, (DRAWS, 80)) * bought).sum(axis=1)
    assert 0.03 <= (sums > 20_000).mean() <= 0.07


def test_spending_to_the_mean_holds_nothing_back_and_leaves_nothing():
    records = batch(200, 7)
    result = ca.allocate(strategies.build(records), 80_000, **EXPECTED, overrun=0.5)
    result.audit()
    assert result.margin == 0
    assert 80_000 - 1e-3 * result.deviation <= result.spent <= 80_000
    sums = realised(records, result.tokens, np.random.default_rng(7))
    assert 0.4 <= (sums > 80_000).mean() <= 0.6


def best_that_keeps_the_chance(records, worth, budget, chance, rng):
    """The best pair of whole caps whose sum passes the budget at most so often, by trying all with drawn lengths."""
    lengths = [realised([record], np.array([1e9]), rng, 4_000) for record in records]
    caps = np.arange(worth.shape[1])
    burned = [np.minimum(one, caps[:, None]) for one in lengths]
    best = 0.0
    for first in caps.tolist():
        over = (burned[0][first] + burned[1] > budget).mean(axis=1)
        best = max(best, float(np.where(over <= chance, worth[0, first] + worth[1], 0.0).max()))
    return best


@pytest.mark.slow
def test_two_queries_come_near_the_best_pair_of_caps_that_keeps_the_chance():
    rng, losses = np.random.default_rng(14), []
    for trial in range(12):
        scale = float(rng.choice([8.0, 30.0]))
        records = records_of(rng, 2, scale) if trial % 4 else records_of(rng, 1, scale) * 2
        budget, overrun = float(2 * scale * rng.uniform(0.3, 1.3)), float(rng.choice([0.05, 0.3]))
        result = ca.allocate(strategies.build(records), budget, **EXPECTED, overrun=overrun, max_tokens=100)
        worth, _, _ = checked(result, records, 100, budget)
        drawn = realised(records, result.tokens, np.random.default_rng(trial), 20_000)
        assert (drawn > budget).mean() <= overrun + 0.01
        best = best_that_keeps_the_chance(records, worth, budget, overrun, rng)
        if best > 1e-6:
            losses.append(1 - result.utility / best)
    print(f"losses: mean {np.mean(losses):.2e}, worst {max(losses):.2e} of {len(losses)}")  # noqa: T201
    assert np.mean(losses) <= 0.08
    assert max(losses) <= 0.35


@pytest.mark.slow
@pytest.mark.parametrize("records", [batch(40, 9), batch(5, 10) * 6, surges(200, [50] * 20 + [300] * 20)],
                         ids=["random", "tied", "surges"])  # fmt: skip
def test_more_chance_and_more_budget_never_mean_less(records):
    curves, budget = strategies.build(records), 350.0 * len(records)
    chances = [ca.allocate(curves, budget, **EXPECTED, overrun=o).utility for o in (1e-3, 0.05, 0.5)]
    assert all(b >= a * (1 - 2e-3) for a, b in itertools.pairwise(chances))
    budgets = [ca.allocate(curves, share * budget, **EXPECTED).utility for share in (0.5, 1.0)]
    assert all(b >= a * (1 - 2e-3) for a, b in itertools.pairwise(budgets))


@pytest.mark.slow
@given(
    strategies.tied(st.one_of(strategies.lognormal_records(), strategies.cumulative_records()), most=3, copies=4),
    st.floats(0.05, 1.1),
    st.sampled_from([0.001, 0.05, 0.3]),
)
@examples(5)
def test_even_splits_and_reserved_caps_are_never_worth_more(records, share, overrun):
    curves = strategies.build(records)
    budget = share * float(curves.cost(curves.ceiling, "expected").sum())
    result = ca.allocate(curves, budget, **EXPECTED, overrun=overrun)
    result.audit()
    assert result.spent + result.margin <= budget * (1 + 1e-12)
    assert result.gap >= 0
    for policy in (ca.uniform, ca.proportional):
        rival = policy(curves, budget, **EXPECTED, overrun=overrun)
        rival.audit()
        assert rival.spent + rival.margin <= budget * (1 + 1e-12)
        assert result.utility >= rival.utility * (1 - 1e-9), policy.__name__
    assert result.utility >= ca.allocate(curves, budget).utility * (1 - 1e-9)


@pytest.mark.parametrize(
    "overrun", [0, 0.0, -0.1, 0.5001, 0.6, 1, float("nan"), float("inf"), True, "x", "0.05", None, [0.1, 0.2]]
)
@pytest.mark.parametrize("policy", [ca.allocate, ca.uniform], ids=["allocate", "uniform"])
def test_a_chance_that_is_none_is_refused_by_name(overrun, policy):
    with pytest.raises(ca.InvalidArgument, match="overrun"):
        policy(ca.LognormalArrival([50, 60], 0.5, 0.5), 100, **EXPECTED, overrun=overrun)


@pytest.mark.slow
def test_floors_and_their_margin_must_fit_the_budget():
    records = lognormals([1000] * 30, 0.5)
    _, cost, _ = tables(records[:1], 1200)
    drawn = realised(records, np.full(30, 1200), np.random.default_rng(2), 200_000)
    need = float(np.quantile(drawn, 0.95))
    with pytest.raises(ca.BudgetTooSmall, match="min_tokens and their margin sum to") as refused:
        ca.allocate(strategies.build(records), 0.995 * need, **EXPECTED, min_tokens=1200)
    assert refused.value.required == pytest.approx(need, rel=2e-3)  # both together, and not the floors alone
    kept = ca.allocate(strategies.build(records), 1.005 * need, **EXPECTED, min_tokens=1200)
    kept.audit()
    assert (kept.tokens >= 1200).all()
    # At the mean there is no margin, and the same floors fit less.
    ca.allocate(strategies.build(records), 0.99 * need, **EXPECTED, overrun=0.5, min_tokens=1200).audit()
    with pytest.raises(ca.BudgetTooSmall):
        ca.allocate(strategies.build(records), 30 * cost[0, 1200] - 1, **EXPECTED, overrun=0.5, min_tokens=1200)


@pytest.mark.parametrize("n", [1, 3, 7, 30])
def test_floors_that_fill_the_budget_to_the_last_token_are_kept(n):
    """Where the certain bound is held, cost and margin are the floors' sum, whatever rounding says."""
    curves = ca.LognormalArrival(np.linspace(800, 5000, n), 0.3, 0.9)
    result = ca.allocate(curves, 100 * n, **EXPECTED, overrun=1e-9, min_tokens=100)
    result.audit()
    assert (result.tokens >= 100).all()
