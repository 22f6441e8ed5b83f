"""A solution: one decision per query, and what the decisions are charged and worth together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import Array
from clear_alloc.market.market import Market
from clear_alloc.support.types import Bool, Column, Index

__all__ = [
    "FundedSet",
    "Solution",
    "charge_per_query",
    "choice_of",
    "evaluate",
    "floor_solution",
    "funded_of",
    "funded_set_of",
    "spend_all",
    "spend_residual_budget",
    "total_charge",
    "value_per_query",
]

FundedSet = tuple[Index, ...]  # the level of each query, one column per demand of the market


class Solution(NamedTuple):
    """decisions : one column per demand of the market. utility : their value together."""

    decisions: tuple[Column, ...]
    utility: float


def evaluate(market: Market, decisions: Sequence[Column]) -> Solution:
    """A solution with its utility. O(n)."""
    pairs = zip(market.demands, decisions, strict=True)
    return Solution(tuple(decisions), float(sum(demand.value(column).sum() for demand, column in pairs)))


def floor_solution(market: Market) -> Solution:
    """The floor of each query, which is granted at any price. O(n)."""
    return evaluate(market, [demand.default() for demand in market.demands])


def funded_set_of(market: Market, solution: Solution) -> tuple[FundedSet, tuple[int, float] | None]:
    """The levels of a solution, and the one query whose cap no price explains, with that cap. O(n)."""
    levels = tuple(d.levels_of(column) for d, column in zip(market.demands, solution.decisions, strict=True))
    side, fixed = market.divisible, None
    if side is not None:
        caps = solution.decisions[0]
        between = np.flatnonzero((caps > side.floor) & (caps < np.floor(side.start)))
        if len(between):
            fixed = int(between[0]), float(caps[between[0]])
            levels[0][between[0]] = 0
    return levels, fixed


def charge_per_query(market: Market, solution: Solution) -> Array:
    """What each query is charged, (n,), budget units, in the caller's order. O(n)."""
    charges: Array = market.decided(lambda demand, column: demand.charge(column), solution.decisions)
    return charges


def value_per_query(market: Market, solution: Solution) -> Array:
    """What each query is worth, (n,), in the caller's order. O(n)."""
    values: Array = market.decided(lambda demand, column: demand.value(column), solution.decisions)
    return values


def total_charge(market: Market, solution: Solution) -> float:
    """Budget units that a solution is charged. O(n)."""
    pairs = zip(market.demands, solution.decisions, strict=True)
    return sum(demand.totals(column, "charge")[0] for demand, column in pairs)


def spend_residual_budget(market: Market, solution: Solution, left: Callable[[Solution], Array]) -> Solution:
    """What no query uses goes to the one cap or option where it is worth most, until nothing affordable gains.

    left : budget units that each query may still be charged, (n,), beside a solution. O(n) for each raise.
    """
    decisions = tuple(column.copy() for column in solution.decisions)
    least = 1.0 if market.plain else np.finfo(np.float64).tiny
    while (room := left(Solution(decisions, 0.0))).max(initial=0.0) >= least:
        raises = [
            demand.best_raise(column, market.gather(room, k))
            for k, (demand, column) in enumerate(zip(market.demands, decisions, strict=True))
        ]
        k = max(range(len(raises)), key=lambda k: raises[k].gain)
        if raises[k].gain <= 0.0:
            break
        decisions[k][raises[k].query] = raises[k].decision
    return evaluate(market, decisions)


def spend_all(market: Market, solution: Solution, budget: float) -> Solution:
    """What a solution leaves of the budget, spent where it is worth most. O(n) for each raise."""

    def left(solution: Solution) -> Array:
        return np.broadcast_to(budget - total_charge(market, solution), len(market))

    return spend_residual_budget(market, solution, left)


def funded_of(market: Market, solution: Solution) -> Bool:
    """Queries that get more than their fallback, or a menu's option. O(n)."""
    funded: Bool = market.scatter(
        [
            demand.is_funded(column, market.gather(market.caps.fallback, k))
            for k, (demand, column) in enumerate(zip(market.demands, solution.decisions, strict=True))
        ]
    )
    return funded.astype(bool, copy=False)


def choice_of(market: Market, solution: Solution) -> npt.NDArray[np.int64]:
    """What each menu buys, as an index into the caller's list; -1 for none and for other families. O(n)."""
    choice = np.full(len(market), -1, dtype=np.int64)
    if market.finite is not None:
        choice[market.rows[-1]] = market.finite.label(solution.decisions[-1])
    return choice
