"""Tenants: the best there is, the promises to each group, and the prices that other solvers find."""

from __future__ import annotations

import json
from dataclasses import replace

import cvxpy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import tenants as cases
from oracles.milp import choices
from support import strategies, tolerances
from support.laws import examples

import clear_alloc as ca
from clear_alloc.groups import Binding

laws = examples(30)


def checked(case, result):
    """Everything that holds for every result, from the tokens alone."""
    result.audit()
    charges = result.allocation.charges
    assert charges.sum() <= case.budget * (1 + tolerances.ROUNDING)
    for group in case.groups:
        report, rows = result[group.name], case.within(group.name)
        assert report.spent == pytest.approx(charges[rows].sum(), rel=1e-12, abs=1e-12)
        assert (report.queries, report.funded) == (len(rows), result.allocation.funded[rows].sum())
        if group.budget is not None:
            assert report.spent <= group.budget * (1 + tolerances.ROUNDING)
        assert report.utility >= report.alone * (1 - 1e-9)
        assert min(report.price, report.guarantee_price, report.marginal) >= 0
        assert report.price == 0 or report.binding is Binding.BUDGET
        assert report.guarantee_price == 0 or report.binding is Binding.GUARANTEE


def losses(kind, count, oracle, most=12, scale=200):
    found = []
    for k in range(count):
        rng = np.random.default_rng([3, k])
        case = cases.drawn(kind, rng, levels=1 + k % 3, most=most, scale=scale)
        best, alone = oracle(case)
        result = case.allocated()
        checked(case, result)
        for group in case.groups:
            if group.guarantee:
                assert result[group.name].alone >= alone[group.name] * (1 - 2e-9) - 1e-7
        if oracle is cases.by_tables:  # at the very promises of the result, which may be a rounding lower
            best, _ = oracle(case, {group.name: result[group.name].alone for group in case.groups})
        utility = result.allocation.utility
        assert utility <= best + 1e-6
        assert result.allocation.upper_bound >= best * (1 - 1e-9)
        found.append((best - utility) / best if best > 0 else 0.0)
    return np.array(found)


@pytest.mark.slow
@pytest.mark.parametrize("kind", cases.FINITE)
def test_finite_choices_reach_the_integer_optimum_and_every_guarantee_what_it_buys_alone(kind):
    found = losses(kind, 24, cases.by_tables if kind in cases.WHOLE else cases.by_programme)
    assert found.max() <= 1e-6


@pytest.mark.parametrize(
    ("kind", "scale", "count"), [(k, 25, 16) for k in (*cases.SMOOTH, "ranges")] + [("mixed", 250, 8)]
)
def test_smooth_curves_reach_the_optimum_in_whole_tokens(kind, scale, count):
    found = losses(kind, count, cases.by_tables, most=8, scale=scale)
    assert found.mean() <= 1e-3
    assert found.max() <= 1e-2


# ---------------------------------------------------------------- prices


def concave(rng, n):
    """Concave from the first token, and so large that whole tokens don't matter."""
    return ca.ShiftedSurge(np.zeros(n), rng.uniform(1e5, 9e5, n), rng.uniform(0.2, 1, n), rng.uniform(0.5, 2, n))


def tangents(curves, pieces=2000):
    """Slopes and intercepts of tangents, (n, pieces): a concave curve as the lowest of them."""
    share = np.linspace(0.0, 1.0, pieces)
    at = curves.ceiling[:, None] * share
    value = curves.utility(at.T).T
    y = at / curves.ceiling[:, None]
    slope = (curves.weight * curves.peak / curves.ceiling)[:, None] * (1 - y) * np.exp(1 - y)
    return slope, value - slope * at


def multipliers(curves, budget, groups, rows_of, alone):
    """cvxpy's multipliers of the whole, of the groups' budgets, and of their guarantees."""
    unit = float(curves.ceiling.mean())
    slope, level = tangents(curves)
    caps, worth = cvxpy.Variable(len(curves), nonneg=True), cvxpy.Variable(len(curves))
    limits = [worth[:, None] <= cvxpy.multiply(slope * unit, caps[:, None]) + level]
    whole = cvxpy.sum(caps) <= budget / unit
    own_budgets = {
        g.name: cvxpy.sum(caps[rows_of[g.name]]) <= g.budget / unit for g in groups if g.budget is not None
    }
    promises = {g.name: cvxpy.sum(worth[rows_of[g.name]]) >= alone[g.name] for g in groups if g.guarantee}
    problem = cvxpy.Problem(
        cvxpy.Maximize(cvxpy.sum(worth)), [*limits, whole, *own_budgets.values(), *promises.values()]
    )
    problem.solve(solver=cvxpy.HIGHS)
    budgets = {name: float(limit.dual_value) / unit for name, limit in own_budgets.items()}
    weights = {name: float(limit.dual_value) for name, limit in promises.items()}
    return problem.value, float(whole.dual_value) / unit, budgets, weights


