"""The verbs of a demand, asked of smooth curves, menus and listed levels alike: laws that each of them obeys."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import strategies, tolerances
from support.laws import examples
from support.smooth_cases import LIMITS, curves_of, terms_of

import clear_alloc as ca
from clear_alloc.market.demand import undominated
from clear_alloc.solver.primal.solution import FundedSet

TERMS = {
    **LIMITS,
    "caps": {"levels": {0, 128, 256, 1024}},
    "caps and floors": {"levels": {0, 128, 256, 1024}, "min_tokens": "own"},
    "caps and a fallback": {"levels": {0, 128, 512}, "fallback": 64},
    "expected caps": {"accounting": "expected", "levels": {0, 256, 1024}, "rate": "own"},
}
QUANTITIES = ("charge", "variance", "third_moment", "worst")
every_demand = pytest.mark.parametrize(
    ("limits", "kind"),
    [(name, kind) for name in TERMS for kind in (*strategies.SMOOTH, "menus")
     if not (kind == strategies.SURGE and TERMS[name].get("accounting") == "expected")],
)  # fmt: skip


def demand_of(limits, kind, n=24, seed=0):
    """The one demand of a market of n queries of one kind, and its generator of random numbers."""
    rng = np.random.default_rng(seed)
    if kind == "menus":
        costs = np.cumsum(rng.uniform(60, 500, (n, 4)), axis=1)
        values = np.sort(rng.uniform(0, 1, (n, 4)), axis=1)
        values[::3] = rng.permuted(values[::3], axis=1)
        burned = {"expected": costs * rng.uniform(0.3, 1, (n, 4)), "deviation": costs * rng.uniform(0, 0.4, (n, 4))}
        curves = ca.Menu(costs, values, weight=rng.uniform(0.5, 2, n), **burned)
    else:
        curves = curves_of(kind, n, rng)
    market = strategies.market_of(curves, **terms_of(TERMS[limits], n, rng))
    (demand,) = market.demands
    assert demand.divisible == (kind != "menus" and "caps" not in limits)
    return demand, rng


def prices_of(demand):
    """Prices from 0 to beyond the highest at which anything is wanted, those of jumps among them."""
    entry = demand.entry_price
    top = float(entry.max())
    return np.unique(np.concatenate([[0.0], np.geomspace(1e-4, 2.0, 14) * top, np.quantile(entry, [0.2, 0.5, 0.9])]))


def near(demand):
    """What two ways to the same sum may differ by, of each query's value."""
    return 2 * tolerances.SATURATION * np.maximum(demand.value(demand.within(np.full(len(demand), 2.0**53))), 1e-9)


@every_demand
def test_what_is_wanted_falls_with_the_price_to_the_default(limits, kind):
    demand, _ = demand_of(limits, kind)
    columns = [demand.charge_at(price) for price in prices_of(demand)]
    for price, column in zip(prices_of(demand), columns, strict=True):
        assert demand.total_at(price) == pytest.approx(column.sum(), rel=tolerances.ROUNDING)
        assert (column >= demand.default_charge * (1 - tolerances.ROUNDING)).all()
    assert (np.diff(columns, axis=0) <= tolerances.ROUNDING * np.array(columns[:-1]) + 1e-12).all()
    np.testing.assert_allclose(columns[-1], demand.default_charge, rtol=tolerances.ROUNDING)
    assert columns[0].sum() > columns[-1].sum()
    assert demand.saturation >= columns[0].sum() * (1 - tolerances.ROUNDING)
    np.testing.assert_allclose(demand.charge(demand.default()), demand.default_charge, rtol=tolerances.ROUNDING)
    np.testing.assert_allclose(demand.value(demand.default()), demand.default_value, rtol=tolerances.ROUNDING)


@every_demand
def test_a_query_leaves_its_default_just_below_its_entry_price(limits, kind):
    demand, _ = demand_of(limits, kind)
    entry, default = demand.entry_price, demand.default_charge
    for query in np.flatnonzero(entry > 0):
        assert demand.charge_at(entry[query] * (1 + 1e-9))[query] == pytest.approx(default[query], rel=1e-12)
        assert demand.charge_at(entry[query] * (1 - 1e-3))[query] > default[query]
    jumping = set(demand.breakpoint_prices.tolist())
    first = demand.first_breakpoints()
    np.testing.assert_array_equal(first.price, entry[first.query])
    assert set(first.query.tolist()) >= set(np.flatnonzero(entry > 0).tolist())
    assert (first.cost[first.price > 0] > 0).all()
    for price, query, cost in zip(first.price, first.query, first.cost, strict=True):
        if price in jumping:
            below = demand.charge_at(price * (1 - 1e-9))[query] - default[query]
            assert cost == pytest.approx(below, rel=1e-6)


