"""Pictures of lines over budgets or errors: accuracy, abandonment, noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks import paper
from benchmarks.common.figures import labelled, legend_below, new_figure, panels
from benchmarks.report.looks import banded, log_tokens, style
from benchmarks.report.noise import accuracies, errors
from benchmarks.report.results import BEST, CLEAR, EXPECTED, ORACLES, Place, Results, budget_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FRONTIER = ("uniform", CLEAR, BEST, EXPECTED, *ORACLES.values())
_NOISE = (
    "uniform",
    "cutoff plus pad",
    CLEAR,
    "CLEAR, best width in hindsight",
    "ours",
    "ours, knowing its error",
    "ours, expected, knowing its error",
)
_BUDGET, _ACCURACY = "budget: tokens per query", "right answers, % of queries"
_CHARGED = {EXPECTED: "ours, expected (charged expected use)", ORACLES["expected"]: "oracle, expected"}


def frontier(results: Results, streams: Sequence[str]) -> Figure | None:
    """Accuracy against the budget per query, a panel per stream; None if none of them was run."""
    shown = [name for name in streams if name in results.streams("scarcity")]
    if not shown:
        return None
    figure = new_figure(0.9 + 2.7 * -(-len(shown) // 2))
    every = panels(figure, shown, 2)
    for axes, stream in zip(every, shown, strict=True):
        _frontier_of(axes, results, stream)
    labelled(every, 2, _BUDGET, _ACCURACY)
    legend_below(figure, 3)
    return figure


def _frontier_of(axes: Axes, results: Results, stream: str) -> None:
    places = [place for place in results.places("scarcity") if place.stream == stream]
    for policy in _FRONTIER:
        known = [place for place in places if results.at(place, policy)]
        x = [_budget(results, place, policy) for place in known]
        values = [results.values(place, policy) for place in known]
        banded(axes, x, values, _CHARGED.get(policy, policy), style(policy))
    axes.set_ylim(bottom=0.0)
    log_tokens(axes)


def _budget(results: Results, place: Place, policy: str) -> float:
    """Token per query, mean over seeds."""
    return float(np.mean([row.budget / row.queries for row in results.at(place, policy).values()]))


def abandonment(results: Results) -> Figure | None:
    """Abandoned queries against the budget, with what the paper reports."""
    shown = [name for name in paper.STREAMS if name in results.streams("paper")]
    if not shown:
        return None
    figure = new_figure(6.4)
    every = panels(figure, shown, 2)
    for axes, stream in zip(every, shown, strict=True):
        reported = [paper.REPORTED[stream, budget].abandoned for budget in paper.BUDGETS]
        axes.plot(paper.BUDGETS, reported, "k*", markersize=9, label="reported in the paper", zorder=4)
        levels = results.levels("paper", stream)
        for policy in (CLEAR, BEST, EXPECTED):
            values = [results.values(Place("paper", stream, level), policy, "abandoned") for level in levels]
            banded(axes, levels, values, _CHARGED.get(policy, policy), style(policy))
        axes.set_ylim(-3.0, 100.0)
        log_tokens(axes)
    labelled(every, 2, _BUDGET, "abandoned, % of queries")
    legend_below(figure, 2)
    return figure


def noise(results: Results) -> Figure | None:
    """Accuracy against the error of predicted lengths, mean over streams, a panel per budget."""
    levels, wrong = results.levels("noise"), errors(results)
    if not levels:
        return None
    figure = new_figure(4.6)
    names = [f"budget {budget_of('noise', level)} of the uncapped use" for level in levels]
    every = panels(figure, names, 2)
    for axes, level in zip(every, levels, strict=True):
        for policy in _NOISE:
            values = [accuracies(results, policy, level, error) for error in wrong]
            banded(axes, [100.0 * error for error in wrong], values, policy, style(policy))
        axes.set_ylim(bottom=0.0)
    labelled(every, 2, "error of predicted lengths, %", _ACCURACY)
    legend_below(figure, 2)
    return figure
