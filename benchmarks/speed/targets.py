"""What the package is to reach, and whether the rows say that it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.common.markdown import seconds_words, significant, size_words
from benchmarks.speed.rows import Row
from benchmarks.speed.timing import ratios
from benchmarks.speed.workloads import FAMILIES


class Target(NamedTuple):
    """words : what is measured. group, family, accounting, n, overrun : of the rows that tell.

    measure : what they say. limit : the most that it may be or, with `at_least`, the least. shown : number to words.
    """

    words: str
    group: str
    family: str
    accounting: str
    n: int
    measure: Callable[[Row], float | None]
    limit: float
    shown: Callable[[float | None], str]
    overrun: float | None = None
    at_least: bool = False

    def tells(self, row: Row) -> bool:
        """Whether the row is one of those."""
        wanted = (self.group, self.family, self.accounting, self.n, self.overrun)
        return wanted == (row.group, row.family, row.accounting, row.n, row.overrun)


class TargetResult(NamedTuple):
    """measured : the worst of what the rows say. None where none says anything; `met` is None too, and `why` set."""

    target: Target
    measured: float | None
    met: bool | None
    why: str = ""


def times(value: float | None) -> str:
    """A multiple in words."""
    return "-" if value is None else f"{significant(value)} x"


def speed_up(row: Row) -> float | None:
    """How many times faster ours is: median over rounds."""
    found = ratios(row.reference, row.ours)
    return None if found is None else found.median


def ratio(row: Row) -> float | None:
    """Ours over the reference."""
    return row.ratio


def seconds(row: Row) -> float | None:
    """Of a call: median over rounds."""
    return float(np.median(row.ours)) if row.ours else None


def peak(row: Row) -> float | None:
    """Bytes."""
    return row.figures.get("peak")


SURGE, LOGNORMAL, MILLION = "shifted_surge", "lognormal", 1_000_000
TARGETS = (
    Target("10^6 queries, time over np.sort", "sort", SURGE, "reserved", MILLION, ratio, 2.0, times),
    Target("10^6 queries, time over np.sort", "sort", LOGNORMAL, "expected", MILLION, ratio, 3.0, times, 0.5),
    Target(
        "10^6 queries, times faster than 60-step bisection",
        "bisection", SURGE, "reserved", MILLION, speed_up, 60.0, times, at_least=True,
    ),
    *(
        Target("10^7 queries, peak memory", "memory", family, "reserved", 10 * MILLION, peak, 1.5e9, size_words)
        for family in (SURGE, LOGNORMAL)
    ),
    *(
        Target("10^7 queries, time over that of 10^6", "memory", family, "reserved", 10 * MILLION, ratio, 11.0, times)
        for family in (SURGE, LOGNORMAL)
    ),
    *(Target("64 queries, time", "sort", name, "reserved", 64, seconds, 1e-3, seconds_words) for name in FAMILIES),
    *(Target("1 query, time", "sort", name, "reserved", 1, seconds, 2e-4, seconds_words) for name in FAMILIES),
    Target("import, time over that of numpy, scipy.special and pydantic", "import", "", "", 0, ratio, 1.5, times),
)  # fmt: skip


def checked_targets(rows: Sequence[Row], targets: Iterable[Target] = TARGETS) -> list[TargetResult]:
    """Each target by the rows that tell of it: the worst counts, and what failed or was skipped meets nothing."""
    return [_checked(target, [row for row in rows if target.tells(row)]) for target in targets]


def _checked(target: Target, rows: list[Row]) -> TargetResult:
    if failed := [row for row in rows if row.error or row.skipped]:
        return TargetResult(target, None, None, "failed" if failed[0].error else "skipped")
    known = [value for row in rows if (value := target.measure(row)) is not None]
    if not known:
        return TargetResult(target, None, None, "not measured")
    worst = min(known) if target.at_least else max(known)
    return TargetResult(target, worst, worst >= target.limit if target.at_least else worst <= target.limit)
