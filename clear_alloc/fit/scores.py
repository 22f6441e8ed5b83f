"""What held-out rollouts say of fitted curves: numbers, and how they are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.fit.rollouts import Array

__all__ = ["Calibration", "Judgement", "Score"]


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
    """log_likelihood : nats per held-out rollout, higher is better. brier : of right by a cap, lower is better."""

    log_likelihood: float
    brier: float


@dataclass(frozen=True)
class Judgement:
    """What rollouts that they have not seen say of a family's curves; `clear_alloc.fit.cross_validation` says how.

    held_out : `own`, the family's score, and those of the `empirical` and the `pooled` curves of the same rollouts.
    by_query : summed log likelihood of each judged query's rollouts, shape (judged queries,).
    rollouts, queries : how many were judged.
    """

    family: str
    calibration: Calibration
    held_out: Mapping[str, Score]
    by_query: Array
    rollouts: int
    queries: int

    def ahead_of(self, other: Judgement) -> tuple[float, float]:
        """Nats per rollout that `other` lacks on the same rollouts, and the standard error of that (by query)."""
        apart = self.by_query - other.by_query
        error = np.sqrt(np.sum((apart - apart.mean()) ** 2)) / self.rollouts
        return float(apart.sum() / self.rollouts), float(error)

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
        who = f"{self.rollouts:,} held-out rollouts of {self.queries:,} queries"
        lines = [f"judged on {who}, each half of a query's rollouts by curves of the other half"]
        lines.append(f"  {'':<20}{'log likelihood':>16}{'Brier score':>14}")
        for name, score in self.held_out.items():
            shown = self.family if name == "own" else f"{name} curves"
            lines.append(f"  {shown:<20}{score.log_likelihood:>16.4f}{score.brier:>14.4f}")
        table = self.calibration
        lines.append(f"  share solved by cap, predicted and observed: {table.error:.3f} apart on average")
        rows = zip(table.count.tolist(), table.predicted, table.observed, strict=True)
        lines += [f"  {predicted:10.3f}{observed:8.3f}  of {count:,}" for count, predicted, observed in rows]
        return "\n".join(lines)

    __repr__ = __str__
