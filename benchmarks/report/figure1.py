"""How near the simulated pools and streams are to the paper's figures: the numbers and their picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks import paper
from benchmarks.common.figures import new_figure, panels
from benchmarks.report.looks import log_tokens
from benchmarks.streams import MIXTURES, POOLS
from benchmarks.streams.calibration import Calibrated, Match, match
from benchmarks.streams.pools import arrived, solved_by
from clear_alloc.plots.drawing import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The first three pools stand for the paper's; of olympiad problems its Figure 1 says nothing.
POOL_OF = dict(zip(paper.ARRIVED, POOLS, strict=False))
_MARKS = ("o", "s", "^", "D")


def apart() -> Match:
    """Simulated less reported, in points."""
    return match(Calibrated(POOLS, MIXTURES))


def figure1() -> Figure:
    """Simulated as lines, the paper's as marks."""
    figure = new_figure(4.5)
    left, right = panels(figure, ("right answers that have arrived", "accuracy of a uniform cap"), 2)
    grid = np.geomspace(50.0, 8000.0, 300)
    for place, (name, pool) in enumerate(POOL_OF.items()):
        _pair(left, place, f"{name}: {pool}", grid, arrived(POOLS[pool], grid), paper.ARRIVED_BY, paper.ARRIVED[name])
    grid = np.geomspace(80.0, 1600.0, 300)
    solved = np.array([solved_by(pool, grid) for pool in POOLS.values()])
    for place, name in enumerate(paper.STREAMS):
        reported = [paper.REPORTED[name, budget].uniform for budget in paper.BUDGETS]
        _pair(right, place, name, grid, np.array(MIXTURES[name]) @ solved, paper.BUDGETS, reported)
    left.set(xlabel="tokens", ylabel="% of all that arrive in the end")
    right.set(xlabel="budget: tokens per query", ylabel="right answers, % of queries")
    for axes, where in ((left, "lower right"), (right, "upper left")):
        log_tokens(axes)
        axes.legend(frameon=False, fontsize=9, loc=where)
    return figure


def _pair(axes: Axes, place: int, name: str, grid: np.ndarray, share: np.ndarray, x: tuple, reported: list) -> None:  # type: ignore[type-arg]
    colour = COLOURS[place]
    axes.plot(grid, 100.0 * share, color=colour, linewidth=1.8)
    axes.plot(x, reported, linestyle="", marker=_MARKS[place], color=colour, label=name, markersize=6)
