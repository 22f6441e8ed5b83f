"""Lengths by expectation-maximisation: an oracle that shares no code, small pools, passes that settle."""

import numpy as np
import pytest
from oracles.rollout_pools import simulate
from scipy import optimize, stats

from clear_alloc.fit import fit
from clear_alloc.fit.models.lognormal_em import MAX_PASSES


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


def test_single_rollouts_converge_too():
    # The likelihood is almost flat along one line here: without the leaps 500 passes are not enough.
    report = fit(simulate(1, 2000, 1)[0]).report
    assert not any(f"after {MAX_PASSES} passes" in note for note in report.notes)


def test_single_rollouts_leave_the_spread_in_doubt_and_intervals_say_so():
    """The split of one variance into two is the prior's; the intervals must cover other splits than its centre."""
    rng, queries = np.random.default_rng(12), 600
    median = rng.normal(7.5, 0.8, queries)
    for spread, least, most in ((0.2, 0.88, 0.995), (0.3, 0.86, 0.96), (0.4, 0.8, 0.93)):
        tokens = np.ceil(np.exp(median + spread * rng.normal(size=queries)))
        fitted = fit({"query_id": np.arange(queries), "tokens": tokens, "correct": np.ones(queries, dtype=int)})
        away = np.abs(np.log(fitted.curves.median) - median)
        assert least <= (away <= 1.645 * fitted.report.log_median_error).mean() <= most


STOPPED_BESIDE_INSTANT = {
    "caps of their own": (["p", "q"] * 3, [16500, 5000, 1, 8000, 400, 7000], [1, 0, 1, 0, 0, 0],
                          [16700, 5000, 2000, 8000, 400, 7000]),
    "a common cap": (list("pppqqq"), [1, 2180, 4000, 4000, 4000, 4000], [1, 1, 0, 0, 0, 0], [4000] * 6),
}  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", STOPPED_BESIDE_INSTANT)
def test_a_leap_stays_near_the_passes_that_it_follows(case):
    """One of two queries is always stopped: extrapolation pointed at a spread of e^-9 and a variation of e^5."""
    names, tokens, correct, cap = STOPPED_BESIDE_INSTANT[case]
    report = fit({"query_id": names, "tokens": tokens, "correct": correct, "cap": cap}).report
    assert not any("still moving" in note for note in report.notes)
    assert 0.3 < report.pooled["spread"] < 1.0
    assert 4000 < report.pooled["median"] < 50_000


@pytest.mark.filterwarnings("error")
def test_lengths_that_are_all_alike_have_no_spread_below_what_rounding_hides():
    rng = np.random.default_rng(7)
    query = np.repeat(np.arange(11), 6)
    tokens = np.minimum(np.ceil(np.exp(rng.normal(9.0, 1.5, 11)))[query], 21_522)
    stopped = tokens == 21_522
    table = {"query_id": query, "tokens": tokens, "correct": (rng.random(66) < 0.3) & ~stopped, "cap": [21_522] * 66}
    fitted = fit(table)
    assert 5e-5 < fitted.curves.spread.min() < 0.1
