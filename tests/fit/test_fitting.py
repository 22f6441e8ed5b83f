"""fit: parameters found again, leaning on the pool, censoring, degenerate pools, an oracle that shares no code."""

import json

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from clear_alloc.errors import InvalidArgument
from clear_alloc.fit import FAMILIES, fit
from clear_alloc.fit.families import MODELS
from clear_alloc.fit.models.beta_binomial import _loss
from clear_alloc.fit.models.censored_quadrature import Caps, censored_moments
from clear_alloc.fit.models.lognormal_em import MAX_PASSES

TRUTH = {
    "median": np.exp(8.0),
    "between_queries": 0.7,
    "spread": 0.25,
    "variation_of_spread": 0.35,
    "offset_of_wrong": 0.0,
    "solvability": 0.6,
    "solvability_size": 2.0,
}


def simulate(seed, queries, each, stopped=0.0, offset=0.0):
    """Rollouts of the model itself; `stopped` is the share that one common cap cuts off."""
    rng = np.random.default_rng(seed)
    mu = rng.normal(8.0, 0.7, queries)
    sigma = np.exp(rng.normal(np.log(0.25), 0.35, queries))
    chance = rng.beta(1.2, 0.8, queries)
    query = np.repeat(np.arange(queries), each)
    right = rng.random(queries * each) < chance[query]
    tokens = np.exp(rng.normal(mu[query] + offset * ~right, sigma[query]))
    cap = np.quantile(tokens, 1.0 - stopped) if stopped else np.inf
    cut = tokens >= cap
    table = {"query_id": query, "tokens": np.minimum(tokens, cap), "correct": (right & ~cut).astype(int)}
    if stopped:
        table["cap"] = np.full(len(query), cap)
    return table, mu, sigma, chance


# --- recovery ---------------------------------------------------------------------------------------------


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


# --- pooling ----------------------------------------------------------------------------------------------


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


# --- censoring --------------------------------------------------------------------------------------------


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


# --- oracles ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mean", "precision", "spread", "caps", "times"),
    [
        (0.0, 4.0, 0.2, [0.1], [1]),
        (0.0, 2.0, 0.2, [1.5], [8]),
        (0.0, 0.5, 0.05, [2.0, 2.5], [3, 40]),
        (0.0, 100.0, 0.3, [-1.0, 0.0, 0.2], [1, 2, 3]),
        (0.0, 1.0, 0.1, [6.0], [1]),
    ],
)
def test_censored_moments_are_the_integrals(mean, precision, spread, caps, times):
    grid = np.linspace(-12.0, 20.0, 320_001)
    logs = stats.norm.logpdf(grid, mean, precision**-0.5)
    logs += sum(t * stats.norm.logsf((c - grid) / spread) for c, t in zip(caps, times, strict=True))
    density = np.exp(logs - logs.max())
    mass, first_moment = integrate.trapezoid([density, grid * density], grid)
    true_centre = first_moment / mass
    deviation = np.sqrt(integrate.trapezoid((grid - true_centre) ** 2 * density, grid) / mass)
    owner = np.zeros(len(caps), dtype=np.intp)
    first = np.zeros(1, dtype=np.intp)
    given_caps = Caps(first, first, owner, np.asarray(caps), np.asarray(times, dtype=float))
    event, centre, variance = (
        float(v[0, 0]) for v in censored_moments(*(np.full((1, 1), x) for x in (mean, precision, spread)), given_caps)
    )
    assert event == pytest.approx(np.log(mass) + logs.max(), abs=0.01)
    assert centre == pytest.approx(true_centre, abs=0.02 * deviation)
    assert np.sqrt(variance) == pytest.approx(deviation, rel=0.02)


