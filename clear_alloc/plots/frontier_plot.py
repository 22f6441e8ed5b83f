"""Utility and price against the budget."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from clear_alloc.plots.drawing import COLOURS, new_figure, save
from clear_alloc.policies.frontier import Frontier

__all__ = ["plot_frontier"]

_FAR = 10.0  # times the last budget with a price: what lies beyond is left out of the picture


def plot_frontier(
    swept: Frontier | Mapping[str, Frontier],
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    unit: str = "token",
) -> None:
    """Draw utility and shadow price against the budget.

    Parameters
    ----------
    swept : Frontier, or a mapping from a policy's name to its Frontier
    path : path
        Picture to write (png, svg, pdf), put in place in one step.
    title : str, optional
    unit : str
        What the budgets are counted in: that of `rate`, where it was given.

    Raises
    ------
    InvalidArgument
        The picture's suffix is unknown.
    NotSupported
        matplotlib is not installed.
    """
    lines = {"allocate": swept} if isinstance(swept, Frontier) else dict(swept)
    figure = new_figure((8.0, 6.4))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    for (name, line), colour in zip(lines.items(), COLOURS * (1 + len(lines) // len(COLOURS)), strict=False):
        style = {"color": colour, "marker": "o", "markersize": 4, "label": name}
        above.plot(line.budget, line.utility, **style)
        positive = line.price > 0
        below.plot(line.budget[positive], line.price[positive], **style)
    above.set(ylabel="utility\n(expected value, all queries)", title=title or "What a budget buys")
    above.set_ylim(bottom=0.0)
    below.set(xlabel=f"budget ({unit}s)" if unit == "token" else f"budget ({unit})",
              ylabel=f"shadow price\n(value/{unit})")  # fmt: skip
    # Beyond the last budget with a price nothing changes any more; nor is there a logarithm of 0.
    priced = np.concatenate([line.budget[(line.price > 0) & (line.budget > 0)] for line in lines.values()])
    if len(priced):
        every = np.concatenate([line.budget for line in lines.values()])
        near = every[every <= _FAR * priced.max()].max()
        below.set(xscale="log", yscale="log", xlim=(0.7 * priced.min(), max(1.6 * priced.max(), 1.15 * near)))
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    if len(lines) > 1:
        above.legend(frameon=False)
    save(figure, path)
