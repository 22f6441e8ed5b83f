"""The one search for a margin: caps whose charge and margin fit the pool together."""

from __future__ import annotations

import math
from collections.abc import Callable

from clear_alloc.errors import BudgetTooSmall
from clear_alloc.market.market import Market
from clear_alloc.solver.chance.margin import margin_in_deviations, margin_of, scaled_margin
from clear_alloc.solver.primal.solution import Solution, floor_solution, total_charge

__all__ = ["CLOSE", "solve_at_multiple", "solve_with_margin"]

CLOSE = 1e-4  # of the margin: less than that is not worth another round
_ROUNDS = 6  # of measuring the margin anew; two are usual
_TRIES = 6  # of a pool that leaves room for a margin; two are usual


def solve_with_margin(
    market: Market, pool: float, z_score: float, rule: Callable[[float, Solution], Solution], first: Solution
) -> Solution:
    """The best solution of `rule` whose charge and margin fit the pool together.

    rule : what to do if the margin is a multiple of the deviation, near the solution before. first : a solution of
    like deviation and skewness, from which the first multiple is taken. The multiple hardly moves, so that few rounds
    are enough. Raises BudgetTooSmall where the floors and their margin don't fit.
    """
    best = floor_solution(market)
    needed = market.total_floor + margin_of(market, best, z_score)
    if needed > pool:
        unit, counted_in = market.tariff.unit, market.tariff.counted_in
        raise BudgetTooSmall(unit * needed, unit * pool, "min_tokens and their margin", counted_in)
    low, high = 0.0, math.inf  # multiples that were too small, and enough
    solution, margin, hair = first, margin_of(market, first, z_score), 1.0
    for _ in range(_ROUNDS):
        multiple = hair * margin_in_deviations(market, solution, margin, z_score)
        if not low < multiple < high:
            multiple = 0.5 * (low + high) if high < math.inf else 1.01 * low
        solution = rule(multiple, solution)
        margin = margin_of(market, solution, z_score)
        left = pool - total_charge(market, solution) - margin
        low, high = (low, min(high, multiple)) if left >= 0.0 else (max(low, multiple), high)
        if left >= 0.0:
            best = max(best, solution, key=lambda one: one.utility)
            if left <= CLOSE * margin:
                break
        # A hair more than is needed, or the next round would end just outside; more still if that keeps happening.
        hair = 1.0 + 0.1 * CLOSE if left >= 0.0 else hair * (1.0 + 0.3 * CLOSE)
    return best


def solve_at_multiple(
    market: Market,
    pool: float,
    multiple: float,
    margin: float,
    rule: Callable[[float], Solution | None],
    rtol: float = 0.1 * CLOSE,
) -> Solution | None:
    """The best that `rule` makes of a smaller pool, so that `multiple` deviations fit beside it; None if it can't.

    margin : a guess of what they come to. Where caps move without a jump with the pool, so does the margin.
    rtol : of the margin, how much of it may stay unspent.
    """
    low, high, best = market.total_floor, pool, None
    inner = max(pool - margin, low)
    before: tuple[float, float] | None = None  # the last pool, and by how much it was too large
    for _ in range(_TRIES):
        solution = rule(inner)
        if solution is None:
            if inner >= high:
                return best
            low, inner = inner, 0.5 * (inner + high)
            continue
        needed = scaled_margin(market, solution, multiple)
        left = pool - total_charge(market, solution) - needed
        if left >= 0.0:
            low, best = max(low, inner), max(best or solution, solution, key=lambda one: one.utility)
        else:
            high = min(high, inner)
        close = max(rtol * needed, market.least_step)
        if 0.0 <= left <= close or high - low <= close:
            break
        # Where a larger pool needs a larger margin, a secant arrives in one step where repeating takes many.
        short = inner + needed - pool
        slope = (short - before[1]) / (inner - before[0]) if before is not None and inner != before[0] else 1.0
        before = inner, short
        inner -= short / max(slope, 1.0) + 0.5 * close
        if not low < inner < high:
            inner = 0.5 * (low + high)
    return best
