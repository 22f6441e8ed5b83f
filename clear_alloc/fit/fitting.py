"""`fit`: rollouts in, curves and a report out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.errors import InvalidArgument
from clear_alloc.fit.cross_validation import judge as cross_fit
from clear_alloc.fit.families import FAMILIES, MODELS, FittedCurves, curves_of, refusal
from clear_alloc.fit.report import FitReport, make_report
from clear_alloc.fit.rollouts import Rollouts, read_rollouts
from clear_alloc.fit.scores import Judgement
from clear_alloc.support.parallel import cached_property

__all__ = ["FAMILIES", "Fitted", "fit"]


@dataclass(frozen=True)
class Fitted:
    """Curves of shape (queries,), their ids in order of first appearance, and how they came about."""

    curves: FittedCurves
    ids: list[str] | list[int]
    report: FitReport
    rollouts: Rollouts = field(repr=False, compare=False)

    def judge(self) -> Judgement:
        """What held-out rollouts say of this family, by cross-fitting; once, in about twice the time of the fit.

        Calibration, log likelihood and Brier score: see `clear_alloc.fit.cross_validation`. Raises InvalidArgument,
        with the reason, where the rollouts are too few to be split.
        """
        if self.report.judgement is not None:
            return self.report.judgement
        if isinstance(self._judged, str):
            allowed = "two or more rollouts of a query, and right answers in either half of them"
            raise InvalidArgument("rollouts", self._judged, allowed, "record more rollouts")
        return self._judged

    @cached_property
    def _judged(self) -> Judgement | str:
        judged = cross_fit(self.rollouts, [self.report.family])
        return judged if isinstance(judged, str) else judged[self.report.family]

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        rollouts = f"{self.report.n.sum():,} rollouts"
        return f"<Fitted {self.report.family}: {len(self.ids):,} curves from {rollouts}>"


def fit(
    rollouts: Any,
    family: str = "lognormal",
    *,
    weight: npt.ArrayLike | Mapping[Any, float] | None = None,
    judge: bool = False,
) -> Fitted:
    """Reasoning-utility curves from recorded completions.

    Parameters
    ----------
    rollouts : dataframe or mapping of columns
        One row per completion (pandas, polars, pyarrow, or a dict of lists or arrays).
        `query_id`: strings or integers, one kind, never null.
        `tokens`: length, token, finite and >= 0. `correct`: 0 or 1, or boolean.
        `cap` (optional): the limit of this completion, token, > 0; null or NaN where there was none.
        `weight` (optional): value of one right answer, >= 0, the same in all rows of a query.
    family : {"lognormal", "shifted_surge", "cumulative_surge", "empirical", "paper", "auto"}
        `auto`: the best by held-out likelihood of lognormal, shifted_surge and cumulative_surge.
    weight : number, array or mapping, optional
        Value of one right answer: for all, of shape (queries,) in the order of first appearance, or by id.
        Takes the place of a column `weight`.
    judge : bool
        Whether the report is to hold what held-out rollouts say of the curves: calibration, log likelihood,
        Brier score. Takes about twice the time of the fit. `fitted.judge()` says it later as well; `auto` always
        does.

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

    *Solvability.* Beta-binomial, shrunk towards the pool: (right + a)/(finished + a + b). Given the query and the
    offset, being right is taken as independent of length. A stopped completion is a missing answer, not a wrong
    one; but where one kind is longer, having come as far as the cap is a sign of that kind, and it counts for as
    much (expectation-maximisation, two rounds with the lengths). Beyond the caps that were used a curve
    extrapolates, which the report flags. Where half or more are stopped and wrong answers are far longer, the
    data can hardly tell a high chance of slow answers from a low one, and the extrapolation may be too hopeful.

    *Surges.* Median and solvability as above; threshold and width are shares of the median that all queries
    have in common, by least squares on the pooled arrivals of right answers (Kaplan-Meier) in units of their
    medians.

    *Empirical.* A `Menu` of each query's own right answers: by each of their lengths, the share of its rollouts
    that were right (product-limit where some were stopped). Nothing is shrunk, the solvability neither: with few
    rollouts it promises what they happened to do. For many rollouts per query, and to compare with.

    *Paper.* The paper's hump, alpha and beta shared, a threshold per query; `clear_alloc.fit.models.paper_histogram`
    says what of that is known and what is our reading. For replication.

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
    if family not in FAMILIES and family != "auto":
        allowed = f"one of {', '.join(FAMILIES)}, auto"
        raise InvalidArgument("family", family, allowed, "choose one of them")
    data = read_rollouts(rollouts)
    weights = _weights(weight, data)
    chosen, judged, notes = _choice(data, family, judge)
    refused = refusal(data, chosen)
    if refused is not None:
        raise refused
    curves, facts = curves_of(data, chosen, weights)
    report = make_report(data, chosen, facts)
    candidates = {name: j.held_out["own"].log_likelihood for name, j in judged.items()} if family == "auto" else {}
    report = replace(
        report,
        notes=(*_brought(rollouts), *report.notes, *notes),
        judgement=judged.get(chosen),
        candidates=candidates,
    )
    return Fitted(curves, data.ids, report, data)


def _brought(rollouts: Any) -> tuple[str, ...]:
    """Notes of the importer that made the table; a dataframe may have a column of that name."""
    notes = getattr(rollouts, "notes", ())
    return notes if isinstance(notes, tuple) else ()


def _choice(data: Rollouts, family: str, wanted: bool) -> tuple[str, dict[str, Judgement], tuple[str, ...]]:
    """The family to fit, judgements by family, and what to say of them."""
    auto = family == "auto"
    if not (auto or wanted):
        return family, {}, ()
    judged = cross_fit(data, MODELS if auto else [family])
    if isinstance(judged, str):
        verdict = f"nothing to choose a family by, so {MODELS[0]}" if auto else "not judged"
        return MODELS[0] if auto else family, {}, (f"{verdict}: {judged}",)
    if not auto:
        return family, judged, ()
    best = max(judged, key=lambda name: judged[name].held_out["own"].log_likelihood)
    behind = ", ".join(_behind(judged[best], other) for name, other in judged.items() if name != best)
    score = judged[best].held_out["own"].log_likelihood
    return best, judged, (f"{best} chosen by held-out log likelihood, {score:.4f} nats per rollout; {behind}",)


def _behind(best: Judgement, other: Judgement) -> str:
    less, error = best.ahead_of(other)
    return f"{other.family} has {less:.4f} +- {error:.4f} less"


def _weights(weight: npt.ArrayLike | Mapping[Any, float] | None, data: Rollouts) -> npt.ArrayLike:
    ids: list[Any] = data.ids
    if weight is None:
        return np.ones(len(ids)) if data.weight is None else data.weight
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
