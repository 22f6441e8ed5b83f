"""How results look in pictures: each policy everywhere the same, means over seeds with bands, axes of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

from benchmarks.report.results import BEST, CLEAR, EXPECTED, ORACLES
from benchmarks.summary import mean_interval
from clear_alloc.plots.drawing import COLOURS, GREY, INK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = COLOURS
MANY = 60.0  # an axis that goes further has room for every other number only
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


def banded(axes: Axes, x: Sequence[float], values: Sequence[np.ndarray], label: str, look: dict[str, Any]) -> None:
    """A line through the means over seeds, in per cent, with its 95 % band where there is more than one seed."""
    known = [(at, *mean_interval(100.0 * each)) for at, each in zip(x, values, strict=True) if len(each)]
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
