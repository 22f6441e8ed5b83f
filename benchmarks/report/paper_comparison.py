"""Sections that set our numbers beside the paper's: the match of the pools, its table, and the ladder."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks import paper
from benchmarks.common.markdown import listed, percent, points, table, times
from benchmarks.report.ablation import STEPS, climbs
from benchmarks.report.figure1 import POOL_OF, apart
from benchmarks.report.reproduced import (
    FAR,
    Cell,
    cells,
    far_abandonment,
    far_accuracy,
    why_abandonment,
    why_accuracy,
)
from benchmarks.report.results import BEST, CLEAR, Results, budget_of
from benchmarks.streams import POOLS
from benchmarks.streams.pools import STRETCH, Process


def matched() -> dict[str, Any]:
    """Simulated and reported, Figure 1 and uniform."""
    found = apart()
    apart_by = {"figure": found.arrived, "uniform": found.uniform}
    figure = [
        [f"{name} ({pool})", *map(_beside, paper.ARRIVED[name], gaps)]
        for (name, pool), gaps in zip(POOL_OF.items(), found.arrived, strict=True)
    ]
    uniform = []
    for stream, gaps in zip(paper.STREAMS, found.uniform, strict=True):
        reported = (paper.REPORTED[stream, budget].uniform for budget in paper.BUDGETS)
        uniform.append([stream, *map(_beside, reported, gaps)])
    return {
        "figure": table(("pool", *(f"{tokens:,}" for tokens in paper.ARRIVED_BY)), figure),
        "uniform": table(("stream", *(f"{tokens:,}" for tokens in paper.BUDGETS)), uniform),
        **{f"{name}_worst": f"{np.abs(gaps).max():.1f}" for name, gaps in apart_by.items()},
        **{f"{name}_mean": f"{np.abs(gaps).mean():.1f}" for name, gaps in apart_by.items()},
    }


def _beside(reported: float, gap: float) -> str:
    return f"{reported + gap:.1f} / {reported:.1f}"


def assumed() -> str:
    """What the simulation takes for granted, in words, from its own constants."""
    solvable = ", ".join(f"{name} {100.0 * pool.solvable:.0f} %" for name, pool in POOLS.items())
    lost = ", ".join(f"{name} {100.0 * pool.lost:.0f} %" for name, pool in POOLS.items())
    slopes, process = sorted({pool.slope for pool in POOLS.values()}), Process()
    falls = listed(f"{slope:g}" for slope in slopes)
    return (
        f"queries that can be solved at all ({solvable}); wrong completions that never end ({lost}), others being "
        f"{100.0 * (STRETCH - 1.0):.0f} % longer than right ones; log odds of a right answer that fall by {falls} "
        f"per deviation of log length within a pool; lengths of one query that begin at {100.0 * process.head:.0f} % "
        f"of the typical one, with a tail of index {process.tail:g}"
    )


def reproduced(results: Results) -> dict[str, Any]:
    """The paper's table beside the simulation's, and the cells that are far apart."""
    every = cells(results)
    far, left = list(filter(far_accuracy, every)), list(filter(far_abandonment, every))
    head = (
        "stream", "tokens per query", "paper: method", "uniform", "ratio", "abandoned",
        "simulated: CLEAR", BEST, "uniform", "ratio", "abandoned: CLEAR", BEST,
    )  # fmt: skip
    gaps = ("stream", "tokens per query", f"{CLEAR} - method", f"{BEST} - method")
    steps = ("repair", "shape", "solvability", "choice")
    return {
        "table": table(head, map(_beside_row, every)) if every else "",
        "accuracy": table((*gaps, "uniform", "CLEAR's lead", *steps, "why"), map(_far_row, far), prose=True)
        if far
        else "",
        "abandonment": table((*gaps, *steps, "why"), map(_left_row, left), prose=True) if left else "",
        "count": len(every),
        "far": len(far),
        "left": len(left),
        "limits": FAR,
    }


def _beside_row(cell: Cell) -> list[str]:
    reported, mine = cell.reported, cell.accuracy
    ratio = mine[BEST] / mine["uniform"] if mine["uniform"] else np.inf
    numbers = (mine[CLEAR], mine[BEST], mine["uniform"])
    return [
        cell.stream, f"{cell.budget:,}",
        f"{reported.method:.1f}", f"{reported.uniform:.1f}", times(reported.ratio), f"{reported.abandoned:.1f}",
        *(percent(value / 100.0) for value in numbers), times(ratio),
        *(percent(cell.abandoned[name] / 100.0) for name in (CLEAR, BEST)),
    ]  # fmt: skip


def _far_row(cell: Cell) -> list[str]:
    gaps = [cell.accuracy[name] - cell.reported.method for name in (CLEAR, BEST)]
    return [cell.stream, f"{cell.budget:,}", *_points(*gaps, *cell.parts.values()), why_accuracy(cell)]


def _left_row(cell: Cell) -> list[str]:
    total = cell.abandoned[BEST] - cell.reported.abandoned
    first, *steps = cell.left.values()
    return [cell.stream, f"{cell.budget:,}", *_points(first, total, *steps), why_abandonment(cell)]


def _points(*values: float) -> list[str]:
    return [points(value / 100.0) for value in values]


def ladder_section(results: Results) -> dict[str, Any]:
    """What each change adds, in points."""
    rows = []
    for climbed in climbs(results):
        budget = budget_of("scarcity", climbed.place.level)
        steps = map(points, climbed.steps)
        rows.append([climbed.place.stream, budget, percent(climbed.start), *steps, percent(climbed.end)])
    head = ("stream", "budget", CLEAR, *(f"+ {step}" for step in STEPS), "ours, expected")
    return {"table": table(head, rows) if rows else ""}