@pytest.mark.parametrize("seed", range(3))
def test_cvxpy_finds_the_same_price_of_the_whole_and_of_every_budget(seed):
    rng = np.random.default_rng([17, seed])
    n = 18
    curves = concave(rng, n)
    groups = [
        ca.Group("a", budget=3.5e5), ca.Group("b", budget=9e6), ca.Group("b.1", "b", budget=2.5e5),
        ca.Group("b.2", "b"), ca.Group("b.2.x", "b.2", budget=1e5),
    ]  # fmt: skip
    names = np.array(["a", "b", "b.1", "b.2", "b.2.x", None], dtype=object)[np.arange(n) % 6].tolist()
    case = cases.Tenants([], [], groups, names, 3.0e6, curves=curves)
    result = case.allocated()
    rows_of = {group.name: case.within(group.name) for group in groups}
    value, price, budgets, _ = multipliers(curves, 3.0e6, groups, rows_of, {})
    assert result.allocation.price == pytest.approx(price, rel=0.01)
    for group in groups:
        expected = budgets.get(group.name, 0.0)
        assert result[group.name].price == pytest.approx(expected, rel=0.01, abs=1e-9 * price)
        assert (result[group.name].binding is Binding.BUDGET) == (expected > 1e-6 * price)
    assert result["b.2.x"].marginal == pytest.approx(price + budgets["b.2.x"], rel=0.01)
    assert result["b.2"].marginal == pytest.approx(price, rel=0.01)
    assert result.allocation.utility == pytest.approx(value, rel=1e-4)
    assert result.allocation.upper_bound == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_cvxpy_finds_the_same_price_of_a_guarantee(seed):
    """A guarantee promises utility; its multiplier w weighs the group's own, so its price is p - p / (1 + w)."""
    rng = np.random.default_rng([19, seed])
    n = 12
    curves = concave(rng, n)
    groups = [ca.Group("poor", guarantee=1.6e6), ca.Group("rich", budget=1.2e6), ca.Group("slack", guarantee=1e3)]
    names = np.array(["poor", "rich", "slack"], dtype=object)[np.arange(n) % 3].tolist()
    curves = ca.ShiftedSurge(curves.threshold, curves.width, curves.peak, np.where(np.arange(n) % 3, 2.0, 0.3))
    case = cases.Tenants([], [], groups, names, 3.2e6, curves=curves)
    result = case.allocated()
    rows_of = {group.name: case.within(group.name) for group in groups}
    alone = {"poor": result["poor"].alone, "slack": result["slack"].alone}
    assert alone["poor"] == pytest.approx(ca.allocate(curves[rows_of["poor"]], 1.6e6).utility, rel=1e-9)
    value, price, budgets, weights = multipliers(curves, 3.2e6, groups, rows_of, alone)
    assert result.allocation.price == pytest.approx(price, rel=0.01)
    assert weights["poor"] > 0.05
    assert result["poor"].binding is Binding.GUARANTEE
    assert result["poor"].marginal == pytest.approx(price / (1 + weights["poor"]), rel=0.01)
    assert result["poor"].guarantee_price == pytest.approx(price - price / (1 + weights["poor"]), rel=0.01)
    assert result["slack"].binding is Binding.NONE
    assert result["slack"].guarantee_price == 0
    assert result["rich"].price == pytest.approx(budgets["rich"], rel=0.01)
    assert result.allocation.utility == pytest.approx(value, rel=1e-4)
    assert result.allocation.upper_bound == pytest.approx(value, rel=1e-4)


def test_a_guarantee_inside_a_budget_and_the_other_way_round_keep_the_certificate_tight():
    rng = np.random.default_rng(5)
    curves = concave(rng, 400)
    curves = ca.ShiftedSurge(np.zeros(400), curves.width / 100, curves.peak, np.where(np.arange(400) % 4, 2.0, 0.3))
    groups = [
        ca.Group("a", budget=3e5), ca.Group("a.1", "a", guarantee=1.5e5), ca.Group("b", guarantee=2e5),
        ca.Group("b.1", "b", budget=3e4),
    ]  # fmt: skip
    names = np.array(["a.1", "a", "b", "b.1"], dtype=object)[np.arange(400) % 4].tolist()
    result = ca.allocate_groups(curves, 7e5, groups, names)
    result.audit()
    assert [g.binding for g in result.groups][:2] == [Binding.BUDGET, Binding.GUARANTEE]
    assert result.allocation.gap <= 1e-3 * result.allocation.utility


