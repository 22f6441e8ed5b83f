"""Time per query, and the ratio to np.sort, against the number of queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benchmarks.common.figures import legend_below, new_figure, panels
from benchmarks.common.markdown import significant
from benchmarks.speed.rows import Row
from benchmarks.speed.scaling import series_of
from benchmarks.speed.workloads import FUNDED
from clear_alloc.plots.drawing import COLOURS, INK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "os^DvP<>"


def sizes(rows: Iterable[Row]) -> Figure | None:
    """A line per kind of curves in each panel, and that of np.sort; None if nothing was timed."""
    found = list(series_of(row for row in rows if row.group == "sort" and row.share != FUNDED).values())
    if not found:
        return None
    figure = new_figure(4.6)
    times, ratios = panels(figure, ["microseconds per query", "time over np.sort of as many numbers"], 2)
    for place, series in enumerate(found):
        look: dict[str, Any] = {
            "color": COLOURS[place % len(COLOURS)],
            "marker": MARKERS[place % len(MARKERS)],
            "markersize": 4,
        }
        n, each = [row.n for row in series], [1e6 * np.median(row.ours) / row.n for row in series]
        times.plot(n, each, label=series[0].label, **look)
        both = [(row.n, row.ratio, row.ratio_low, row.ratio_high) for row in series if row.ratio is not None]
        ratios.plot([n for n, *_ in both], [middle for _, middle, *_ in both], **look)
        at, _, low, high = zip(*both, strict=True) if both else ((), (), (), ())
        ratios.fill_between(at, low, high, color=look["color"], alpha=0.2, linewidth=0.0)
    sorted_rows = [row for row in max(found, key=len) if row.reference]
    each = [1e6 * np.median(row.reference) / row.n for row in sorted_rows]
    times.plot([row.n for row in sorted_rows], each, color=INK, linestyle="--", label="np.sort")
    ratios.axhline(1.0, color=INK, linestyle="--")
    for axes in (times, ratios):
        _logarithmic(axes)
    legend_below(figure, 2)
    return figure


def _logarithmic(axes: Axes) -> None:
    axes.set(xscale="log", yscale="log", xlabel="queries")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(10.0, numticks=12))
        axis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"$10^{{{round(np.log10(value))}}}$"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: significant(value)))
