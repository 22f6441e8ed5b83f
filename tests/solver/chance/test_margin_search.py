"""The margin of expected accounting: how often real sums pass the budget, and what the margin costs."""

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
from support.length_records import lognormals, records_of, surges

import clear_alloc as ca
from clear_alloc.solver.chance.margin_search import margin_of
from clear_alloc.solver.primal.water_filling import evaluate

EXPECTED = {"accounting": "expected"}
DRAWS = 2000


def batch(n, seed):
    rng = np.random.default_rng(seed)
    return lognormals(1000 * np.exp(rng.normal(0, 0.8, n)), rng.uniform(0.2, 1.0, n), rng.uniform(0.2, 1, n))


def realised(records, caps, rng, draws=DRAWS):
    """Sums of min(length, cap), lengths drawn from the distributions themselves, (draws,)."""
    sums = np.zeros(draws)
    for record, cap in zip(records, caps.tolist(), strict=True):
        if cap:
            if record["family"] == strategies.LOGNORMAL:
                lengths = record["median"] * np.exp(record["spread"] * rng.standard_normal(draws))
            else:
                lengths = record["threshold"] + record["width"] * rng.exponential(size=(2, draws)).sum(axis=0)
            sums += np.minimum(lengths, cap)
    return sums


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


@pytest.mark.slow
@pytest.mark.parametrize("overrun", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("n", [4, 60])
def test_the_margin_of_few_queries_reaches_to_the_quantile_of_their_sum(n, overrun):
    records, budget = batch(n, 8), 340.0 * n
    result = ca.allocate(strategies.build(records), budget, **EXPECTED, overrun=overrun)
    checked(result, records, int(result.tokens.max()), budget)
    draws = realised(records, result.tokens, np.random.default_rng(1), 200_000)
    quantile = np.quantile(draws, 1 - overrun)
    assert result.spent + result.margin == pytest.approx(
        quantile, abs=0.004 / overrun**0.5 * result.deviation + 0.02 * result.deviation
    )
    if n > 16:  # the margin is settled, and what it leaves is spent; of a few queries one may be too much
        assert result.spent + result.margin >= budget - 0.02 * result.margin


@pytest.mark.slow
@pytest.mark.parametrize("overrun", [1e-9, 0.05, 0.3])
def test_the_margin_of_many_queries_is_so_many_deviations_corrected_for_skewness(overrun):
    records, budget = batch(700, 8), 300_000.0
    result = ca.allocate(strategies.build(records), budget, **EXPECTED, overrun=overrun)
    funded = [(r, cap) for r, cap in zip(records, result.tokens.tolist(), strict=True) if cap]
    mean, variance, third = np.zeros(3)
    for record, cap in funded:
        grid = (np.arange(60_000) + 0.5) * cap / 60_000
        survival = stats.lognorm(record["spread"], scale=record["median"]).sf(grid)
        raw = [k * (grid ** (k - 1) * survival).sum() * cap / 60_000 for k in (1, 2, 3)]
        mean += raw[0]
        variance += raw[1] - raw[0] ** 2
        third += raw[2] - 3 * raw[1] * raw[0] + 2 * raw[0] ** 3
    z = stats.norm.isf(overrun)
    corrected = z + (z * z - 1) / 6 * third / variance**1.5
    assert result.spent == pytest.approx(mean, rel=1e-6)
    assert result.deviation == pytest.approx(np.sqrt(variance), rel=1e-5)
    assert result.margin == pytest.approx(corrected * np.sqrt(variance), rel=1e-5)
    assert len(funded) > 300
    assert 0.02 < third / variance**1.5 < 0.5


def test_a_certain_bound_is_held_where_it_is_smaller_than_the_normal_one():
    """One query with a cap below its shortest length: it burns the cap, and a token more is never needed."""
    for records, budget in (
        (lognormals(1000, 0.5), 300.0),
        (surges(500, 20), 300.0),
        (lognormals([900, 9e4], 2), 50.0),
    ):
        result = ca.allocate(strategies.build(records), budget, **EXPECTED, overrun=1e-6)
        result.audit()
        assert result.tokens.sum() <= budget
        assert result.spent + result.margin == pytest.approx(result.tokens.sum())
        assert result.utility == pytest.approx(ca.allocate(strategies.build(records), budget).utility, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.3, 1.0, 6.0])
def test_one_query_alone_keeps_the_agreed_chance(spread):
    """Its length passes the budget with a known chance. One length is far from normal: 5 % agreed may become 6."""
    lengths = stats.lognorm(spread, scale=1000)
    for budget in (50, 1000, 2000, 5000):
        result = ca.allocate(ca.LognormalArrival(1000, spread, 0.7), budget, **EXPECTED)
        result.audit()
        cap = float(result.tokens[0])
        assert cap <= budget or lengths.sf(budget) <= 0.06


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


