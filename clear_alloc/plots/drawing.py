"""Figures of their own, in colours that all pictures share; pyplot's global state is not touched."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from clear_alloc.errors import InvalidArgument
from clear_alloc.files import replacing
from clear_alloc.support.optional import optional

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "GREY", "INK", "new_figure", "save"]

# Okabe and Ito's colours, which the colour-blind can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY, INK = "#9A9A9A", "#333333"


def new_figure(size: tuple[float, float]) -> Figure:
    """An empty figure of that size in inches; NotSupported without matplotlib."""
    drawing = optional("matplotlib.figure", "plot", "drawing")
    figure: Figure = drawing.Figure(figsize=size, layout="constrained")
    return figure


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a picture in one step, of the kind that its suffix names."""
    known = figure.canvas.get_supported_filetypes()
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in known:
        allowed = ", ".join(f".{name}" for name in sorted(known))
        raise InvalidArgument(f"the suffix of {os.fspath(path)}", f".{kind}", allowed, "rename the picture")
    with replacing(path) as stream:
        figure.savefig(stream, format=kind, dpi=150)
