"""How well a family's curves foretell rollouts that they have not seen.

Each query's rollouts are split in two at random. Curves fitted on one half are judged on the other, both ways, so that
every rollout of a query with two or more is judged once, and never by a curve that it helped to make. The curves
judged have half the rollouts of those that `fit` returns: what is said of them is, if anything, too severe.

*Outcome.* A curve says how likely a right answer is by each cap, and nothing of when wrong ones end. So a rollout that
ran under a cap (the whole axis where there was none) has one of these outcomes: right in bin k, or not right by its
cap. Bins end at the deciles of the pool's right lengths and at the rollout's cap. For curve U, with weight 1,

    P(right in bin k) = U(min(upper end, cap)) - U(lower end)        P(not right by the cap) = 1 - U(cap)

sums to one, whatever the family, so likelihoods compare; steps and thresholds are no worse off than densities. One
in a hundred of each probability is the pooled curve's, since no family should be ruled out by one surprise.
Caps must be recorded for all rollouts that ran under one, not only for those that it stopped.

*Rivals.* `pooled`: one product-limit curve for all queries. `empirical`: each query's own product-limit curve, with the
pooled one counted as one more rollout (without it, a length never seen would be impossible).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import MAX_TOKENS, Menu
from clear_alloc.fit.empirical import arrivals_of, pooled_arrivals
from clear_alloc.fit.families import FittedCurves, curves_of, refusal
from clear_alloc.fit.rollouts import Array, Ints, Mask, Rollouts

__all__ = ["Calibration", "Judgement", "Score", "judge"]

RIVALS = ("empirical", "pooled")
SLIP = 0.01  # of each probability is the pooled curve's
SEED = 20_260_608
_TENTHS = np.arange(1, 10) / 10


@dataclass(frozen=True)
class Calibration:
    """Predicted and observed share solved by cap, by decile of the prediction; arrays of shape (deciles,).

    count : pairs of a held-out rollout and a cap (the pool's decile lengths, or the rollout's own cap if smaller).
    predicted, observed : mean prediction, and share right by the cap. Equal predictions stay together, so that
        there may be fewer than ten rows.
    """

    count: npt.NDArray[np.int64]
    predicted: Array
    observed: Array

    @property
    def error(self) -> float:
        """Mean distance of predicted from observed, weighted by count."""
        return float(self.count @ np.abs(self.predicted - self.observed) / self.count.sum())


@dataclass(frozen=True)
class Score:
    """Mean over held-out rollouts. log_likelihood : nats, higher is better. brier : lower is better, 0 to 1."""

    log_likelihood: float
    brier: float


@dataclass(frozen=True)
class Judgement:
    """What held-out rollouts say of a family.

    held_out : score of the family and of each of RIVALS, by name (`own` is the family's).
    by_query : summed log likelihood of each judged query's rollouts, shape (judged queries,).
    rollouts, queries : how many were judged.
    """

    family: str
    calibration: Calibration
    held_out: Mapping[str, Score]
    by_query: Array
    rollouts: int
    queries: int

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dicts, ready for JSON."""
        table = self.calibration
        columns = {name: getattr(table, name).tolist() for name in ("count", "predicted", "observed")}
        return {
            "family": self.family,
            "rollouts": self.rollouts,
            "queries": self.queries,
            "calibration": {"error": table.error, **columns},
            "held_out": {name: asdict(score) for name, score in self.held_out.items()},
        }

    def __str__(self) -> str:
        lines = [
            f"judged on {self.rollouts:,} held-out rollouts of {self.queries:,} queries ({self.family}; each half of a "
            "query's rollouts foretold by the other)",
            f"  {'':<16}{'log likelihood':>16}{'Brier score':>14}",
        ]
        for name, score in self.held_out.items():
            shown = self.family if name == "own" else f"{name} curve" if name == "pooled" else f"{name} curves"
            lines.append(f"  {shown:<16}{score.log_likelihood:>16.4f}{score.brier:>14.4f}")
        table = self.calibration
        lines.append(f"  share solved by cap, predicted against observed: apart by {table.error:.3f} on average")
        rows = zip(table.count.tolist(), table.predicted, table.observed, strict=True)
        lines += [f"    {predicted:8.3f}{observed:8.3f}   of {count:,}" for count, predicted, observed in rows]
        return "\n".join(lines)

    __repr__ = __str__


def judge(data: Rollouts, family: str) -> Judgement | str:
    """Cross-fit `family` and score it; or the reason why it can't be judged. Two fits of half the rollouts each."""
    sides = _sides(data)
    halves = []
    for side in (sides, ~sides):
        fitting, number = data.only(side)
        rows = ~side & (number[data.query] >= 0)
        if rows.any() and (refusal(fitting, family) is not None or not fitting.right.any()):
            return "half of the rollouts are too few to fit on: none of them is right, or none finished"
        if rows.any():
            halves.append(_half(data, rows, fitting, number, family))
    if not halves:
        return "no query has two rollouts, one to fit on and one to judge by"
    return _verdict(data, family, halves)


def _sides(data: Rollouts) -> Mask:
    """Half of each query's rollouts at random; an odd one out goes to either side."""
    generator = np.random.default_rng(SEED)
    order = np.lexsort((generator.random(len(data.query)), data.query))
    n = np.bincount(data.query, minlength=len(data.ids))
    rank = np.arange(len(order)) - (np.cumsum(n) - n)[data.query[order]]
    side = np.empty(len(order), dtype=bool)
    side[order] = (rank + generator.integers(0, 2, len(n))[data.query[order]]) % 2 == 0
    return side


@dataclass(frozen=True)
class _Half:
    """Held-out rollouts, and what the curves of the others say of them.

    hit, apart : right by each cap, and whether that cap differs from the one before, shape (caps, rollouts).
    chance, likelihood : of the family (`own`) and its rivals; shapes (caps, rollouts) and (rollouts,).
    """

    query: Ints
    hit: Mask
    apart: Mask
    chance: Mapping[str, Array]
    likelihood: Mapping[str, Array]


def _half(data: Rollouts, rows: Mask, fitting: Rollouts, number: Ints, family: str) -> _Half:
    bins = np.unique(np.quantile(data.tokens[data.right], _TENTHS))
    caps = np.minimum(np.append(bins, MAX_TOKENS)[:, None], data.cap[rows])
    hit = data.right[rows] & (data.tokens[rows] <= caps)
    apart = np.diff(caps, axis=0, prepend=0.0) > 0
    query = number[data.query[rows]]
    pool = pooled_arrivals(fitting).by(caps)
    known = fitting.per_query(np.ones(len(fitting.query)))[query]
    plain = _by_caps(Menu(*arrivals_of(fitting).lists(len(fitting.ids))).take(query), caps)
    own = plain if family == "empirical" else _by_caps(curves_of(fitting, family)[0].take(query), caps)
    chance = {"own": own, "empirical": (known * plain + pool) / (known + 1.0), "pooled": pool}
    # So that nothing is impossible: the pooled curve has one rollout more, spread evenly over all outcomes.
    surely = (len(fitting.query) * _outcome(pool, hit) + 1.0 / (apart.sum(axis=0) + 1.0)) / (len(fitting.query) + 1.0)
    likelihood = {name: (1.0 - SLIP) * _outcome(by_cap, hit) + SLIP * surely for name, by_cap in chance.items()}
    return _Half(data.query[rows], hit, apart, chance, likelihood | {"pooled": surely})


def _by_caps(curves: FittedCurves, caps: Array) -> Array:
    # Cap by cap: a menu compares every cap with every option.
    return np.stack([curves.utility(row) for row in caps])


def _outcome(chance: Array, hit: Mask) -> Array:
    """Probability of what happened, shape (rollouts,): right in the bin that ends at the first cap hit, or not."""
    rollouts = np.arange(hit.shape[1])
    inside = np.diff(chance, axis=0, prepend=0.0)[np.argmax(hit, axis=0), rollouts]
    return np.clip(np.where(hit[-1], inside, 1.0 - chance[-1]), 0.0, 1.0)


def _verdict(data: Rollouts, family: str, halves: list[_Half]) -> Judgement:
    query = np.concatenate([half.query for half in halves])
    logs = {name: np.log(np.concatenate([half.likelihood[name] for half in halves])) for name in ("own", *RIVALS)}
    hit = np.concatenate([half.hit[half.apart] for half in halves])
    said = {name: np.concatenate([half.chance[name][half.apart] for half in halves]) for name in logs}
    scores = {name: Score(float(logs[name].mean()), float(np.mean((said[name] - hit) ** 2))) for name in logs}
    judged = np.unique(query)
    by_query = np.bincount(query, logs["own"], len(data.ids))[judged]
    return Judgement(family, _calibration(said["own"], hit), scores, by_query, len(query), len(judged))


def _calibration(predicted: Array, hit: Mask) -> Calibration:
    group = np.searchsorted(np.unique(np.quantile(predicted, _TENTHS)), predicted, side="left")
    count, total, solved = np.bincount(group), np.bincount(group, predicted), np.bincount(group, hit)
    there = count > 0
    return Calibration(count[there], total[there] / count[there], solved[there] / count[there])
