"""What Wan et al. 2026 (The Shadow Price of Reasoning, ICML) report, read off their figures; nothing of ours.

Figure 1 to about half a point, the table of its earlier version to about 0.2 points. All in per cent.
"""

from __future__ import annotations

from typing import NamedTuple

ARRIVED_BY = (64, 128, 256, 512, 1000, 2000, 4000, 8000)  # token
# Share of the finally correct solutions that have arrived by then, Qwen2.5-Math-7B-Instruct.
ARRIVED = {
    "GSM8K": (0.0, 3.2, 27.7, 87.3, 96.9, 97.0, 97.5, 100.0),
    "MATH500": (0.0, 0.6, 8.8, 51.7, 89.6, 96.4, 97.6, 100.0),
    "AIME/AMC": (0.0, 0.0, 0.0, 17.2, 72.5, 100.0, 100.0, 100.0),
}

STREAMS = ("Balanced", "MostlyEasy", "MostlyHard", "UShaped")  # of 500 queries; their proportions are not known
BUDGETS = (100, 200, 300, 400, 500, 700, 1000, 1500)  # token per query


class Reported(NamedTuple):
    """Accuracy of the paper's method and of a uniform cap, and the share of queries its method abandons."""

    method: float
    uniform: float
    abandoned: float

    @property
    def ratio(self) -> float:
        """The method's accuracy, in those of a uniform cap."""
        return self.method / self.uniform


_ROWS = {
    "Balanced": (
        (10.2, 0.8, 77.5),
        (16.8, 3.3, 62.6),
        (19.8, 8.0, 51.3),
        (21.6, 14.7, 41.2),
        (22.2, 17.5, 32.1),
        (23.8, 22.8, 15.7),
        (29.0, 25.7, 0.0),
        (32.2, 32.0, 0.0),
    ),
    "MostlyEasy": (
        (20.0, 1.2, 74.5),
        (32.5, 6.9, 56.6),
        (44.0, 22.7, 41.4),
        (50.0, 39.2, 29.9),
        (52.4, 49.2, 19.5),
        (54.6, 55.0, 3.0),
        (58.6, 57.6, 0.0),
        (59.2, 59.2, 0.0),
    ),
    "MostlyHard": (
        (4.8, 0.3, 79.8),
        (7.2, 1.2, 67.4),
        (8.6, 3.0, 56.7),
        (9.6, 5.2, 47.4),
        (10.6, 5.7, 38.6),
        (12.0, 9.8, 22.3),
        (15.4, 12.6, 0.3),
        (20.6, 20.7, 0.0),
    ),
    "UShaped": (
        (13.2, 0.9, 75.3),
        (21.6, 4.0, 58.3),
        (27.2, 13.1, 45.2),
        (30.0, 21.9, 34.4),
        (30.6, 28.0, 25.4),
        (31.4, 31.6, 8.9),
        (34.2, 32.8, 0.0),
        (35.0, 34.8, 0.0),
    ),
}
REPORTED = {
    (stream, budget): Reported(*row)
    for stream, rows in _ROWS.items()
    for budget, row in zip(BUDGETS, rows, strict=True)
}
