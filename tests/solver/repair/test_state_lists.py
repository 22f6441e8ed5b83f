"""Finite choices put together: against every combination there is, under one budget and nested ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import integer_programme
from support import strategies, tolerances
from support.laws import examples

import clear_alloc as ca
from clear_alloc.market import smooth_demand
from clear_alloc.market.demand import MOST_STATES, ChoiceClass
from clear_alloc.solver.primal.solution import evaluate
from clear_alloc.solver.repair import state_lists as combine
from clear_alloc.solver.repair.state_lists import Knapsack, applied, best_choices, choice_classes


def item(query, charge, value, price=0.0, weight=1.0):
    order = np.lexsort((-np.array(value, dtype=float), charge))
    charge, value = np.array(charge, dtype=float)[order], np.array(value, dtype=float)[order]
    leads = np.append(True, value[1:] > np.maximum.accumulate(value)[:-1])
    charge, value = charge[leads], value[leads]
    surplus = weight * value - price * charge
    return ChoiceClass(query, charge, value, surplus.max() - surplus, np.arange(len(charge)))


def members(box):
    own_items = [(one, [box]) for one in box.classes]
    return own_items + [(one, [*around, box]) for inner in box.inner for one, around in members(inner)]


def boxes_in(box):
    return [box, *(one for inner in box.inner for one in boxes_in(inner))]


def by_trial(box):
    """The best worth over every combination that keeps all budgets and promises; -inf if none does."""
    found, best = members(box), -np.inf
    for picks in itertools.product(*(range(len(one.charge)) for one, _ in found)):
        good = True
        for inside in boxes_in(box):
            mine = [
                (one, k) for (one, around), k in zip(found, picks, strict=True) if any(b is inside for b in around)
            ]
            good &= sum(one.charge[k] for one, k in mine) <= inside.ceiling
            good &= sum(one.value[k] for one, k in mine) >= inside.least - 1e-12
        if good:
            best = max(best, sum(one.value[k] for (one, _), k in zip(found, picks, strict=True)))
    return best


def worth(box, picks):
    return sum(one.value[picks.get(one.query, 0)] for one, _ in members(box))


@st.composite
def nests(draw):
    """Boxes in boxes; whole charges or halves and thirds, ties made."""
    unit = draw(st.sampled_from([1.0, 0.5, 1 / 3]))
    query = itertools.count()

    def items(most):
        options = st.lists(
            st.tuples(st.integers(0, 6), st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0])), min_size=1, max_size=2
        )
        return [
            item(next(query), [0.0, *(unit * c for c, _ in own_options)], [0.0, *(v for _, v in own_options)])
            for own_options in draw(st.lists(options, max_size=most))
        ]

    def box(depth):
        least = draw(st.sampled_from([-np.inf, -np.inf, 0.5]))
        inner = [box(depth - 1) for _ in range(draw(st.integers(0, 2)) if depth else 0)]
        return Knapsack(
            unit * draw(st.integers(0, 14)),
            least if depth < 2 else -np.inf,
            classes=items(1 if depth else 2),
            inner=inner,
        )

    return box(2)


@pytest.mark.parametrize("dear", [0, 10**9], ids=["tables", "sorting"])
@given(box=nests())
@examples(50)
def test_the_best_combination_is_the_best_of_all(dear, box):
    kept, combine._DEAR_ROW = combine._DEAR_ROW, -(10**6) if dear == 0 else dear
    try:
        picks = best_choices(box, np.inf)
    finally:
        combine._DEAR_ROW = kept
    best = by_trial(box)
    if picks is None:
        assert best == -np.inf
    else:
        assert worth(box, picks) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("dear", [-(10**6), 10**9], ids=["tables", "sorting"])
def test_the_options_picked_fit_and_are_worth_what_is_said(monkeypatch, dear):
    monkeypatch.setattr(combine, "_DEAR_ROW", dear)
    rng = np.random.default_rng(0)
    for _ in range(40):
        items = [item(q, rng.integers(0, 60, 6), rng.uniform(0, 1, 6)) for q in range(5)]
        items += [item(9, [4.0], [0.3])]
        box = Knapsack(120.0, classes=items[:3], inner=[Knapsack(50.0, classes=items[3:])])
        picks = best_choices(box, np.inf)
        chosen = {one.query: picks.get(one.query, 0) for one in items}
        assert sum(one.charge[chosen[one.query]] for one in items) <= 120
        assert sum(one.charge[chosen[one.query]] for one in items[3:]) <= 50
        assert worth(box, picks) == pytest.approx(by_trial(box))


def test_what_loses_more_than_the_gap_is_not_looked_at():
    """At a price of 0.1, unspent budget and worth above a promise are losses too."""
    two = [item(0, [0, 5], [0.0, 1.0], 0.1), item(1, [0, 4], [0.0, 0.5], 0.1)]
    assert best_choices(Knapsack(10.0, classes=two, charge_rise=0.1), 0.05) is None
    assert best_choices(Knapsack(10.0, classes=two, charge_rise=0.1), 0.11) == {0: 1, 1: 1}
    assert best_choices(Knapsack(9.0, classes=two, charge_rise=0.1), 0.0) == {0: 1, 1: 1}
    promised = Knapsack(9.0, least=1.0, weight_rise=2.0, classes=two)
    assert best_choices(promised, 0.05) is None
    assert best_choices(promised, 0.15) == {0: 1, 1: 0}
    assert best_choices(promised, 1.01) == {0: 1, 1: 1}
    assert best_choices(Knapsack(9.0, least=1.6, classes=two), 9.0) is None
    assert best_choices(Knapsack(4.0, classes=[item(0, [5.0], [1.0])]), np.inf) is None


def test_lists_that_grow_too_long_keep_what_has_lost_least():
    rng = np.random.default_rng(1)
    price = 0.01
    items = [item(q, rng.uniform(0, 60, 8).tolist(), rng.uniform(0, 1, 8), price) for q in range(12)]
    box = Knapsack(250.0, classes=items, charge_rise=price)
    best, few = (worth(box, best_choices(box, np.inf, most)) for most in (MOST_STATES, 200))
    assert best >= few >= 0.97 * best
    spent = sum(
        one.charge[k] for one, k in zip(items, map(best_choices(box, np.inf, 200).get, range(12)), strict=True)
    )
    assert spent <= 250


def test_items_are_all_caps_and_options_that_lose_no_more_than_the_gap():
    curves = ca.concatenate(
        [ca.ShiftedSurge([3, 0], [4, 9], [0.5, 0.7]), ca.Menu([[2, 5, 6, 8]], [[0.1, 0.6, 0.6, 0.2]])]
    )
    market = strategies.market_of(curves)
    weight, price = np.array([1.0, 2.0, 1.0]), np.array([0.05, 0.1, 0.05])
    for gap in (0.02, 0.2, 9.0):
        found = {one.query: one for one in choice_classes(market, weight, price, gap, np.full(3, 7.0))}
        for row, caps in enumerate([range(8), range(8), [0, 2, 5, 6, 8]]):
            value = np.array([curves[row : row + 1].utility(float(c))[0] for c in caps])
            surplus = weight[row] * value - price[row] * np.array(caps)
            kept, best = [], -1.0
            for cap, worth_, lost in zip(caps, value, surplus.max() - surplus, strict=True):
                if lost <= gap and worth_ > best:
                    kept.append((cap, worth_, lost))
                    best = worth_
            np.testing.assert_allclose(
                np.array([found[row].charge, found[row].value, found[row].reduced_cost]).T, kept, atol=1e-12
            )


def test_too_many_choices_are_refused_with_what_there_is_too_much_of(monkeypatch):
    curves = ca.LognormalArrival([900.0, 800.0], 0.5, 0.9)
    market, ones = strategies.market_of(curves), np.ones(2)
    ask = {"weight": ones, "charge": 1e-3 * ones, "gap": 9.0}
    assert len(choice_classes(market, **ask, room=500 * ones)) == 2
    monkeypatch.setattr(smooth_demand, "_MOST_PLAIN_WORK", 1e5)
    with pytest.raises(ca.TooLarge, match="pairs of states and caps"):
        choice_classes(market, **ask, room=500 * ones)
    assert len(choice_classes(market, **ask, room=90 * ones)) == 2
    monkeypatch.setattr(smooth_demand, "_MOST_CAPS", 100)
    with pytest.raises(ca.TooLarge, match=r"180 caps, the limit is 100"):
        choice_classes(market, **ask, room=90 * ones)
    monkeypatch.setattr(smooth_demand, "_MOST_CLASSES", 1)
    with pytest.raises(ca.TooLarge, match=r"2 smooth curves, the limit is 1"):
        choice_classes(market, **ask, room=90 * ones)


def test_nothing_is_one_of_the_items_where_only_a_range_is_allowed_besides():
    market = strategies.market_of(ca.ShiftedSurge([3.0], 4.0, 0.5), levels={0, (4, 6)})
    (one,) = choice_classes(market, np.ones(1), np.zeros(1), 9.0, np.full(1, 5.0))
    assert one.charge.tolist() == one.decision.tolist() == [0, 4, 5]


def test_the_chosen_options_are_applied_to_their_queries():
    curves = ca.concatenate([ca.ShiftedSurge([3, 0], [4, 9], 0.5), ca.Menu([[2, 5], [3]], [[0.1, 0.6], [0.4]])])
    curves = curves[np.array([2, 0, 3, 1])]
    market = strategies.market_of(curves)
    nobody = evaluate(market, [np.zeros(2), np.full(2, -1)])
    ones = np.ones(4)
    items = choice_classes(market, ones, 0 * ones, 9.0, 6 * ones)
    grant = applied(market, nobody, items, {0: 2, 1: 3, 3: 4})
    assert market.finite.tokens(grant.decisions[1]).tolist() == [5, 0]
    decisions = {one.query: one.decision for one in items}
    assert grant.decisions[0].tolist() == [decisions[1][3], decisions[3][4]]
    assert grant.utility == pytest.approx(market.divisible.value(grant.decisions[0]).sum() + 0.6)


@pytest.mark.parametrize("dear", [-(10**6), 10**9], ids=["tables", "sorting"])
def test_lists_put_together_either_way_give_the_integer_optimum(monkeypatch, dear):
    monkeypatch.setattr(combine, "_DEAR_ROW", dear)
    rng = np.random.default_rng(3)
    for family in (*strategies.FAMILIES, None):
        records = [
            strategies.random_record(rng, family or str(rng.choice(strategies.FAMILIES)), 25) for _ in range(6)
        ]
        best = integer_programme.best_utility(records, 90)
        assert ca.exact(strategies.build(records), 90).utility == pytest.approx(best, rel=2 * tolerances.SATURATION)


def test_two_options_a_pool_apart_need_no_list_as_long_as_the_pool():
    far = ca.Menu([[2.0**50], [2.0**49]], [[0.5], [0.4]])
    for policy in (ca.allocate, ca.exact):
        assert policy(far, 2.0**51).utility == 0.9
        assert policy(far, 2.0**50 + 5).choice.tolist() == [0, -1]


def test_a_list_that_passes_its_states_is_an_error_where_the_answer_must_be_exact():
    rng = np.random.default_rng(1)
    items = [item(q, rng.uniform(0, 60, 8).tolist(), rng.uniform(0, 1, 8)) for q in range(12)]
    with pytest.raises(ca.TooLarge) as caught:
        best_choices(Knapsack(250.0, classes=items), np.inf, 20, exact=True)
    assert caught.value.work > caught.value.limit == 20
    few = Knapsack(250.0, classes=items[:2])
    assert best_choices(few, np.inf, 64, exact=True) == best_choices(few, np.inf)