def test_the_pool_maximises_the_marginal_likelihood():
    """Brute force on a grid of (mu, log sigma) per query, all rollouts right so that no offset comes in."""
    rng = np.random.default_rng(10)
    n, each = 25, 5
    query = np.repeat(np.arange(n), each)
    tokens = np.exp(rng.normal(rng.normal(6.0, 0.8, n)[query], np.exp(rng.normal(-1.2, 0.3, n))[query]))
    cap = np.quantile(tokens, 0.75)
    cut = tokens >= cap
    lengths = np.log(np.minimum(tokens, cap))
    mus, etas = np.linspace(2.0, 12.0, 401), np.linspace(-3.5, 1.5, 81)
    z = (lengths[:, None, None] - mus[:, None]) / np.exp(etas)
    terms = np.where(cut[:, None, None], stats.norm.logsf(z), stats.norm.logpdf(z) - etas)
    each_query = np.add.reduceat(terms, np.arange(0, n * each, each), axis=0)

    def loss(x):
        centre, between, typical, variation = x[0], np.exp(x[1]), x[2], np.exp(x[3])
        prior = stats.norm.logpdf(mus, centre, between)[:, None] + stats.norm.logpdf(etas, typical, variation)
        total = np.exp(each_query + prior).sum(axis=(1, 2)) * (mus[1] - mus[0]) * (etas[1] - etas[0])
        # The documented weak priors, as densities of what they are conjugate to.
        weak = -np.log(between) - 0.5 * (0.5 / between) ** 2 + stats.norm.logpdf(typical, np.log(0.2), 0.7)
        weak += 5 * (-np.log(variation) - 0.5 * (0.4 / variation) ** 2)
        return -(np.log(total).sum() + weak)

    best = optimize.minimize(
        loss, [6.0, -0.3, -1.2, -1.0], method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-6}
    )
    table = {"query_id": query, "tokens": np.minimum(tokens, cap), "correct": ~cut, "cap": np.full(n * each, cap)}
    pooled = fit(table).report.pooled
    found = np.log([pooled["median"], pooled["between_queries"], pooled["spread"], pooled["variation_of_spread"]])
    assert found == pytest.approx([best.x[0], best.x[1], best.x[2], best.x[3]], abs=0.01)


def test_the_solvability_is_the_beta_binomial_posterior_mean():
    rng = np.random.default_rng(11)
    k, n = rng.binomial(6, rng.beta(2.0, 1.0, 40)), 6

    def loss(x):
        m, size = 1.0 / (1.0 + np.exp(-x[0])), np.exp(x[1])
        likelihood = stats.betabinom.logpmf(k, n, m * size, (1.0 - m) * size).sum()
        return -(likelihood + 0.5 * np.log(m * (1.0 - m)) + stats.norm.logpdf(x[1], np.log(2.0), 1.5))

    best = optimize.minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}).x
    m, size = 1.0 / (1.0 + np.exp(-best[0])), np.exp(best[1])
    correct = (np.arange(n) < k[:, None]).ravel()
    fitted = fit({"query_id": np.repeat(np.arange(40), n), "tokens": rng.integers(90, 110, 240), "correct": correct})
    assert fitted.curves.solvability == pytest.approx((k + m * size) / (n + size), rel=1e-3)
    a, b = k + m * size, n - k + (1.0 - m) * size
    assert fitted.report.solvability_error == pytest.approx(stats.beta(a, b).std(), rel=1e-3)


def test_the_spread_is_that_of_the_nearest_lognormal():
    # Two rollouts per query: the posterior of sigma is wide, and the posterior mean arrival curve a mixture.
    table, mu, sigma, _ = simulate(12, 4000, 2)
    curves = fit(table).curves
    rng = np.random.default_rng(13)
    z = rng.normal(mu, sigma) - np.log(curves.median)

    def score(factor):  # mean continuous ranked probability score of Normal(0, (factor spread)^2)
        s = factor * curves.spread
        w = z / s
        return np.mean(s * (w * (2 * stats.norm.cdf(w) - 1) + 2 * stats.norm.pdf(w) - 1 / np.sqrt(np.pi)))

    factors = np.linspace(0.7, 1.4, 71)
    assert factors[np.argmin([score(f) for f in factors])] == pytest.approx(1.0, abs=0.06)


def test_a_pool_all_solved_is_the_beta_binomial_posterior_too():
    def loss(x):
        m, size = 1.0 / (1.0 + np.exp(-x[0])), np.exp(x[1])
        likelihood = 8 * stats.betabinom.logpmf(3, 3, m * size, (1.0 - m) * size)
        return -(likelihood + 0.5 * np.log(m * (1.0 - m)) + stats.norm.logpdf(x[1], np.log(2.0), 1.5))

    best = optimize.minimize(loss, [2.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}).x
    m, size = 1.0 / (1.0 + np.exp(-best[0])), np.exp(best[1])
    fitted = fit({"query_id": np.repeat(np.arange(8), 3), "tokens": np.arange(100, 124), "correct": np.ones(24)})
    assert fitted.curves.solvability == pytest.approx((3 + m * size) / (3 + size), abs=1e-4)


