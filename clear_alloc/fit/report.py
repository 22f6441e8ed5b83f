"""How far to trust each fitted curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.fit.models.arrival_shape import Shape
from clear_alloc.fit.models.beta_binomial import Solvability
from clear_alloc.fit.models.lognormal_em import Lengths
from clear_alloc.fit.rollouts import Array, Rollouts
from clear_alloc.fit.scores import Calibration, Judgement, Score

__all__ = ["FLAGS", "Facts", "FitReport", "make_report", "model_facts"]

Counts = npt.NDArray[np.int64]

_PILE, _PILE_SHARE = 3, 0.02  # rollouts of one length, and their share, from which a cap is suspected

FLAGS = {
    "single_rollout": "one rollout: the curve is mostly the pool's",
    "never_solved": "no rollout is right: the solvability is the pool's, pulled down by the failures",
    "always_solved": "every finished rollout is right: the solvability is pulled up, and stays below 1",
    "none_finished": "every rollout was stopped by its cap: only a lower limit of the length is known",
    "beyond_caps": "the median lies above every length seen: an extrapolation",
}


@dataclass(frozen=True)
class Facts:
    """What a family's fit knows of its curves; arrays as in `FitReport`, None where the family has no such thing."""

    pooled: Mapping[str, float]
    errors: Mapping[str, float] = field(default_factory=dict)
    log_median: Array | None = None
    log_median_error: Array | None = None
    log_spread_error: Array | None = None
    solvability_error: Array | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FitReport:
    """What went into each curve. Arrays have shape (queries,), in the order of `ids`.

    n, solved, censored, empty : rollouts, right ones, those stopped by their cap, those of 0 tokens.
    log_median_error, log_spread_error : posterior standard deviations, natural log.
    solvability_error : posterior standard deviation of the chance.
        None where the family has no such parameter; the paper's curves have none of the three.
    flagged : for each name in FLAGS, the queries it holds for.
    pooled, errors : what the queries share, and standard errors of it where there are any.
    notes : sentences on the fit as a whole.
    judgement : what held-out rollouts say, where `fit` was asked to judge and could; else None, and a note says why.
    candidates : of family="auto", each family's held-out log likelihood, nats per rollout.
    """

    family: str
    ids: list[str] | list[int]
    n: Counts
    solved: Counts
    censored: Counts
    empty: Counts
    log_median_error: Array | None
    log_spread_error: Array | None
    solvability_error: Array | None
    flagged: Mapping[str, npt.NDArray[np.bool_]]
    pooled: Mapping[str, float]
    errors: Mapping[str, float]
    notes: tuple[str, ...] = field(default=())
    judgement: Judgement | None = None
    candidates: Mapping[str, float] = field(default_factory=dict)

    @property
    def calibration(self) -> Calibration | None:
        """Predicted and observed share solved by cap; None where nothing was judged."""
        return None if self.judgement is None else self.judgement.calibration

    @property
    def held_out(self) -> Mapping[str, Score] | None:
        """Scores of these curves, and of the empirical and pooled ones; None where nothing was judged."""
        return None if self.judgement is None else self.judgement.held_out

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dicts, ready for JSON. O(queries)."""
        columns = (
            "n",
            "solved",
            "censored",
            "empty",
            "log_median_error",
            "log_spread_error",
            "solvability_error",
        )
        known = [name for name in columns if getattr(self, name) is not None]
        values = (getattr(self, name).tolist() for name in known)
        names = list(self.flagged)
        marks = np.stack([self.flagged[name] for name in names], axis=1).tolist()
        queries = [
            {"id": id_, **dict(zip(known, row, strict=True)), "flags": list(compress(names, mark))}
            for id_, mark, *row in zip(self.ids, marks, *values, strict=True)
        ]
        return {
            "family": self.family,
            "pooled": dict(self.pooled),
            "errors": dict(self.errors),
            "notes": list(self.notes),
            **({} if self.judgement is None else {"judgement": self.judgement.to_dict()}),
            **({"candidates": dict(self.candidates)} if self.candidates else {}),
            "queries": queries,
        }

    def __str__(self) -> str:
        total = self.n.sum()
        lines = [
            f"{total:,} rollouts of {len(self.ids):,} queries ({self.family})",
            f"right {self.solved.sum() / total:.1%}, stopped by their cap {self.censored.sum() / total:.1%}",
        ]
        for name, value in self.pooled.items():
            error = f" +- {self.errors[name]:.2g}" if name in self.errors else ""
            lines.append(f"  {name.replace('_', ' '):<24}{value:.4g}{error}")
        lines += [f"  {mask.sum():,} queries: {FLAGS[name]}" for name, mask in self.flagged.items() if mask.any()]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines if self.judgement is None else [*lines, str(self.judgement)])

    __repr__ = __str__


def make_report(data: Rollouts, family: str, facts: Facts) -> FitReport:
    """Count, flag and name. O(rollouts)."""
    n, right, censored, empty = (
        data.per_query(values).astype(np.int64)
        for values in (np.ones(len(data.query)), data.right, data.censored, data.tokens == 0)
    )
    longest = np.zeros(len(data.ids))
    np.maximum.at(longest, data.query, data.tokens)
    median = np.zeros(len(data.ids)) if facts.log_median is None else np.exp(facts.log_median)
    flagged = {
        "single_rollout": n == 1,
        "never_solved": right == 0,
        "always_solved": (right > 0) & (right == n - censored),
        "none_finished": n == censored,
        "beyond_caps": (censored > 0) & (median > longest),
    }
    return FitReport(
        family, data.ids, n, right, censored, empty, facts.log_median_error, facts.log_spread_error,
        facts.solvability_error, flagged, facts.pooled, facts.errors, (*facts.notes, *_notes_on_table(data)),
    )  # fmt: skip


def _notes_on_table(data: Rollouts) -> list[str]:
    notes = [
        f"column {name!r} differs between rollouts of the same query and is not used: all are pooled into one curve; "
        f"fit each {name} alone, or drop the column"
        for name in data.mixed
    ]
    pile = _unrecorded_cap(data)
    if pile is not None:
        length, share = pile
        notes.append(
            f"{int(100.0 * share)}% of the lengths are {length:,.0f} tokens, and none of these is right: was that a "
            "cap? Pass it as column cap (null where there was none); without it stopped answers count as wrong ones"
        )
    return notes


def _unrecorded_cap(data: Rollouts) -> tuple[float, float] | None:
    """A length at which far more rollouts end than at others, none of them right; and their share. O(n log n)."""
    free = np.isinf(data.cap)
    lengths, code, times = np.unique(data.tokens[free], return_inverse=True, return_counts=True)
    if not len(lengths):
        return None
    right = np.bincount(code, data.right[free], len(lengths)) > 0
    others = (len(code) - times) / max(len(lengths) - 1, 1)  # mean count of the other lengths
    many = times >= np.maximum(_PILE, 3.0 * others)
    piles = many & (times >= _PILE_SHARE * len(data.tokens)) & ~right & (lengths > 0)
    piles &= lengths >= np.median(data.tokens[free])
    if not piles.any():
        return None
    top = int(np.argmax(np.where(piles, times, 0)))
    return float(lengths[top]), float(times[top] / len(data.tokens))


def model_facts(
    data: Rollouts, timed: npt.NDArray[np.bool_], lengths: Lengths, solved: Solvability, shape: Shape | None
) -> Facts:
    """Of the families with a model of lengths; `timed` marks the rollouts whose length was used."""
    pooled, errors = _pooled(lengths, solved, shape)
    return Facts(
        pooled, errors, lengths.log_median, lengths.log_median_error, lengths.log_sigma_error, solved.error,
        _notes(data, timed, lengths),
    )  # fmt: skip


def _pooled(lengths: Lengths, solved: Solvability, shape: Shape | None) -> tuple[dict[str, float], dict[str, float]]:
    pool, errors = lengths.pool, lengths.errors.tolist()
    pooled = {
        "median": float(np.exp(pool.centre)),
        "between_queries": pool.between,
        "spread": pool.typical,
        "variation_of_spread": pool.variation,
        "offset_of_wrong": pool.offset,
        "solvability": solved.pool_mean,
        "solvability_size": solved.a + solved.b,
    }
    scales = (pooled["median"], pool.between, pool.typical, pool.variation, 1.0)
    known = dict(zip(pooled, (e * s for e, s in zip(errors, scales, strict=True)), strict=False))
    known |= {
        "solvability": solved.pool_error[0],
        "solvability_size": solved.pool_error[1] * (solved.a + solved.b),
    }
    if shape is not None:
        pooled |= {"threshold_in_medians": shape.threshold, "width_in_medians": shape.width}
        pooled["rmse_of_shape"] = shape.rmse
    return pooled, known


def _notes(data: Rollouts, timed: npt.NDArray[np.bool_], lengths: Lengths) -> tuple[str, ...]:
    facts = {
        "no rollout is right: every solvability is a guess from the failures alone": not data.right.any(),
        "every rollout is right: every solvability is a guess from the successes alone": data.right.all(),
        "no query has two finished rollouts: only an assumption tells the spread within queries from the "
        "distance between them": data.per_query(timed).max() < 2,
        f"the fit of lengths was still moving after {lengths.passes} passes": not lengths.converged,
    }
    return tuple(note for note, holds in facts.items() if holds)
