"""Tables on the screen."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from rich.box import SIMPLE
from rich.table import Table

from benchmarks import paper
from benchmarks.regression_check import Comparison
from benchmarks.rows import Row
from benchmarks.summary import by_setting, paired

__all__ = ["changes_table", "scarce_table"]


def changes_table(found: Comparison) -> Table:
    """By experiment and policy: settings in both files, those that really changed, the mean with half of its 95 %
    interval, the extremes, and how many batches passed their budget."""
    title = "Accuracy after less before, in points, paired by seed; over: batches over budget, %"
    table = Table(title=title, box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))  # 80 columns are enough
    for name in ("experiment", "policy", "settings", "changed", "mean", "worst", "best", "over"):
        table.add_column(name, justify="left" if name in ("experiment", "policy") else "right")
    for own in found.pooled:
        mine = [c for c in found.changes if (c.place[0], c.policy) == (own.experiment, own.policy)]
        points = 100.0 * np.array([change.paired.difference for change in mine])
        half = f"±{50.0 * (own.high - own.low):.2f}" if own.seeds > 1 else ""
        figures = [f"{100.0 * own.difference:+.2f}{half}", f"{points.min():+.2f}", f"{points.max():+.2f}"]
        over = f"{100.0 * own.before:.0f} -> {100.0 * own.after:.0f}"
        really = sum(change.real for change in mine)
        table.add_row(own.experiment, own.policy, str(own.settings), str(really), *figures, over)
    return table


def scarce_table(rows: Iterable[Row]) -> Table:
    """The scarce regime in a few lines: the paper's streams at the smallest budgets."""
    title = "Share right, mean over seeds; ours, chosen against uniform, 95 % interval of the ratio from below"
    table = Table(title=title, box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))  # 80 columns are enough
    for name in (
        "stream",
        "budget",
        "uniform",
        "CLEAR",
        "ours, chosen",
        "ours, expected",
        "oracle",
        "ratio",
        "at least",
    ):
        first = name == "stream"
        table.add_column(name, justify="left" if first else "right", no_wrap=first)
    found = by_setting(rows)
    for (experiment, stream, level, noise), policies in found.items():
        if experiment != "scarcity" or noise or level > 0.1 or stream not in paper.STREAMS:
            continue
        shown = ("uniform", "CLEAR", "ours, chosen", "ours, expected", "oracle")
        means = [
            np.mean([row.accuracy for row in policies[name].values()]) if name in policies else np.nan
            for name in shown
        ]
        both = [policies.get(name, {}) for name in ("ours, chosen", "uniform")]
        against = paired(*both) if both[0].keys() & both[1].keys() else None  # None: one has failed throughout
        ratios = (f"{against.ratio:.1f}", f"{against.least:.1f}") if against else ("", "")
        table.add_row(stream, f"{level:.0%}", *("" if np.isnan(mean) else f"{mean:.3f}" for mean in means), *ratios)
    return table
