"""choose: what set-aside rollouts say of each candidate, which of them wins, and what is refused."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.set_aside import memoryless, ordered, scored_by_hand, table, use
from support.laws import examples

import clear_alloc as ca
from clear_alloc.selection.choose import HoldoutScore, _best


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


ROUNDING = 1e-12


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
        value, charged, rollouts, _ = scored_by_hand(columns, name, "lognormal", 1200, 4, some, max_tokens=most)
        assert own == (pytest.approx(value), pytest.approx(charged), True, rollouts, 1200)
    back = trial.choose(1200, queries=np.array(some[::-1]), max_tokens=most[::-1])
    assert back.candidate == choice.candidate
    assert dict(zip(back.result.ids, back.result.tokens.tolist(), strict=True)) == dict(
        zip(some, choice.result.tokens.tolist(), strict=True)
    )


def test_whole_numbers_as_ids_and_queries():
    columns = table(11)
    columns["query_id"] = np.array([int(q[1:]) for q in columns["query_id"].tolist()])
    for queries in ([3, 1], np.array([3, 1]), (np.int64(q) for q in (3, 1)), pd.Series([3, 1])):
        assert ca.choose(columns, 500, queries=queries).result.ids == (3, 1)


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