# ---------------------------------------------------------------- laws, with ties


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


# ---------------------------------------------------------------- shares of funded queries


def by_share(case, needed):
    """The optimum with at least so many queries of each group worth something: integer programming."""
    flat = [(row, option.value, option.charge) for row, options in enumerate(case.lists) for option in options]
    owner, worth, cost = (np.array(column) for column in zip(*flat, strict=True))
    pick = cvxpy.Variable(len(flat), boolean=True)
    limits = [cvxpy.sum(pick[owner == row]) == 1 for row in range(len(case.lists))] + [cost @ pick <= case.budget]
    for name, count in needed.items():
        mine = np.isin(owner, case.within(name))
        limits.append(cvxpy.sum(pick[mine & (worth > 0)]) >= count)
    own_budgets = [group for group in case.groups if group.budget is not None]
    limits += [(cost * np.isin(owner, case.within(group.name))) @ pick <= group.budget for group in own_budgets]
    problem = cvxpy.Problem(cvxpy.Maximize(worth @ pick), limits)
    problem.solve(solver=cvxpy.HIGHS)
    return problem.value if problem.value is not None and np.isfinite(problem.value) else None


def test_a_share_of_funded_queries_costs_little_more_than_it_must():
    found = []
    for k in range(20):
        rng = np.random.default_rng([23, k])
        records = [cases.menu_record(rng, 100) for _ in range(10)]
        lists = [choices(record) for record in records]
        names = ["a", "b"] * 5
        groups = [ca.Group("a", None, 500 if k % 2 else None, 0, 0.6), ca.Group("b")]
        case = cases.Tenants(records, lists, groups, names, int(rng.uniform(250, 700)))
        best = by_share(case, {"a": 3})
        if best is None:
            with pytest.raises((ca.BudgetTooSmall, ca.InvalidArgument)):
                case.allocated()
            continue
        result = case.allocated()
        checked(case, result)
        curves = strategies.build(records)
        worth = curves.utility(result.tokens.astype(float))
        assert (worth[case.within("a")] > 0).sum() >= 3
        assert result.allocation.utility <= best + 1e-9
        found.append(1 - result.allocation.utility / best)
    assert len(found) >= 15
    assert np.mean(found) <= 0.03


def test_a_share_funds_smooth_curves_on_the_branch_where_tokens_are_worth_their_price():
    rng = np.random.default_rng(2)
    curves = strategies.draws(strategies.SURGE, 60, rng)
    names = ["a", "b.1", "b.2"] * 20
    groups = [
        ca.Group("a", min_funded=0.9),
        ca.Group("b", min_funded=0.5),
        ca.Group("b.1", "b"),
        ca.Group("b.2", "b"),
    ]
    budget = int(0.5 * curves.ceiling.sum())
    free = ca.allocate_groups(curves, budget, [replace(g, min_funded=0.0) for g in groups], names)
    result = ca.allocate_groups(curves, budget, groups, names)
    result.audit()
    worth = curves.utility(result.tokens.astype(float))
    served = worth > 0
    member = np.array(names)
    assert served[member == "a"].sum() >= 18 > free["a"].funded
    assert served[member != "a"].sum() >= 20
    slope = (curves.utility(result.tokens + 1.0) - worth)[served]  # nobody is funded for form's sake
    assert (slope <= 1.1 * result["a"].marginal).all()
    assert result.allocation.utility < free.allocation.utility
    assert ca.allocate_groups(curves, budget, [ca.Group("a", min_funded=0.1)], ["a"] * 60).tokens.tolist() == (
        ca.allocate_groups(curves, budget, [ca.Group("a")], ["a"] * 60).tokens.tolist()
    )


def test_a_share_that_nobody_can_meet_names_the_group():
    curves = ca.ShiftedSurge([100, 100, 100], 50, 0.5, weight=[1, 0, 0])
    with pytest.raises(ca.InvalidArgument, match=r"at most 1 funded queries in 'dull'.*lower the share"):
        ca.allocate_groups(curves, 1000, [ca.Group("dull", min_funded=0.5)], ["dull"] * 3)
    with pytest.raises(ca.BudgetTooSmall, match="'dull'"):
        ca.allocate_groups(curves, 1000, [ca.Group("dull", None, 50, min_funded=0.3)], ["dull"] * 3)


# ---------------------------------------------------------------- expected accounting


