"""The whole budget spent within a funded set: with that set fixed the problem is concave and clears once more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.market.market import Market
from clear_alloc.market.smooth_demand import SmoothDemand
from clear_alloc.solver.pricing.bracket import COARSE, bracket_decreasing, vector_root
from clear_alloc.solver.pricing.clearing import Clearing
from clear_alloc.solver.primal.rounding import round_to_whole, rounded_down
from clear_alloc.solver.primal.solution import FundedSet, Solution, spend_all
from clear_alloc.support.types import Bool, Column, Index

__all__ = ["greedy_funded_set", "refill_funded"]

_AT_ONCE = 512  # queries; of so few several prices are tried in one go
_STEEP = 4.0  # times the price: what makes the next token worth more than rounding can even out
_STEP = 1e-3  # of a query's value: less is not worth another filling


def greedy_funded_set(market: Market, clearing: Clearing, budget: float) -> FundedSet:
    """Every query that wants tokens at the clearing price, then the marginal ones as far as they fit. O(n)."""
    funded_set = tuple(demand.levels_at(clearing.price) for demand in market.demands)
    left = budget - market.total_demand(clearing.price)
    for demand, levels in zip(market.demands, funded_set, strict=True):
        # Their demand appears between the two ends of the price bracket: all of it or none.
        points = demand.breakpoints_between(clearing.low, clearing.price)
        fits = int(np.searchsorted(np.cumsum(points.cost), left, side="right"))
        levels[points.query[:fits]] = points.level[:fits]
        left -= float(points.cost[:fits].sum())
    return funded_set


def refill_funded(
    market: Market, funded_set: FundedSet, budget: float, price_guess: float, fixed: tuple[int, float] | None = None
) -> Solution | None:
    """Spend the budget within a funded set; None if the set can't be paid.

    price_guess : value per budget unit, a guess of the price at which the set clears.
    fixed : a smooth query and the cap (token, whole) that it gets whatever the set says.
    O(n) per evaluation, about 8 of them.
    """
    side, decisions = market.divisible, _copies(funded_set)
    pairs = zip(market.demands, decisions, strict=True)
    taken = sum(float(demand.charge(levels).sum()) for demand, levels in pairs if demand is not side)
    if side is not None:
        caps = _filled(side, funded_set[0] > 0, budget, taken, price_guess, fixed)
        if caps is None:
            return None
        decisions[0] = caps
    elif taken > budget:
        return None
    return spend_all(market, Solution(tuple(decisions), 0.0), budget)


def _copies(columns: Sequence[Column]) -> list[Column]:
    return [column.copy() for column in columns]


def _filled(
    side: SmoothDemand,
    funded: Bool,
    budget: float,
    taken: float,
    price_guess: float,
    fixed: tuple[int, float] | None,
) -> Array | None:
    """Whole caps within the budget that is not `taken`, floors for those not funded; None if it can't pay them."""
    caps = side.floor.copy()
    if fixed is not None:
        funded = funded.copy()
        funded[fixed[0]], caps[fixed[0]] = False, fixed[1]
    rows = np.flatnonzero(funded)
    active = side if len(rows) == len(side) else side.take(rows)
    pool = budget - (taken + float(side.charge(caps)[~funded].sum()))
    if float(active.charge(active.start).sum()) > pool:
        return None
    if len(rows):
        caps[rows] = _whole_caps(active, pool, price_guess)
    return caps


def _whole_caps(side: SmoothDemand, pool: float, price_guess: float) -> Array:
    """Whole caps of queries that are all funded, charged at most `pool`."""
    real, price = _water_fill(side, pool, price_guess)
    down = rounded_down(side, real)
    steep = _steep(side, down, price)
    left = pool - float(side.charge(down).sum())
    if not len(steep) or float(_cost_of_one(side, down)[steep].sum()) <= left:
        return round_to_whole(side, real, pool)
    # A curve that climbs within a token or two gets the token that it needs; the others make room for it.
    whole, rest = down, np.setdiff1d(np.arange(len(side)), steep, assume_unique=True)
    whole[steep] += 1.0
    room = pool - float(side.charge(whole)[steep].sum())
    others = side.take(rest)
    if float(others.charge(others.start).sum()) > room:
        return round_to_whole(side, real, pool)
    if len(rest):
        whole[rest] = round_to_whole(others, _water_fill(others, room, price_guess)[0], room)
    return max(whole, round_to_whole(side, real, pool), key=lambda caps: float(side.value(caps).sum()))


def _steep(side: SmoothDemand, down: Array, price: float) -> Index:
    """Queries to which one more token is worth several times what it costs at the price of the others."""
    up = np.minimum(down + 1.0, side.last_whole)
    gain = side.value(up) - side.value(down)
    return np.flatnonzero(gain > np.maximum(_STEEP * price * _cost_of_one(side, down), _STEP * side.value(up)))


def _cost_of_one(side: SmoothDemand, down: Array) -> Array:
    return side.charge(np.minimum(down + 1.0, side.last_whole)) - side.charge(down)


def _water_fill(side: SmoothDemand, pool: float, price_guess: float) -> tuple[Array, float]:
    """Caps on the concave branches that clear `pool`, real numbers, and the price at which they do."""
    if float(side.charge(side.stop).sum()) <= pool:
        return side.stop.copy(), 0.0
    steepest = float(side.efficiency(side.start).max())
    if steepest <= 0.0:
        return side.start.copy(), 0.0

    # One query more or less moves the price by about 1/n of itself.
    error = min(max(1.0 / len(side), 1e-6), 0.02)
    if len(side) <= _AT_ONCE:
        price = vector_root(
            lambda p: side.charge_if_funded(p[:, None]).sum(axis=1), pool, steepest, price_guess, error
        )
        return side.demand_if_funded(price), price

    def wanted(price: float) -> float:
        return float(side.charge_if_funded(price).sum())

    bracket = bracket_decreasing(wanted, pool, steepest, price_guess=price_guess, guess_rtol=error, drop=COARSE)
    return side.demand_if_funded(bracket.high), bracket.high
