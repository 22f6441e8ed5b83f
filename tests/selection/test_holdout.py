"""Scores on rollouts that were set aside, against one rollout after another."""

import numpy as np
import pytest
from oracles.set_aside import fit_on, hand_dealt, kept_rows, memoryless, ordered, scored_by_hand, table, use

import clear_alloc as ca

ALL = ("lognormal", "cumulative_surge", "shifted_surge", "empirical", "paper")


ROUNDING = 1e-12


MODELS = ALL[:3]


CASES = {  # seed, folds, families, terms
    "reserved": (1, 4, ALL, {}),
    "two folds": (2, 2, MODELS, {}),
    "one at a time": (3, 6, ("lognormal",), {}),
    "expected": (4, 2, ("lognormal",), {"accounting": "expected"}),
    "to the mean": (5, 4, (*ALL[:2], "empirical"), {"accounting": "expected", "overrun": 0.5}),
    "floors": (6, 4, MODELS, {"min_tokens": 40, "max_tokens": 700}),
    "levels": (7, 4, ALL, {"levels": {0, 256, 512, 1024}}),
    "fallback": (8, 4, ALL, {"fallback": 30}),
    "rate": (9, 4, MODELS, {"rate": 0.25}),
    "rate to the mean": (14, 3, ("lognormal",), {"accounting": "expected", "overrun": 0.5, "rate": 0.25}),
    "money": (10, 2, ALL[:2], {"accounting": "expected", "overrun": 0.5, "rate": 0.25, "call": 20.0}),
    "money to the mean": (
        11,
        3,
        ("empirical",),
        {"accounting": "expected", "overrun": 0.5, "rate": 0.5, "call": 9.0},
    ),
    "reserved money": (12, 4, ALL, {"rate": 0.25, "call": 20.0}),
}


@pytest.mark.parametrize("case", CASES)
def test_held_out_is_what_one_rollout_after_another_says(case):
    seed, folds, asked, terms = CASES[case]
    columns = table(seed, weights=seed % 2 == 0, stopped=seed == 5)
    trial, rate = ca.CrossFit(columns, asked, folds), terms.get("rate", 1.0)
    budget = (0.4 * columns["tokens"].mean() * rate + 0.5 * terms.get("call", 0.0)) * len(trial.ids)
    choice = trial.choose(budget, **terms)
    assert list(choice.held_out) == [*asked, "uniform"]
    for name, held in choice.held_out.items():
        full = scored_by_hand(columns, name, asked[0], budget, folds, trial.ids, **terms)
        assert (held.budget == budget) == (full[1] + full[3] <= budget * (1 + ROUNDING))
        value, charged, rollouts, margin = scored_by_hand(
            columns, name, asked[0], held.budget, folds, trial.ids, **terms
        )
        assert held.value == pytest.approx(value, rel=1e-9)
        assert held.charged == pytest.approx(charged, rel=1e-9)
        assert held.rollouts == rollouts == len(columns["tokens"]) - 1
        assert held.charged + margin <= budget * (1 + ROUNDING)
        assert held.within
        assert held.budget <= budget
    best = max(held.value for held in choice.held_out.values())
    assert choice.held_out[choice.candidate].value == pytest.approx(best, rel=ROUNDING)
    assert choice.result.budget == choice.held_out[choice.candidate].budget


def test_an_overspender_is_worth_what_its_smaller_budget_buys():
    columns, budget, family = memoryless(5, queries=60), 20_000, "cumulative_surge"
    ids, terms = ordered(columns), {"accounting": "expected", "overrun": 0.5}
    choice = ca.choose(columns, budget, families=[family], folds=2, **terms)
    own = choice.held_out[family]
    value, charged, *_ = scored_by_hand(columns, family, family, own.budget, 2, ids, **terms)
    assert own == (pytest.approx(value), pytest.approx(charged), True, 480, own.budget)
    # A smaller budget is less by as much as the curves foresaw too little at the one before, and a hair.
    smaller = budget
    for tried in range(8):
        _, charged, *_ = scored_by_hand(columns, family, family, smaller, 2, ids, **terms)
        if charged <= budget:
            break
        fits = [fit_on(columns, rows, family) for rows in kept_rows(columns, 2)]
        spent = np.mean([ca.allocate(fitted.curves, smaller, **terms).spent for fitted in fits])
        smaller = (1.0 - 0.002 * 2**tried) * budget * spent / charged
    assert tried > 0
    assert own.budget == pytest.approx(smaller, rel=1e-9)
    assert choice.held_out["uniform"].budget == budget  # which does not overspend


