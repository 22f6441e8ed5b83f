"""What becomes a row, which cases there are, and what their policies see."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats
from support.benchmark_batches import known_of
from support.benchmark_runs import TINY, tiny_cases

from benchmarks import __main__ as cli
from benchmarks import estimate as estimating
from benchmarks import experiments
from benchmarks.batch import Caps
from benchmarks.experiments import EXPERIMENTS, Case, cases_of, drawn_for, run_case
from benchmarks.main_job import ROLLOUTS
from benchmarks.policies import POLICIES, Named, installed, peers, uniform
from benchmarks.streams import STREAMS

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture
def played(monkeypatch):
    """Policies that stand in for real ones: `played(act, charged)` puts one beside uniform and runs a case."""

    def run(act, charged="reserved", **changes):
        monkeypatch.setitem(POLICIES, "played", Named(act, charged))
        plan = TINY._replace(levels=(0.3,), policies=("played", "uniform"), **changes)
        monkeypatch.setitem(EXPERIMENTS, "peers", plan)
        case = Case("peers", plan.streams[0], 0, plan.levels)
        first, second = run_case(case)[0]
        assert second.error is None
        assert second.accuracy is not None
        return first, drawn_for(case)

    return run


def test_a_policy_that_raises_is_a_row_and_the_others_go_on(played):
    def broken(batch, budget):
        raise ZeroDivisionError("no luck")

    row, _ = played(broken)
    assert row.error == "ZeroDivisionError: no luck"
    assert (row.policy, row.level, row.queries) == ("played", 0.3, 20)
    assert {getattr(row, name) for name in ("accuracy", "granted", "burned", "price", "gap", "promised")} == {None}
    assert row.uncapped > 0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda n, budget: np.full(n, budget // n + 1), "under a budget of"),
        (lambda n, _: np.full(n, 1.0), r"\(20,\) float64, allowed: \(20,\) int64"),
        (lambda n, _: np.full(n, 1, dtype=np.int32), "int32, allowed"),
        (lambda n, _: np.full(n - 1, 1), r"caps of \(19,\)"),
        (lambda n, _: np.full((n, 1), 1), r"caps of \(20, 1\)"),
        (lambda n, _: np.where(np.arange(n) == 3, -1, 1), ">= 0"),
        (lambda n, _: [1] * n, "AttributeError"),
    ],
)
def test_caps_that_no_gateway_could_grant_are_an_error_row(played, answer, words):
    row, _ = played(lambda batch, budget: Caps(answer(len(batch), budget)))
    assert row.accuracy is None
    assert re.search(words, row.error)


def test_where_use_is_charged_caps_may_sum_to_more_than_the_budget(played):
    row, _ = played(lambda batch, budget: Caps(np.full(len(batch), budget)), charged="expected")
    assert row.error is None
    assert row.charged == "expected"
    assert row.granted == row.budget


def test_a_budget_may_be_spent_to_the_last_token(played):
    row, _ = played(lambda batch, budget: Caps(np.where(np.arange(len(batch)) == 0, budget, 0)))
    assert row.error is None
    assert row.abandoned == 19 / 20
    assert row.granted == row.budget / 20


def test_a_row_says_what_scoring_finds(played):
    wanted = np.arange(20) * 100
    row, (split, _) = played(lambda *_: Caps(wanted, 0.25, 3.0, 0.5), charged="expected")
    tokens, correct = (split.scoring[name].reshape(20, 16) for name in ("tokens", "correct"))
    assert row.accuracy == pytest.approx(((correct == 1) & (tokens <= wanted[:, None])).mean())
    assert row.burned == pytest.approx(np.minimum(tokens, wanted[:, None]).mean())
    assert (row.granted, row.abandoned, row.price) == (950.0, 0.05, 0.25)
    assert (row.promised, row.gap) == (3.0 / 20, 0.5 / 20)
    assert row.uncapped == tokens.mean()
    assert row.budget == int(20 * 0.3 * tokens.mean())


def test_what_a_policy_does_not_say_is_none(played):
    row, _ = played(lambda batch, _: Caps(np.zeros(len(batch), dtype=np.int64)))
    assert (row.price, row.promised, row.gap) == (None, None, None)
    assert row.abandoned == 1.0


def test_the_paper_s_budgets_are_tokens_per_query(monkeypatch):
    monkeypatch.setitem(EXPERIMENTS, "paper", TINY._replace(levels=(100.0, 250.0), policies=("uniform",)))
    found = run_case(Case("paper", "Balanced", 0, (100.0, 250.0)))[0]
    assert [row.budget for row in found] == [2000, 5000]
    assert [row.granted for row in found] == [100.0, 250.0]


def test_windows_are_allocated_apart_with_one_budget_each(played):
    seen = []

    def act(batch, budget):
        seen.append((batch.rows.tolist(), budget, batch.seed))
        return Caps(np.full(len(batch), len(seen)), 0.5, 1.0, 0.25)

    row, (_, window) = played(act, streams=("Bursty",), queries=200)
    assert len(seen) == 10
    assert {(budget, seed) for _, budget, seed in seen} == {(row.budget // 10, 0)}
    assert [rows for rows, *_ in seen] == [np.flatnonzero(window == own).tolist() for own in range(10)]
    assert row.granted == pytest.approx((window + 1).mean())
    assert row.price is None  # there are ten
    assert (row.promised, row.gap) == (10.0 / 200, 2.5 / 200)


def test_a_window_s_caps_are_held_to_the_window_s_budget(played):
    def act(batch, budget):
        busiest = 0 in batch.rows
        return Caps(np.where(np.arange(len(batch)) == 0, 2 * budget if busiest else 0, 0))

    row, _ = played(act, streams=("Bursty",), queries=200)
    assert "under a budget of" in row.error


def test_policies_and_errors_see_the_same_rollouts(monkeypatch):
    seen = []

    def act(batch, budget):
        seen.append((batch.known.split, batch.known.factor, batch.seed))
        return uniform(batch, budget)

    monkeypatch.setitem(POLICIES, "first", Named(act))
    monkeypatch.setitem(POLICIES, "second", Named(act))
    plan = TINY._replace(levels=(0.3,), policies=("first", "second"), errors=(0.0, 0.5))
    monkeypatch.setitem(EXPERIMENTS, "noise", plan)
    found, seconds = run_case(Case("noise", "Identical", 4, (0.3,)))
    assert [(row.policy, row.noise, row.seed) for row in found] == [
        ("first", 0.0, 4),
        ("second", 0.0, 4),
        ("first", 0.5, 4),
        ("second", 0.5, 4),
    ]
    assert len({id(split) for split, *_ in seen}) == 1
    assert {seed for *_, seed in seen} == {4}
    assert (seen[0][1] == 1.0).all()
    assert (seen[2][1] == seen[3][1]).all()
    assert (seen[2][1] != 1.0).all()
    assert seconds.keys() == {"first", "second"}


def test_policies_of_packages_that_are_not_here_are_left_out(monkeypatch):
    monkeypatch.setitem(POLICIES, "away", Named(uniform, needs="no_such_package"))
    monkeypatch.setitem(EXPERIMENTS, "peers", TINY._replace(policies=("away", "uniform")))
    assert not installed("away")
    assert {row.policy for row in run_case(Case("peers", "Identical", 0, (0.1,)))[0]} == {"uniform"}


@pytest.mark.slow
def test_a_replay_fits_on_odd_samples_and_then_on_even_ones():
    odd, even = (drawn_for(case).split for case in cases_of("replay", None, None, ROLLOUTS))
    assert set(odd.fitting["sample"] % 2) == set(even.scoring["sample"] % 2) == {1}
    assert set(odd.scoring["sample"] % 2) == set(even.fitting["sample"] % 2) == {0}
    assert set(odd.ids) == set(even.ids)
    assert (drawn_for(next(cases_of("replay", 1, None, ROLLOUTS))).window == 0).all()


def test_every_stream_and_seed_is_drawn_apart_and_the_same_in_every_experiment():
    first = drawn_for(Case("paper", "Balanced", 0, ())).split
    again = drawn_for(Case("noise", "Balanced", 0, ())).split
    others = [drawn_for(Case("paper", *own, ())).split for own in (("Balanced", 1), ("UShaped", 0))]
    assert (first.scoring["tokens"] == again.scoring["tokens"]).all()
    for other in others:
        assert (first.scoring["tokens"] != other.scoring["tokens"]).mean() > 0.5
    alike = [drawn_for(Case("paper", stream, 0, ())).split.scoring for stream in ("Identical", "Adversarial")]
    assert (alike[0]["correct"] != alike[1]["correct"]).mean() > 0.4  # equally hard, and still not the same lots


def test_cases_are_every_stream_and_seed():
    assert [(case.stream, case.seed) for case in tiny_cases()] == [
        (stream, seed) for stream in ("Balanced", "Identical") for seed in range(3)
    ]
    assert {case.levels for case in tiny_cases(levels=(0.5, 100.0))} == {(0.5,)}
    assert {case.levels for case in tiny_cases(levels=(100.0,))} == {TINY.levels}  # none of its own: all of them
    assert len(tiny_cases(seeds=1)) == 2
    assert len(tiny_cases(seeds=40)) == 80  # as many as were asked for
    replays = list(cases_of("replay", 40, None, ROLLOUTS))
    assert [case.seed for case in replays] == [0, 1]  # two sides are all there are
    assert {case.rollouts for case in replays} == {str(ROLLOUTS)}


def test_the_experiments_name_only_what_there_is():
    for plan in EXPERIMENTS.values():
        assert set(plan.policies) <= set(POLICIES)
        assert len(set(plan.policies)) == len(plan.policies)
        assert set(plan.streams) <= set(experiments.STREAMS)
    assert set(estimating.SECONDS) == set(EXPERIMENTS)
    assert {level for plan in EXPERIMENTS.values() for level in plan.levels} >= set(cli.QUICK["levels"])


def test_no_lots_are_those_that_streams_are_drawn_with():
    assert len({peers.LOTS, experiments.LOTS, *range(len(STREAMS))}) == len(STREAMS) + 2


def test_the_error_of_a_prediction_is_a_factor_at_one_deviation(known):
    lots = np.log(experiments.disturbed(known_of("Identical", 2000), 0.5, 1).factor) / np.log(1.5)
    assert stats.kstest(lots, "norm").pvalue > 1e-3
    wrong, again, other = (experiments.disturbed(known, 0.25, seed) for seed in (1, 1, 2))
    assert wrong.error == pytest.approx(np.log(1.25))
    assert (wrong.factor == again.factor).all()
    assert (wrong.factor != other.factor).all()
    twice = experiments.disturbed(known, 0.25**2 + 0.5, 1)  # the same lots, further off
    assert np.log(twice.factor) == pytest.approx(2.0 * np.log(wrong.factor))
    assert experiments.disturbed(known, 0.0, 1) is known
