"""One family's curves from judged rollouts, and what is known about them."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import CumulativeSurge, LognormalArrival, Menu, ShiftedSurge
from clear_alloc.errors import InvalidArgument
from clear_alloc.fit.models.arrival_shape import arrivals, fit_shape
from clear_alloc.fit.models.beta_binomial import Solvability, fit_solvability
from clear_alloc.fit.models.censored_quadrature import Caps
from clear_alloc.fit.models.lognormal_em import ROUGH, TOLERANCE, Lengths, Summary, fit_lengths, stopped_evidence
from clear_alloc.fit.models.paper_histogram import fit_humps
from clear_alloc.fit.models.product_limit import arrivals_of, pooled_arrivals
from clear_alloc.fit.report import Facts, model_facts
from clear_alloc.fit.rollouts import Array, Rollouts

__all__ = ["FAMILIES", "MODELS", "Basis", "FittedCurves", "basis_of", "curves_of", "refusal"]

MODELS = ("lognormal", "shifted_surge", "cumulative_surge")
FAMILIES = (*MODELS, "empirical", "paper")

FittedCurves = LognormalArrival | ShiftedSurge | CumulativeSurge | Menu

# Tokens are whole: what a length hides by rounding, as a variance in token^2. It keeps spreads above zero.
_ROUNDING = 1.0 / 12.0


def refusal(data: Rollouts, family: str) -> InvalidArgument | None:
    """Why `family` has nothing to go by in these rollouts, if so."""
    finished = ~data.censored & (data.tokens > 0)
    if not finished.any():
        remedy = "record some rollouts under a higher cap"
        allowed = "at least one rollout of 1 token or more that ended before its cap"
        return InvalidArgument("tokens", "without a finished length", allowed, remedy)
    if family not in ("lognormal", "empirical") and not (finished & data.right).any():
        remedy = "its shape comes from right answers; use family='lognormal', or record more rollouts"
        return InvalidArgument("correct", "0 in every row", f"at least one right answer for {family}", remedy)
    return None


class Basis(NamedTuple):
    """What the models of lengths have in common; `timed` marks the rollouts whose length was used."""

    timed: npt.NDArray[np.bool_]
    solved: Solvability
    lengths: Lengths


def basis_of(data: Rollouts) -> Basis:
    """Solvability and lengths, which take the time of a fit."""
    timed = ~data.censored & (data.tokens > 0)
    right, finished = data.per_query(data.right), data.per_query(~data.censored)
    solved = fit_solvability(right, finished)
    summary = _summary(data, timed, solved)
    if not data.censored.any():
        return Basis(timed, solved, fit_lengths(summary))
    lengths = fit_lengths(summary, tolerance=ROUGH)
    for tolerance in (ROUGH, TOLERANCE):
        right_more, wrong_more = stopped_evidence(summary, lengths)
        solved = fit_solvability(right + right_more, finished + right_more + wrong_more)
        summary = replace(summary, chance_wrong=1.0 - solved.mean)
        lengths = fit_lengths(summary, lengths, tolerance)
    return Basis(timed, solved, lengths)


def curves_of(
    data: Rollouts, family: str, weights: npt.ArrayLike = 1.0, basis: Basis | None = None
) -> tuple[FittedCurves, Facts]:
    """Curves of one family, of these rollouts' `basis` if it's at hand; `refusal` must have been None."""
    if family == "empirical":
        return _empirical(data, weights)
    if family == "paper":
        return _paper(data, weights)
    timed, solved, lengths = basis_of(data) if basis is None else basis
    median = np.exp(lengths.log_median)
    if family == "lognormal":
        curves: FittedCurves = LognormalArrival(median, lengths.spread, solved.mean, weights)
        return curves, model_facts(data, timed, lengths, solved, None)
    shape = fit_shape(family, *_relative_arrivals(data, timed, lengths, solved))
    surge = ShiftedSurge if family == "shifted_surge" else CumulativeSurge
    curves = surge(shape.threshold * median, shape.width * median, solved.mean, weights)
    return curves, model_facts(data, timed, lengths, solved, shape)


def _empirical(data: Rollouts, weights: npt.ArrayLike) -> tuple[FittedCurves, Facts]:
    pool = pooled_arrivals(data)
    seen = float(pool.share[-1]) if len(pool.share) else 0.0
    pooled = {"solvability": seen}
    if len(pool.share):
        pooled["median"] = float(pool.at[np.searchsorted(pool.share, 0.5 * seen)])
    # The chances themselves are not shrunk. Their error is the deviation of Jeffreys' posterior, since the usual
    # sqrt(p (1 - p)/n) would call a chance of 0 or 1 certain.
    right, finished = data.per_query(data.right), data.per_query(~data.censored)
    mean = (right + 0.5) / (finished + 1.0)
    error = np.sqrt(mean * (1.0 - mean) / (finished + 2.0))
    note = "nothing is shrunk towards the pool: a query never solved has a curve of 0, one always solved reaches 1"
    menu = arrivals_of(data).menu(len(data.ids), weights)
    return menu, Facts(pooled, solvability_error=error, notes=(note,))


def _paper(data: Rollouts, weights: npt.ArrayLike) -> tuple[FittedCurves, Facts]:
    humps = fit_humps(data)
    pooled = {"alpha": humps.alpha, "beta": humps.beta, "rmse_of_histogram": humps.rmse}
    curves = ShiftedSurge.from_alpha_beta(humps.threshold, humps.alpha, humps.beta, weights)
    return curves, Facts(pooled, notes=("one height for all queries: the paper's curve knows no solvability",))


def _summary(data: Rollouts, timed: npt.NDArray[np.bool_], solved: Solvability) -> Summary:
    log_length = np.log(np.where(timed, data.tokens, 1.0))
    right, wrong = timed & data.right, timed & ~data.right
    n_right, n_wrong = data.per_query(right), data.per_query(wrong)
    mean_right = data.per_query(right * log_length) / np.maximum(n_right, 1.0)
    mean_wrong = data.per_query(wrong * log_length) / np.maximum(n_wrong, 1.0)
    mean_of_kind = np.where(data.right, mean_right[data.query], mean_wrong[data.query])
    squares = timed * ((log_length - mean_of_kind) ** 2 + _ROUNDING / np.maximum(data.tokens, 1.0) ** 2)
    spread_out = data.per_query(squares)
    return Summary(n_right, n_wrong, mean_right, mean_wrong, spread_out, 1.0 - solved.mean, _caps(data))


def _caps(data: Rollouts) -> Caps:
    pairs = np.stack([data.query[data.censored].astype(np.float64), data.tokens[data.censored]])
    (owner, cap), times = np.unique(pairs, axis=1, return_counts=True)
    query, start, inverse = np.unique(owner.astype(np.intp), return_index=True, return_inverse=True)
    return Caps(query, start, inverse, np.log(cap), times.astype(np.float64))


def _relative_arrivals(
    data: Rollouts, timed: npt.NDArray[np.bool_], lengths: Lengths, solved: Solvability
) -> tuple[Array, Array]:
    # A length lies nearer to a median it took part in than a new one would: their variances are sigma^2 - v
    # and sigma^2 + v, where v is the posterior variance of the median.
    sigma2, v = lengths.sigma**2, lengths.log_median_error**2
    stretch = np.sqrt((sigma2 + v) / np.maximum(sigma2 - v, 0.1 * sigma2))

    def relative(rows: npt.NDArray[np.bool_]) -> Array:
        query = data.query[rows]
        return np.exp((np.log(data.tokens[rows]) - lengths.log_median[query]) * stretch[query])

    chance_right = solved.mean[data.query[data.censored]]
    return arrivals(relative(timed & data.right), relative(data.censored), chance_right, lengths.pool.typical)