def test_a_family_that_overspends_gets_a_smaller_budget():
    columns, fresh = memoryless(3), memoryless(4, each=200)
    budget, terms = 0.3 * use(columns) / 8, {"accounting": "expected"}

    def burned(tokens):
        return float(np.minimum(fresh["tokens"], tokens[fresh["query_id"]]).sum()) / 200

    assert burned(ca.allocate(ca.fit(columns, "cumulative_surge").curves, budget, **terms).tokens) > 1.03 * budget
    choice = ca.choose(columns, budget, families=["cumulative_surge", "lognormal"], folds=2, **terms)
    surge = choice.held_out["cumulative_surge"]
    assert surge.within
    assert surge.charged <= budget
    assert 0.7 * budget < surge.budget < 0.9 * budget
    assert burned(choice.result.tokens) <= budget
    assert choice.result.budget == choice.held_out[choice.candidate].budget
    choice.result.audit()


def test_floors_are_paid_though_they_overspend():
    columns, terms = memoryless(6, queries=60), {"accounting": "expected", "overrun": 0.5}
    caps = np.full(60, 5000)
    thin, thick = (
        [float(fit_on(columns, rows, family).curves.cost(caps, "expected").sum()) for rows in kept_rows(columns, 2)]
        for family in ("cumulative_surge", "lognormal")
    )
    budget, burned = max(thin) + 1.0, np.minimum(columns["tokens"], 5000).sum() / 8
    assert budget < min(burned, *thick)
    choice = ca.choose(columns, budget, folds=2, min_tokens=5000, max_tokens=5000, **terms)
    assert choice.left_out.keys() == {"lognormal", "shifted_surge"}
    assert choice.left_out["lognormal"].startswith("min_tokens sum to ")
    assert choice.candidate == "cumulative_surge"
    for own in choice.held_out.values():
        assert own[1:] == (pytest.approx(burned), False, 480, budget)


def test_charges_of_some_queries_follow_their_own_rates():
    columns = table(10, queries=8)
    trial, some = ca.CrossFit(columns, ["lognormal"]), ["q6", "q1", "q3"]
    terms = {
        "accounting": "expected",
        "overrun": 0.5,
        "rate": np.array([0.1, 1.0, 0.4]),
        "call": np.array([5.0, 0.0, 30.0]),
    }
    held, charges = trial.choose(400.0, queries=some, **terms).held_out["lognormal"], []
    assert held.within
    for q, rate, call in zip(some, terms["rate"], terms["call"], strict=True):
        own, place = [], some.index(q)
        for fold in hand_dealt(columns, 4):
            kept = np.setdiff1d(np.arange(len(columns["tokens"])), fold)
            fitted = ca.fit({name: column[kept] for name, column in columns.items()})
            curves = fitted.curves[[fitted.ids.index(name) for name in some]]
            caps = ca.allocate(curves, held.budget, **terms).tokens
            mine = [columns["tokens"][row] for row in fold if columns["query_id"][row] == q]
            own += [rate * min(tokens, caps[place]) + call * (caps[place] > 0) for tokens in mine]
        charges.append(np.mean(own))
    assert held.charged == pytest.approx(sum(charges))


def test_an_option_of_no_tokens_is_a_call_all_the_same():
    columns = {
        "query_id": np.array(["a", "b"] * 4), "tokens": np.array([0, 100] * 4), "correct": np.array([1, 1] * 4)
    }  # fmt: skip
    for budget, charged in ((15.0, 0.0), (25.0, 20.0), (60.0, 50.0)):
        terms = {"accounting": "expected", "overrun": 0.5, "call": 20.0, "rate": 0.1}
        choice = ca.choose(columns, budget, families=["empirical"], **terms)
        assert choice.held_out["empirical"].charged == pytest.approx(charged)


def test_a_rollout_stopped_below_the_cap_granted_is_not_right_and_burned_what_it_burned():
    columns = {
        "query_id": np.array(["a"] * 4 + ["b"] * 4),
        "tokens": np.array([100.0, 100, 110, 105, 300, 310, 290, 305]),
        "correct": np.array([0, 1, 1, 1, 1, 1, 1, 1]),
        "cap": np.array([100.0, np.nan, np.nan, np.nan] * 2),
    }
    columns["cap"][4] = np.nan
    choice = ca.choose(columns, 5000, families=["lognormal"], accounting="expected", overrun=0.5)
    assert choice.held_out["lognormal"].value == pytest.approx(1.75)
    assert choice.held_out["lognormal"].charged == pytest.approx((100 + 100 + 110 + 105 + 300 + 310 + 290 + 305) / 4)


def test_one_of_several_with_a_single_rollout_counts_with_what_its_curve_expects():
    columns = table(13, queries=2)  # q1 has one rollout
    choice = ca.choose(columns, 10_000, families=["lognormal"], accounting="expected", queries=["q1"])
    assert choice.held_out["lognormal"].rollouts == 0
    assert choice.held_out["lognormal"].value == 0.0
    assert choice.held_out["lognormal"].charged > 0.0
