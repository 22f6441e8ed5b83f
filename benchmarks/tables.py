"""Tables of the comparison on the screen; 80 columns are enough."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from rich.table import Table as ScreenTable

from benchmarks import paper
from benchmarks.common.tables import Table, screen_table
from benchmarks.regression_check import Comparison
from benchmarks.rows import Row
from benchmarks.summary import by_setting, paired

SCARCE = ("uniform", "CLEAR", "ours, chosen", "ours, expected", "oracle")  # policies of the short summary


def changes_table(found: Comparison) -> ScreenTable:
    """By experiment and policy: settings in both files, those that really changed, the mean with half of its 95 %
    interval, the extremes, and how many batches passed their budget."""
    lines = []
    for pooled in found.pooled:
        mine = [c for c in found.changes if (c.place[0], c.policy) == (pooled.experiment, pooled.policy)]
        points = 100.0 * np.array([change.paired.difference for change in mine])
        half = f"±{50.0 * (pooled.high - pooled.low):.2f}" if pooled.seeds > 1 else ""
        figures = [f"{100.0 * pooled.difference:+.2f}{half}", f"{points.min():+.2f}", f"{points.max():+.2f}"]
        over = f"{100.0 * pooled.before:.0f} -> {100.0 * pooled.after:.0f}"
        real = sum(change.real for change in mine)
        lines.append((pooled.experiment, pooled.policy, str(pooled.settings), str(real), *figures, over))
    header = ("experiment", "policy", "settings", "changed", "mean", "worst", "best", "over")
    title = "Accuracy after less before, in points, paired by seed; over: batches over budget, %"
    return screen_table(title, Table(header, lines), text=("experiment", "policy"))


def scarce_table(rows: Iterable[Row]) -> ScreenTable:
    """The scarce regime in a few lines: the paper's streams at the smallest budgets."""
    lines = []
    for (experiment, stream, level, noise), policies in by_setting(rows).items():
        if experiment != "scarcity" or noise or level > 0.1 or stream not in paper.STREAMS:
            continue
        means = (
            f"{np.mean([row.accuracy for row in policies[name].values()]):.3f}" if name in policies else ""
            for name in SCARCE
        )
        ours, uniform = (policies.get(name, {}) for name in ("ours, chosen", "uniform"))
        against = paired(ours, uniform) if ours.keys() & uniform.keys() else None  # None: one has failed throughout
        ratios = (f"{against.ratio:.1f}", f"{against.least:.1f}") if against else ("", "")
        lines.append((stream, f"{level:.0%}", *means, *ratios))
    title = "Share right, mean over seeds; ours, chosen against uniform, 95 % interval of the ratio from below"
    table = Table(("stream", "budget", *SCARCE, "ratio", "at least"), lines)
    return screen_table(title, table, text=("stream",), unbroken=("stream",))
