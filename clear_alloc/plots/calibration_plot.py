"""Promised against observed shares of right answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from clear_alloc.errors import InvalidArgument
from clear_alloc.fit import FitReport, Judgement
from clear_alloc.plots.drawing import COLOURS, GREY, INK, new_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_calibration"]


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
    figure = new_figure((6.4, 5.8))
    _draw_calibration(figure.subplots(), judgement)
    save(figure, target)


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
