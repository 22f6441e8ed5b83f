"""Tables on the screen."""

from __future__ import annotations

import numpy as np
from rich.box import SIMPLE
from rich.table import Table

from benchmarks.comparing import Comparison

__all__ = ["changes_table"]


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
