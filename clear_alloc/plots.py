"""Pictures of an allocation. Drawn on a figure of their own: pyplot's global state is not touched."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clear_alloc.allocation.result import Allocation
from clear_alloc.curves import Curves
from clear_alloc.errors import InvalidArgument
from clear_alloc.files import replacing
from clear_alloc.fit import FitReport, Judgement
from clear_alloc.policies.frontier import Frontier
from clear_alloc.support.optional import optional

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["example_queries", "plot_calibration", "plot_curves", "plot_frontier"]

Rows = npt.NDArray[np.intp]

# Okabe and Ito's colours, which the colour-blind can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY, INK = "#9A9A9A", "#333333"
FUNDED, INSOLVENT = 4, 2  # queries of each kind that one picture can hold
LONGEST_NAME = 30  # letters, so that the legend leaves room for the curves
GRID = 600  # points per curve
_FAR = 10.0  # times the last budget with a price: what lies beyond is left out of the picture
TANGENT = 0.1  # half its length, as a share of the picture


def example_queries(curves: Curves, result: Allocation) -> Rows:
    """Rows worth showing: funded queries from the smallest to the largest cap, then insolvent ones.

    Insolvent queries are those priced out, and near enough: one that breaks even far beyond the largest cap
    shown would squeeze the others into a corner. O(n log n).
    """
    funded, insolvent = np.flatnonzero(result.funded), np.flatnonzero(~result.funded)
    shown = _spread(funded, result.tokens[funded], FUNDED)
    worth = curves.reservation_price()
    reach = 1.5 * result.tokens[shown].max() if len(shown) else np.inf
    # `not >` lets a baseline's unknown price, NaN, pass.
    fit = (_break_even(curves) <= reach) & (worth > 0) & ~(worth > result.price)
    near = insolvent[fit[insolvent]]
    return np.concatenate([shown, _spread(near, worth[near], INSOLVENT)])


def _break_even(curves: Curves) -> npt.NDArray[np.float64]:
    # Just below its reservation price a query demands its break-even cap.
    return curves.demand(curves.reservation_price() * (1.0 - 1e-9))


def _spread(rows: Rows, key: npt.NDArray[Any], count: int) -> Rows:
    # Evenly through the order of `key`, away from its very ends, where the odd ones are.
    places = np.unique(np.linspace(0.1, 0.9, count) * max(len(rows) - 1, 0) + 0.5).astype(np.intp)
    return rows[np.argsort(key, kind="stable")][np.unique(places)] if len(rows) else rows


def plot_curves(
    curves: Curves,
    result: Allocation,
    target: str | os.PathLike[str] | Axes,
    *,
    queries: Sequence[int] | None = None,
    title: str | None = None,
) -> None:
    """Draw a handful of utility curves with the granted caps and the shadow price as the slope through them.

    Parameters
    ----------
    curves : Curves
        Shape (n,), as given to `allocate`.
    result : Allocation
        Of these curves.
    target : path or matplotlib Axes
        A path gets a new picture (png, svg, pdf), put in place in one step.
    queries : rows of the queries to draw, optional
        Default: `example_queries`.
    title : str, optional
        Default: one sentence with the counts.

    Raises
    ------
    InvalidArgument
        `result` belongs to another number of curves, or the picture's suffix is unknown.
    NotSupported
        matplotlib is not installed.
    """
    if len(curves) != len(result):
        remedy = "pass the curves that were allocated"
        raise InvalidArgument("result", f"of {len(result)} queries", f"{len(curves)}, as curves", remedy)
    rows = example_queries(curves, result) if queries is None else np.asarray(queries, dtype=np.intp)
    if not isinstance(target, (str, os.PathLike)):
        _draw_curves(target, curves, result, rows, title)
        return
    figure = _figure((9.0, 5.4))
    _draw_curves(figure.subplots(), curves, result, rows, title)
    _save(figure, target)


def _draw_curves(axes: Axes, curves: Curves, result: Allocation, rows: Rows, title: str | None) -> None:
    shown, caps, funded = curves[rows], result.tokens[rows].astype(np.float64), result.funded[rows]
    width = 1.35 * max(float(np.concatenate([caps, _break_even(shown)]).max(initial=0.0)), 1.0)
    grid = np.linspace(0.0, width, GRID)
    values = np.reshape(shown.utility(grid[:, None]), (GRID, len(rows)))
    height = 1.12 * (float(values.max(initial=0.0)) or 1.0)
    names = [f"cap {result.tokens[row]:,} tokens: {_name(result, row)}" for row in rows]
    _draw_lines(axes, grid, values, names, funded)
    dots = np.stack([caps, shown.utility(caps)])[:, funded]
    axes.scatter(dots[0], dots[1], color=INK, s=36, zorder=4, label="granted cap")
    if np.isfinite(result.price):
        _draw_price(axes, result.price, dots, (width, height))
    axes.set(xlim=(0.0, width), ylim=(0.0, height))
    axes.set_title(_sentence(result) if title is None else title, loc="left", fontsize=11)
    axes.xaxis.set_major_formatter("{x:,.10g}")
    axes.set_xlabel("cap: tokens that the query may use")
    axes.set_ylabel("utility: expected value of the answer\n(1 = one right answer)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, borderaxespad=0.0, fontsize=9)


def _draw_lines(
    axes: Axes,
    grid: npt.NDArray[Any],
    values: npt.NDArray[Any],
    names: Sequence[str],
    funded: npt.NDArray[Any],
) -> None:
    for rank, place in enumerate(np.flatnonzero(funded).tolist()):
        colour = COLOURS[rank % len(COLOURS)]
        axes.plot(grid, values[:, place], color=colour, linewidth=2, label=names[place], zorder=2)
    for rank, place in enumerate(np.flatnonzero(~funded).tolist()):
        label = "_" if rank else "insolvent: gets no tokens"  # matplotlib leaves "_" out of the legend
        axes.plot(grid, values[:, place], color=GREY, linewidth=1.5, label=label, zorder=1)


def _draw_price(axes: Axes, price: float, dots: npt.NDArray[Any], size: tuple[float, float]) -> None:
    width, height = size
    style: dict[str, Any] = {"color": INK, "linestyle": "--", "linewidth": 1.1, "zorder": 3}
    meaning = "the slope at a granted cap; a curve below\nthe line from 0 isn't worth its tokens"
    label = f"shadow price, {price:.3g} value/token:\n{meaning}"
    axes.plot([0.0, width], [0.0, price * width], label=label, **style)
    # Tangents of one length on paper, whether they are flat or steep.
    half = TANGENT / np.hypot(1.0 / width, price / height)
    for cap, value in dots.T:
        axes.plot([cap - half, cap + half], [value - price * half, value + price * half], **style)


def _name(result: Allocation, row: np.intp) -> str:
    if result.ids is None:
        return f"query {row}"
    name = str(result.ids[row])
    short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."
    return short.replace("$", r"\$")  # matplotlib would set what stands between two of them as a formula


def _sentence(result: Allocation) -> str:
    funded = f"{result.funded.sum():,} of {len(result):,} queries share {result.spent:,.15g} tokens"
    return f"{funded}.\nEach cap ends where one more token is worth no more than its price."


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
    figure = _figure((8.0, 6.4))
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
    _save(figure, path)


def plot_calibration(judged: Judgement | FitReport, target: str | os.PathLike[str] | Axes) -> None:
    """Draw the observed share solved by cap against the predicted one, by decile of the prediction.

    Parameters
    ----------
    judged : Judgement, or the FitReport of a fit that was judged
    target : path or matplotlib Axes
        A path gets a new picture (png, svg, pdf), put in place in one step.

    Raises
    ------
    InvalidArgument
        The report holds no judgement, or the picture's suffix is unknown.
    NotSupported
        matplotlib is not installed.
    """
    judgement = judged.judgement if isinstance(judged, FitReport) else judged
    if judgement is None:
        remedy = "pass fitted.judge(), or fit with judge=True"
        raise InvalidArgument("judged", "a report without a judgement", "a judged fit", remedy)
    if not isinstance(target, (str, os.PathLike)):
        _draw_calibration(target, judgement)
        return
    figure = _figure((6.4, 5.8))
    _draw_calibration(figure.subplots(), judgement)
    _save(figure, target)


def _draw_calibration(axes: Axes, judgement: Judgement) -> None:
    table = judgement.calibration
    axes.plot([0.0, 1.0], [0.0, 1.0], color=GREY, linewidth=1.1, linestyle="--", label="promised = kept", zorder=1)
    label = f"deciles of the prediction\n({judgement.family})"
    style: dict[str, Any] = {"color": COLOURS[0], "marker": "o", "markersize": 7, "linewidth": 1.2, "alpha": 0.85}
    axes.plot(table.predicted, table.observed, label=label, zorder=2, **style)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set_xlabel("predicted share solved by cap")
    axes.set_ylabel("observed share solved by cap\n(held-out rollouts)")
    sentence = f"Promises and what came of them: {table.error:.3f} apart on average"
    held = f"{judgement.rollouts:,} held-out rollouts of {judgement.queries:,} queries"
    axes.set_title(f"{sentence}.\n{held}.", loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.text(
        0.98, 0.03, _scores(judgement), transform=axes.transAxes, ha="right", va="bottom", fontsize=9, color=INK
    )
    axes.legend(loc="upper left", frameon=False, fontsize=9)


def _scores(judgement: Judgement) -> str:
    lines = [
        f"{judgement.family if name == 'own' else name}: {score.log_likelihood:.3f}, {score.brier:.3f}"
        for name, score in judgement.held_out.items()
    ]
    return "\n".join(["held-out log likelihood, Brier score", *lines])


def _figure(size: tuple[float, float]) -> Figure:
    drawing = optional("matplotlib.figure", "plot", "drawing")
    figure: Figure = drawing.Figure(figsize=size, layout="constrained")
    return figure


def _save(figure: Figure, path: str | os.PathLike[str]) -> None:
    known = figure.canvas.get_supported_filetypes()
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in known:
        allowed = ", ".join(f".{name}" for name in sorted(known))
        raise InvalidArgument(f"the suffix of {os.fspath(path)}", f".{kind}", allowed, "rename the picture")
    with replacing(path) as stream:
        figure.savefig(stream, format=kind, dpi=150)
