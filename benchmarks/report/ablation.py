"""The ladder from the paper's method to ours: what each change adds, over the seeds that all its rungs have."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from benchmarks.policies import LADDER
from benchmarks.report.results import Place, Results

STEPS = ("repair", "shape", "solvability", "accounting")  # each leads to the next rung of LADDER
SHOWN = (0.1, 0.3)  # budgets: a scarce one and a middle one


class Climb(NamedTuple):
    """start, end : of the first and the last rung, in shares. steps : one for each of STEPS, end - start together."""

    place: Place
    seeds: int
    start: float
    steps: tuple[float, ...]
    end: float


def climb(results: Results, place: Place, column: str = "accuracy") -> Climb | None:
    """One setting's ladder; None where a rung is missing."""
    rungs = [results.at(place, name) for name in LADDER]
    seeds = sorted(set.intersection(*(set(rung) for rung in rungs)))
    if not seeds:
        return None
    means = [float(np.mean([getattr(rung[seed], column) for seed in seeds])) for rung in rungs]
    steps = tuple(after - before for before, after in pairwise(means))
    return Climb(place, len(seeds), means[0], steps, means[-1])


def nearest(levels: list[float], wanted: float) -> float:
    """The level nearest to the one wanted, as a ratio."""
    return min(levels, key=lambda level: abs(np.log(level / wanted)))


def climbs(results: Results) -> list[Climb]:
    """Every stream at the levels nearest to SHOWN, the scarce one first."""
    levels = results.levels("scarcity")
    chosen = dict.fromkeys(nearest(levels, wanted) for wanted in SHOWN) if levels else ()
    places = (Place("scarcity", stream, level) for level in chosen for stream in results.streams("scarcity"))
    return [found for place in places if (found := climb(results, place))]
