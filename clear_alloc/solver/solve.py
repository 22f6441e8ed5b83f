"""One market, one pool: price it, round, repair the funded set, certify."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from clear_alloc.errors import TooLarge
from clear_alloc.market.market import Market
from clear_alloc.market.smooth_demand import SmoothDemand
from clear_alloc.solver.dual import DualBound, tightest
from clear_alloc.solver.pricing.clearing import Clearing, Status, cleared, clearing_price, full_clearing
from clear_alloc.solver.pricing.sampled import SAMPLED_FROM, sampled_clearing
from clear_alloc.solver.primal.sampled_rounding import sampled_solution
from clear_alloc.solver.primal.solution import (
    FundedSet,
    Solution,
    evaluate,
    floor_solution,
    spend_all,
    total_charge,
)
from clear_alloc.solver.primal.water_filling import greedy_funded_set, refill_funded
from clear_alloc.solver.repair.core import improved_funded_sets
from clear_alloc.solver.repair.split_query import MOST_QUERIES, split_query, split_query_bound
from clear_alloc.solver.repair.state_lists import Knapsack, applied, best_choices, choice_classes
from clear_alloc.solver.split_bounds import splits_dominated
from clear_alloc.solver.splits import proportional_solution, uniform_solution

__all__ = [
    "Filler",
    "Refill",
    "SolveResult",
    "best_combination",
    "improved",
    "price_and_bound",
    "priced_only",
    "solve",
]

_MOST_FINITE = 2_000  # queries; of more, what a better combination adds is not worth the search
_MOST_SMOOTH = 32  # queries among which there are smooth curves, whose whole caps are then tried one by one
_MOST_CELLS = 1e6  # caps x budget of small plain cases, which state lists settle in a few milliseconds
_WORTH_A_SEARCH = 1e-7  # of the upper bound: a smaller gap is left as it is
_ENOUGH = 1e-9  # of the upper bound: a solution this close to it is not improved
_ENOUGH_SAMPLED = 1e-8  # the same for very many queries, where the rest takes many times as long
_ROUNDING = 1e-12  # of the pool: what a sum of charges may be off by

Refill = Callable[[FundedSet, tuple[int, float] | None], Solution | None]
Filler = Callable[[Market, float, float], Refill]  # of a market at a price, for a pool


class SolveResult(NamedTuple):
    """The best solution found, the price that explains it, and the lowest dual value seen."""

    solution: Solution
    clearing: Clearing
    bound: DualBound


def solve(market: Market, pool: float, price_guess: float = 0.0) -> SolveResult:
    """Spend at most `pool` budget units, which the floors must fit. price_guess : 0 for none."""
    if len(market) > SAMPLED_FROM:
        sampled, clearing, bound = _sampled(market, pool, price_guess)
        if sampled is not None:
            return SolveResult(sampled, clearing, bound)
    else:
        clearing, bound = price_and_bound(market, pool, price_guess)
    side = market.divisible
    if clearing.status is Status.SLACK and side is not None and len(market.demands) == 1:
        solution = evaluate(market, [side.everything()])
        if total_charge(market, solution) <= pool:
            return SolveResult(solution, clearing, bound)
    solutions, bound = improved(market, clearing, bound, pool)
    if total_charge(market, solutions[-1]) > pool:  # by rounding: charges were summed in another order
        solutions, _ = improved(market, clearing, bound, pool * (1.0 - _ROUNDING))
    solution = solutions[-1]
    # A split of caps that are charged as they are is found at once; others are ruled out where that is cheap.
    if market.plain or not splits_dominated(market, pool, bound.price, bound.value - solution.utility):
        solution = _not_below_splits(market, solution, pool)
    return SolveResult(solution, clearing, bound)


def _sampled(market: Market, pool: float, price_guess: float) -> tuple[Solution | None, Clearing, DualBound]:
    """Very many queries: what a few passes find, if it certifies itself and no even split can match it."""
    found = sampled_clearing(market, pool, price_guess)
    clearing = full_clearing(market, pool, price_guess) if found is None else cleared(found[0])
    rounded = None if found is None else sampled_solution(clearing, found[1], pool)
    if rounded is None:
        return None, clearing, _bound_at(market, clearing.price, pool)
    bound, solution = DualBound(rounded.dual_value, clearing.price, market), rounded.solution
    if solution.utility < (1.0 - _ENOUGH_SAMPLED) * bound.value or total_charge(market, solution) > pool:
        return None, clearing, bound
    if not splits_dominated(market, pool, clearing.price, bound.value - solution.utility):
        solution = _not_below_splits(market, solution, pool)
    return solution, clearing, bound


def price_and_bound(market: Market, pool: float, price_guess: float = 0.0) -> tuple[Clearing, DualBound]:
    """The clearing price of a pool, and the dual value there, as low as it gets but for rounding. O(n) a pass."""
    clearing = clearing_price(market, pool, price_guess)
    return clearing, _bound_at(market, clearing.price, pool)


def _bound_at(market: Market, price: float, pool: float) -> DualBound:
    return DualBound(market.dual_bound(price, pool), price, market)


def priced_only(market: Market, pool: float, price_guess: float = 0.0) -> Solution:
    """What the price alone funds, filled up: near the best for many queries, and found in a few passes. O(n) each."""
    clearing = clearing_price(market, pool, price_guess)
    solution = refill_funded(market, greedy_funded_set(market, clearing, pool), pool, clearing.price)
    return solution or floor_solution(market)


def improved(
    market: Market, clearing: Clearing, bound: DualBound, pool: float, filler: Filler | None = None
) -> tuple[list[Solution], DualBound]:
    """What repair finds at a clearing price, a better one last, and the tightest bound seen.

    filler : how funded sets are filled, where not to the pool.
    """
    within, inner = _within_reach(market, clearing, pool)
    if within is not market:
        bound = tightest([bound, _bound_at(within, inner.price, pool)])
    refill = (filler or _to_pool)(within, inner.price, pool)
    solution = _repaired(within, inner, pool, (1.0 - _ENOUGH) * bound.value, refill)
    rival = _combined(market, solution, bound, pool)
    return [solution] if rival is solution else [solution, rival], bound


def _to_pool(market: Market, price: float, pool: float) -> Refill:
    return lambda funded_set, fixed: refill_funded(market, funded_set, pool, price, fixed)


def _not_below_splits(market: Market, solution: Solution, pool: float) -> Solution:
    # Dominance is a promise, so the splits are always candidates; what they leave is spent.
    rival = max((uniform_solution(market, pool), proportional_solution(market, pool)), key=lambda one: one.utility)
    return solution if solution.utility >= rival.utility else spend_all(market, rival, pool)


def _within_reach(market: Market, clearing: Clearing, pool: float) -> tuple[Market, Clearing]:
    """The market without caps that the pool could never pay, where leaving them in would mislead the repair."""
    free = pool - market.total_floor
    if not any(demand.exceeds(clearing.price, free) for demand in market.demands):
        return market, clearing
    within = market.without_unaffordable(free)
    return within, clearing_price(within, pool)


def _repaired(market: Market, clearing: Clearing, pool: float, enough: float, refill: Refill) -> Solution:
    """Fund the marginal queries, spend what is left at the margin, then try the core's alternatives.

    enough : utility at which nothing better is looked for.
    """
    funded_set = greedy_funded_set(market, clearing, pool)
    best = refill(funded_set, None) or floor_solution(market)
    if best.utility >= enough:
        return best
    best = _with_split_query(market, funded_set, best, pool, clearing.price, refill)
    extra = split_query_bound(market) if _may_split(market) else 0.0
    for rival_set, bound in improved_funded_sets(market, funded_set, clearing, pool, best.utility - extra):
        if bound + extra <= best.utility:
            break
        rival = refill(rival_set, None)
        if rival is not None:
            rival = _with_split_query(market, rival_set, rival, pool, clearing.price, refill)
            best = max(best, rival, key=lambda one: one.utility)
    return best


def _may_split(market: Market) -> bool:
    return market.divisible is not None and len(market) <= MOST_QUERIES and bool(len(market.divisible.convex))


def _with_split_query(
    market: Market, funded_set: FundedSet, solution: Solution, pool: float, price: float, refill: Refill
) -> Solution:
    """The better of a filled set and the same with one query's cap set free of the price."""
    if not _may_split(market):
        return solution
    fixed = split_query(market, funded_set, solution.utility, pool, price)
    rival = None if fixed is None else refill(funded_set, fixed)
    return rival if rival is not None and rival.utility > solution.utility else solution