def test_a_cost_that_is_a_mean_has_no_certain_bound():
    """Two dear options: with a limit the worst case is held, without one what Cantelli asks of any sum."""
    limited = ca.Menu([[100], [100]], [[0.5], [0.6]], expected=[[90], [95]], deviation=[[30], [20]])
    mean = ca.Menu([[100], [100]], [[0.5], [0.6]], deviation=[[30], [20]])
    z = np.sqrt(0.99 / 0.01)
    one, other = (ca.allocate(menu, 1000, **EXPECTED, overrun=0.01) for menu in (limited, mean))
    one.audit(), other.audit()
    assert one.margin == pytest.approx(15.0)
    assert other.margin == pytest.approx(z * np.hypot(30, 20))
    assert one.deviation == other.deviation == pytest.approx(np.hypot(30, 20))
    tight = ca.allocate(mean, 200 + z * np.hypot(30, 20) - 0.1, **EXPECTED, overrun=0.01)
    assert tight.choice.tolist() == [-1, 0]


@pytest.mark.slow
def test_the_margin_is_in_the_unit_of_the_budget():
    records = batch(30, 11)
    curves, rates = strategies.build(records), np.linspace(1e-6, 3e-6, 30)
    money = ca.allocate(curves, 0.02, rate=rates, call=1e-5, **EXPECTED)
    money.audit()
    _, cost, deviation = tables(records, int(money.tokens.max()))
    rows = np.arange(30)
    varies = np.sqrt(((rates * deviation[rows, money.tokens]) ** 2).sum())
    assert money.deviation == pytest.approx(varies, rel=1e-6)
    drawn = np.random.default_rng(4).standard_normal((50_000, 30))
    medians, spreads = (np.array([r[name] for r in records]) for name in ("median", "spread"))
    sums = (np.minimum(medians * np.exp(spreads * drawn), money.tokens) * rates).sum(axis=1)
    calls = 1e-5 * (money.tokens > 0).sum()
    assert money.spent + money.margin == pytest.approx(np.quantile(sums, 0.95) + calls, abs=0.04 * varies)
    spent = (rates * cost[rows, money.tokens] + np.where(money.tokens > 0, 1e-5, 0)).sum()
    assert money.spent == pytest.approx(spent, rel=1e-9)
    assert spent + money.margin <= 0.02
    tokens, cents = ca.allocate(curves, 9000, **EXPECTED), ca.allocate(curves, 9000 * 2e-6, rate=2e-6, **EXPECTED)
    assert cents.margin == pytest.approx(2e-6 * tokens.margin, rel=1e-3)
    assert cents.utility == pytest.approx(tokens.utility, rel=1e-4)


def test_reserved_caps_hold_nothing_back():
    curves = strategies.build(batch(20, 12))
    result = ca.allocate(curves, 5000, overrun=0.05)
    assert result.margin == result.deviation == 0
    priced = ca.allocate(curves, price=1e-4, **EXPECTED)
    assert priced.margin == 0
    assert priced.deviation > 0


def test_the_margin_of_a_grant_is_never_negative_and_grows_with_the_deviations():
    market = strategies.market_of(strategies.build(batch(6, 13)), **EXPECTED)
    caps = np.array([0.0, 50, 400, 1000, 2000, 5000])
    grant = evaluate(market, caps, market.menus.base)
    margins = [margin_of(market, grant, z) for z in (-1.0, 0.0, 0.5, 1.0, 2.0, 1e3, 1e6)]
    assert margins[:2] == [0, 0]
    assert (np.diff(margins) >= 0).all()
    cost = market.curves.cost(caps, "expected").sum()
    assert margins[-1] == margins[-2] == pytest.approx(caps.sum() - cost)


def test_uncertain_menus_beside_log_normals_count_as_normal_terms():
    """Menus whose spread outweighs that of the lengths: without their term the margin would be far too small."""
    records, rng = batch(10, 15), np.random.default_rng(16)
    menus = ca.Menu([[900.0]] * 12, [[0.9]] * 12, deviation=[[600.0]] * 12)
    curves = ca.concatenate([strategies.build(records), menus])
    result = ca.allocate(curves, 16_000, **EXPECTED, overrun=0.1)
    result.audit()
    bought = 900.0 * (result.choice >= 0).sum() + 600.0 * np.sqrt((result.choice >= 0).sum()) * rng.normal(
        size=50_000
    )
    assert (result.choice >= 0).sum() > 6
    sums = realised(records, result.tokens[:10], rng, 50_000) + bought
    assert 0.08 <= (sums > result.spent + result.margin).mean() <= 0.12
