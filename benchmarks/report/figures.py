"""What all pictures share: figures without pyplot's global state, a look for each policy, PNGs of the same bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from benchmarks.report.results import BEST, CLEAR, EXPECTED, ORACLES
from benchmarks.summary import mean_interval
from clear_alloc.plots import COLOURS, GREY, INK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = [
    "COLOURS",
    "GREY",
    "INK",
    "banded",
    "dressed",
    "labelled",
    "legend_below",
    "log_tokens",
    "new_figure",
    "panels",
    "png",
    "style",
]

BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = COLOURS
DPI = 150
MANY = 60.0  # an axis that goes further has room for every other number only
WIDTH = 8.0  # inches: at 800 pixels a ten-point letter is read without effort
_ROUND = (50, 100, 200, 500, 1000, 2000, 5000, 10_000)

_LOOKS: dict[str, dict[str, Any]] = {
    "uniform": {"color": GREY, "marker": "s"},
    CLEAR: {"color": VERMILION, "marker": "^"},
    BEST: {"color": BLUE, "marker": "o"},
    EXPECTED: {"color": GREEN, "marker": "D"},
    ORACLES["reserved"]: {"color": INK, "marker": "", "linestyle": "-"},
    ORACLES["expected"]: {"color": INK, "marker": "", "linestyle": "--"},
    "ours": {"color": BLUE, "marker": "o"},
    "ours, knowing its error": {"color": SKY, "marker": "v"},
    "ours, expected, knowing its error": {"color": GREEN, "marker": "D"},
    "CLEAR, best width in hindsight": {"color": ORANGE, "marker": "<"},
    "cutoff plus pad": {"color": PURPLE, "marker": "P"},
}


def style(policy: str) -> dict[str, Any]:
    """Colour, marker and line of a policy, the same in every picture."""
    return {"linewidth": 1.8, "markersize": 5, "linestyle": "-", **_LOOKS.get(policy, {"color": GREY, "marker": "x"})}


def new_figure(height: float) -> Figure:
    """Of the common width; height in inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def panels(figure: Figure, names: Sequence[str], columns: int) -> list[Axes]:
    """One panel a name, titled; places left over stay blank."""
    rows = -(-len(names) // columns)
    every = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for axes in every[len(names) :]:
        axes.set_axis_off()
    for axes, name in zip(every, names, strict=False):
        axes.set_title(name, loc="left", fontsize=11)
        dressed(axes)
    return every[: len(names)]


def labelled(every: Sequence[Axes], columns: int, x: str, y: str) -> None:
    """Labels on the outer panels alone: x under the lowest of each column, y on the left."""
    for place, axes in enumerate(every):
        if place + columns >= len(every):
            axes.set_xlabel(x)
        if place % columns == 0:
            axes.set_ylabel(y)


def dressed(axes: Axes) -> None:
    """The common frame."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)


def banded(axes: Axes, x: Sequence[float], values: Sequence[np.ndarray], label: str, look: dict[str, Any]) -> None:
    """A line through the means over seeds, in per cent, with its 95 % band where there is more than one seed."""
    known = [(at, *mean_interval(100.0 * own)) for at, own in zip(x, values, strict=True) if len(own)]
    if not known:
        return
    places, means, low, high = np.array(known).T
    axes.plot(places, means, label=label, **look)
    axes.fill_between(places, low, high, color=look["color"], alpha=0.2, linewidth=0.0)


def log_tokens(axes: Axes) -> None:
    """Tokens on a logarithmic axis, with round numbers and none in between."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    ticks = [tick for tick in _ROUND if low <= tick <= high]
    axes.xaxis.set_major_locator(FixedLocator(ticks[:: 1 if high < MANY * low else 2]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:,.0f}")


def legend_below(figure: Figure, columns: int) -> None:
    """One legend for all panels, below them, where it covers nothing."""
    found = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        found.update({label: handle for label, handle in zip(labels, handles, strict=True) if label not in found})
    figure.legend(
        list(found.values()), list(found), loc="outside lower center", ncols=columns, frameon=False, fontsize=10
    )


def png(figure: Figure) -> bytes:
    """The picture; nothing in it tells when or by which version it was drawn."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return stream.getvalue()
