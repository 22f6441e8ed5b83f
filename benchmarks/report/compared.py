"""One policy against another wherever both were run, the settings where it isn't ahead, and budgets overdrawn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from benchmarks.common.markdown import points
from benchmarks.report.results import EXPECTED, Place, Results
from benchmarks.rows import Row
from benchmarks.summary import Paired, paired

HAIR = 1e-9  # of the budget: what sums of floats may be off by


class Meeting(NamedTuple):
    """A setting and the pair's figures there, in shares of right answers."""

    place: Place
    pair: Paired


class Overdrawn(NamedTuple):
    """Of one policy that is charged its expected use: rows in all and those that burned more than the budget.

    mean, worst : by how much those did, as a share of the budget; 0 where none did.
    """

    policy: str
    rows: int
    over: int
    mean: float
    worst: float


def meetings(results: Results, places: Iterable[Place], first: str, second: str) -> list[Meeting]:
    """Where both have a seed in common."""
    sides = ((place, results.at(place, first), results.at(place, second)) for place in places)
    return [Meeting(place, paired(ours, theirs)) for place, ours, theirs in sides if ours.keys() & theirs.keys()]


def ahead(pair: Paired) -> bool:
    """Significantly better: the whole 95 % interval is above 0. With one seed there is none: then simply better."""
    return pair.low > 0.0 if pair.seeds > 1 else pair.difference > 0.0


def behind(pair: Paired) -> bool:
    """Significantly worse, in the same sense."""
    return pair.high < 0.0 if pair.seeds > 1 else pair.difference < 0.0


def interval(pair: Paired) -> str:
    """The difference in points with its 95 % interval, if it has one."""
    middle = points(pair.difference, 2)
    return middle if pair.seeds < 2 else f"{middle} ({points(pair.low, 2)} to {points(pair.high, 2)})"


def worst(found: Iterable[Meeting]) -> Meeting | None:
    """The lowest difference of all."""
    return min(found, key=lambda meeting: meeting.pair.difference, default=None)


def overdrawn(results: Results) -> list[Overdrawn]:
    """Policies charged their expected use, and how the scoring samples' real use compares with the budget."""
    excess: dict[str, list[float]] = {}
    for row in _charged_use(results):
        excess.setdefault(row.policy, []).append(_excess(row))
    return [_overdrawn(policy, np.array(shares)) for policy, shares in excess.items()]


def overdrawn_by_stream(results: Results) -> dict[str, tuple[int, int]]:
    """Of ours, expected: batches over budget and batches in all, by stream; those without any are left out."""
    found: dict[str, list[bool]] = {}
    for row in _charged_use(results):
        if row.policy == EXPECTED:
            found.setdefault(row.stream, []).append(_excess(row) > HAIR)
    return {stream: (sum(over), len(over)) for stream, over in found.items() if any(over)}


def _charged_use(results: Results) -> list[Row]:
    """Rows that are charged their expected use; a batch that two experiments share counts once."""
    found = {
        (row.policy, row.stream, row.seed, row.queries, row.budget, row.noise): row
        for row in reversed(results.rows)
        if row.charged == "expected" and row.burned is not None and row.budget
    }
    return list(reversed(found.values()))


def used(row: Row) -> float:
    """What was burned, as a share of the budget: of the fullest window where a stream has several."""
    return (row.burned or 0.0) * row.queries / row.budget if row.fullest is None else row.fullest


def _excess(row: Row) -> float:
    return used(row) - 1.0


def _overdrawn(policy: str, shares: np.ndarray) -> Overdrawn:
    over = shares[shares > HAIR]
    mean, most = (float(over.mean()), float(over.max())) if len(over) else (0.0, 0.0)
    return Overdrawn(policy, len(shares), len(over), mean, most)