@every_demand
def test_the_best_decision_is_worth_its_surplus_and_no_other_is_worth_more(limits, kind):
    demand, rng = demand_of(limits, kind)
    for price in prices_of(demand):
        surplus, best = demand.surplus(price), demand.best_at(price)
        np.testing.assert_allclose(
            demand.value(best) - price * demand.charge(best), surplus, rtol=1e-9, atol=near(demand).max()
        )
        np.testing.assert_array_equal(demand.surplus(np.full(len(demand), price)), surplus)
        assert demand.total_surplus(price) == pytest.approx(surplus.sum(), rel=1e-12, abs=1e-12)
        for decision in (demand.default(), *(demand.within(rng.integers(0, 2_500, len(demand))) for _ in range(6))):
            assert (demand.value(decision) - price * demand.charge(decision) <= surplus + near(demand)).all()
    own = rng.uniform(0.3, 1.2, len(demand)) * demand.entry_price
    each = [demand.surplus(float(price))[query] for query, price in enumerate(own)]
    np.testing.assert_allclose(demand.surplus(own), each, rtol=1e-12, atol=1e-12)


@every_demand
def test_the_levels_in_force_at_a_price_are_worth_most_there(limits, kind):
    demand, _ = demand_of(limits, kind)
    prices, everybody = prices_of(demand), np.ones(len(demand), dtype=bool)
    for k, price in enumerate(prices):
        levels = demand.levels_at(price)
        row = demand.level_surplus(levels, prices, everybody)
        # Whole caps are worth no more than real ones, and of finite choices nothing lies between.
        assert row[k] >= demand.total_surplus(price) - near(demand).sum()
        if not demand.divisible:
            assert row[k] == pytest.approx(demand.total_surplus(price), rel=1e-9, abs=1e-12)
        for other in prices[::4]:
            assert demand.level_surplus(demand.levels_at(other), prices, everybody)[k] <= row[k] + 1e-9 * abs(row[k])
        assert (demand.least_charge(levels) <= demand.charge_at(price) * (1 + 1e-12) + 1e-12).all()
        parts = [demand.level_surplus(levels, prices, np.arange(len(demand)) == query) for query in range(5)]
        some = demand.level_surplus(levels, prices, np.arange(len(demand)) < 5)
        np.testing.assert_allclose(np.sum(parts, axis=0), some, rtol=1e-9, atol=1e-12)


@every_demand
def test_jumps_lead_from_the_levels_at_one_price_to_those_at_a_lower_one(limits, kind):
    demand, _ = demand_of(limits, kind)
    prices = prices_of(demand)
    for low, high in itertools.pairwise(prices):
        levels, jumps = demand.levels_at(high), demand.breakpoints_between(low, high)
        levels[jumps.query] = jumps.level
        np.testing.assert_array_equal(levels, demand.levels_at(low))
        assert ((jumps.price > low) & (jumps.price <= high)).all()
        if demand.divisible:
            above = demand.charge_at(low)[jumps.query] - demand.default_charge[jumps.query]
            np.testing.assert_allclose(jumps.cost, above, rtol=1e-12)
        else:
            assert jumps.cost.sum() == pytest.approx(demand.total_at(low) - demand.total_at(high), abs=1e-9)
        everything, taken = demand.core_breakpoints(demand.levels_at(low))
        np.testing.assert_array_equal(taken, everything.price > low)
        assert set(np.unique(jumps.price)) <= set(everything.price.tolist())


@every_demand
def test_levels_of_decisions_and_choices_of_levels_agree(limits, kind):
    demand, _ = demand_of(limits, kind)
    prices, queries = prices_of(demand)[::3], np.array([2, 7, 11])
    price = float(np.median(demand.entry_price))
    np.testing.assert_array_equal(demand.levels_of(demand.default()) > 0, demand.levels_at(1e300) > 0)
    for query, (level, surplus, least) in zip(queries, demand.choices(queries, prices, price), strict=True):
        assert len(set(level.tolist())) == len(level) == len(surplus) == len(least)
        for k, one in enumerate(level.tolist()):
            levels = demand.levels_at(1e300)
            levels[query] = one
            alone = demand.level_surplus(levels, prices, np.arange(len(demand)) == query)
            np.testing.assert_allclose(surplus[k], alone, rtol=1e-9, atol=1e-12)
            assert least[k] == pytest.approx(demand.least_charge(levels)[query], rel=1e-12)
        assert demand.levels_at(price)[query] in level


