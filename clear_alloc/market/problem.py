"""What a caller asks for, judged once: budget, floors, ceilings and names, as the market needs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from statistics import NormalDist
from typing import Any, NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.ids import QueryIds, read_ids
from clear_alloc.columns.validate import scalar
from clear_alloc.curves import MAX_TOKENS, Accounting, CurveRecord, Curves, Menu, Mixed, from_records
from clear_alloc.errors import BudgetTooSmall, InvalidArgument
from clear_alloc.market.feasible import FeasibleCaps, read_limits, whole_column
from clear_alloc.market.market import Market
from clear_alloc.market.tariff import RatesLike, Tariff, read_tariff

__all__ = [
    "AllocateKwargs",
    "AllocateOptions",
    "CurvesLike",
    "Problem",
    "checked_budget",
    "in_market_units",
    "read_problem",
]

CurvesLike = Curves | Sequence[CurveRecord]


class AllocateOptions(NamedTuple):
    """What `allocate` and every baseline take besides curves and budget; see `allocate`."""

    accounting: object = "reserved"
    overrun: float = 0.05
    min_tokens: npt.ArrayLike = 0
    max_tokens: npt.ArrayLike | None = None
    levels: object = None
    fallback: npt.ArrayLike = 0
    rate: RatesLike | None = None
    call: RatesLike | None = None
    ids: Iterable[Any] | None = None


class AllocateKwargs(TypedDict, total=False):
    """Keyword arguments of `allocate`, which every baseline takes too; `price` and `start` excepted."""

    accounting: Accounting
    overrun: float
    min_tokens: npt.ArrayLike
    max_tokens: npt.ArrayLike | None
    levels: object
    fallback: npt.ArrayLike
    rate: RatesLike | None
    call: RatesLike | None
    ids: Iterable[Any] | None


class Problem(NamedTuple):
    """A market, its budget and the queries' names.

    budget : as the caller gave it, in his unit. pool : the same in the market's, whole where only whole tokens can be
    spent. z_score : standard deviations of a normal sum that the margin covers, 0 where no margin is held.
    """

    market: Market
    budget: float
    pool: float
    names: QueryIds | None
    z_score: float

    @property
    def unit(self) -> float:
        """The caller's budget units per unit of the market."""
        return self.market.tariff.unit


def read_problem(curves: CurvesLike, budget: float | None, terms: AllocateOptions) -> Problem:
    """Judge the arguments that `allocate` and every baseline share; no budget is no limit.

    Raises InvalidArgument, naming the argument, the row and the value, BudgetTooSmall and NotSupported. O(n).
    """
    given = checked_budget(budget) if budget is not None else np.inf
    records: list[Any] = []
    ids = terms.ids
    if not isinstance(curves, Curves):
        records = _records(curves)
        curves = from_records(records)
        if ids is None and records and all(getattr(r, "id", None) is not None for r in records):
            ids = [r.id for r in records]
        terms = _merged(terms, records)
    limits = _limits(terms, records, len(curves))
    tariff = read_tariff(terms.accounting, terms.rate, terms.call, partial(_options, curves))
    market = Market(curves, limits, tariff)
    pool = in_market_units(given, tariff)
    if market.total_floor > pool:
        what = "min_tokens and fallbacks" if limits.fallback.any() else "min_tokens"
        raise BudgetTooSmall(market.total_floor * tariff.unit, given, what, tariff.counted_in)
    z_score = _z_score(terms.overrun) if tariff.accounting == "expected" else 0.0
    return Problem(market, given, pool, read_ids(ids, len(curves)), z_score)


