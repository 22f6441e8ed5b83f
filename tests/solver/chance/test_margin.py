"""The margin that a solution needs: what it is at least and at most, and in which unit."""

from __future__ import annotations

import numpy as np
import pytest
from oracles.expected_cost import tables
from support import strategies
from support.length_records import EXPECTED, batch, lognormals, surges

import clear_alloc as ca
from clear_alloc.solver.chance.margin import deviation_of, margin_in_deviations, margin_of, scaled_margin
from clear_alloc.solver.primal.solution import evaluate, floor_solution


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
    grant = evaluate(market, [caps])
    margins = [margin_of(market, grant, z) for z in (-1.0, 0.0, 0.5, 1.0, 2.0, 1e3, 1e6)]
    assert margins[:2] == [0, 0]
    assert (np.diff(margins) >= 0).all()
    cost = market.curves.cost(caps, "expected").sum()
    assert margins[-1] == margins[-2] == pytest.approx(caps.sum() - cost)


def test_a_scaled_margin_is_so_many_deviations_within_the_room_for_an_overrun():
    market = strategies.market_of(strategies.build(batch(6, 13)), **EXPECTED)
    caps = np.array([0.0, 50, 400, 1000, 2000, 5000])
    solution = evaluate(market, [caps])
    deviation = float(np.sqrt((market.curves.deviation(caps) ** 2).sum()))
    room = float(caps.sum() - market.curves.expected_cost(caps).sum())
    assert deviation_of(market, solution) == pytest.approx(deviation)
    assert scaled_margin(market, solution, 0.0) == scaled_margin(market, solution, -1.0) == 0.0
    assert scaled_margin(market, solution, 1.5) == pytest.approx(1.5 * deviation)
    assert scaled_margin(market, solution, 1e6) == pytest.approx(room)
    assert margin_in_deviations(market, solution, 3.0 * deviation, 1.6) == pytest.approx(3.0)
    assert margin_in_deviations(market, floor_solution(market), 0.0, 1.6) == 1.6
    reserved = strategies.market_of(strategies.build(batch(6, 13)))
    assert deviation_of(reserved, solution) == 0.0