@every_demand
def test_sums_of_decisions_are_sums_of_their_columns(limits, kind):
    demand, rng = demand_of(limits, kind)
    decision = demand.within(rng.integers(0, 1_500, len(demand)))
    columns = {name: getattr(demand, name)(decision) for name in QUANTITIES}
    assert demand.totals(decision, *QUANTITIES) == pytest.approx([columns[name].sum() for name in QUANTITIES])
    assert demand.totals(decision, "charge") == pytest.approx([columns["charge"].sum()])
    assert demand.largest_variance(decision) == pytest.approx(columns["variance"].max())
    assert (columns["variance"] >= 0).all()
    assert (columns["worst"] >= columns["charge"] * (1 - 1e-9)).all()
    tokens = demand.tokens(decision)
    assert (tokens == np.floor(tokens)).all()
    if "expected" not in limits:
        assert not columns["variance"].any()


@every_demand
def test_a_limit_buys_the_best_that_it_covers(limits, kind):
    demand, rng = demand_of(limits, kind)
    lowest = demand.tokens(demand.default())
    before = demand.value(demand.default())
    for limit in np.sort(rng.integers(0, 2_500, (8, len(demand))), axis=0).astype(float):
        decision = demand.within(limit)
        assert (demand.tokens(decision) <= np.maximum(limit, lowest)).all()
        assert (demand.value(decision) >= before - 1e-12).all()
        before = demand.value(decision)
    none = np.zeros(len(demand))
    assert (demand.tokens(demand.within(none)) <= lowest).all()


@every_demand
def test_the_best_raise_gains_most_within_its_room(limits, kind):
    demand, rng = demand_of(limits, kind)
    decision = demand.within(rng.integers(0, 500, len(demand)))
    value, charge = demand.value(decision), demand.charge(decision)
    for scale in (0.0, 20.0, 400.0, 1e5):
        room = np.where(rng.random(len(demand)) < 0.7, scale * rng.uniform(0.2, 1, len(demand)), 0.0)
        gain, query, raised = demand.best_raise(decision, room)
        changed = decision.copy()
        changed[query] = raised
        if gain > 0:
            assert gain == pytest.approx(demand.value(changed)[query] - value[query])
            assert demand.charge(changed)[query] <= (charge[query] + room[query]) * (1 + 1e-12)
        for limit in (100, 300, 700, 1_500, 1e6):
            rival = demand.within(np.full(len(demand), float(limit)))
            fits = demand.charge(rival) - charge <= room
            assert (demand.value(rival) - value)[fits].max(initial=0.0) <= max(gain, 0.0) + 1e-12


@every_demand
def test_without_what_cannot_be_paid_the_rest_stays_as_it_was(limits, kind):
    demand, _ = demand_of(limits, kind)
    whole = demand.charge_at(0.0) - demand.default_charge
    for free in (0.0, float(np.quantile(whole, 0.4)), 2.0 * float(whole.max()) + 5.0):
        within = demand.without_unaffordable(free)
        assert len(within) == len(demand)
        assert not within.exceeds(0.0, free * (1 + 1e-12) + 1e-12)
        np.testing.assert_allclose(within.default_charge, demand.default_charge)
        assert (within.charge_at(0.0) - within.default_charge <= free * (1 + 1e-12) + 1e-12).all()
        for price in prices_of(demand)[::3]:
            assert (within.surplus(price) <= demand.surplus(price) + near(demand)).all()
            if not demand.exceeds(price, free):
                same = demand.charge_at(price) - demand.default_charge <= free
                np.testing.assert_allclose(within.charge_at(price)[same], demand.charge_at(price)[same], rtol=1e-9)
    assert not demand.exceeds(0.0, 2.0 * float(demand.saturation) + 5.0)


@every_demand
def test_who_must_be_funded_gets_the_best_that_is_worth_anything(limits, kind):
    demand, _ = demand_of(limits, kind)
    for share in (0.3, 0.9, 3.0):
        prices = share * demand.entry_price
        surplus, floor = demand.forced(prices)
        assert (surplus <= demand.surplus(prices) + near(demand))[np.isfinite(surplus)].all()
        bought = demand.best_at(float(share * np.median(demand.entry_price)))
        assert np.isfinite(surplus)[demand.value(bought) > 0].all()
        assert (floor == np.floor(floor)).all()
        gained = np.isfinite(surplus) & (prices < demand.entry_price)
        slack = near(demand) + 1e-9 * np.abs(demand.surplus(prices))
        if not demand.divisible:
            assert (surplus >= demand.surplus(prices) - slack)[gained].all()
    assert (demand.cheapest_useful >= demand.default_charge * (1 - 1e-12))[demand.entry_price > 0].all()


