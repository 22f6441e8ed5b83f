"""Tables on the screen."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from rich.table import Table

from benchmarks.comparing import Change

__all__ = ["changes_table"]


def changes_table(changes: Iterable[Change]) -> Table:
    """By experiment and policy: settings in both files, those that really changed, the mean and the extremes."""
    table = Table(title="Accuracy after less before, in points, paired by seed")
    for name in ("experiment", "policy", "settings", "changed", "mean", "worst", "best"):
        table.add_column(name, justify="left" if name in ("experiment", "policy") else "right")
    groups: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        groups.setdefault((change.place[0], change.policy), []).append(change)
    for (experiment, policy), own in groups.items():
        points = 100.0 * np.array([change.paired.difference for change in own])
        really = sum(change.real for change in own)
        figures = (f"{value:+.2f}" for value in (points.mean(), points.min(), points.max()))
        table.add_row(experiment, policy, str(len(own)), str(really), *figures)
    return table
