"""The short summary on the screen."""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from support.benchmark_runs import one_row

from benchmarks.tables import scarce_table


def test_the_summary_shows_the_scarce_budgets_of_the_paper_s_streams():
    some = [
        *(one_row("ours, chosen", seed, 0.3) for seed in (0, 1)),
        *(one_row("uniform", seed, 0.1) for seed in (0, 1)),
        one_row("ours, chosen", 0, 0.9, level=0.3),
        one_row("ours, chosen", 0, 0.9, stream="Identical"),
        one_row("ours, chosen", 0, 0.9, experiment="noise"),
        one_row("uniform", 0, 0.25, stream="UShaped"),
    ]
    screen = Console(width=80, file=StringIO())
    screen.print(scarce_table(some))
    shown = [line.split() for line in screen.file.getvalue().splitlines() if "%" in line and "interval" not in line]
    assert shown == [["Balanced", "10%", "0.100", "0.300", "3.0", "3.0"], ["UShaped", "10%", "0.250"]]