def test_slopes_of_the_solvability_likelihood_are_those_of_its_value():
    data = (np.array([0.0, 2.0, 3.0]), np.array([1.0, 5.0, 3.0]), np.array([4.0, 1.0, 2.0]))
    for x in (np.array([0.3, 0.5]), np.array([-2.0, 3.0])):
        numeric = optimize.approx_fprime(x, lambda y: _loss(y, *data)[0], 1e-6)
        assert _loss(x, *data)[1] == pytest.approx(numeric, rel=1e-4)


# --- surges -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stopped", [False, True])
def test_a_surge_is_found_again(stopped):
    rng = np.random.default_rng(14)
    # Lengths whose distribution is the cumulative surge itself: threshold + a gamma of shape 2.
    scale = np.exp(rng.normal(7.0, 0.5, 300))
    query = np.repeat(np.arange(300), 12)
    tokens = scale[query] * (1.0 + rng.gamma(2.0, 0.25, 3600))
    right = rng.random(3600) < 0.7
    table = {"query_id": query, "tokens": tokens, "correct": right}
    if stopped:
        table["cap"] = 1.7 * scale[query]
        cut = tokens >= table["cap"]
        assert 0.1 < cut.mean() < 0.3
        table["tokens"], table["correct"] = np.minimum(tokens, table["cap"]), right & ~cut
    fitted = fit(table, "cumulative_surge")
    pooled = fitted.report.pooled
    median = 1.0 + 0.25 * stats.gamma(2.0).median()
    assert pooled["threshold_in_medians"] == pytest.approx(1.0 / median, abs=0.04)
    assert pooled["width_in_medians"] == pytest.approx(0.25 / median, rel=0.2)
    assert pooled["rmse_of_shape"] < 0.03
    curves = fitted.curves
    assert curves.threshold / curves.width == pytest.approx(curves.threshold[0] / curves.width[0])


def test_a_surge_is_as_wide_from_two_rollouts_each_as_from_many():
    # A length lies nearer to the median that it helped to place than the next one will.
    rng = np.random.default_rng(21)
    widths = []
    for queries, each in ((3000, 2), (300, 20)):
        query = np.repeat(np.arange(queries), each)
        scale = np.exp(rng.normal(7.0, 1.0, queries))
        tokens = scale[query] * (1.0 + rng.gamma(2.0, 0.25, len(query)))
        table = {"query_id": query, "tokens": tokens, "correct": np.ones(len(query))}
        widths.append(fit(table, "cumulative_surge").report.pooled["width_in_medians"])
    assert widths[0] > 1.1 * widths[1]  # the next length also misses the median, which two rollouts place less well


@pytest.mark.parametrize("family", ["cumulative_surge", "shifted_surge"])
def test_surges_follow_the_lognormal_of_the_same_rollouts(family):
    table = simulate(15, 400, 6)[0]
    surge, smooth = fit(table, family).curves, fit(table).curves
    top = surge.peak if family == "shifted_surge" else surge.solvability
    assert top == pytest.approx(smooth.solvability)
    for share in (0.8, 1.0, 1.3):
        apart = surge.utility(share * smooth.median) - smooth.utility(share * smooth.median)
        assert abs(apart.mean()) < 0.05


# --- invariance, degenerate pools, report ------------------------------------------------------------------


@pytest.mark.parametrize("family", [*MODELS, "paper"])
def test_the_order_of_rows_does_not_matter(family):
    table = simulate(16, 120, 4, stopped=0.3)[0]
    order = np.random.default_rng(17).permutation(len(table["tokens"]))
    shuffled = {name: np.asarray(column)[order] for name, column in table.items()}
    one, two = fit(table, family), fit(shuffled, family)
    assert two.ids == list(dict.fromkeys(shuffled["query_id"].tolist()))
    back = np.argsort(two.ids)
    for name in one.curves.parameters:
        assert getattr(two.curves, name)[back] == pytest.approx(getattr(one.curves, name), rel=1e-6)
    assert two.report.n[back].tolist() == one.report.n.tolist()


def test_other_units_of_length_scale_the_curves():
    table = simulate(18, 100, 4)[0]
    one, two = fit(table).curves, fit({**table, "tokens": 10.0 * table["tokens"]}).curves
    assert two.median == pytest.approx(10.0 * one.median, rel=1e-5)
    assert two.spread == pytest.approx(one.spread, rel=1e-5)


