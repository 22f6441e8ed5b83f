"""One market, one pool: clear it, repair the funded set, certify."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clear_alloc.between import convex_worth, with_one_between
from clear_alloc.combine import Box, applied, best_combination, items_of
from clear_alloc.core import improved_plans
from clear_alloc.crowd import CROWD_FROM, clear_crowd
from clear_alloc.dynamic import exact_grant, table_cells
from clear_alloc.market import Market
from clear_alloc.plan import Grant, fill, floors_of, grant_of, greedy_plan, spent_of
from clear_alloc.price import Clearing, Status, cleared, clearing_price, everybodys_price
from clear_alloc.quick import quick_grant
from clear_alloc.result import Bound, bound_at, lowest
from clear_alloc.simple import falls_short, proportional_grant, uniform_grant

__all__ = ["EXACT_CELLS", "Solved", "certified", "roughly", "solve"]

EXACT_CELLS = 1e6  # up to this size the integer dynamic programme is as fast as the repair: about 5 ms
_MOST_MENUS = 2_000  # queries; of more, what a better combination adds is not worth the search
_MOST_SMOOTH = 32  # queries among which there are smooth curves, whose whole caps are then tried one by one
_WORTH_A_SEARCH = 1e-7  # of the upper bound: a smaller gap is left as it is
_ENOUGH = 1e-9  # of the upper bound: a grant this close to it is not improved
_ENOUGH_OF_CROWD = 1e-8  # the same for very many queries, where the rest takes many times as long
_ROUNDING = 1e-12  # of the pool: what a sum of charges may be off by


class Solved(NamedTuple):
    """The best grant found, the price that explains it, and the lowest dual value seen."""

    grant: Grant
    clearing: Clearing
    bound: Bound


def solve(market: Market, pool: float, near: float = 0.0) -> Solved:
    """Spend at most `pool` budget units, which the floors must fit. near : a guess of the price, 0 for none."""
    if len(market) > CROWD_FROM:
        quick, clearing, bound = _of_crowd(market, pool, near)
        if quick is not None:
            return Solved(quick, clearing, bound)
    else:
        clearing, bound = certified(market, pool, near)
    if clearing.status is Status.SLACK and not len(market.menus):
        grant = _all_that_is_useful(market)
        if spent_of(market, grant) <= pool:
            return Solved(grant, clearing, bound)
    grant, own = _best(market, clearing, bound, pool)
    if spent_of(market, grant) > pool:  # by rounding: charges were summed in another order
        grant, _ = _best(market, clearing, bound, pool * (1.0 - _ROUNDING))
    bound = lowest([bound, *own])
    return Solved(_combined(market, grant, bound, pool), clearing, bound)


def _all_that_is_useful(market: Market) -> Grant:
    """Everybody's largest useful whole cap: nothing is worth more."""
    smooth = market.smooth
    return grant_of(market, np.where(smooth.entry_price > 0.0, smooth.last_whole, smooth.floor), market.menus.base)


def _of_crowd(market: Market, pool: float, near: float) -> tuple[Grant | None, Clearing, Bound]:
    """Very many queries: what a few passes find, if it certifies itself and no even split can match it."""
    found = clear_crowd(market, pool, near)
    if found is None:
        clearing = everybodys_price(market, pool, near)
        return None, clearing, bound_at(market, clearing.price, pool)
    clearing = cleared(found[0])
    quick = quick_grant(market, clearing, found[1], pool)
    if quick is None:
        return None, clearing, bound_at(market, clearing.price, pool)
    bound, grant = Bound(quick.dual_value, clearing.price, market), quick.grant
    if grant.utility < (1.0 - _ENOUGH_OF_CROWD) * bound.value or spent_of(market, grant) > pool:
        return None, clearing, bound
    if not falls_short(market, pool, clearing.price, bound.value - grant.utility):
        rivals = (uniform_grant(market, pool), proportional_grant(market, pool))
        grant = max((grant, *rivals), key=lambda g: g.utility)
    return grant, clearing, bound


def certified(market: Market, pool: float, near: float = 0.0) -> tuple[Clearing, Bound]:
    """The clearing price of a pool, and the dual value there, as low as it gets but for rounding. O(n) a pass."""
    clearing = clearing_price(market, pool, near)
    return clearing, bound_at(market, clearing.price, pool)


def roughly(market: Market, pool: float, near: float = 0.0) -> Grant:
    """What the price alone funds, filled up: near the best for many queries, and found in a few passes. O(n) each."""
    clearing = clearing_price(market, pool, near)
    grant = fill(market, greedy_plan(market, clearing, pool), pool, clearing.price)
    return grant or floors_of(market)


def _best(market: Market, clearing: Clearing, bound: Bound, pool: float) -> tuple[Grant, list[Bound]]:
    if market.tariff.plain and table_cells(market, pool) <= EXACT_CELLS:
        return exact_grant(market, pool), []
    within, own = _within_reach(market, clearing, pool)
    tighter = bound if within is market else bound_at(within, own.price, pool)
    enough = (1.0 - _ENOUGH) * min(bound.value, tighter.value)
    grant = _repaired(within, own, pool, enough)
    # Dominance is a promise, so the baselines are always candidates.
    rivals = (uniform_grant(market, pool), proportional_grant(market, pool))
    return max((grant, *rivals), key=lambda g: g.utility), [tighter]


def _combined(market: Market, grant: Grant, bound: Bound, pool: float) -> Grant:
    """The best combination of finite choices, where those are all there is and the gap leaves room."""
    gap = bound.value - grant.utility
    most = _MOST_MENUS if not len(market.smooth) else 0 if market.tariff.plain else _MOST_SMOOTH
    if len(market) > most or gap <= _WORTH_A_SEARCH * bound.value:
        return grant
    alike = np.ones(len(market))
    items = items_of(bound.market, alike, bound.price * alike, gap, pool * alike)
    if items is None:
        return grant
    places = best_combination(Box(pool, charge_rise=bound.price, items=items), gap)
    rival = grant if places is None else applied(market, grant, items, places)
    return rival if rival.utility > grant.utility and spent_of(market, rival) <= pool else grant


def _within_reach(market: Market, clearing: Clearing, pool: float) -> tuple[Market, Clearing]:
    """The market without caps that the pool could never pay, where leaving them in would mislead the repair."""
    free = pool - market.total_floor
    smooth, steps = market.smooth, market.menus.steps
    target = smooth.charge(smooth.wanted(clearing.price)) - smooth.floor_charge
    if not ((target > free).any() or (steps.cost > free).any()):
        return market, clearing
    within = market.within_means(free)
    return within, clearing_price(within, pool)


def _repaired(market: Market, clearing: Clearing, pool: float, enough: float) -> Grant:
    """Fund the marginal queries, spend what is left at the margin, then try the core's alternatives.

    enough : utility at which nothing better is looked for.
    """
    plan = greedy_plan(market, clearing, pool)
    best = fill(market, plan, pool, clearing.price)
    if best is None:
        best = floors_of(market)
    if best.utility >= enough:
        return best
    best = with_one_between(market, plan, best, pool, clearing.price)
    extra = convex_worth(market)
    for rival, bound in improved_plans(market, plan, clearing, pool, best.utility - extra):
        if bound + extra <= best.utility:
            break
        grant = fill(market, rival, pool, clearing.price)
        if grant is not None:
            grant = with_one_between(market, rival, grant, pool, clearing.price)
            best = max(best, grant, key=lambda g: g.utility)
    return best
