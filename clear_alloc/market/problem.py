"""What a caller asks for, checked once: curves, budget and terms, as the market needs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.ids import QueryIds, read_ids
from clear_alloc.columns.validate import scalar
from clear_alloc.curves import MAX_TOKENS, CurveRecord, Curves, Menu, Mixed, from_records
from clear_alloc.errors import BudgetTooSmall, InvalidArgument
from clear_alloc.market.market import Market
from clear_alloc.market.read_limits import read_feasible
from clear_alloc.market.tariff import Tariff, read_tariff
from clear_alloc.market.terms import AllocateOptions

__all__ = [
    "CurvesLike",
    "Problem",
    "checked_budget",
    "in_market_units",
    "read_problem",
]

CurvesLike = Curves | Sequence[CurveRecord]
MONEY_RTOL = 2.0**-48  # of a budget: what sums of decimal prices may be off by, as floats
_OF_QUERIES = ("min_tokens", "max_tokens", "levels", "fallback", "rate", "call")


class Problem(NamedTuple):
    """A market, its budget and the queries' names.

    budget : as the caller gave it, in the caller's unit. pool : the same in the market's, whole where only whole
    tokens can be spent. z_score : standard deviations of a normal sum that the margin covers, 0 where none is held.
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
    """Check the arguments that `allocate` and every baseline share; no budget is no limit.

    Raises InvalidArgument, naming the argument, the row and the value, BudgetTooSmall and NotSupported. O(n).
    """
    given = checked_budget(budget) if budget is not None else np.inf
    if not isinstance(curves, Curves):
        records = _records(curves)
        curves = from_records(records)
        terms = _with_own(terms, records)
    caps = read_feasible(len(curves), terms.min_tokens, terms.max_tokens, terms.levels, terms.fallback)
    plain = isinstance(terms.accounting, str) and terms.accounting == "reserved"
    usual = plain and terms.rate is None and terms.call is None
    tariff = Tariff() if usual else read_tariff(terms.accounting, terms.rate, terms.call, partial(_options, curves))
    market = Market(curves, caps, tariff)
    pool = in_market_units(given, tariff, market.plain)
    if market.total_floor > pool:
        what = "min_tokens and fallbacks" if caps.fallback.any() else "min_tokens"
        raise BudgetTooSmall(market.total_floor * tariff.unit, given, what, tariff.counted_in)
    z_score = _z_score(terms.overrun) if tariff.accounting == "expected" else 0.0
    ids = None if terms.ids is None else read_ids(terms.ids, len(curves))
    return Problem(market, given, pool, ids, z_score)


def _with_own(terms: AllocateOptions, records: list[Any]) -> AllocateOptions:
    """The terms joined with what the records have of their own, their ids too."""
    if terms.ids is None and records and all(getattr(record, "id", None) is not None for record in records):
        terms = replace(terms, ids=[record.id for record in records])
    return terms.merged(
        {name: [getattr(record, name, None) for record in records] for name in _OF_QUERIES}, len(records)
    )


def _options(curves: Curves) -> npt.NDArray[np.intp]:
    """Number of options of each query, 1 for a smooth curve."""
    counts = np.ones(len(curves), dtype=np.intp)
    pieces = curves.pieces if isinstance(curves, Mixed) else ((curves, np.arange(len(curves))),)
    for piece, rows in pieces:
        if isinstance(piece, Menu):
            counts[rows] = np.isfinite(piece.sorted_costs).sum(axis=1)
    return counts


def in_market_units(budget: float, tariff: Tariff, plain: bool) -> float:
    """The pool in units of the market. Reserved tokens are whole, so only a whole number of them can be spent."""
    if tariff.unit == 1.0:
        priced = tariff.rate is not None or tariff.call is not None
        return float(np.floor(budget)) if plain else budget * (1.0 + MONEY_RTOL * priced)
    pool = budget / tariff.unit
    if not plain or not np.isfinite(pool):
        return pool
    if pool > MAX_TOKENS:
        return MAX_TOKENS
    # Money is decimal: three tokens of 0.1 cost 0.3, which floats would call too little. Products of floats fit too.
    whole = float(Decimal(repr(budget)) // Decimal(repr(tariff.unit)))
    return whole + ((whole + 1.0) * tariff.unit <= budget)


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
