"""`fit`: rollouts in, curves and a report out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import CumulativeSurge, LognormalArrival, ShiftedSurge
from clear_alloc.errors import InvalidArgument
from clear_alloc.fit.censoring import Caps
from clear_alloc.fit.lengths import Lengths, Summary, fit_lengths
from clear_alloc.fit.report import FitReport, make_report
from clear_alloc.fit.rollouts import Array, Rollouts, read_rollouts
from clear_alloc.fit.solvability import Solvability, fit_solvability
from clear_alloc.fit.surges import arrivals, fit_shape

__all__ = ["FAMILIES", "Fitted", "fit"]

FAMILIES = ("lognormal", "shifted_surge", "cumulative_surge")

FittedCurves = LognormalArrival | ShiftedSurge | CumulativeSurge

# Tokens are whole: what a length hides by rounding, as a variance in token^2. It keeps spreads above zero.
_ROUNDING = 1.0 / 12.0


@dataclass(frozen=True)
class Fitted:
    """Curves of shape (queries,), their ids in order of first appearance, and how they came about."""

    curves: FittedCurves
    ids: list[str] | list[int]
    report: FitReport

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        rollouts = f"{self.report.n.sum():,} rollouts"
        return f"<Fitted {self.report.family}: {len(self.ids):,} curves from {rollouts}>"


def fit(
    rollouts: Any, family: str = "lognormal", *, weight: npt.ArrayLike | Mapping[Any, float] | None = None
) -> Fitted:
    """Reasoning-utility curves from recorded completions.

    Parameters
    ----------
    rollouts : dataframe or mapping of columns
        One row per completion (pandas, polars, pyarrow, or a dict of lists or arrays).
        `query_id`: strings or integers, one kind, never null.
        `tokens`: length, token, finite and >= 0. `correct`: 0 or 1, or boolean.
        `cap` (optional): the limit of this completion, token, > 0; null or NaN where there was none.
    family : {"lognormal", "shifted_surge", "cumulative_surge"}
    weight : number, array or mapping, optional
        Value of one right answer: for all, of shape (queries,) in the order of first appearance, or by id.

    Returns
    -------
    Fitted
        `.curves` (queries,), `.ids`, `.report`. The utility is the posterior mean: uncertainty of the median
        widens a log-normal curve, uncertainty of the solvability is averaged out.

    Raises
    ------
    InvalidArgument
        With column, row (from 0), value, what is allowed and what to do. Also when no completion has
        finished, and for the surges when none is right.

    Notes
    -----
    *Lengths.* Within a query, log length is normal; the median and the spread of each query are drawn from
    the pool's own distributions (partial pooling, empirical Bayes): one to four rollouts lean on the pool,
    fifty speak for themselves. Right and wrong completions share the query's median up to one offset, common
    to the pool and measured within queries; curves use the median of the right ones. A completion that
    reached its cap without being right is right-censored: its length is more than the cap, and the cap is
    never counted as a length. One that is right at exactly its cap has finished. A completion of 0 tokens has
    no log length and counts for the solvability alone.

    *Solvability.* Beta-binomial, shrunk towards the pool: (right + a)/(finished + a + b). Given the query,
    being right is taken as independent of length, so a stopped completion is a missing answer, not a wrong
    one. At the caps that were used a curve then meets the observed share of right answers (right/finished x
    finished/all); beyond them it extrapolates, which the report flags. Where many are stopped and wrong
    answers are the longer ones, the extrapolation is too hopeful and the offset too small.

    *Surges.* Median and solvability as above; threshold and width are shares of the median that all queries
    have in common, by least squares on the pooled arrivals of right answers (Kaplan-Meier) in units of their
    medians.

    *Cost.* O(rollouts log rollouts) to group them, then O(queries + distinct caps of each) per pass: 200,000
    rollouts of 20,000 queries take well under a second uncapped, a few seconds when most are stopped.

    *Sources.* Farewell 1982 (mixture cure), Tobin 1958 (censoring), Laird & Ware 1982 (random effects), Smyth
    2004 (pooled variances), Wan et al. 2026 (the surge).

    Examples
    --------
    >>> import clear_alloc as ca
    >>> tokens, correct = [900, 1100, 310, 290], [1, 1, 1, 0]
    >>> fitted = ca.fit({"query_id": ["a", "a", "b", "b"], "tokens": tokens, "correct": correct})
    >>> fitted.ids
    ['a', 'b']
    >>> fitted.curves.median.round(-2)
    array([1000.,  300.])
    """
    if family not in FAMILIES:
        raise InvalidArgument("family", family, f"one of {', '.join(FAMILIES)}", "choose one of them")
    data = read_rollouts(rollouts)
    _require_lengths(data, family)
    weights = _weights(weight, data.ids)
    timed = ~data.censored & (data.tokens > 0)
    solved = fit_solvability(data.per_query(data.right), data.per_query(~data.censored))
    lengths = fit_lengths(_summary(data, timed, solved))
    median = np.exp(lengths.log_median)
    if family == "lognormal":
        curves: FittedCurves = LognormalArrival(median, lengths.spread, solved.mean, weights)
        return Fitted(curves, data.ids, make_report(data, timed, family, lengths, solved, None))
    shape = fit_shape(family, *_relative_arrivals(data, timed, lengths, solved))
    surge = ShiftedSurge if family == "shifted_surge" else CumulativeSurge
    curves = surge(shape.threshold * median, shape.width * median, solved.mean, weights)
    return Fitted(curves, data.ids, make_report(data, timed, family, lengths, solved, shape))


def _require_lengths(data: Rollouts, family: str) -> None:
    finished = ~data.censored & (data.tokens > 0)
    if not finished.any():
        remedy = "record some rollouts under a higher cap"
        allowed = "at least one rollout of 1 token or more that ended before its cap"
        raise InvalidArgument("tokens", "without a finished length", allowed, remedy)
    if family != "lognormal" and not (finished & data.right).any():
        remedy = "its shape comes from right answers; use family='lognormal', or record more rollouts"
        raise InvalidArgument("correct", "0 in every row", f"at least one right answer for {family}", remedy)


def _weights(weight: npt.ArrayLike | Mapping[Any, float] | None, ids: list[Any]) -> npt.ArrayLike:
    if weight is None:
        return np.ones(len(ids))
    if isinstance(weight, Mapping):
        missing = [i for i in ids if i not in weight]
        if missing:
            found, remedy = f"without {missing[0]!r}", f"add the missing ids ({len(missing)})"
            raise InvalidArgument("weight", found, "a value for every query_id", remedy)
        return [weight[i] for i in ids]
    if np.size(weight) not in (1, len(ids)):
        allowed = f"one number or {len(ids)}, one per query"
        found, remedy = f"of length {np.size(weight)}", "pass a mapping from id to weight"
        raise InvalidArgument("weight", found, allowed, remedy)
    return np.broadcast_to(np.asarray(weight), len(ids))


def _summary(data: Rollouts, timed: npt.NDArray[np.bool_], solved: Solvability) -> Summary:
    log_length = np.log(np.where(timed, data.tokens, 1.0))
    right, wrong = timed & data.right, timed & ~data.right
    n_right, n_wrong = data.per_query(right), data.per_query(wrong)
    mean_right = data.per_query(right * log_length) / np.maximum(n_right, 1.0)
    mean_wrong = data.per_query(wrong * log_length) / np.maximum(n_wrong, 1.0)
    own_mean = np.where(data.right, mean_right[data.query], mean_wrong[data.query])
    squares = timed * ((log_length - own_mean) ** 2 + _ROUNDING / np.maximum(data.tokens, 1.0) ** 2)
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
