"""The one search for a margin: what a rule makes of a smaller pool, so that its margin fits beside it."""

from __future__ import annotations

from collections.abc import Callable

from clear_alloc.errors import BudgetTooSmall
from clear_alloc.market.market import Market
from clear_alloc.solver.chance.margin import margin_of
from clear_alloc.solver.primal.solution import Solution, floor_solution, total_charge

__all__ = ["CLOSE", "check_floors", "solve_with_margin", "solve_within"]

CLOSE = 1e-4  # of the margin: less than that is not worth another round


def check_floors(market: Market, pool: float, z_score: float) -> Solution:
    """The floors as a solution; BudgetTooSmall where they and their margin don't fit."""
    floors = floor_solution(market)
    needed = market.total_floor + margin_of(market, floors, z_score)
    if needed > pool:
        unit, counted_in = market.tariff.unit, market.tariff.counted_in
        raise BudgetTooSmall(unit * needed, unit * pool, "min_tokens and their margin", counted_in)
    return floors


def solve_with_margin(
    market: Market, pool: float, z_score: float, rule: Callable[[float], Solution | None], near: Solution
) -> Solution:
    """The best that `rule` makes of a smaller pool, charge and margin within `pool`; the floors if nothing fits.

    near : a solution whose margin is about that of the answer. A few evaluations of the rule and of exact margins.
    """
    floors = check_floors(market, pool, z_score)
    found = solve_within(
        market, pool, lambda solution: margin_of(market, solution, z_score), margin_of(market, near, z_score), rule
    )
    return floors if found is None else found


def solve_within(
    market: Market,
    pool: float,
    held: Callable[[Solution], float],
    margin: float,
    rule: Callable[[float], Solution | None],
    rtol: float = CLOSE,
    tries: int = 8,
) -> Solution | None:
    """The best that `rule` makes of a smaller pool, so that what is `held` back fits beside it; None if it can't.

    held : the margin that a solution needs, exact or nearly so. margin : a guess of it. rtol : of the margin, how
    much may stay unspent. tries : three are usual. Where caps move without a jump with the pool, so does the margin.
    """
    low, high, best = market.total_floor, pool, None
    inner = max(pool - margin, low)
    before: tuple[float, float] | None = None  # the last pool, and by how much it was too large
    for _ in range(tries):
        solution = rule(inner)
        if solution is None:
            if inner >= high:
                return best
            low, inner = inner, 0.5 * (inner + high)
            continue
        needed = held(solution)
        left = pool - total_charge(market, solution) - needed
        if left >= 0.0:
            if best is not None and solution.utility == best.utility:
                break  # what is left buys nothing
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
