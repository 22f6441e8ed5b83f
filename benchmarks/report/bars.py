"""Pictures of sizes side by side: captured gain by policy, and the ladder from the paper's method to ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks import paper
from benchmarks.common.figures import dressed, legend_below, new_figure, panels
from benchmarks.common.markdown import percent, points
from benchmarks.report.ablation import STEPS, Climb, climbs
from benchmarks.report.gains import stream_gains
from benchmarks.report.results import Results, budget_of
from clear_alloc.plots.drawing import COLOURS, INK

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DARK = "#707070"  # a grey that white figures can be read on
LEAST_SHOWN = -0.5  # captured gain: what is lower is told in figures at the left edge
EDGE = 0.35  # left of it, where there is any such
_MARKS = (("o", COLOURS[0]), ("s", COLOURS[4]), ("^", COLOURS[2]))


def gain_groups(results: Results) -> dict[str, dict[str, float]]:
    """Captured gain by group of streams, then by policy, mean over streams; groups without any are left out."""
    scarce = stream_gains(results, "scarcity")
    groups = {
        "the paper's four streams": _means(scarce, lambda stream: stream in paper.STREAMS),
        "other streams": _means(scarce, lambda stream: stream not in paper.STREAMS),
        "replayed real rollouts": _means(stream_gains(results, "replay"), lambda _: True),
    }
    return {name: by_policy for name, by_policy in groups.items() if by_policy}


def _means(table: dict[str, dict[str, float]], belongs: Callable[[str], bool]) -> dict[str, float]:
    kept = {
        policy: [gain for name, gain in by_stream.items() if belongs(name)] for policy, by_stream in table.items()
    }
    return {policy: float(np.mean(gains)) for policy, gains in kept.items() if gains}


def gains(results: Results) -> Figure | None:
    """A dot per policy and group, the policies in the order of the first group."""
    groups = gain_groups(results)
    if not groups:
        return None
    means = {policy: gain for group in reversed(groups.values()) for policy, gain in group.items()}
    order = sorted(means, key=lambda policy: means[policy])
    figure = new_figure(1.4 + 0.29 * len(order))
    axes = figure.subplots()
    dressed(axes)
    for (group, by_policy), (marker, colour) in zip(groups.items(), _MARKS, strict=False):
        _dots(axes, [by_policy.get(policy, np.nan) for policy in order], group, marker, colour)
    lowest = min(min(by_policy.values()) for by_policy in groups.values())
    left = LEAST_SHOWN - EDGE if lowest < LEAST_SHOWN else min(lowest, 0.0) - 0.06
    axes.set_yticks(range(len(order)), order)
    axes.axvline(0.0, color=INK, linewidth=1.0)
    axes.axvline(1.0, color=INK, linewidth=1.0)
    axes.set(xlim=(left, 1.06), ylim=(-0.7, len(order) - 0.3))
    axes.set_xlabel("captured gain: 0 = uniform, 1 = oracle, each of the policy's own accounting")
    legend_below(figure, 3)
    return figure


def _dots(axes: Axes, values: list[float], label: str, marker: str, colour: str) -> None:
    x, nth = np.array(values), [mark for mark, _ in _MARKS].index(marker)
    y = np.arange(len(x)) + (0.0, 0.22, -0.22)[nth]
    inside = ~(x < LEAST_SHOWN)
    axes.scatter(x[inside], y[inside], marker=marker, color=colour, s=34, label=label, zorder=3)
    at = LEAST_SHOWN - EDGE + 0.02 + 0.1 * nth  # beside each other: in one row they would overlap
    for place in np.flatnonzero(~inside):
        axes.annotate(f"◂ {x[place]:.1f}", (at, place), color=colour, fontsize=8, va="center", ha="left")


def ladder(results: Results) -> Figure | None:
    """Waterfalls from CLEAR to ours, expected: a panel per budget, a waterfall per paper stream."""
    found = [climbed for climbed in climbs(results) if climbed.place.stream in paper.STREAMS]
    if not found:
        return None
    levels = list(dict.fromkeys(climbed.place.level for climbed in found))
    figure = new_figure(0.9 + 3.0 * len(levels))
    names = [f"budget {budget_of('scarcity', level)} of the uncapped use" for level in levels]
    for axes, level in zip(panels(figure, names, 1), levels, strict=True):
        mine = [climbed for climbed in found if climbed.place.level == level]
        for place, climbed in enumerate(mine):
            _waterfall(axes, climbed, place * (len(STEPS) + 3))
        axes.set_xticks(
            [place * (len(STEPS) + 3) + 2.5 for place in range(len(mine))], [climbed.place.stream for climbed in mine]
        )
        axes.grid(visible=False, axis="x")
        axes.margins(x=0.01)
        axes.set_ylim(top=1.1 * axes.get_ylim()[1])
        axes.set_ylabel("right answers, % of queries")
    legend_below(figure, 3)
    return figure


def _waterfall(axes: Axes, climbed: Climb, left: int) -> None:
    first = {"color": DARK, "label": "CLEAR"}, {"color": INK, "label": "ours, expected"}
    axes.bar(left, 100.0 * climbed.start, width=0.85, **first[0])
    at = climbed.start
    for place, (step, name, colour) in enumerate(zip(climbed.steps, STEPS, COLOURS, strict=False), start=1):
        axes.bar(left + place, 100.0 * step, bottom=100.0 * at, width=0.85, color=colour, label=f"+ {name}")
        _annotate(axes, left + place, max(at, at + step), points(step), "over")
        at += step
    axes.bar(left + len(STEPS) + 1, 100.0 * climbed.end, width=0.85, **first[1])
    _annotate(axes, left, climbed.start, percent(climbed.start), "within")
    _annotate(axes, left + len(STEPS) + 1, climbed.end, percent(climbed.end), "within")


def _annotate(axes: Axes, x: float, share: float, text: str, where: str) -> None:
    """At the top end of a bar, over it or within: neighbours of one height would write over each other."""
    up, align, colour = (2, "bottom", INK) if where == "over" else (-3, "top", "white")
    look = {"ha": "center", "va": align, "color": colour, "fontsize": 7}
    axes.annotate(text, (x, 100.0 * share), (0, up), textcoords="offset points", **look)
