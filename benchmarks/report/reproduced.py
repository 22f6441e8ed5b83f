"""The paper's table and our simulation of it, and where a difference between the two comes from."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from benchmarks import paper
from benchmarks.policies import LADDER
from benchmarks.report.results import BEST, CLEAR, OURS, Place, Results

FAR = (2.0, 10.0)  # points of accuracy and of abandonment beyond which a difference is explained
WORTH = 0.2  # of a difference: sources smaller than that aren't told
_RUNGS = (*LADDER[: LADDER.index(OURS) + 1], BEST)
_START = ("uniform", "CLEAR's lead")  # sources of CLEAR's own difference
_NAMES = ("repair", "shape", "solvability", "choice of family")  # between the rungs


class Cell(NamedTuple):
    """One stream and budget, everything in per cent or points. Simulated values are NaN where a policy is missing.

    accuracy, abandoned : of simulated policies, by name. parts, left : of the difference ours, chosen - reported
    method, in accuracy and in abandonment, by source; each sums to its difference.
    """

    stream: str
    budget: int
    reported: paper.Reported
    accuracy: dict[str, float]
    abandoned: dict[str, float]
    parts: dict[str, float]
    left: dict[str, float]


def cells(results: Results) -> list[Cell]:
    """In the order of the paper; those without any row are left out."""
    have = {(place.stream, place.level) for place in results.places("paper")}
    return [_cell(results, *key) for key in paper.REPORTED if (key[0], float(key[1])) in have]


def _cell(results: Results, stream: str, budget: int) -> Cell:
    place, reported = Place("paper", stream, float(budget)), paper.REPORTED[stream, budget]
    names = ("uniform", *_RUNGS)
    accuracy, abandoned = (
        {name: 100.0 * results.mean(place, name, column) for name in names} for column in ("accuracy", "abandoned")
    )
    uniform = accuracy["uniform"] - reported.uniform
    lead = accuracy[CLEAR] - accuracy["uniform"] - (reported.method - reported.uniform)
    parts = {**dict(zip(_START, (uniform, lead), strict=True)), **_climbed(accuracy)}
    left = {"CLEAR as simulated": abandoned[CLEAR] - reported.abandoned, **_climbed(abandoned)}
    return Cell(stream, budget, reported, accuracy, abandoned, parts, left)


def _climbed(values: dict[str, float]) -> dict[str, float]:
    rungs = [values[name] for name in _RUNGS]
    return {name: after - before for name, (before, after) in zip(_NAMES, pairwise(rungs), strict=True)}


def far_accuracy(cell: Cell) -> bool:
    """Whether simulated CLEAR or ours is further from the reported method than chance and reading explain."""
    return any(abs(cell.accuracy[name] - cell.reported.method) > FAR[0] for name in (CLEAR, BEST))


def far_abandonment(cell: Cell) -> bool:
    """The same of abandonment."""
    return any(abs(cell.abandoned[name] - cell.reported.abandoned) > FAR[1] for name in (CLEAR, BEST))


def why_accuracy(cell: Cell) -> str:
    """The main sources of what ours differs by from the method or, if that is little, of what CLEAR differs by."""
    gap = cell.accuracy[BEST] - cell.reported.method
    if not abs(gap) <= FAR[0]:
        return _mostly(cell.parts, gap)
    sources = {name: cell.parts[name] for name in _START}
    return f"CLEAR alone: {_mostly(sources, sum(sources.values()))}; the steps bring ours nearer"


def why_abandonment(cell: Cell) -> str:
    """The same of abandonment."""
    gap = cell.abandoned[BEST] - cell.reported.abandoned
    return _mostly(cell.left, gap) if not abs(gap) <= FAR[1] else "CLEAR as simulated; the steps bring ours nearer"


def _mostly(parts: dict[str, float], total: float) -> str:
    """Sources by size, of those that go the way of their sum: the largest, and the next if it is worth a word."""
    if np.isnan([total, *parts.values()]).any():
        return "a policy is missing"
    ranked = sorted(parts.items(), key=lambda part: -part[1] * np.sign(total))
    (first, _), (second, more) = ranked[:2]
    return f"mostly {first}, then {second}" if more * np.sign(total) > WORTH * abs(total) else f"mostly {first}"