@every_demand
def test_a_default_is_not_funded_unless_a_floor_asks_for_it(limits, kind):
    demand, _ = demand_of(limits, kind)
    fallback = np.full(len(demand), TERMS[limits].get("fallback", 0), dtype=float)
    resting = demand.is_funded(demand.default(), fallback)
    if not {"min_tokens"} & set(TERMS[limits]):
        assert not resting.any()
    best = demand.best_at(0.0)
    gained = demand.value(best) > demand.default_value
    assert demand.is_funded(best, fallback)[gained].all()


@every_demand
def test_the_classes_of_choices_hold_the_best_and_nothing_dominated(limits, kind):
    demand, rng = demand_of(limits, kind, n=4)
    weight = rng.uniform(0.5, 2, len(demand))
    charge = 0.6 * np.maximum(demand.entry_price, 1e-6)
    room = 40.0 + demand.default_charge
    for gap in (0.0, 0.05, 10.0):
        classes = demand.choice_classes(weight, charge, gap, room)
        assert [one.query for one in classes] == list(range(len(demand)))
        for query, one in enumerate(classes):
            assert (np.diff(one.charge) > 0).all()
            assert (np.diff(one.value) > 0).all()
            assert one.reduced_cost.min() == pytest.approx(0.0, abs=1e-12)
            assert (one.reduced_cost <= gap).all()
            for k in range(0, len(one.charge), max(len(one.charge) // 5, 1)):
                decision = demand.default()
                decision[query] = one.decision[k]
                assert demand.charge(decision)[query] == pytest.approx(one.charge[k], rel=1e-12)
                assert demand.value(decision)[query] == pytest.approx(one.value[k], rel=1e-12, abs=1e-15)
        if gap == 10.0:
            best = [weight[q] * one.value - charge[q] * one.charge for q, one in enumerate(classes)]
            np.testing.assert_allclose(
                [(one.max() - one).max() for one in best],
                [one.reduced_cost.max() for one in classes],
                rtol=1e-9,
                atol=1e-12,
            )


def test_of_choices_that_cost_the_same_the_best_is_kept_and_what_is_dominated_is_not():
    one = undominated(
        3,
        np.array([0, 1, 2, 3, 4]),
        np.array([5.0, 2.0, 5.0, 7.0, 9.0]),
        np.array([0.3, 0.2, 0.6, 0.6, 0.7]),
        weight=2.0,
        price=0.1,
        gap=0.5,
    )
    assert one.query == 3
    assert one.decision.tolist() == [1, 2, 4]
    assert one.charge.tolist() == [2.0, 5.0, 9.0]
    assert one.reduced_cost == pytest.approx([0.5, 0.0, 0.2])
    few = undominated(0, np.array([0, 1]), np.array([0.0, 4.0]), np.array([0.0, 0.9]), 1.0, 0.0, 0.5)
    assert few.decision.tolist() == [1]


@given(strategies.tied(most=4, copies=3), st.floats(0, 1.5), st.floats(0, 1.5))
@examples(40)
def test_of_any_mix_demand_falls_and_its_surplus_is_convex_in_the_price(records, one, other):
    """A surplus is the highest of lines in the price, whose slope is minus what is charged."""
    market = strategies.market_of(strategies.build(records))
    low, high = sorted(share * market.highest_price for share in (one, other))
    middle = 0.5 * (low + high)
    for demand in market.demands:
        slack = near(demand).sum()
        assert demand.total_at(high) <= demand.total_at(low) * (1 + tolerances.ROUNDING)
        ends = 0.5 * (demand.total_surplus(low) + demand.total_surplus(high))
        assert demand.total_surplus(middle) <= ends + slack
        assert (
            demand.total_surplus(high)
            >= demand.total_surplus(low) - (high - low) * demand.charge(demand.best_at(low)).sum() - slack
        )


def test_a_funded_set_is_one_column_of_levels_per_demand():
    curves = ca.concatenate([ca.ShiftedSurge([100, 200], 50, 0.5), ca.Menu([[30, 60]], [[0.2, 0.3]])])
    market = strategies.market_of(curves)
    levels: FundedSet = tuple(demand.levels_at(0.0) for demand in market.demands)
    assert [column.tolist() for column in levels] == [[1, 1], [1]]
    assert [column.tolist() for column in (demand.levels_at(1.0) for demand in market.demands)] == [[0, 0], [-1]]
