"""One market, one pool: clear it, repair the funded set, certify."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clear_alloc.market.market import Market
from clear_alloc.solver.dual import DualBound, bound_at, tightest
from clear_alloc.solver.pricing.clearing import Clearing, Status, cleared, clearing_price, full_clearing
from clear_alloc.solver.pricing.sampled import SAMPLED_FROM, sampled_clearing
from clear_alloc.solver.primal.sampled_rounding import sampled_solution
from clear_alloc.solver.primal.water_filling import (
    Solution,
    evaluate,
    floor_solution,
    greedy_funded_set,
    refill_funded,
    total_charge,
)
from clear_alloc.solver.repair.core import improved_funded_sets
from clear_alloc.solver.repair.exact_table import exact_solution, table_cells
from clear_alloc.solver.repair.split_query import split_query_bound, with_split_query
from clear_alloc.solver.repair.state_lists import Knapsack, applied, best_choices, choice_classes
from clear_alloc.solver.splits import proportional_solution, splits_dominated, uniform_solution

__all__ = ["EXACT_CELLS", "SolveResult", "price_and_bound", "priced_only", "solve"]

EXACT_CELLS = 1e6  # up to this size the integer dynamic programme is as fast as the repair: about 5 ms
_MOST_MENUS = 2_000  # queries; of more, what a better combination adds is not worth the search
_MOST_SMOOTH = 32  # queries among which there are smooth curves, whose whole caps are then tried one by one
_WORTH_A_SEARCH = 1e-7  # of the upper bound: a smaller gap is left as it is
_ENOUGH = 1e-9  # of the upper bound: a grant this close to it is not improved
_ENOUGH_OF_CROWD = 1e-8  # the same for very many queries, where the rest takes many times as long
_ROUNDING = 1e-12  # of the pool: what a sum of charges may be off by


class SolveResult(NamedTuple):
    """The best grant found, the price that explains it, and the lowest dual value seen."""

    grant: Solution
    clearing: Clearing
    bound: DualBound


def solve(market: Market, pool: float, price_guess: float = 0.0) -> SolveResult:
    """Spend at most `pool` budget units, which the floors must fit. price_guess : a guess of the price, 0 for none."""
    if len(market) > SAMPLED_FROM:
        quick, clearing, bound = _of_crowd(market, pool, price_guess)
        if quick is not None:
            return SolveResult(quick, clearing, bound)
    else:
        clearing, bound = price_and_bound(market, pool, price_guess)
    if clearing.status is Status.SLACK and not len(market.menus):
        grant = _all_that_is_useful(market)
        if total_charge(market, grant) <= pool:
            return SolveResult(grant, clearing, bound)
    grant, own = _best(market, clearing, bound, pool)
    if total_charge(market, grant) > pool:  # by rounding: charges were summed in another order
        grant, _ = _best(market, clearing, bound, pool * (1.0 - _ROUNDING))
    bound = tightest([bound, *own])
    return SolveResult(_combined(market, grant, bound, pool), clearing, bound)


def _all_that_is_useful(market: Market) -> Solution:
    """Everybody's largest useful whole cap: nothing is worth more."""
    smooth = market.smooth
    return evaluate(market, np.where(smooth.entry_price > 0.0, smooth.last_whole, smooth.floor), market.menus.base)


def _of_crowd(market: Market, pool: float, price_guess: float) -> tuple[Solution | None, Clearing, DualBound]:
    """Very many queries: what a few passes find, if it certifies itself and no even split can match it."""
    found = sampled_clearing(market, pool, price_guess)
    if found is None:
        clearing = full_clearing(market, pool, price_guess)
        return None, clearing, bound_at(market, clearing.price, pool)
    clearing = cleared(found[0])
    quick = sampled_solution(market, clearing, found[1], pool)
    if quick is None:
        return None, clearing, bound_at(market, clearing.price, pool)
    bound, grant = DualBound(quick.dual_value, clearing.price, market), quick.grant
    if grant.utility < (1.0 - _ENOUGH_OF_CROWD) * bound.value or total_charge(market, grant) > pool:
        return None, clearing, bound
    if not splits_dominated(market, pool, clearing.price, bound.value - grant.utility):
        rivals = (uniform_solution(market, pool), proportional_solution(market, pool))
        grant = max((grant, *rivals), key=lambda g: g.utility)
    return grant, clearing, bound


