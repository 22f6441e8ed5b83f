"""A handful of curves against what is charged, with the granted caps and the price."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.allocation.result import Allocation
from clear_alloc.curves import Array, Curves
from clear_alloc.errors import InvalidArgument
from clear_alloc.plots.drawing import COLOURS, GREY, INK, new_figure, save
from clear_alloc.plots.traces import GRID, Rows, Trace, break_even_charge, example_queries, prices_of, traces_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_curves"]

LONGEST_NAME = 30  # letters, so that the legend leaves room for the curves
TANGENT = 0.1  # half its length, as a share of the picture


def plot_curves(
    curves: Curves,
    result: Allocation,
    target: str | os.PathLike[str] | Axes,
    *,
    queries: Sequence[int] | None = None,
    title: str | None = None,
    unit: str | None = None,
) -> None:
    """Draw a handful of utility curves, against what is charged, with the shadow price as the slope through the caps.

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
    unit : str, optional
        What the budget is counted in: that of `rate`, as "dollars". Default: tokens, or budget units.

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
        _draw_curves(target, curves, result, rows, title, unit)
        return
    figure = new_figure((9.0, 5.4))
    _draw_curves(figure.subplots(), curves, result, rows, title, unit)
    save(figure, target)


def _draw_curves(
    axes: Axes, curves: Curves, result: Allocation, rows: Rows, title: str | None, unit: str | None
) -> None:
    words = _words(result, unit)
    near = np.concatenate([result.charges[rows], break_even_charge(curves, result)[rows]])
    width = 1.35 * (float(near.max(initial=0.0)) or 1.0)
    traces, funded = traces_of(curves, result, rows, width), result.funded[rows]
    height = 1.12 * (max((float(t.values[t.charges <= width].max()) for t in traces), default=0.0) or 1.0)
    names = [_legend(result, row) for row in rows]
    _draw_lines(axes, traces, names, funded)
    dots = np.array([(t.charge, t.value) for t in traces]).reshape(-1, 2)
    axes.scatter(dots[funded, 0], dots[funded, 1], color=INK, s=36, zorder=4, label=f"granted {words.granted}")
    prices = prices_of(result)[rows]
    if np.isfinite(prices).all() and np.isfinite(result.price):
        _draw_price(axes, prices, dots, funded, (width, height), words)
    axes.set(xlim=(0.0, width), ylim=(0.0, height))
    axes.set_title(_sentence(result, words) if title is None else title, loc="left", fontsize=11)
    axes.xaxis.set_major_formatter("{x:,.10g}")
    axes.set_xlabel(words.axis)
    axes.set_ylabel("utility: expected value of the answer\n(1 = one right answer)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, borderaxespad=0.0, fontsize=9)


def _draw_lines(axes: Axes, traces: Sequence[Trace], names: Sequence[str], funded: npt.NDArray[Any]) -> None:
    rank = {True: 0, False: 0}
    for trace, name, paid in zip(traces, names, funded.tolist(), strict=True):
        colour = COLOURS[rank[True] % len(COLOURS)] if paid else GREY
        # matplotlib leaves "_" out of the legend
        label = name if paid else "_" if rank[False] else "insolvent: not funded"
        style = "steps-post" if len(trace.charges) != GRID else "default"
        axes.plot(trace.charges, trace.values, color=colour, linewidth=2 if paid else 1.5, label=label,
                  zorder=2 if paid else 1, drawstyle=style)  # fmt: skip
        if len(trace.options):
            axes.plot(*trace.options.T, color=colour, marker="o", markersize=4, linestyle="none", label="_", zorder=2)
        rank[paid] += 1


def _draw_price(
    axes: Axes, prices: Array, dots: Array, funded: npt.NDArray[Any], size: tuple[float, float], words: _Words
) -> None:
    width, height = size
    style: dict[str, Any] = {"color": INK, "linestyle": "--", "linewidth": 1.1, "zorder": 3}
    several = len(np.unique(prices)) > 1
    amount = f"{prices.min():.3g} to {prices.max():.3g}" if several else f"{prices.max(initial=0.0):.3g}"
    label = (
        f"shadow price, {amount} value/{words.unit}:\nwhat lies below a query's line\nis the worse buy at its price"
    )
    # From where it rests, the line of a query that is priced out; of others tangents of one length on paper.
    resting = {(*dot, price) for *dot, price in np.column_stack([dots, prices])[~funded].tolist()}
    for charge, value, price in sorted(resting):
        axes.plot([charge, width], [value, value + price * (width - charge)], label=label, **style)
        label = "_"
    for (charge, value), price in zip(dots[funded], prices[funded], strict=True):
        half = TANGENT / np.hypot(1.0 / width, price / height)
        ends = [[charge - half, charge + half], [value - price * half, value + price * half]]
        axes.plot(*ends, label=label, **style)
        label = "_"


class _Words(NamedTuple):
    """unit : of the budget. axis : what is charged. granted : what a dot is. spent : of all queries."""

    unit: str
    axis: str
    granted: str
    spent: str


def _words(result: Allocation, unit: str | None) -> _Words:
    expected, tokens = result.accounting == "expected", result.unit == "token" and unit is None
    name, many = ("token", "tokens") if tokens else (unit or "budget unit", unit or "budget units")
    if expected:
        axis, spent = f"charge: {many} that the cap is expected to cost", f"{many} in expectation"
    else:
        axis = "cap: tokens that the query may use" if tokens else f"charge of the cap ({many})"
        spent = many
    return _Words(name, axis, "cap" if result.choice is None else "cap or option", spent)


def _legend(result: Allocation, row: np.intp) -> str:
    choice = -1 if result.choice is None else result.choice[row]
    what = f"cap {result.tokens[row]:,} tokens" if choice < 0 else f"option {choice}, {result.tokens[row]:,} tokens"
    plain = result.unit == "token" and result.accounting == "reserved"
    charged = "" if plain else f", charged {result.charges[row]:,.4g}"
    return f"{what}{charged}: {_name(result, row)}"


def _name(result: Allocation, row: np.intp) -> str:
    if result.ids is None:
        return f"query {row}"
    name = str(result.ids[row])
    short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."
    return short.replace("$", r"\$")  # matplotlib would set what stands between two of them as a formula


def _sentence(result: Allocation, words: _Words) -> str:
    amount = f"{result.spent:,.0f}" if result.spent >= 1000 or result.spent.is_integer() else f"{result.spent:.4g}"
    return f"{result.funded.sum():,} of {len(result):,} queries share {amount} {words.spent}."