DEGENERATE = {
    "one rollout": (["a"], [1000], [1], [None]),
    "all solved": (list("aabb"), [1000, 900, 500, 400], [1, 1, 1, 1], [None] * 4),
    "one query": (list("aaa"), [1000, 900, 500], [1, 0, 1], [None] * 3),
    "identical lengths": (list("aaaabbbb"), [1000] * 8, [1, 0] * 4, [None] * 8),
    "one query stopped": (list("aabb"), [1000, 900, 2000, 2000], [1, 0, 0, 0], [2000] * 4),
    "one finished of many": ([0] + [1] * 50, [10] + [4000] * 50, [1] + [0] * 50, [4000] * 51),
    "another cap each": ([0, 0, 0, 1, 1], [100, 200, 300, 150, 10], [0, 0, 0, 0, 1], [100, 200, 300, 150, 10]),
    "empty completions": (list("aab"), [0, 900, 0], [0, 1, 0], [None] * 3),
    "wild lengths": ([1, 1, 1, 1, 2, 2], [1, 2**50, 90_000, 80_000, 1000, 1100], [1, 0, 1, 0, 1, 0], [None] * 6),
    "far apart": (["a", "b"], [1, 2**50], [1, 1], [None] * 2),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_pools_give_curves(case, family):
    ids, tokens, correct, cap = DEGENERATE[case]
    curves = fit({"query_id": ids, "tokens": tokens, "correct": correct, "cap": cap}, family).curves
    top = curves.utility(np.full(len(curves), 2.0**53))
    assert np.all((top > 0) | (family == "empirical"))  # whose promise is what it saw, and may be nothing
    assert np.all((top >= 0) & (top <= 1))
    assert np.all(np.isfinite(curves.utility(np.full(len(curves), 1000.0))))


def test_one_rollout_does_not_make_a_step():
    for family in MODELS:
        curves = fit({"query_id": ["a"], "tokens": [1000], "correct": [1]}, family).curves
        low, high = curves.utility([[850.0], [1300.0]])
        assert 0.02 < low[0] < 0.5 * curves.ceiling[0]
        assert high[0] > low[0] + 0.1


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


def test_the_report_counts_flags_and_is_json():
    table = {
        "query_id": ["x", "y", "y", "y", "z", "z", "z"],
        "tokens": [50, 60, 70, 80, 90, 100, 100],
        "correct": [0, 1, 1, 0, 1, 0, 0],
        "cap": [None, None, None, 80, 100, 100, 100],
    }
    report = fit(table, "cumulative_surge").report
    assert report.n.tolist() == [1, 3, 3]
    assert report.solved.tolist() == [0, 2, 1]
    assert report.censored.tolist() == [0, 1, 2]
    told = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert [q["id"] for q in told["queries"]] == ["x", "y", "z"]
    assert told["queries"][0]["flags"] == ["single_rollout", "never_solved"]
    assert told["queries"][1]["flags"] == ["always_solved"]
    assert told["queries"][2]["flags"] == ["always_solved", "beyond_caps"]
    assert told["family"] == "cumulative_surge"
    text = str(report)
    assert "7 rollouts of 3 queries (cumulative_surge)" in text
    assert "right 42.9%, stopped by their cap 42.9%" in text
    assert "threshold in medians" in text
    assert "1 queries: one rollout" in text


def test_the_note_on_single_rollouts():
    table = simulate(19, 60, 1)[0]
    assert any("no query has two" in note for note in fit(table).report.notes)
    assert fit(simulate(19, 60, 2)[0]).report.notes == ()


def test_single_rollouts_converge_too():
    # The likelihood is almost flat along one line here: without the leaps 500 passes are not enough.
    report = fit(simulate(1, 2000, 1)[0]).report
    assert not any(f"after {MAX_PASSES} passes" in note for note in report.notes)


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


def test_single_rollouts_leave_the_spread_in_doubt_and_intervals_say_so():
    """The split of one variance into two is the prior's; the intervals must cover other splits than its centre."""
    rng, queries = np.random.default_rng(12), 600
    median = rng.normal(7.5, 0.8, queries)
    for spread, least, most in ((0.2, 0.88, 0.995), (0.3, 0.86, 0.96), (0.4, 0.8, 0.93)):
        tokens = np.ceil(np.exp(median + spread * rng.normal(size=queries)))
        fitted = fit({"query_id": np.arange(queries), "tokens": tokens, "correct": np.ones(queries, dtype=int)})
        away = np.abs(np.log(fitted.curves.median) - median)
        assert least <= (away <= 1.645 * fitted.report.log_median_error).mean() <= most