def price_and_bound(market: Market, pool: float, price_guess: float = 0.0) -> tuple[Clearing, DualBound]:
    """The clearing price of a pool, and the dual value there, as low as it gets but for rounding. O(n) a pass."""
    clearing = clearing_price(market, pool, price_guess)
    return clearing, bound_at(market, clearing.price, pool)


def priced_only(market: Market, pool: float, price_guess: float = 0.0) -> Solution:
    """What the price alone funds, filled up: near the best for many queries, and found in a few passes. O(n) each."""
    clearing = clearing_price(market, pool, price_guess)
    grant = refill_funded(market, greedy_funded_set(market, clearing, pool), pool, clearing.price)
    return grant or floor_solution(market)


def _best(market: Market, clearing: Clearing, bound: DualBound, pool: float) -> tuple[Solution, list[DualBound]]:
    if market.tariff.plain and table_cells(market, pool) <= EXACT_CELLS:
        return exact_solution(market, pool), []
    within, own = _within_reach(market, clearing, pool)
    tighter = bound if within is market else bound_at(within, own.price, pool)
    enough = (1.0 - _ENOUGH) * min(bound.value, tighter.value)
    grant = _repaired(within, own, pool, enough)
    # Dominance is a promise, so the baselines are always candidates.
    rivals = (uniform_solution(market, pool), proportional_solution(market, pool))
    return max((grant, *rivals), key=lambda g: g.utility), [tighter]


def _combined(market: Market, grant: Solution, bound: DualBound, pool: float) -> Solution:
    """The best combination of finite choices, where those are all there is and the gap leaves room."""
    gap = bound.value - grant.utility
    most = _MOST_MENUS if not len(market.smooth) else 0 if market.tariff.plain else _MOST_SMOOTH
    if len(market) > most or gap <= _WORTH_A_SEARCH * bound.value:
        return grant
    alike = np.ones(len(market))
    items = choice_classes(bound.market, alike, bound.price * alike, gap, pool * alike)
    if items is None:
        return grant
    places = best_choices(Knapsack(pool, charge_rise=bound.price, items=items), gap)
    rival = grant if places is None else applied(market, grant, items, places)
    return rival if rival.utility > grant.utility and total_charge(market, rival) <= pool else grant


def _within_reach(market: Market, clearing: Clearing, pool: float) -> tuple[Market, Clearing]:
    """The market without caps that the pool could never pay, where leaving them in would mislead the repair."""
    free = pool - market.total_floor
    smooth, steps = market.smooth, market.menus.steps
    target = smooth.charge(smooth.demand_if_funded(clearing.price)) - smooth.floor_charge
    if not ((target > free).any() or (steps.cost > free).any()):
        return market, clearing
    within = market.without_unaffordable(free)
    return within, clearing_price(within, pool)


def _repaired(market: Market, clearing: Clearing, pool: float, enough: float) -> Solution:
    """Fund the marginal queries, spend what is left at the margin, then try the core's alternatives.

    enough : utility at which nothing better is looked for.
    """
    plan = greedy_funded_set(market, clearing, pool)
    best = refill_funded(market, plan, pool, clearing.price)
    if best is None:
        best = floor_solution(market)
    if best.utility >= enough:
        return best
    best = with_split_query(market, plan, best, pool, clearing.price)
    extra = split_query_bound(market)
    for rival, bound in improved_funded_sets(market, plan, clearing, pool, best.utility - extra):
        if bound + extra <= best.utility:
            break
        grant = refill_funded(market, rival, pool, clearing.price)
        if grant is not None:
            grant = with_split_query(market, rival, grant, pool, clearing.price)
            best = max(best, grant, key=lambda g: g.utility)
    return best
