"""How well a family's curves foretell rollouts that they have not seen.

Each query's rollouts are split in two at random. Curves fitted on one half are judged on the other, both ways, so
that every rollout of a query with two or more is judged once, and never by a curve that it helped to make. The curves
judged have half the rollouts of those that `fit` returns: their scores are, if anything, too low.

*Outcome.* A curve says how likely a right answer is by each cap, and nothing of when wrong ones end. So a rollout
that ran under a cap (the whole axis where there was none) has one of these outcomes: right in bin k, or not right by
its cap. Bins end at the deciles of the pool's right lengths and at the rollout's cap. For curve U, with weight 1,

    P(right in bin k) = U(min(upper end, cap)) - U(lower end)        P(not right by the cap) = 1 - U(cap)

sum to one, whatever the family, so likelihoods compare; a menu's steps need no density. One in a hundred of each
probability is the pooled curve's, since no family should be ruled out by one surprise. Caps must be recorded for all
rollouts that ran under one: where only those of the stopped ones are, the shares solved look too hopeful.

*Rivals.* `pooled`: one product-limit curve for all queries. `empirical`: each query's own product-limit curve, with
the pooled one counted as one more rollout (without it, a length not seen before would be next to impossible).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from clear_alloc.curves import MAX_TOKENS
from clear_alloc.fit.families import MODELS, basis_of, curves_of, refusal
from clear_alloc.fit.models.product_limit import arrivals_of, pooled_arrivals
from clear_alloc.fit.rollouts import Array, Ints, Mask, Rollouts
from clear_alloc.fit.scores import Calibration, Judgement, Score

__all__ = ["judge"]

MIXTURE_WEIGHT = 0.01  # of each probability is the pooled curve's
SEED = 20_260_608
_TENTHS = np.arange(1, 10) / 10


class _Prediction(NamedTuple):
    """Chance of being right by each cap, shape (caps, rollouts), and likelihood of the outcome, (rollouts,)."""

    chance: Array
    likelihood: Array


@dataclass(frozen=True)
class _Half:
    """Held-out rollouts, and what curves of the others predict of them, by name of the family or rival.

    hit, apart : right by each cap, and whether that cap differs from the one before, shape (caps, rollouts).
    """

    query: Ints
    hit: Mask
    apart: Mask
    rivals: Mapping[str, _Prediction]
    families: Mapping[str, _Prediction]


def judge(data: Rollouts, families: Sequence[str]) -> dict[str, Judgement] | str:
    """Cross-fit each family and score it; or the reason why none can be judged.

    Two fits of half the rollouts, which all models of lengths share. O(rollouts) beyond them.
    """
    sides = _sides(data)
    halves = []
    for side in (sides, ~sides):
        fitting, number = data.only(side)
        rows = ~side & (number[data.query] >= 0)
        if rows.any():
            if any(refusal(fitting, family) is not None for family in families) or not fitting.right.any():
                return "one half of the rollouts is too few to fit on: none of them is right, or none finished"
            halves.append(_half(data, rows, fitting, number, families))
    if not halves:
        return "no query has two rollouts, one to fit on and one to judge by"
    return {family: _judgement(data, family, halves) for family in families}


def _sides(data: Rollouts) -> Mask:
    """Half of each query's rollouts at random; an odd one out goes to either side."""
    generator = np.random.default_rng(SEED)
    order = np.lexsort((generator.random(len(data.query)), data.query))
    n = np.bincount(data.query, minlength=len(data.ids))
    rank = np.arange(len(order)) - (np.cumsum(n) - n)[data.query[order]]
    side = np.empty(len(order), dtype=bool)
    side[order] = (rank + generator.integers(0, 2, len(n))[data.query[order]]) % 2 == 0
    return side


def _half(data: Rollouts, rows: Mask, fitting: Rollouts, number: Ints, families: Sequence[str]) -> _Half:
    bins = np.unique(np.quantile(data.tokens[data.right], _TENTHS))
    caps = np.minimum(np.append(bins, MAX_TOKENS)[:, None], data.cap[rows])
    hit = data.right[rows] & (data.tokens[rows] <= caps)
    apart = np.diff(caps, axis=0, prepend=0.0) > 0
    query, n = number[data.query[rows]], len(fitting.query)
    pool, known = pooled_arrivals(fitting).share_by(0, caps), fitting.per_query(np.ones(n))[query]
    # So that nothing is impossible: the pooled curve has one rollout more, spread evenly over all outcomes.
    even = 1.0 / (apart.sum(axis=0) + 1.0)
    pool_likelihood = (n * _happened(pool, hit) + even) / (n + 1.0)

    def mixed(chance: Array) -> _Prediction:
        likelihood = (1.0 - MIXTURE_WEIGHT) * _happened(chance, hit) + MIXTURE_WEIGHT * pool_likelihood
        return _Prediction(chance, likelihood)

    # Not by way of a menu, which compares every cap with every option of its query.
    plain = arrivals_of(fitting).share_by(query, caps)
    basis = basis_of(fitting) if set(families) & set(MODELS) else None

    def chance(family: str) -> Array:
        if family == "empirical":
            return plain
        return curves_of(fitting, family, basis=basis)[0].take(query).utility(caps)

    leaning = mixed((known * plain + pool) / (known + 1.0))
    rivals = {"empirical": leaning, "pooled": _Prediction(pool, pool_likelihood)}
    return _Half(data.query[rows], hit, apart, rivals, {name: mixed(chance(name)) for name in families})


def _happened(chance: Array, hit: Mask) -> Array:
    """Probability of what happened: right in the bin that ends at the first cap hit, or not right."""
    inside = np.diff(chance, axis=0, prepend=0.0)[np.argmax(hit, axis=0), np.arange(hit.shape[1])]
    happened: Array = np.clip(np.where(hit[-1], inside, 1.0 - chance[-1]), 0.0, 1.0)
    return happened


def _judgement(data: Rollouts, family: str, halves: list[_Half]) -> Judgement:
    hit = np.concatenate([half.hit[half.apart] for half in halves])
    chances, logs, scores = {}, {}, {}
    for name in ("own", "empirical", "pooled"):
        predictions = [half.families[family] if name == "own" else half.rivals[name] for half in halves]
        chances[name] = np.concatenate([p.chance[half.apart] for p, half in zip(predictions, halves, strict=True)])
        logs[name] = np.log(np.concatenate([p.likelihood for p in predictions]))
        scores[name] = Score(float(logs[name].mean()), float(np.mean((chances[name] - hit) ** 2)))
    query = np.concatenate([half.query for half in halves])
    by_query = np.bincount(query, logs["own"], len(data.ids))[np.unique(query)]
    return Judgement(family, _calibration(chances["own"], hit), scores, by_query, len(query), len(by_query))


def _calibration(predicted: Array, hit: Mask) -> Calibration:
    group = np.searchsorted(np.unique(np.quantile(predicted, _TENTHS)), predicted, side="left")
    count, total, solved = np.bincount(group), np.bincount(group, predicted), np.bincount(group, hit)
    there = count > 0
    return Calibration(count[there], total[there] / count[there], solved[there] / count[there])
