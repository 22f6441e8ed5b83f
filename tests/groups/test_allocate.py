"""Tenants: laws of budgets and guarantees, on cases with constructed ties."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import tenants as cases
from support import strategies, tolerances
from support.grouped_results import checked
from support.laws import examples

import clear_alloc as ca
from clear_alloc.groups import Binding

laws = examples(30)


@st.composite
def tenancies(draw, records=None):
    rows = draw(strategies.tied(records, most=3, copies=3))
    names = draw(st.lists(st.sampled_from([None, "a", "b", "b.1", "b.2"]), min_size=len(rows), max_size=len(rows)))
    total = strategies.saturation(rows)
    budget = int(total * draw(st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1.2))))
    parts = st.one_of(st.none(), st.just(0.0), st.integers(0, total + 1).map(float))
    guarantees = [int(budget * draw(st.sampled_from([0.0, 0.25]))) for _ in range(2)]
    limits = [draw(parts) for _ in range(4)]
    groups = [
        ca.Group("a", None, limits[0], guarantees[0] if limits[0] is None else min(guarantees[0], limits[0])),
        ca.Group("b", None, limits[1]),
        ca.Group("b.1", "b", limits[2]),
        ca.Group("b.2", "b", limits[3], guarantees[1] if limits[1] is None and limits[3] is None else 0),
    ]
    return cases.Tenants(rows, [], groups, names, budget)


@given(tenancies())
@laws
def test_no_budget_is_passed_and_no_guarantee_is_broken_with_ties(case):
    result = case.allocated()
    checked(case, result)
    for group in case.groups:
        if group.guarantee and not case.inside(group.name):
            rows = case.within(group.name)
            alone = ca.allocate(strategies.build(case.records)[np.array(rows, dtype=int)], group.guarantee)
            assert result[group.name].utility >= alone.utility * (1 - 1e-9)


@given(tenancies())
@laws
def test_what_is_left_within_all_its_budgets_buys_nobody_anything(case):
    result, curves = case.allocated(), strategies.build(case.records)
    tokens = result.tokens
    for row in range(len(tokens)):
        around = [case.budget - tokens.sum()]
        around += [
            group.budget - tokens[case.within(group.name)].sum()
            for group in case.groups
            if group.budget is not None and row in case.within(group.name)
        ]
        spare = int(min(around))
        now, then = (curves[row : row + 1].utility(float(tokens[row] + more))[0] for more in (0, max(spare, 0)))
        assert then <= now + tolerances.SATURATION * curves[row : row + 1].utility(1e60)[0]


@given(tenancies())
@laws
def test_a_budget_that_nobody_wants_to_pass_has_no_price(case):
    result = case.allocated()
    price = {None: result.allocation.price, **{g.name: g.marginal for g in result.groups}}
    curves = strategies.build(case.records)
    market = strategies.market_of(curves)
    for group in case.groups:
        if group.budget is None:
            assert result[group.name].price == 0
        elif not case.inside(group.name):
            rows = case.within(group.name)
            wanted = market.demand_of_each(price[group.parent])[rows].sum()
            if wanted <= group.budget:
                assert result[group.name].price == 0
            assert (
                market.demand_of_each(price[group.name] * (1 + 1e-9))[rows].sum()
                <= max(group.budget, group.guarantee) + 1e-6
            )


@given(strategies.markets(strategies.any_records(), most=3, copies=3))
@laws
def test_one_group_without_limits_is_the_whole(case):
    records, budget = case
    curves = strategies.build(records)
    plain, within = (
        ca.allocate(curves, budget),
        ca.allocate_groups(curves, budget, [ca.Group("all")], ["all"] * len(records)),
    )
    assert within.allocation.utility >= plain.utility * (1 - 1e-12)
    assert within.allocation.price == pytest.approx(plain.price, rel=1e-9)
    assert within["all"].binding is Binding.NONE
    nobody = ca.allocate_groups(curves, budget, [], [None] * len(records))
    assert nobody.allocation.utility == within.allocation.utility
    assert nobody.groups == ()
    same = ca.allocate_groups(
        curves, 10 * strategies.saturation(records), [ca.Group("all", None, budget)], ["all"] * len(records)
    )
    assert same.allocation.utility >= plain.utility * (1 - 1e-12)


@given(tenancies(), st.randoms(use_true_random=False))
@laws
def test_the_order_of_queries_and_groups_changes_no_worth(case, random):
    result = case.allocated()
    order = list(range(len(case.records)))
    random.shuffle(order)
    groups = list(case.groups)
    random.shuffle(groups)
    other = replace(
        case, records=[case.records[k] for k in order], group_of=[case.group_of[k] for k in order], groups=groups
    ).allocated()
    assert other.allocation.utility == pytest.approx(result.allocation.utility, rel=1e-9, abs=1e-12)
    for group in case.groups:
        assert other[group.name].alone == pytest.approx(result[group.name].alone, rel=1e-9, abs=1e-12)
        assert other[group.name].marginal == pytest.approx(result[group.name].marginal, rel=1e-6, abs=1e-12)


@given(tenancies(), st.integers(1, 400))
@laws
def test_more_for_the_whole_never_means_less(case, more):
    less, then = case.allocated(), case.allocated(budget=case.budget + more)
    assert then.allocation.utility >= less.allocation.utility * (1 - 1e-9)


@given(tenancies())
@laws
def test_one_price_for_all_tokens_is_the_same_in_money(case):
    rate = 2.0**-10
    groups = [
        replace(g, budget=None if g.budget is None else g.budget * rate, guarantee=g.guarantee * rate)
        for g in case.groups
    ]
    money = case.allocated(budget=case.budget * rate, groups=groups, rate=rate)
    plain = case.allocated()
    money.audit()
    assert (money.tokens == plain.tokens).all()
    assert money.allocation.price * rate == pytest.approx(plain.allocation.price)
    for one, other in zip(money.groups, plain.groups, strict=True):
        assert one.spent == pytest.approx(other.spent * rate)
        assert (one.alone, one.utility) == pytest.approx((other.alone, other.utility))
        assert one.price * rate == pytest.approx(other.price)
        assert one.marginal * rate == pytest.approx(other.marginal)
        assert one.guarantee_price * rate == pytest.approx(other.guarantee_price)
