"""What is measured, by group: its cases, smallest first, and what measures one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.speed.groups.competitors import BISECTION, CONTOUR, MILP, SLSQP, against
from benchmarks.speed.groups.processes import IMPORT, MEMORY, STAGES, importing, profile, space
from benchmarks.speed.groups.sizes import SORT, START, against_sort, with_start
from benchmarks.speed.rows import Case, Row

__all__ = ["GROUPS", "Group", "cases_of"]


class Group(NamedTuple):
    """cases : all of them. measure : a row for a case, in at most so many rounds."""

    cases: Sequence[Case]
    measure: Callable[[Case, int], Row]


GROUPS = {
    "sort": Group(SORT, against_sort),
    "bisection": Group(BISECTION, against),
    "slsqp": Group(SLSQP, against),
    "milp": Group(MILP, against),
    "contour": Group(CONTOUR, against),
    "start": Group(START, with_start),
    "memory": Group(MEMORY, space),
    "import": Group(IMPORT, importing),
    "stages": Group(STAGES, profile),
}


def cases_of(names: Sequence[str], largest: int) -> list[Case]:
    """Those of the groups with at most so many queries."""
    return [case for name in names for case in GROUPS[name].cases if case.n <= largest]
