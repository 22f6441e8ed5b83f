"""The length of a completion: log-normal within a query, with median and spread shrunk towards the pool.

    log length of rollout j of query i  ~  Normal(mu_i + offset [j is wrong], sigma_i^2)
    mu_i ~ Normal(centre, between^2)        log sigma_i ~ Normal(log typical, variation^2)

A rollout stopped by its cap says only that its length passes the cap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_ndtr, logit, logsumexp

from clear_alloc.fit.models.censored_quadrature import Caps, censored_moments
from clear_alloc.fit.rollouts import Array

__all__ = ["Lengths", "Population", "Summary", "fit_lengths", "stopped_evidence"]

# Weak priors on the pool, in natural log units. They decide only what the data
# can't: how the variance of a pool of single rollouts splits, or how far the queries of a pool of one would
# lie apart. Typical values of 19 model configurations: spread 0.07 to 0.45, its variation 0.2 to 0.5, medians
# 0.15 to 1.1 apart.
PRIOR_BETWEEN = 0.5  # worth 1 query
PRIOR_TYPICAL = (math.log(0.2), 0.7)  # mean and standard deviation of its log
PRIOR_VARIATION = 0.4  # worth VARIATION_COUNT queries: a variance of variances needs many to show itself
VARIATION_COUNT = 5
MIN_SIGMA = 1e-4  # less than a token in ten thousand: rounding hides it
MAX_SIGMA = 5.0  # a factor of 150 between two usual lengths of one query: more is two kinds of data in one column

MAX_PASSES = 500
MAX_LEAP = 256.0  # passes that one extrapolation may stand for
MAX_MOVE = 1.0  # of a pooled parameter in one extrapolation, log units: where pools are small, leaps point anywhere
TOLERANCE = 1e-5  # of one pass's step in every pooled parameter, log units
ROUGH = 1e-3  # the same, while the solvabilities are still to be moved

_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
_MOST_FURTHER = 50.0  # e^50 times as often is always

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
_LOG_WEIGHTS = np.log(_WEIGHTS / np.sqrt(2.0 * np.pi)) + 0.5 * _NODES**2


@dataclass(frozen=True)
class Summary:
    """All that the model needs of the log lengths. Arrays have shape (queries,).

    n_right, n_wrong, mean_right, mean_wrong : finished rollouts, and their mean log length or 0.
    squares : sum of squares around these two means.
    chance_wrong : of a rollout that did not finish.
    caps : of the rollouts that did not finish.
    """

    n_right: Array
    n_wrong: Array
    mean_right: Array
    mean_wrong: Array
    squares: Array
    chance_wrong: Array
    caps: Caps

    @property
    def finished(self) -> Array:
        """Finished rollouts with a length."""
        return self.n_right + self.n_wrong

    @property
    def contrast_size(self) -> Array:
        """Information on the offset in units of 1/sigma^2: n_right n_wrong / (n_right + n_wrong)."""
        return self.n_right * self.n_wrong / np.maximum(self.finished, 1.0)

    def moments(self, offset: float) -> tuple[Array, Array]:
        """Mean, and sum of squares around it, of log length - offset [wrong]."""
        shifted = self.mean_wrong - offset
        mean = (self.n_right * self.mean_right + self.n_wrong * shifted) / np.maximum(self.finished, 1.0)
        return mean, self.squares + self.contrast_size * (shifted - self.mean_right) ** 2


@dataclass(frozen=True)
class Population:
    """What the queries have in common; natural log of tokens."""

    centre: float
    between: float
    typical: float
    variation: float
    offset: float

    @classmethod
    def from_steps(cls, steps: Array) -> Population:
        """The reverse of `steps`."""
        centre, between, typical, variation, offset = steps.tolist()
        return cls(centre, math.exp(between), math.exp(typical), math.exp(variation), offset)

    @property
    def steps(self) -> Array:
        """The parameters on scales where a step has the same meaning everywhere."""
        scales = (math.log(scale) for scale in (self.between, self.typical, self.variation))
        return np.array([self.centre, *scales, self.offset])


class Guess(NamedTuple):
    """Last estimates of mu_i and log sigma_i, shape (queries,)."""

    log_median: Array
    log_spread: Array


@dataclass(frozen=True)
class Posterior:
    """Per query and spread node: weight, spread, and mean and variance of mu. Shape (queries, nodes)."""

    weight: Array
    log_spread: Array
    mean: Array
    variance: Array

    @property
    def guess(self) -> Guess:
        """Where the next pass looks."""
        return Guess(self.average(self.mean), self.average(self.log_spread))

    def average(self, values: Array) -> Array:
        """Posterior mean over the nodes, shape (queries,)."""
        mean: Array = (self.weight * values).sum(axis=1)
        return mean


@dataclass(frozen=True)
class Lengths:
    """The fitted model. Arrays have shape (queries,); logs are natural.

    log_median, log_median_error : posterior mean and standard deviation of mu_i (right answers).
    sigma, log_sigma_error : geometric posterior mean of sigma_i, and standard deviation of its log.
    spread : of the log-normal nearest to the posterior mean arrival curve.
    errors : standard errors of centre, log between, log typical, log variation and offset.
    """

    pool: Population
    errors: Array
    log_median: Array
    log_median_error: Array
    sigma: Array
    log_sigma_error: Array
    spread: Array
    passes: int
    converged: bool


def fit_lengths(data: Summary, before: Lengths | None = None, tolerance: float = TOLERANCE) -> Lengths:
    """Empirical Bayes by expectation-maximisation on the marginal likelihood.

    Each pass integrates mu_i in closed form (by quadrature where there are caps) and sigma_i on 7
    Gauss-Hermite nodes around its last estimate; it stops when a pass moves no pooled parameter by `tolerance`
    or more, or after MAX_PASSES with `converged` false. It starts from `before`, a fit of much the same data, if
    there is one. O((queries + caps) x nodes) per pass. Laird & Ware 1982 for the random effects; Smyth 2004 for
    moderated spreads.
    """
    pool, guess = _start(data) if before is None else (before.pool, Guess(before.log_median, np.log(before.sigma)))
    trail = [pool.steps]
    converged, passes = False, 0
    while not converged and passes < MAX_PASSES:
        passes += 1
        posterior = _e_step(data, pool, guess)
        pool, guess = _m_step(data, posterior, pool), posterior.guess
        trail.append(pool.steps)
        converged = bool(np.abs(trail[-1] - trail[-2]).max() < tolerance)
        if len(trail) == 3 and not converged:
            trail = [_squarem_step(*trail)]
            pool = Population.from_steps(trail[0])
    return _conclude(data, pool, _e_step(data, pool, guess), passes, converged)


def _squarem_step(before: Array, first: Array, second: Array) -> Array:
    """Extrapolate two passes to where they lead. Varadhan & Roland 2008, scheme S3, its length and move bounded."""
    step, bend = first - before, second - 2.0 * first + before
    ratio = float(np.linalg.norm(step)) / max(float(np.linalg.norm(bend)), np.finfo(float).tiny)
    length = min(max(ratio, 1.0), MAX_LEAP)
    move = 2.0 * length * step + length**2 * bend
    return before + move * (MAX_MOVE / max(float(np.abs(move).max()), MAX_MOVE))


def _start(data: Summary) -> tuple[Population, Guess]:
    mean, squares = data.moments(0.0)
    seen = data.finished > 0
    freedom = np.maximum(data.finished - 1.0, 0.0)
    prior = np.exp(2.0 * PRIOR_TYPICAL[0])
    common = (squares.sum() + prior) / (freedom.sum() + 1.0)
    log_spread = 0.5 * np.log((squares + 2.0 * common) / (freedom + 2.0))
    pool = Population(float(mean[seen].mean()), PRIOR_BETWEEN, float(np.sqrt(common)), PRIOR_VARIATION, 0.0)
    return pool, Guess(np.where(seen, mean, pool.centre), log_spread)


def _e_step(data: Summary, pool: Population, guess: Guess) -> Posterior:
    """Weights of the spread nodes around the guess, and mu given each of them."""
    n = data.finished[:, None]
    width = 1.0 / np.sqrt(2.0 * np.maximum(n - 1.0, 0.0) + pool.variation**-2)
    nodes = guess.log_spread[:, None] + width * _NODES
    log_spread = np.clip(nodes, math.log(MIN_SIGMA), math.log(MAX_SIGMA))
    mean, squares = (values[:, None] for values in data.moments(pool.offset))
    information = n * np.exp(-2.0 * log_spread)
    precision = information + pool.between**-2
    # Integrating mu out of the finished rollouts leaves a normal for their mean, around the pool's centre.
    held = information / precision
    loss = squares * np.exp(-2.0 * log_spread) + held * ((mean - pool.centre) / pool.between) ** 2
    log_weight = -n * log_spread - 0.5 * np.log(precision) - 0.5 * loss
    log_weight += _LOG_WEIGHTS - 0.5 * ((log_spread - np.log(pool.typical)) / pool.variation) ** 2
    centre, variance = pool.centre + held * (mean - pool.centre), 1.0 / precision
    rows, caps = data.caps.query, _shifted(data, pool.offset, guess)
    if rows.size:
        event, centre[rows], variance[rows] = censored_moments(
            centre[rows], precision[rows], np.exp(log_spread[rows]), caps
        )
        log_weight[rows] += event
    weight = np.exp(log_weight - logsumexp(log_weight, axis=1, keepdims=True))
    return Posterior(weight, log_spread, centre, variance)


class CensoredBeyond(NamedTuple):
    """Each cap as its query's right and wrong rollouts see it, shape (caps,).

    z_right, z_wrong : log cap in spreads from the median of either kind.
    further : log of how much more often a wrong rollout gets beyond the cap.
    wrong : chance that one that did is wrong (Bayes).
    """

    median: Array
    spread: Array
    z_right: Array
    z_wrong: Array
    further: Array
    wrong: Array


def _censored_beyond(data: Summary, offset: float, guess: Guess) -> CensoredBeyond:
    caps = data.caps
    median, log_spread, wrong = (
        values[caps.query][caps.owner] for values in (guess.log_median, guess.log_spread, data.chance_wrong)
    )
    spread = np.exp(log_spread)
    z = (caps.log_cap - median) / spread
    further = log_ndtr(offset / spread - z) - log_ndtr(-z)
    return CensoredBeyond(median, spread, z, z - offset / spread, further, expit(logit(wrong) + further))


def _shifted(data: Summary, offset: float, guess: Guess) -> Caps:
    # Whether a stopped rollout would have been right is not known: it is moved by the offset times its chance of
    # being wrong.
    caps = data.caps
    return replace(caps, log_cap=caps.log_cap - offset * _censored_beyond(data, offset, guess).wrong)


def _completed(data: Summary, offset: float, guess: Guess) -> Summary:
    """The data with every stopped rollout put in as it is to be expected: so much of it right, so much wrong."""
    caps, stopped = data.caps, _censored_beyond(data, offset, guess)
    rows, full = caps.query, []
    for n, mean, share, z, shift in (
        (data.n_right, data.mean_right, 1.0 - stopped.wrong, stopped.z_right, 0.0),
        (data.n_wrong, data.mean_wrong, stopped.wrong, stopped.z_wrong, offset),
    ):
        # The mean of a normal beyond z is its hazard there.
        length = stopped.median + shift + stopped.spread * np.exp(-0.5 * z * z - _LOG_SQRT_2PI - log_ndtr(-z))
        count, total = n.copy(), n * mean
        count[rows] += caps.total(caps.times * share)
        total[rows] += caps.total(caps.times * share * length)
        full += [count, total / np.where(count > 0, count, 1.0)]
    return replace(data, n_right=full[0], mean_right=full[1], n_wrong=full[2], mean_wrong=full[3])


def stopped_evidence(data: Summary, lengths: Lengths) -> tuple[Array, Array]:
    """What having come as far as its cap says of being right: so many more right and wrong rollouts, (queries,).

    If wrong rollouts get beyond a cap r times as often as right ones, stopping there has probability proportional
    to s + r (1 - s), s the solvability: for r > 1 the sum of one part that says nothing and r - 1 parts that say
    `wrong`. A stopped rollout counts for as much of a wrong one as that part is likely; for r < 1, of a right one.
    """
    caps = data.caps
    guess = Guess(lengths.log_median, np.log(lengths.sigma))
    more = np.expm1(np.minimum(_censored_beyond(data, lengths.pool.offset, guess).further, _MOST_FURTHER))
    wrong = data.chance_wrong[caps.query][caps.owner]
    says_wrong = np.maximum(more, 0.0) * wrong
    says_right = np.maximum(-more, 0.0) * (1.0 - wrong)
    right_more, wrong_more = np.zeros_like(data.n_right), np.zeros_like(data.n_right)
    right_more[caps.query] = caps.total(caps.times * says_right / (1.0 + np.minimum(more, 0.0) + says_right))
    wrong_more[caps.query] = caps.total(caps.times * says_wrong / (1.0 + says_wrong))
    return right_more, wrong_more


def _m_step(data: Summary, posterior: Posterior, pool: Population) -> Population:
    """Next pooled parameters: the maxima of the expected log joint density under the priors above."""
    n = len(posterior.weight)
    centre = posterior.average(posterior.mean).mean()
    between = posterior.average(posterior.variance + (posterior.mean - centre) ** 2).sum()
    prior_mean, prior_sd = PRIOR_TYPICAL
    share = (pool.variation / prior_sd) ** 2
    log_typical = (posterior.average(posterior.log_spread).sum() + share * prior_mean) / (n + share)
    variation = posterior.average((posterior.log_spread - log_typical) ** 2).sum()
    return Population(
        centre=float(centre),
        between=float(np.sqrt((between + PRIOR_BETWEEN**2) / (n + 1))),
        typical=float(np.exp(log_typical)),
        variation=float(np.sqrt((variation + VARIATION_COUNT * PRIOR_VARIATION**2) / (n + VARIATION_COUNT))),
        offset=_offset(data, posterior, pool.offset)[0],
    )


def _offset(data: Summary, posterior: Posterior, offset: float) -> tuple[float, float]:
    """Wrong minus right log length, and its standard error, from queries that have both.

    Only contrasts within a query count: between queries, wrong answers are longer because hard questions are.
    Shrunk towards 0 as if one more contrast of the usual precision had shown none. Stopped rollouts, more of the
    longer kind, count as what they are likely to be, given the last estimate (expectation-maximisation); the
    error is that of the finished ones alone.
    """
    precision = posterior.average(np.exp(-2.0 * posterior.log_spread))
    full = _completed(data, offset, posterior.guess) if data.caps.query.size else data
    information = precision * full.contrast_size
    moved = information @ (full.mean_wrong - full.mean_right) / (information.sum() + precision.mean())
    return float(moved), float(1.0 / np.sqrt(precision @ data.contrast_size + precision.mean()))


def _conclude(data: Summary, pool: Population, posterior: Posterior, passes: int, converged: bool) -> Lengths:
    log_median = posterior.average(posterior.mean)
    apart = posterior.variance + (posterior.mean - log_median[:, None]) ** 2
    log_sigma = posterior.average(posterior.log_spread)
    # The next log length is a mixture of normals, one per node, with variance t^2 = sigma^2 + var(mu).
    log_total = 0.5 * np.log(np.exp(2.0 * posterior.log_spread) + apart)
    centre, error = _mean_and_sd(posterior, log_total)
    # Among normals, the one whose distribution function is nearest in squares to such a mixture (the best by
    # the continuous ranked probability score) solves E[(1 + t^2/s^2)^(-1/2)] = 2^(-1/2); to second order
    # log s = E log t + var(log t)/4. The one with equal variance is wider, log s = E log t + var(log t);
    # on held-out samples the two score alike (nearest against widest: +0.003 on GPQA, -0.002 on AIME).
    errors = _pool_errors(pool, posterior)
    doubt = _doubt(pool, float(errors[2]), np.exp(log_sigma), data.finished, log_median)
    return Lengths(
        pool=pool,
        errors=np.append(errors, _offset(data, posterior, pool.offset)[1]),
        log_median=log_median,
        log_median_error=np.sqrt(posterior.average(apart) * doubt),
        sigma=np.exp(log_sigma),
        log_sigma_error=_mean_and_sd(posterior, posterior.log_spread)[1],
        spread=np.exp(centre + 0.25 * error**2),
        passes=passes,
        converged=converged,
    )


def _doubt(pool: Population, error: float, sigma: Array, finished: Array, log_median: Array) -> Array:
    """By how much a median's variance grows because the typical spread is itself uncertain, (queries,).

    error : of its log. Single rollouts show the sum of the variances within and between queries, and hardly how it
    splits: a larger spread than the typical one makes each of them say less of its query's median.
    """
    within = sigma[:, None] ** 2 * np.exp(2.0 * error * _NODES)
    between = np.maximum(pool.between**2 + sigma[:, None] ** 2 - within, 0.01 * pool.between**2)
    weight = _WEIGHTS / _WEIGHTS.sum()
    noise = within / np.maximum(finished, 1e-9)[:, None]
    trust = between / (between + noise)
    usual = pool.between**2 / (pool.between**2 + sigma**2 / np.maximum(finished, 1e-9))
    away = (log_median - pool.centre) / np.maximum(usual, 1e-9)
    moved = (trust**2 @ weight - (trust @ weight) ** 2) * away**2
    alone = sigma**2 / np.maximum(finished, 1e-9)
    now = pool.between**2 * alone / (pool.between**2 + alone)
    grown: Array = np.maximum(((between * (1.0 - trust)) @ weight + moved) / now, 1.0)
    return np.where(finished > 0.0, grown, 1.0)


def _mean_and_sd(posterior: Posterior, values: Array) -> tuple[Array, Array]:
    mean = posterior.average(values)
    return mean, np.sqrt(posterior.average((values - mean[:, None]) ** 2))


def _pool_errors(pool: Population, posterior: Posterior) -> Array:
    """Standard errors from the queries' own scores: by Fisher's identity, means of complete-data scores."""
    away = posterior.mean - pool.centre
    stray = (posterior.log_spread - np.log(pool.typical)) / pool.variation
    scores = np.stack(
        [
            posterior.average(away) / pool.between**2,
            posterior.average(posterior.variance + away**2) / pool.between**2 - 1.0,
            posterior.average(stray) / pool.variation,
            posterior.average(stray**2) - 1.0,
        ]
    )
    # The priors' curvature: two per prior observation for a log scale, 1/sd^2 for a mean.
    prior = np.diag([0.0, 2.0, 1.0 / PRIOR_TYPICAL[1] ** 2, 2.0 * VARIATION_COUNT])
    return np.sqrt(np.maximum(np.diag(np.linalg.pinv(scores @ scores.T + prior)), 0.0))
