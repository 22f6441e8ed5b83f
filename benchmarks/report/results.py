"""Rows of a run, looked up by what they are of; whatever is missing comes as nothing or NaN, never as an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.common.rows import read_rows
from benchmarks.experiments import EXPERIMENTS
from benchmarks.policies import POLICIES
from benchmarks.rows import Row
from benchmarks.streams import STREAMS
from benchmarks.summary import by_setting

BEST, OURS, EXPECTED, CLEAR = "ours, chosen", "ours", "ours, expected", "CLEAR"
# The yardsticks of each accounting.
UNIFORMS = {"reserved": "uniform", "expected": "uniform, unused returned"}
ORACLES = {"reserved": "oracle", "expected": "oracle, expected"}
SCARCE, AMPLE = 0.1, 0.75  # of the uncapped use: budgets up to the first are scarce, beyond the second hardly matter


class Place(NamedTuple):
    """Where policies meet; as in `Setting`."""

    experiment: str
    stream: str
    level: float
    noise: float = 0.0


def budget_of(experiment: str, level: float) -> str:
    """A level in words."""
    return f"{level:,.0f} tokens" if experiment == "paper" else f"{100.0 * level:.3g} %"


class Results:
    """The rows in an order of their own, so that the order of the file changes nothing."""

    def __init__(self, rows: list[Row], where: dict[str, Any]):
        self.rows = sorted(rows, key=_order)
        self.where = where
        self.failures = [row for row in self.rows if row.error is not None]
        self._found = by_setting(self.rows)

    @classmethod
    def read(cls, path: Path) -> Results:
        """Those of a JSONL or Parquet file, and the environment of the first."""
        rows, environments = read_rows(path, Row)
        return cls(rows, environments[0] if environments else {})

    def places(self, *experiments: str, noise: float | None = 0.0) -> list[Place]:
        """Where there is any row without an error; with noise=None, at every error of prediction."""
        places = (Place(*key) for key in self._found)
        known = [place for place in places if place.experiment in experiments]
        return [place for place in known if noise is None or place.noise == noise]

    def streams(self, experiment: str) -> list[str]:
        """In the order of `STREAMS`, then by name."""
        return list(dict.fromkeys(place.stream for place in self.places(experiment, noise=None)))

    def levels(self, experiment: str, stream: str | None = None) -> list[float]:
        """Rising."""
        places = self.places(experiment, noise=None)
        return sorted({place.level for place in places if stream is None or place.stream == stream})

    def policies(self, experiment: str) -> list[str]:
        """In the order of the run's table of policies."""
        return list(dict.fromkeys(row.policy for row in self.rows if row.experiment == experiment))

    def at(self, place: Place, policy: str) -> dict[int, Row]:
        """A policy's rows by seed; empty if it wasn't run there or failed."""
        return self._found.get(tuple(place), {}).get(policy, {})

    def values(self, place: Place, policy: str, column: str = "accuracy") -> np.ndarray:
        """One column in the order of the seeds, (seeds,)."""
        rows = self.at(place, policy)
        return np.array([getattr(rows[seed], column) for seed in sorted(rows)], dtype=np.float64)

    def mean(self, place: Place, policy: str, column: str = "accuracy") -> float:
        """Over seeds; NaN where there is none."""
        values = self.values(place, policy, column)
        return float(values.mean()) if len(values) else float("nan")

    def seeds(self, *experiments: str) -> int:
        """The largest number of seeds that any setting of these has."""
        found = [policies.values() for key, policies in self._found.items() if key[0] in experiments]
        return max((len(rows) for policies in found for rows in policies), default=0)


def _order(row: Row) -> tuple[Any, ...]:
    return (
        _rank(row.experiment, EXPERIMENTS),
        _rank(row.stream, STREAMS),
        row.level,
        row.noise,
        _rank(row.policy, POLICIES),
        row.seed,
    )


def _rank(name: str, known: dict[str, Any]) -> tuple[int, str]:
    """Known names in their order, others after them by name."""
    return (list(known).index(name), "") if name in known else (len(known), name)