def _limits(terms: AllocateOptions, records: list[Any], n: int) -> FeasibleCaps:
    floor, cap, back = terms.min_tokens, terms.max_tokens, terms.fallback
    if records:
        back = np.maximum(
            whole_column("fallback", back, n), whole_column("fallback", _own(records, "fallback", 0.0), n)
        )
        floor = np.maximum(
            whole_column("min_tokens", floor, n), whole_column("min_tokens", _own(records, "min_tokens", 0.0), n)
        )
        most = whole_column("max_tokens", MAX_TOKENS if cap is None else cap, n)
        cap = np.minimum(most, whole_column("max_tokens", _own(records, "max_tokens", MAX_TOKENS), n))
    return read_limits(n, floor, cap, terms.levels, back)


def _merged(terms: AllocateOptions, records: list[Any]) -> AllocateOptions:
    """Where no argument speaks for all, the records' own levels and prices."""
    for name in ("levels", "rate", "call"):
        own = [getattr(record, name, None) for record in records]
        if any(value is not None for value in own):
            if getattr(terms, name) is not None:
                remedy = "give it once, for all queries or on the queries"
                raise InvalidArgument(name, "given for all, and by queries of their own", "one of the two", remedy)
            if name == "levels":
                own = [value if value is None else list(value) for value in own]
            elif None in own:
                row, remedy = own.index(None), "give every query its price, or none"
                raise InvalidArgument(name, None, "a price, as other queries have", remedy, row)
            terms = AllocateOptions(**{**terms._asdict(), name: own})
    return terms


def _options(curves: Curves) -> npt.NDArray[np.intp]:
    """Number of options of each query, 1 for a smooth curve."""
    counts = np.ones(len(curves), dtype=np.intp)
    pieces = curves.pieces if isinstance(curves, Mixed) else ((curves, np.arange(len(curves))),)
    for piece, rows in pieces:
        if isinstance(piece, Menu):
            counts[rows] = np.isfinite(piece.sorted_costs).sum(axis=1)
    return counts


def in_market_units(budget: float, tariff: Tariff) -> float:
    """The pool in units of the market. Reserved tokens are whole, so only a whole number of them can be spent."""
    if tariff.unit == 1.0:
        return float(np.floor(budget)) if tariff.plain else budget
    pool = budget / tariff.unit
    if not tariff.plain or not np.isfinite(pool):
        return pool
    if pool > MAX_TOKENS:
        return MAX_TOKENS
    whole = float(np.floor(pool))
    # The quotient may be rounded to the wrong side of a whole number.
    whole += (whole + 1.0) * tariff.unit <= budget
    return whole - (whole * tariff.unit > budget)


def _z_score(overrun: object) -> float:
    allowed = "a probability above 0 and at most 0.5 (0.5: spend to the mean)"
    remedy = "for no overrun at all use accounting='reserved'"
    chance = scalar("overrun", overrun, allowed, remedy)
    if not 0.0 < chance <= 0.5:
        raise InvalidArgument("overrun", overrun, allowed, remedy)
    return -NormalDist().inv_cdf(chance) if chance < 0.5 else 0.0


def checked_budget(budget: object) -> float:
    """A budget as a float; InvalidArgument unless it is finite and not negative."""
    allowed, remedy = "a finite number of tokens, >= 0", "pass the size of the pool"
    pool = scalar("budget", budget, allowed, remedy)
    if not 0.0 <= pool <= MAX_TOKENS:
        raise InvalidArgument("budget", budget, f"{allowed}, and at most 2**53", remedy)
    return pool


def _records(curves: object) -> list[Any]:
    allowed = "curves such as ca.ShiftedSurge(...), or a list of ca.Query"
    if isinstance(curves, (str, bytes)) or not isinstance(curves, Iterable):
        raise InvalidArgument("curves", curves, allowed, "build the curves first")
    records = list(curves)
    for row, record in enumerate(records):
        if not hasattr(record, "curve_parameters"):
            raise InvalidArgument("curves", record, allowed, "wrap the row in ca.Query(...)", row)
    return records


def _own(records: list[Any], name: str, default: float) -> list[float]:
    own = (getattr(record, name, None) for record in records)
    return [default if value is None else value for value in own]
