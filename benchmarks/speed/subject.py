"""The side that is ours in every group: raw arrays in, whole-token caps with their certificate out."""

from __future__ import annotations

from typing import Any, NamedTuple

import clear_alloc as ca
from benchmarks.speed.rows import Case
from benchmarks.speed.workloads import SEED, SHARE, Columns, budget_of, columns, curves_of

WARM = 1_000  # queries of a call that is not counted


class Work(NamedTuple):
    """The arrays and the budget of a case, made before the clock starts."""

    case: Case
    given: Columns
    budget: int

    def done(self, start: float = 0.0) -> ca.Allocation:
        """Builds the curves anew, and allocates."""
        case = self.case
        terms: dict[str, Any] = {} if case.overrun is None else {"overrun": case.overrun}
        curves = curves_of(case.family, self.given)
        return ca.allocate(curves, self.budget, accounting=case.accounting or "reserved", start=start, **terms)  # type: ignore[arg-type]


def work_of(case: Case, n: int | None = None, seed: int = SEED) -> Work:
    """Its queries, or fewer of the same kind, or those of another seed."""
    given = columns(case.family, case.n if n is None else n, seed)
    return Work(case, given, budget_of(case.family, given, SHARE if case.share is None else case.share))


def certified(result: ca.Allocation) -> float | None:
    """Gap as a share of the utility; None where nothing is worth anything."""
    return result.gap / result.utility if result.utility > 0.0 else None
