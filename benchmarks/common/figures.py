"""What all pictures share: figures without pyplot's global state, a frame, a legend, PNGs of the same bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

DPI = 150
WIDTH = 8.0  # inches: at 800 pixels a ten-point letter is read without effort


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
