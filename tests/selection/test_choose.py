"""choose: what set-aside rollouts say of each candidate, which of them wins, and what is refused."""

import re
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.laws import examples

import clear_alloc as ca
from clear_alloc.selection.choose import HoldoutScore, _best

ROUNDING = 1e-12
ALL = ("lognormal", "cumulative_surge", "shifted_surge", "empirical", "paper")


@cache
def table(seed, queries=6, most=6, weights=False, stopped=False):
    """Rollouts in mixed order; the last query has one, the others two to `most`."""
    rng = np.random.default_rng(seed)
    times = rng.integers(2, most + 1, queries)
    times[-1] = 1
    query = rng.permutation(np.repeat(np.arange(queries), times))
    scale, chance = np.exp(rng.normal(6.0, 0.7, queries)), rng.uniform(0.3, 1.0, queries)
    length = np.ceil(scale[query] * np.exp(rng.normal(0.0, 0.4, len(query))))
    right = rng.random(len(query)) < chance[query]
    columns = {"query_id": [f"q{own}" for own in query], "tokens": length, "correct": right}
    if weights:
        columns["weight"] = rng.uniform(0.5, 3.0, queries)[query]
    if stopped:
        cap = np.where(
            rng.random(len(query)) < 0.5, np.ceil(scale[query] * rng.uniform(0.7, 2.0, len(query))), np.nan
        )
        hit = length > np.where(np.isnan(cap), np.inf, cap)
        columns |= {"tokens": np.where(hit, cap, length), "correct": right & ~hit, "cap": cap}
    return {name: np.asarray(column) for name, column in columns.items()}


def memoryless(seed, queries=200, each=8, chance=0.7):
    """Queries that are all alike, with exponential lengths: no family of curves has that shape."""
    rng = np.random.default_rng(seed)
    tokens = np.ceil(rng.exponential(1000.0, queries * each))
    query = np.repeat(np.arange(queries), each)
    return {"query_id": query, "tokens": tokens, "correct": rng.random(len(query)) < chance}


def use(columns):
    return float(np.bincount(np.unique(columns["query_id"], return_inverse=True)[1], columns["tokens"]).sum())


def ordered(columns):
    return list(dict.fromkeys(columns["query_id"].tolist()))


FITS = {}


def fit_on(columns, kept, family):
    """`ca.fit` on some rows; every table is kept, so that it has its id for good."""
    key = id(columns), tuple(kept), family
    if key not in FITS:
        FITS[key] = columns, ca.fit({name: values[list(kept)] for name, values in columns.items()}, family)
    return FITS[key][1]


def hand_dealt(columns, folds):
    """Row numbers of each fold, one rollout at a time."""
    rows = {}
    for row, query in enumerate(columns["query_id"].tolist()):
        rows.setdefault(query, []).append(row)
    dealt = [[] for _ in range(folds)]
    for own in rows.values():
        for rank, row in enumerate(own):
            if len(own) > 1:
                dealt[rank % folds].append(row)
    return [fold for fold in dealt if fold] or [[]]


