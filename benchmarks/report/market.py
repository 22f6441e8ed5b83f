"""One stream's demand for tokens against their price, and the prices that clear three budgets."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import clear_alloc as ca
from benchmarks.batch import Known
from benchmarks.common.figures import dressed, new_figure
from benchmarks.experiments import Case, drawn_for
from benchmarks.report.results import OURS, Place, Results
from clear_alloc.plots.drawing import COLOURS, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STREAM, SEED = "Balanced", 0
LEVELS = (0.05, 0.1, 0.3)  # of the uncapped use
POINTS = 400
PER = 1000  # tokens that a price is told of


class Market(NamedTuple):
    """prices, demand : value/token and token, (POINTS,). budgets, clearing : token and value/token, by level.

    same : whether the run's rows of this draw hold these prices; None where it has none.
    """

    queries: int
    prices: np.ndarray
    demand: np.ndarray
    budgets: dict[float, int]
    clearing: dict[float, float]
    same: bool | None


@lru_cache(maxsize=1)  # the picture and the page both ask
def market(results: Results) -> Market | None:
    """None if the run has no such stream."""
    if STREAM not in results.streams("scarcity"):
        return None
    known = _drawn()
    return known._replace(same=_same(results, known.clearing))


@lru_cache(maxsize=1)
def _drawn() -> Market:
    """The stream, drawn again as the run draws it."""
    split, _ = drawn_for(Case("scarcity", STREAM, SEED, LEVELS))
    curves, n = Known(split).fitted("lognormal"), len(split.ids)
    budgets = {level: int(n * level * float(split.scoring["tokens"].mean())) for level in LEVELS}
    clearing = {level: ca.allocate(curves, budget).price for level, budget in budgets.items()}
    prices = np.geomspace(min(clearing.values()) / 10.0, max(clearing.values()) * 10.0, POINTS)
    demand = np.array([curves.demand(float(price)).sum() for price in prices])
    return Market(n, prices, demand, budgets, clearing, None)


def _same(results: Results, clearing: dict[float, float]) -> bool | None:
    found = {level: results.at(Place("scarcity", STREAM, level), OURS).get(SEED) for level in clearing}
    known = [
        (clearing[level], row.price) for level, row in found.items() if row is not None and row.price is not None
    ]
    return all(np.isclose(mine, theirs, rtol=1e-9) for mine, theirs in known) if known else None


def market_picture(known: Market) -> Figure:
    """Both axes logarithmic; each budget is followed to the curve, and down to its price."""
    figure = new_figure(4.6)
    axes = figure.subplots()
    dressed(axes)
    wanted = known.demand > 0.0
    axes.plot(PER * known.prices[wanted], known.demand[wanted], color=COLOURS[0], linewidth=2.0)
    axes.set(xscale="log", yscale="log")
    axes.set(xlim=axes.get_xlim(), ylim=(0.1 * min(known.budgets.values()), 2.0 * known.demand.max()))
    for level, budget in known.budgets.items():
        _marked(axes, PER * known.clearing[level], budget, f"{100.0 * level:.0f} %")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel(f"price: right answers per {PER:,} tokens")
    axes.set_ylabel(f"demand of {known.queries} queries together: tokens")
    return figure


def _marked(axes: Axes, price: float, budget: int, share: str) -> None:
    axes.hlines(budget, axes.get_xlim()[0], price, color=INK, linestyle="--", linewidth=1.0)
    axes.vlines(price, axes.get_ylim()[0], budget, color=COLOURS[1], linestyle=":", linewidth=1.4)
    axes.plot(price, budget, "o", color=COLOURS[1], markersize=7, zorder=4)
    note = f"budget {share}, {budget:,} tokens:\nclearing price {price:.3g}"
    axes.annotate(note, (price, budget), (7, 5), textcoords="offset points", fontsize=9, va="bottom")