def _combined(market: Market, solution: Solution, bound: DualBound, pool: float) -> Solution:
    """The best combination of finite choices, where those are all there is and the gap leaves room."""
    gap = bound.value - solution.utility
    if gap <= _WORTH_A_SEARCH * bound.value or not _within_lists(market, pool):
        return solution
    rival = best_combination(market, solution, bound, pool)
    return solution if rival is None else rival


def _within_lists(market: Market, pool: float) -> bool:
    side = market.divisible
    if side is None:
        return len(market) <= _MOST_FINITE
    if market.plain:
        return len(market) <= _MOST_FINITE and _cells(market, side, pool) <= _MOST_CELLS
    return len(market) <= _MOST_SMOOTH


def _cells(market: Market, side: SmoothDemand, pool: float) -> float:
    """Pairs of a budget and a whole cap that the lists of a plain case may have to look at."""
    free = max(min(pool, side.saturation) - market.total_floor, 0.0)
    sizes = np.sort(np.minimum(side.last_whole - side.floor, free) + 1.0)
    # The two largest are put together last, where only what fits the whole pool counts.
    return float((sizes[:-2].sum() + 1.0) * (free + 1.0) + sizes[-2:].sum())


def best_combination(
    market: Market, solution: Solution, bound: DualBound, pool: float, *, exact: bool = False
) -> Solution | None:
    """A better solution out of every whole choice that the gap leaves open, if there is one.

    exact : whether TooLarge is raised where not all of them can be looked at.
    """
    gap, alike = bound.value - solution.utility, np.ones(len(market))
    try:
        classes = choice_classes(bound.market, alike, bound.price * alike, gap, pool * alike)
    except TooLarge:
        if exact:
            raise
        return None
    chosen = best_choices(Knapsack(pool, charge_rise=bound.price, classes=classes), gap, exact=exact)
    rival = solution if chosen is None else applied(market, solution, classes, chosen)
    return rival if rival.utility > solution.utility and total_charge(market, rival) <= pool else None