def said(columns, name, first, budget, folds, queries, rate=1.0, call=0.0, **terms):
    """Value, charge, rollouts and margin of one candidate, one set-aside rollout after another."""
    family, act = (first, ca.uniform) if name == "uniform" else (name, ca.allocate)
    ids, dealt = ordered(columns), hand_dealt(columns, folds)
    price = {"rate": rate, "call": call} if (rate, call) != (1.0, 0.0) else {}
    right, charges, granted = ({q: [] for q in queries} for _ in range(3))
    margins = []
    for fold in dealt:
        kept = [row for row in range(len(columns["tokens"])) if row not in set(fold)]
        fitted = fit_on(columns, kept, family)
        assert set(fitted.ids) == set(ids)
        curves = fitted.curves[[fitted.ids.index(q) for q in queries]]
        result = act(curves, budget, **price, **terms)
        margins.append(result.margin)
        caps = dict(zip(queries, result.tokens.tolist(), strict=True))
        for q, charge in zip(queries, result.charges.tolist(), strict=True):
            granted[q].append(charge)
        for row in fold:
            q, tokens = columns["query_id"][row].item(), columns["tokens"][row]
            if q in caps:
                right[q].append(bool(columns["correct"][row]) and tokens <= caps[q])
                burned = min(tokens, caps[q])
                charges[q].append(rate * burned + (call if caps[q] > 0 else 0.0))
    weight = dict(
        zip(columns["query_id"].tolist(), columns.get("weight", np.ones(len(columns["tokens"]))), strict=True)
    )
    value = sum(weight[q] * sum(right[q]) / len(right[q]) for q in queries if right[q])
    expected = terms.get("accounting") == "expected"
    charged = sum(np.mean(charges[q] if expected and charges[q] else granted[q]) for q in queries)
    return value, charged, sum(map(len, right.values())), np.mean(margins)


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
        full = said(columns, name, asked[0], budget, folds, trial.ids, **terms)
        assert (held.budget == budget) == (full[1] + full[3] <= budget * (1 + ROUNDING))
        value, charged, rollouts, margin = said(columns, name, asked[0], held.budget, folds, trial.ids, **terms)
        assert held.value == pytest.approx(value, rel=1e-9)
        assert held.charged == pytest.approx(charged, rel=1e-9)
        assert held.rollouts == rollouts == len(columns["tokens"]) - 1
        assert held.charged + margin <= budget * (1 + ROUNDING)
        assert held.within
        assert held.budget <= budget
    best = max(held.value for held in choice.held_out.values())
    assert choice.held_out[choice.candidate].value == pytest.approx(best, rel=ROUNDING)
    assert choice.result.budget == choice.held_out[choice.candidate].budget


@pytest.mark.parametrize("family", ["lognormal", "cumulative_surge", "shifted_surge", "empirical", "paper"])
def test_the_result_is_that_of_the_family_fitted_on_everything(family):
    columns = table(4, weights=True)
    choice = ca.choose(columns, 3000, families=[family])
    curves = ca.fit(columns, family).curves
    assert choice.candidate in (family, "uniform")
    act = ca.uniform if choice.candidate == "uniform" else ca.allocate
    expected = act(curves, 3000, ids=ordered(columns))
    assert choice.result.tokens.tolist() == expected.tokens.tolist()
    assert choice.result.ids == tuple(ordered(columns))
    assert choice.curves.to_records() == curves.to_records()
    assert choice.result.policy == act.__name__
    choice.result.audit()


@examples(12)
@given(st.integers(0, 10**6), st.floats(0.0, 1.5), st.sampled_from([2, 3, 4]))
def test_never_over_the_budget_and_never_worse_than_uniform_on_what_was_set_aside(seed, share, folds):
    columns = table.__wrapped__(seed, queries=4, most=4)
    budget = share * 4 * columns["tokens"].mean()
    choice = ca.choose(columns, budget, folds=folds)
    assert choice.result.tokens.sum() <= budget
    for held in choice.held_out.values():
        assert held.within
        assert held.charged <= budget * (1 + ROUNDING)
    best = max(held.value for held in choice.held_out.values())
    assert choice.held_out[choice.candidate].value == pytest.approx(best, rel=ROUNDING)
    choice.result.audit()


def test_the_same_rollouts_always_give_the_same():
    columns = table(5, weights=True)
    one, other = (ca.choose(columns, 2000) for _ in range(2))
    assert (one.candidate, one.held_out) == (other.candidate, other.held_out)
    assert one.result.tokens.tolist() == other.result.tokens.tolist()


def test_rollouts_may_be_mixed_while_each_query_keeps_its_order():
    columns = table(5)
    names = ordered(columns)
    place = np.array([names.index(q) for q in columns["query_id"].tolist()])
    grouped = np.argsort(place, kind="stable")
    mixed, sorted_ = (ca.choose(t, 2500) for t in (columns, {c: v[grouped] for c, v in columns.items()}))
    assert mixed.held_out == sorted_.held_out
    assert mixed.result.tokens.tolist() == sorted_.result.tokens.tolist()


def test_queries_may_come_in_any_order():
    columns = table(6)
    names = ordered(columns)
    place = np.array([names.index(q) for q in columns["query_id"].tolist()])
    back = np.argsort(-place, kind="stable")
    one, other = (ca.choose(t, 2500) for t in (columns, {c: v[back] for c, v in columns.items()}))
    assert other.result.ids == one.result.ids[::-1]
    assert other.candidate == one.candidate
    for name, held in one.held_out.items():
        assert other.held_out[name].value == pytest.approx(held.value, rel=1e-9)
        assert other.held_out[name].charged == pytest.approx(held.charged, rel=1e-3)