def arrivals(n, rng):
    return ca.LognormalArrival(500 * np.exp(rng.normal(0, 0.5, n)), rng.uniform(0.3, 0.9, n), rng.uniform(0.3, 1, n))


@pytest.mark.slow
def test_every_group_holds_back_a_margin_and_passes_its_budget_no_oftener_than_agreed():
    rng = np.random.default_rng(8)
    curves, chance = arrivals(60, rng), 0.1
    names = ["a", "b.1", "b.2"] * 20
    groups = [
        ca.Group("a", None, 4000),
        ca.Group("b", None, 9000, 2000),
        ca.Group("b.1", "b", 3000),
        ca.Group("b.2", "b"),
    ]
    case = cases.Tenants([], [], groups, names, 16_000, curves=curves)
    result = case.allocated(accounting="expected", overrun=chance)
    result.audit()
    caps = result.tokens
    length = np.exp(np.log(curves.median) + curves.spread * rng.normal(size=(4000, 60)))
    burned = np.minimum(length, caps)
    assert (burned.sum(axis=1) > 16_000).mean() <= chance + 0.02
    margins = {}
    for group in groups:
        rows, report = case.within(group.name), result[group.name]
        margins[group.name] = report.margin
        normal = 1.2815515655446004 * np.sqrt((curves.deviation(caps)[rows] ** 2).sum())
        assert report.margin >= min(normal, caps[rows].sum() - report.spent) * (1 - 1e-6)
        assert report.spent == pytest.approx(curves.expected_cost(caps)[rows].sum())
        if group.budget is not None:
            assert report.spent + report.margin <= group.budget * (1 + 1e-12)
            assert report.spent + report.margin >= 0.95 * group.budget
            assert (burned[:, rows].sum(axis=1) > group.budget).mean() <= chance + 0.02
    assert margins["b"] < margins["b.1"] + margins["b.2"]


def test_floors_whose_margin_does_not_fit_a_groups_budget_are_refused():
    curves = arrivals(4, np.random.default_rng(1))
    floor = curves.expected_cost(np.full(4, 300.0)).sum()
    terms = {"accounting": "expected", "overrun": 0.01, "min_tokens": 300}
    with pytest.raises(ca.BudgetTooSmall):
        ca.allocate_groups(curves, 1e5, [ca.Group("a", None, floor * 1.0001)], ["a"] * 4, **terms)


# ---------------------------------------------------------------- what the result shows


def test_reports_by_name_and_as_plain_numbers():
    curves = ca.ShiftedSurge([100, 150, 200, 250], 100, 0.9)
    teams = [ca.Group("chat", guarantee=300), ca.Group("search", budget=250), ca.Group("night", "search")]
    result = ca.allocate_groups(curves, 600, teams, ["search", "night", "chat", None], ids=list("wxyz"))
    assert [group.name for group in result.groups] == ["chat", "search", "night"]
    assert result.tokens.tolist() == result.allocation.tokens.tolist()
    assert (result["night"].parent, result["search"].queries, result["night"].queries) == ("search", 2, 1)
    assert (result["chat"].guarantee, result["chat"].alone) == (300, 0.9)
    plain = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert plain["group_of"] == ["search", "night", "chat", None]
    assert plain["groups"][1]["binding"] == "budget"
    assert plain["groups"][1]["spent"] == result["search"].spent
    assert plain["tokens"] == result.tokens.tolist()
    assert "3 groups" in repr(result)
    assert len(result.allocation.reasons) == 4
    with pytest.raises(KeyError, match="nobody"):
        result["nobody"]


def test_the_audit_finds_every_false_report():
    curves = ca.ShiftedSurge([100, 150, 200, 250], 100, 0.9)
    teams = [ca.Group("search", budget=250), ca.Group("chat", guarantee=300), ca.Group("in", "chat", budget=310)]
    result = ca.allocate_groups(curves, 600, teams, ["search", "search", "in", "chat"])
    result.audit()
    false = [
        (0, {"spent": 249.0}, "spent what"), (0, {"budget": 249.0}, "stays within"),
        (0, {"margin": 1.0}, "stays within"), (1, {"alone": 0.91}, "guarantee alone"),
        (2, {"spent": 0.0}, "spent what"), (1, {"budget": 200.0}, "stays within"),
    ]  # fmt: skip
    for place, change, promise in false:
        groups = list(result.groups)
        groups[place] = replace(groups[place], **change)
        with pytest.raises(ca.AuditFailed, match=promise):
            replace(result, groups=tuple(groups)).audit()
    with pytest.raises(ca.AuditFailed):
        replace(result, group_of=("search", "in", "in", "chat")).audit()
    with pytest.raises(ca.AuditFailed):
        replace(result, allocation=replace(result.allocation, upper_bound=9.0)).audit()


