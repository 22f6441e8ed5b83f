"""fit: parameters found again, leaning on the pool, censoring, degenerate pools, an oracle that shares no code."""

import numpy as np
import pytest
from oracles.rollout_pools import TRUTH, simulate
from scipy import stats

from clear_alloc.errors import InvalidArgument
from clear_alloc.fit import fit


@pytest.mark.parametrize("stopped", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("each", [1, 4, 32])
def test_the_pool_is_found_again(each, stopped):
    fitted = fit(simulate(1, 1000, each, stopped)[0])
    for name, true in TRUTH.items():
        if each == 1 and name in ("variation_of_spread", "offset_of_wrong", "solvability_size"):
            continue  # not in the data: one rollout says nothing of what varies within a query
        away = (fitted.report.pooled[name] - true) / fitted.report.errors[name]
        assert abs(away) < 3.0, (name, fitted.report.pooled[name], true, away)


@pytest.mark.parametrize("stopped", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("each", [2, 16])
def test_stated_errors_are_the_true_ones(each, stopped):
    table, mu, sigma, chance = simulate(2, 1500, each, stopped)
    fitted = fit(table)
    report = fitted.report
    for found, true, error in (
        (np.log(fitted.curves.median), mu, report.log_median_error),
        (fitted.curves.solvability, chance, report.solvability_error),
    ):
        inside = np.abs(found - true[fitted.ids]) < 1.645 * error
        assert 0.87 < inside.mean() < 0.94
    assert abs(np.mean(np.log(fitted.curves.median) - mu[fitted.ids])) < 0.02
    if each == 16 and not stopped:
        away = (np.log(fitted.curves.spread) - np.log(sigma[fitted.ids])) / report.log_spread_error
        assert 0.9 < np.std(away) < 1.1


@pytest.mark.parametrize("stopped", [0.0, 0.3])
@pytest.mark.parametrize("each", [4, 16])
def test_ninety_percent_intervals_cover_ninety_percent(each, stopped):
    inside = []
    for seed in range(200, 220):
        table, mu, _, chance = simulate(seed, 80, each, stopped)
        fitted = fit(table)
        report = fitted.report
        away_median = (np.log(fitted.curves.median) - mu[fitted.ids]) / report.log_median_error
        away_chance = (fitted.curves.solvability - chance[fitted.ids]) / report.solvability_error
        inside.append([np.mean(np.abs(away) < 1.645) for away in (away_median, away_chance)])
    median, solvability = np.mean(inside, axis=0)
    assert 0.85 < median < 0.95
    assert 0.85 < solvability < 0.95


def test_errors_of_the_pool_are_the_scatter_over_repetitions():
    reports = [fit(simulate(seed, 150, 4, 0.3)[0]).report for seed in range(100)]
    for name, true in TRUTH.items():
        values = np.array([r.pooled[name] for r in reports])
        stated = np.mean([r.errors[name] for r in reports])
        # 100 repetitions know a standard deviation to within 7 %; the prior steadies the variation of spreads.
        assert (0.65 if name == "variation_of_spread" else 0.82) < np.std(values) / stated < 1.22, name
        assert abs(np.mean(values) - true) < 0.6 * stated, name


def test_the_offset_of_wrong_answers_is_measured_within_queries():
    # Hard queries are longer and mostly wrong: between queries wrong answers are far longer, within them by 0.15.
    rng = np.random.default_rng(3)
    mu = rng.normal(8.0, 0.7, 400)
    query = np.repeat(np.arange(400), 8)
    right = rng.random(3200) < 1.0 / (1.0 + np.exp(3.0 * (mu[query] - 8.0)))
    tokens = np.exp(rng.normal(mu[query] + 0.15 * ~right, 0.2))
    fitted = fit({"query_id": query, "tokens": tokens, "correct": right})
    error = fitted.report.errors["offset_of_wrong"]
    assert 0.005 < error < 0.02
    assert abs(fitted.report.pooled["offset_of_wrong"] - 0.15) < 3 * error
    # The curve is that of the right answers, for queries with wrong ones only too.
    never = np.bincount(query, right) == 0
    assert never.sum() > 20
    assert abs(np.mean((np.log(fitted.curves.median) - mu)[never])) < 0.05


def test_predicted_shares_come_true():
    table, mu, sigma, chance = simulate(4, 2000, 4)
    curves = fit(table).curves
    for cap in np.exp([7.0, 7.5, 8.0, 8.5, 9.0]):
        true = chance * stats.norm.cdf((np.log(cap) - mu) / sigma)
        predicted = curves.utility(np.full(len(curves), cap))
        assert abs(predicted.mean() - true.mean()) < 0.01
        deciles = np.array_split(np.argsort(predicted), 10)
        assert max(abs(predicted[d].mean() - true[d].mean()) for d in deciles) < 0.05


def odd_one(each):
    """200 queries around exp(8) that are mostly solved, and `odd`: `each` rollouts near exp(6), none right."""
    table = simulate(5, 200, 8)[0]
    rng = np.random.default_rng(6)
    return {
        "query_id": [*table["query_id"].tolist(), *[1000] * each],
        "tokens": np.append(table["tokens"], np.exp(rng.normal(6.0, 1.0, each))),
        "correct": np.append(table["correct"], np.zeros(each, dtype=int)),
    }


def test_few_rollouts_lean_on_the_pool_and_many_do_not():
    chances, spreads = [], []
    for each in (1, 4, 50):
        curves = fit(odd_one(each)).curves
        chances.append(curves.solvability[-1])
        spreads.append(curves.spread[-1])
    assert chances[0] > 0.3 > chances[1] > 0.1  # the pool's mean is 0.6
    assert chances[2] < 0.03
    assert spreads[0] < 0.4  # the pool's is 0.25, the query's own is 1
    assert spreads[2] > 0.8


def test_a_median_moves_from_the_pool_to_its_own_rollouts():
    base = simulate(7, 200, 1)[0]
    moved = []
    for each in (1, 4, 50):
        table = {
            "query_id": [*base["query_id"].tolist(), *[1000] * each],
            "tokens": np.append(base["tokens"], np.full(each, np.exp(5.0))),
            "correct": np.append(base["correct"], np.ones(each, dtype=int)),
        }
        moved.append(np.log(fit(table).curves.median[-1]))
    assert moved[0] > moved[1] > moved[2]
    assert moved[0] > 5.1
    assert moved[2] < 5.02


def test_a_cap_is_not_a_length():
    table, mu, _, _ = simulate(8, 500, 8, stopped=0.3)
    honest = fit(table)
    counted = fit({name: column for name, column in table.items() if name != "cap"})
    long = mu > np.log(table["cap"][0])
    errors = [np.mean((np.log(f.curves.median) - mu)[long]) for f in (honest, counted)]
    assert abs(errors[0]) < 0.08
    assert errors[1] < -0.3
    # A stopped answer is a missing one, not a wrong one: the chance at any length is not pulled down.
    assert abs(honest.report.pooled["solvability"] - 0.6) < 0.05
    assert counted.report.pooled["solvability"] < 0.5


def test_at_the_cap_the_curves_meet_the_observed_share():
    table = simulate(9, 500, 16, stopped=0.5)[0]
    curves = fit(table).curves
    assert curves.utility(np.full(len(curves), table["cap"][0])).mean() == pytest.approx(
        np.mean(table["correct"]), abs=0.01
    )


def test_stopped_rollouts_are_longer_by_the_offset_that_they_have_on_average():
    rng = np.random.default_rng(20)
    mu = rng.normal(8.0, 0.5, 400)
    query = np.repeat(np.arange(400), 12)
    right = rng.random(4800) < 0.3
    tokens = np.exp(rng.normal(mu[query] + 0.6 * ~right, 0.2))
    cap = np.exp(mu[query] + 0.7)
    cut = tokens >= cap
    assert 0.2 < cut.mean() < 0.4
    table = {"query_id": query, "tokens": np.minimum(tokens, cap), "correct": right & ~cut, "cap": cap}
    # Measured on finished rollouts only, the offset is 0.5 and the median 0.08 too long; unmoved, it is 0.21.
    fitted = fit(table)
    assert abs(np.mean(np.log(fitted.curves.median) - mu)) < 0.03
    assert fitted.report.pooled["offset_of_wrong"] == pytest.approx(0.6, abs=0.03)
    # Stopping is a sign of being wrong here: taken as no sign at all, the chances were 0.07 too high.
    assert np.mean(fitted.curves.solvability) == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(("offset", "common"), [(-0.4, False), (0.3, True), (0.0, True)])
def test_what_stopping_says_of_being_right_is_used(offset, common):
    rng = np.random.default_rng(22)
    mu, chance = rng.normal(8.0, 0.5, 600), rng.beta(2.0, 2.0, 600)
    query = np.repeat(np.arange(600), 12)
    right = rng.random(len(query)) < chance[query]
    tokens = np.exp(rng.normal(mu[query] + offset * ~right, 0.2))
    cap = np.full(len(query), np.exp(8.4)) if common else np.exp(mu[query] + 0.1)
    cut = tokens >= cap
    assert 0.15 < cut.mean() < 0.35
    table = {"query_id": query, "tokens": np.minimum(tokens, cap), "correct": right & ~cut, "cap": cap}
    fitted = fit(table)
    assert fitted.report.pooled["offset_of_wrong"] == pytest.approx(offset, abs=0.04)
    assert abs(np.mean(fitted.curves.solvability - chance)) < 0.02
    assert abs(np.mean(np.log(fitted.curves.median) - mu)) < 0.03


def test_a_right_answer_at_its_cap_has_finished():
    table = {
        "query_id": ["a"] * 4,
        "tokens": [100, 100, 90, 110],
        "correct": [1, 0, 1, 0],
        "cap": [100, 100, 200, None],
    }
    report = fit(table).report
    assert report.censored.tolist() == [1]
    assert report.solved.tolist() == [2]


def test_stopped_rollouts_push_the_median_beyond_their_cap():
    table = {
        "query_id": list("aabbcccc"),
        "tokens": [800, 1000, 1200, 900, 2000, 2000, 2000, 2000],
        "correct": [1, 0, 1, 1, 0, 0, 0, 0],
        "cap": [2000] * 8,
    }
    fitted = fit(table)
    assert fitted.curves.median[2] > 2000
    assert fitted.report.flagged["none_finished"].tolist() == [False, False, True]
    assert fitted.report.flagged["beyond_caps"].tolist() == [False, False, True]


def test_a_pool_without_a_right_answer_has_small_chances():
    table = {"query_id": np.repeat(np.arange(50), 4), "tokens": np.arange(100, 300), "correct": np.zeros(200)}
    fitted = fit(table)
    assert np.all((fitted.curves.solvability > 0) & (fitted.curves.solvability < 0.02))
    assert fitted.report.flagged["never_solved"].all()
    assert "no rollout is right" in str(fitted.report)


def test_empty_completions_count_for_the_solvability_alone():
    table = {"query_id": list("aabb"), "tokens": [900, 1100, 1000, 1000], "correct": [1, 1, 1, 0]}
    more = {name: [*column, *extra] for (name, column), extra in zip(table.items(), (["b"], [0], [0]), strict=True)}
    one, two = fit(table), fit(more)
    assert two.report.empty.tolist() == [0, 1]
    assert two.curves.median == pytest.approx(one.curves.median, rel=1e-9)
    assert two.curves.solvability[1] < one.curves.solvability[1]


def test_weights_reach_the_curves():
    table = {"query_id": list("aabb"), "tokens": [900, 1100, 300, 310], "correct": [1, 1, 1, 0]}
    assert fit(table, weight=3.0).curves.weight.tolist() == [3.0, 3.0]
    assert fit(table, weight=[1.0, 2.0]).curves.weight.tolist() == [1.0, 2.0]
    assert fit(table, "shifted_surge", weight={"b": 5, "a": 4}).curves.weight.tolist() == [4.0, 5.0]
    with pytest.raises(InvalidArgument, match=r"weight is \"without 'b'\"; allowed: a value for every query_id"):
        fit(table, weight={"a": 1})
    with pytest.raises(InvalidArgument, match="weight is 'of length 3'; allowed: one number or 2"):
        fit(table, weight=[1, 2, 3])
    with pytest.raises(InvalidArgument, match="weight"):
        fit(table, weight=-1)
