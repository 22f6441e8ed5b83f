"""Other ways to the same end: bisection on the price, two general solvers, a pricing library."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import clear_alloc as ca
from benchmarks.speed.references import (
    Found,
    bisected,
    lognormal_value,
    mixed_integer,
    sequential,
    surge_value,
)
from benchmarks.speed.rows import Case, Row
from benchmarks.speed.subject import WARM, Work, certified, work_of
from benchmarks.speed.timing import in_turn
from benchmarks.speed.workloads import SHARE, Array, Columns, curves_of

BISECTION = [Case("bisection", "shifted_surge", "reserved", n, share=SHARE) for n in (10_000, 100_000, 1_000_000)]
SLSQP = [Case("slsqp", "shifted_surge", "reserved", n, share=SHARE) for n in (10, 50, 200)]
MILP = [Case("milp", "shifted_surge", "reserved", n, share=SHARE) for n in (10, 50, 200)]
FEW = 10  # queries with which the others are warmed up: with hundreds, some take seconds
CONTOUR = [Case("contour", "lognormal", "reserved", n, share=SHARE) for n in (50, 1_000, 10_000)]


class Competitor(NamedTuple):
    """solve : a case's arrays and budget to caps. needs : a package that may not be installed."""

    solve: Callable[[Work], Found]
    needs: str | None = None


class _Batch:
    """As much of a batch as price-contour's policy asks for."""

    def __init__(self, curves: ca.Curves):
        self._curves = curves

    def __len__(self) -> int:
        return len(self._curves)

    def curves(self, _: str) -> ca.Curves:
        return self._curves


def _contour(work: Work) -> Found:
    from benchmarks.policies.peers import price_contour

    batch: Any = _Batch(curves_of(work.case.family, work.given))
    return Found(price_contour(batch, work.budget).tokens.astype(float), float("nan"), True)


COMPETITORS = {
    "bisection": Competitor(lambda work: Found(bisected(work.given, work.budget)[0], float("nan"), True)),
    "slsqp": Competitor(lambda work: sequential(work.given, work.budget)),
    "milp": Competitor(lambda work: mixed_integer(work.given, work.budget)),
    "contour": Competitor(_contour, "price_contour"),
}
VALUE: dict[str, Callable[[Columns, Array], float]] = {"shifted_surge": surge_value, "lognormal": lognormal_value}


def against(case: Case, rounds: int) -> Row:
    """Times in turn, and what both are worth by a formula of neither. Raises ValueError for caps over the budget."""
    competitor = COMPETITORS[case.group]
    if competitor.needs and find_spec(competitor.needs) is None:
        return Row.of(case, skipped=f"skipped: {competitor.needs} is not installed")
    work = work_of(case)
    work_of(case, min(case.n, WARM)).done()
    competitor.solve(work_of(case, FEW))
    timed = in_turn(work.done, lambda: competitor.solve(work), rounds)
    return Row.of(case, timed.ours, timed.reference, gap=certified(timed.result), figures=_figures(work, timed))


def _figures(work: Work, timed: Any) -> dict[str, float]:
    """Utility of ours over theirs, what their solver says it may have missed, and whether it was content."""
    value = VALUE[work.case.family]
    for whose, caps in (("ours", timed.result.tokens), (work.case.group, timed.other.caps)):
        if caps.sum() > work.budget * (1.0 + 1e-12):
            raise ValueError(f"the caps of {whose} sum to {caps.sum():,.1f}, more than the budget of {work.budget:,}")
    theirs = value(work.given, timed.other.caps)
    figures = {"ended": float(timed.other.ended)}
    if theirs > 0.0:
        figures["utility"] = value(work.given, timed.result.tokens.astype(float)) / theirs
    return figures | ({"left": timed.other.left} if timed.other.left >= 0.0 else {})