def test_a_dataframe_is_as_good_as_columns():
    columns = table(7, weights=True)
    assert ca.choose(pd.DataFrame(columns), 2000).held_out == ca.choose(columns, 2000).held_out


def test_uniform_is_chosen_where_no_family_has_the_right_shape():
    columns, fresh = memoryless(1), memoryless(2, each=200)
    budget = 0.2 * use(columns) / 8
    choice = ca.choose(columns, budget, families=["lognormal", "cumulative_surge"])
    assert choice.candidate == "uniform"
    held = {name: own.value for name, own in choice.held_out.items()}
    assert held["uniform"] > held["lognormal"] > held["cumulative_surge"]
    wrong = ca.allocate(ca.fit(columns).curves, budget)

    def accuracy(tokens):
        return float(np.mean(fresh["correct"] & (fresh["tokens"] <= tokens[fresh["query_id"]])))

    assert choice.result.tokens.tolist() == [int(budget) // 200] * 200
    assert accuracy(choice.result.tokens) > accuracy(wrong.tokens) + 0.002


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


def test_an_overspender_is_worth_what_its_smaller_budget_buys():
    columns, budget, family = memoryless(5, queries=60), 20_000, "cumulative_surge"
    ids, terms = ordered(columns), {"accounting": "expected", "overrun": 0.5}
    choice = ca.choose(columns, budget, families=[family], folds=2, **terms)
    own = choice.held_out[family]
    value, charged, *_ = said(columns, family, family, own.budget, 2, ids, **terms)
    assert own == (pytest.approx(value), pytest.approx(charged), True, 480, own.budget)
    # A smaller budget is less by as much as the curves foresaw too little at the one before, and a hair.
    smaller = budget
    for tried in range(8):
        _, charged, *_ = said(columns, family, family, smaller, 2, ids, **terms)
        if charged <= budget:
            break
        fits = [fit_on(columns, rows, family) for rows in kept_rows(columns, 2)]
        spent = np.mean([ca.allocate(fitted.curves, smaller, **terms).spent for fitted in fits])
        smaller = (1.0 - 0.002 * 2**tried) * budget * spent / charged
    assert tried > 0
    assert own.budget == pytest.approx(smaller, rel=1e-9)
    assert choice.held_out["uniform"].budget == budget  # which does not overspend


def kept_rows(columns, folds):
    every = np.arange(len(columns["tokens"]))
    return [np.setdiff1d(every, fold).tolist() for fold in hand_dealt(columns, folds)]


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


def held(value, charged=5.0, within=True):
    return HoldoutScore(value, charged, within, 8, 10.0)


def test_the_best_value_within_the_budget_wins_and_ties_go_to_the_earlier():
    assert _best({"a": held(1.0), "b": held(2.0), "uniform": held(1.5)}) == "b"
    assert _best({"a": held(1.0), "b": held(3.0, 11.0, within=False), "uniform": held(1.5)}) == "uniform"
    assert _best({"a": held(2.0), "b": held(2.0), "uniform": held(2.0)}) == "a"
    assert _best({"a": held(1.0), "b": held(2.0), "uniform": held(2.0)}) == "b"
    assert _best({"a": held(0.1 + 0.2), "b": held(0.3)}) == "a"
    assert _best({"a": held(0.3), "b": held(0.1 + 0.2)}) == "a"  # the same but for rounding
    assert _best({"a": held(0.3), "b": held(0.3 + 1e-9)}) == "b"
    assert _best({"a": held(0.0), "uniform": held(0.0)}) == "a"


def test_where_none_is_within_the_one_that_passes_least_wins():
    over = {"a": held(3.0, 12.0, within=False), "b": held(2.0, 11.0, within=False)}
    assert _best(over) == "b"
    assert _best({**over, "uniform": held(1.0, 11.0, within=False)}) == "b"
    assert _best({**over, "uniform": held(1.0, 10.5, within=False)}) == "uniform"
    assert _best({"a": held(3.0, 0.1 + 0.2, within=False), "b": held(3.0, 0.3, within=False)}) == "a"


def test_weights_decide_which_candidate_is_best():
    columns = table(8)
    plain = ca.choose(columns, 2000).held_out
    doubled = ca.choose({**columns, "weight": np.full(len(columns["tokens"]), 2.0)}, 2000).held_out
    for name, own in plain.items():
        assert doubled[name].value == pytest.approx(2.0 * own.value)
        assert doubled[name].charged == own.charged
    weight = np.where(columns["query_id"] == "q0", 50.0, 1.0)
    heavy = ca.choose({**columns, "weight": weight}, 2000)
    assert heavy.result.tokens[heavy.result.ids.index("q0")] > 0
    assert heavy.held_out["lognormal"].value > 10.0
    assert heavy.curves.weight.max() == 50.0


def test_some_queries_in_an_order_of_their_own():
    columns = table(9, queries=12, weights=True)
    trial = ca.CrossFit(columns)
    some = ["q7", "q2", "q11", "q0"]
    most = [300, 900, 700, 2000]
    choice = trial.choose(1200, queries=some, max_tokens=most)
    assert choice.result.ids == tuple(some)
    assert (choice.result.tokens <= most).all()
    assert len(choice.curves) == 4
    for name, own in choice.held_out.items():
        value, charged, rollouts, _ = said(columns, name, "lognormal", 1200, 4, some, max_tokens=most)
        assert own == (pytest.approx(value), pytest.approx(charged), True, rollouts, 1200)
    back = trial.choose(1200, queries=np.array(some[::-1]), max_tokens=most[::-1])
    assert back.candidate == choice.candidate
    assert dict(zip(back.result.ids, back.result.tokens.tolist(), strict=True)) == dict(
        zip(some, choice.result.tokens.tolist(), strict=True)
    )


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


def test_whole_numbers_as_ids_and_queries():
    columns = table(11)
    columns["query_id"] = np.array([int(q[1:]) for q in columns["query_id"].tolist()])
    for queries in ([3, 1], np.array([3, 1]), (np.int64(q) for q in (3, 1)), pd.Series([3, 1])):
        assert ca.choose(columns, 500, queries=queries).result.ids == (3, 1)


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


def test_zero_budget_few_queries_and_single_rollouts():
    columns = table(12)
    nothing = ca.choose(columns, 0)
    assert nothing.candidate == "lognormal"
    assert nothing.result.tokens.sum() == 0
    assert {own.value for own in nothing.held_out.values()} == {0.0}
    alone = ca.choose({"query_id": ["a", "a"], "tokens": [100, 120], "correct": [1, 1]}, 500)
    assert alone.held_out["lognormal"] == (1.0, alone.held_out["lognormal"].charged, True, 2, 500)
    single = {"query_id": ["a", "b"], "tokens": [100, 900], "correct": [1, 1]}
    choice = ca.choose(single, 400)
    assert choice.candidate == "lognormal"
    assert {own[:1] + own[2:] for own in choice.held_out.values()} == {(0.0, True, 0, 400)}
    assert choice.held_out["lognormal"].charged == choice.result.spent
    expected = ca.choose(single, 400, accounting="expected")
    assert expected.candidate == "lognormal"
    assert expected.held_out["lognormal"].charged == pytest.approx(expected.result.spent)
    assert len(ca.CrossFit(columns).choose(100, queries=[]).result) == 0
    assert ca.CrossFit(columns).choose(100, queries=[], accounting="expected").candidate == "lognormal"


def test_one_of_several_with_a_single_rollout_counts_with_what_its_curve_expects():
    columns = table(13, queries=2)  # q1 has one rollout
    choice = ca.choose(columns, 10_000, families=["lognormal"], accounting="expected", queries=["q1"])
    assert choice.held_out["lognormal"].rollouts == 0
    assert choice.held_out["lognormal"].value == 0.0
    assert choice.held_out["lognormal"].charged > 0.0


def test_more_folds_than_rollouts_set_one_aside_at_a_time():
    columns = table(14, most=3)
    many, enough = (ca.choose(columns, 1500, folds=folds) for folds in (10**12, 3))
    assert many.held_out == enough.held_out
    assert repr(ca.CrossFit(columns, folds=10**12)).endswith("6 queries, 3 folds>")


def test_fits_are_made_once(monkeypatch):
    made = {"basis_of": 0, "curves_of": 0}

    def counted(name):
        real = getattr(ca.folds, name)

        def call(*args):
            made[name] += 1
            return real(*args)

        return call

    for name in made:
        monkeypatch.setattr(f"clear_alloc.selection.folds.{name}", counted(name))
    trial = ca.CrossFit(table(15), ["lognormal", "shifted_surge"])
    assert set(made.values()) == {0}
    for budget in (500, 1500, 3000, 1500):
        trial.choose(budget)
    assert made["basis_of"] == 4 + 1
    assert 2 * 4 < made["curves_of"] <= 2 * (4 + 1)


def test_terms_that_can_be_read_only_once_are_kept():
    columns = table(16)
    listed = ca.choose(columns, 3000, levels=[0, 256, 1024])
    once = ca.choose(columns, 3000, levels=iter([0, 256, 1024]))
    assert once.held_out == listed.held_out
    assert set(once.result.tokens.tolist()) <= {0, 256, 1024}


def test_families_without_lengths_stay_out_of_expected_accounting():
    trial = ca.CrossFit(table(17), ["shifted_surge", "lognormal"])
    choice = trial.choose(2000, accounting="expected", overrun=0.5)
    assert list(choice.held_out) == ["lognormal", "uniform"]
    assert choice.left_out["shifted_surge"].startswith("accounting='expected' needs to know how long")
    assert trial.choose(2000).left_out == {}
    alike = ca.CrossFit(memoryless(3, queries=60), ["shifted_surge", "cumulative_surge"])
    uniform = alike.choose(12_000, accounting="expected", overrun=0.5)
    assert uniform.candidate == "uniform"
    assert isinstance(uniform.curves, ca.CumulativeSurge)
    with pytest.raises(ca.NotSupported, match="family 'shifted_surge' doesn't"):
        ca.choose(table(17), 2000, families=["shifted_surge"], accounting="expected")


def test_floors_that_no_family_can_pay_are_refused():
    with pytest.raises(ca.BudgetTooSmall, match=r"^min_tokens sum to 600 tokens but the budget is 500; lower"):
        ca.choose(table(18), 500, min_tokens=100)


def test_a_family_that_alone_is_refused_is_left_out():
    columns = table(19)
    choice = ca.choose(columns, 4000, families=["empirical", "lognormal"], min_tokens=40, max_tokens=41)
    assert list(choice.held_out) == ["lognormal", "uniform"]
    assert choice.left_out["empirical"].startswith("min_tokens[0] is 40.0; allowed: a floor that an option")


SOME_RIGHT = {"query_id": ["a"] * 3 + ["b"] * 3, "tokens": [100, 90, 110, 300, 290, 320], "correct": [1, 0, 0] * 2}


def test_a_family_that_can_t_be_fitted_without_a_fold_is_no_candidate():
    trial = ca.CrossFit(SOME_RIGHT, ["shifted_surge", "lognormal"])  # both right answers are dealt to the first fold
    assert trial.families == ("lognormal",)
    why = (
        "correct is '0 in every row once fold 1 of 3 is set aside'; allowed: at least one right answer for "
        "shifted_surge; its shape comes from right answers; use family='lognormal', or record more rollouts"
    )
    assert trial.left_out == {"shifted_surge": why}
    choice = trial.choose(300)
    assert list(choice.held_out) == ["lognormal", "uniform"]
    assert choice.left_out == trial.left_out
    choice.left_out.clear()
    assert trial.left_out == {"shifted_surge": why}
    with pytest.raises(ca.InvalidArgument, match=f"^{re.escape(why)}$"):
        ca.CrossFit(SOME_RIGHT, ["shifted_surge", "cumulative_surge"])


def test_what_fit_refuses_is_refused():
    wrong = {**SOME_RIGHT, "correct": [0] * 6}
    with pytest.raises(ca.InvalidArgument, match=r"^correct is '0 in every row'; allowed: at least one right answer"):
        ca.choose(wrong, 300, families=["shifted_surge"])
    assert ca.choose(wrong, 300).held_out.keys() == {"lognormal", "uniform"}
    stopped = {**wrong, "cap": wrong["tokens"]}
    with pytest.raises(ca.InvalidArgument, match=r"^tokens is 'without a finished length'"):
        ca.choose(stopped, 300)
    with pytest.raises(ca.InvalidArgument, match=r"^tokens\[1\] is -1\.0"):
        ca.choose({**SOME_RIGHT, "tokens": [1, -1, 1, 1, 1, 1]}, 300)


FOUR = "set a part of each query's rollouts aside; 4 is usual"
AN_ID = "allowed: an id of the rollouts; leave it out, or record rollouts of it"
LENGTH = "pass one per query"
NAMES = "allowed: some of lognormal, shifted_surge, cumulative_surge, empirical, paper, each once"
BAD = [
    ({"families": []}, f"families is []; {NAMES}; name one at least; uniform is a candidate in any case"),
    ({"families": "lognormal"}, f"families is 'lognormal'; {NAMES}; pass a list of names"),
    ({"families": 3}, f"families is 3; {NAMES}; pass a list of names"),
    ({"families": ["lognormal", "auto"]}, f"families[1] is 'auto'; {NAMES}; choose one of them"),
    ({"families": [["lognormal"]]}, f"families[0] is ['lognormal']; {NAMES}; choose one of them"),
    ({"families": ["paper", "paper"]}, f"families[1] is 'paper'; {NAMES}; it is row 0 already; drop it"),
    *(
        ({"folds": folds}, f"folds is {folds!r}; allowed: a whole number, 2 or more; {FOUR}")
        for folds in (1, 0, -3, 2.0, True, "4", None)
    ),
    ({"queries": ["b", "c"]}, f"queries[1] is 'c'; {AN_ID}"),
    ({"queries": [1]}, f"queries[0] is 1; {AN_ID}"),
    ({"queries": [["a"]]}, f"queries[0] is ['a']; {AN_ID}"),
    ({"queries": ["a", "b", "a"]},
     "queries[2] is 'a'; allowed: ids that are named once; it is row 0 already; drop it"),
    ({"queries": "a"}, "queries is 'a'; allowed: ids of the rollouts, each once; pass a list of ids"),
    ({"queries": 3}, "queries is 3; allowed: ids of the rollouts, each once; pass a list of ids"),
    ({"queries": np.array(3)}, "queries is 3; allowed: ids of the rollouts, each once; pass a list of ids"),
    ({"budget": None}, "budget is None; allowed: a finite number of tokens, >= 0; pass the size of the pool"),
    ({"budget": -1},
     "budget is -1; allowed: a finite number of tokens, >= 0, and at most 2**53; pass the size of the pool"),
    ({"accounting": "spent"}, "accounting is 'spent'; allowed: 'reserved' or 'expected'; choose one of the two"),
    ({"max_tokens": [1, 2, 3]}, f"max_tokens is 'of length 3'; allowed: length 2 or a scalar; {LENGTH}"),
    ({"queries": ["b"], "min_tokens": [1, 2]},
     f"min_tokens is 'of length 2'; allowed: length 1 or a scalar; {LENGTH}"),
    ({"rate": [[1.0, 2.0], [1.0]], "families": ["empirical"]},
     "rate[0] is 'of length 2'; allowed: one number, or 1: one per option; match the menu's options"),
]  # fmt: skip


@pytest.mark.parametrize(("given_terms", "message"), BAD)
def test_bad_input_is_named(given_terms, message):
    given_terms = {"budget": 300, **given_terms}
    with pytest.raises(ca.InvalidArgument, match=f"^{re.escape(message)}$"):
        ca.choose(SOME_RIGHT, given_terms.pop("budget"), **given_terms)


def test_true_is_no_number_of_a_query():
    with pytest.raises(ca.InvalidArgument, match=r"^queries\[0\] is True;"):
        ca.choose({**SOME_RIGHT, "query_id": [1, 1, 1, 2, 2, 2]}, 300, queries=[True])


@pytest.mark.parametrize("name", ["price", "start", "ids", "weight"])
def test_arguments_that_have_no_meaning_here_are_unknown(name):
    with pytest.raises(TypeError, match=rf"^choose\(\) got an unexpected keyword argument '{name}'$"):
        ca.choose(SOME_RIGHT, 300, **{name: None})


def test_what_is_shown():
    trial = ca.CrossFit(SOME_RIGHT, ["lognormal", "empirical"])
    assert repr(trial) == "<CrossFit of lognormal, empirical: 2 queries, 3 folds>"
    shown = "lognormal 0.333333, empirical 0, uniform 0.333333"
    assert repr(trial.choose(200)) == f"<Choice lognormal: value on 6 rollouts set aside: {shown}>"