def test_leftovers_go_where_they_are_worth_most_and_never_past_a_budget_around():
    """Menus of one option and one smooth curve: what is left over buys the best that a group may have."""
    menus = ca.Menu([[10]] * 3 + [[12]] * 3, [[0.5]] * 3 + [[0.4]] * 3)
    curves = ca.concatenate([menus, ca.ShiftedSurge([0.0], 30, 0.1)])
    names = ["a", "a", "a.1", "a.1", "b", "b", "b"]
    groups = [ca.Group("a", None, 25), ca.Group("a.1", "a", 21), ca.Group("b", None, None, 12)]
    for budget in range(12, 80, 3):
        case = cases.Tenants([], [], groups, names, budget, curves=curves)
        result = case.allocated()
        checked(case, result)
        assert result["b"].utility >= 0.4
        assert result["a"].utility == pytest.approx(0.5 * min((budget - 12) // 10, 2))


def test_what_a_guarantee_leaves_idle_others_may_use_and_what_others_leave_it_may_use():
    curves = ca.ShiftedSurge(np.zeros(3), 100, [0.5, 0.5, 0.5])
    lent = ca.allocate_groups(curves, 300, [ca.Group("a", guarantee=250)], ["a", None, None])
    assert lent.tokens.tolist() == [100, 100, 100]
    borrowed = ca.allocate_groups(curves, 300, [ca.Group("a", guarantee=50)], ["a", "a", "a"])
    assert borrowed.tokens.tolist() == [100, 100, 100]


@pytest.mark.parametrize("turned", [False, True])
def test_equals_that_no_price_tells_apart_are_funded_where_budgets_and_guarantees_allow(turned):
    """All demands jump at one price, so who is funded is decided after clearing: here, wherever the groups say."""
    curves = ca.ShiftedSurge(np.full(40, 100.0), 50, 0.5)
    names = ["a"] * 20 + ["b"] * 20
    names = names[::-1] if turned else names
    for groups, least in (
        ([ca.Group("a", None, 320), ca.Group("b")], (2, 11)),
        ([ca.Group("a"), ca.Group("b", None, 320)], (11, 2)),
        ([ca.Group("a", None, None, 600), ca.Group("b", None, None, 900)], (4, 6)),
        ([ca.Group("a", None, 320), ca.Group("b", None, 640)], (2, 4)),
    ):
        case = cases.Tenants([], [], groups, names, 2000, curves=curves)
        result = case.allocated()
        checked(case, result)
        assert result["a"].funded >= least[0]
        assert result["b"].funded >= least[1]
        best = min(13, 20 + least[1], 20 + least[0]) if groups[1].guarantee else sum(least)
        assert result.allocation.utility >= 0.97 * 0.5 * best


@pytest.mark.parametrize("turned", [False, True])
def test_many_equals_are_funded_within_every_budget(turned):
    """So many that no combination is looked for: what the price alone gave one group too much is taken back."""
    curves = ca.ShiftedSurge(np.full(1200, 100.0), 50, 0.5)
    names = ["a"] * 600 + ["b"] * 600
    names = names[::-1] if turned else names
    for groups in (
        [ca.Group("a", None, 3200), ca.Group("b")],
        [ca.Group("a", None, None, 9000), ca.Group("b", None, None, 9000)],
    ):
        case = cases.Tenants([], [], groups, names, 20_000, curves=curves)
        result = case.allocated()
        checked(case, result)
        assert result.allocation.gap <= 0.02 * result.allocation.utility


@pytest.mark.slow
@pytest.mark.parametrize("family", strategies.SMOOTH)
def test_many_queries_are_certified_to_a_small_share(family):
    rng = np.random.default_rng(6)
    curves = strategies.draws(family, 1500, rng)
    budget = int(0.3 * curves.ceiling.sum())
    groups = [ca.Group(str(k), None, budget / 12 if k % 2 else None, 0 if k % 3 else budget / 25) for k in range(10)]
    groups += [ca.Group(f"{k}.{j}", str(k), None if j else budget / 40) for k in range(10) for j in range(2)]
    names = [groups[k % 30].name for k in range(1500)]
    result = ca.allocate_groups(curves, budget, groups, names)
    checked(cases.Tenants([], [], groups, names, budget), result)
    assert result.allocation.gap <= 0.01 * result.allocation.utility
    assert sum(group.binding is not Binding.NONE for group in result.groups) >= 5
