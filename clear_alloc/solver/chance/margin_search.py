"""The margin that expected accounting holds back, so that the real sum passes the budget no oftener than agreed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clear_alloc.curves import Charged
from clear_alloc.errors import BudgetTooSmall
from clear_alloc.market.market import Market
from clear_alloc.solver.chance.sum_distribution import margin_from_moments, upper_quantile
from clear_alloc.solver.primal.water_filling import FundedSet, Solution, floor_solution, refill_funded, total_charge

__all__ = ["CLOSE", "deviation_of", "margin_of", "scaled_margin", "solve_at_multiple", "solve_with_margin"]

_ROUNDS = 4  # of measuring the margin anew; two are usual
_TRIES = 4  # to find the pool that leaves room for it; one or two are usual
_REFILLS = 10
_LUMPY = 16  # queries; of fewer, single ones move the margin so much that others may have to be funded
CLOSE = 2e-3  # of the margin: less than that is not worth another round


def deviation_of(market: Market, grant: Solution) -> float:
    """Standard deviation of what a grant will cost in the end, budget units: queries are independent. O(n)."""
    if market.tariff.accounting == "reserved":
        return 0.0
    (smooth,) = market.smooth.totals(grant.caps, Charged.variance)
    return float(np.sqrt(smooth + (market.menus.deviation_of(grant.chosen) ** 2).sum()))


def margin_of(market: Market, grant: Solution, z_score: float) -> float:
    """Budget units to hold back, so that the sum passes them as rarely as a normal one does so many deviations.

    O(n), and the time of a few hundred Fourier transforms where the uncertain queries are few.
    """
    if z_score <= 0.0:
        return 0.0
    quantile = upper_quantile(market, grant, z_score)
    if quantile is None:
        return _from_moments(market, grant, z_score)
    return max(min(quantile - total_charge(market, grant), _worst_case_slack(market, grant)), 0.0)


def _from_moments(market: Market, grant: Solution, z_score: float) -> float:
    smooth = market.smooth
    caps, of_menus = grant.caps, market.menus.deviation_of(grant.chosen) ** 2
    variance, third = smooth.totals(caps, Charged.variance, Charged.third_moment)
    largest = max(smooth.largest(caps, Charged.variance), float(of_menus.max(initial=0.0)))
    moments = (np.asarray(x) for x in (variance + of_menus.sum(), third, largest, _worst_case_slack(market, grant)))
    return float(margin_from_moments(z_score, *moments))


def _worst_case_slack(market: Market, grant: Solution) -> float:
    (worst,) = market.smooth.totals(grant.caps, Charged.most)
    return worst + float(market.menus.most_of(grant.chosen).sum()) - total_charge(market, grant)


def scaled_margin(market: Market, grant: Solution, multiple: float) -> float:
    """So many deviations, but no more than the room; with the multiple of a like grant nearly its margin. O(n)."""
    if multiple <= 0.0:
        return 0.0
    return max(min(multiple * deviation_of(market, grant), _worst_case_slack(market, grant)), 0.0)


def _multiple(market: Market, grant: Solution, margin: float, z_score: float) -> float:
    """A margin in deviations of the grant's own sum; those of a normal one where nothing is uncertain."""
    deviation = deviation_of(market, grant)
    return margin / deviation if deviation > 0.0 else z_score


def solve_with_margin(
    market: Market,
    pool: float,
    z_score: float,
    rule: Callable[[float, float], Solution],
    rough: Callable[[float], Solution] | None = None,
) -> Solution:
    """The best grant of `rule` whose charge and margin fit the pool together.

    rule : what to do with a pool if the margin is a multiple of the deviation; see `solve_at_multiple`. rough : something
    like it that is faster, to guess the first multiple; where there is one, who is funded stays as the first round
    found it. The multiple hardly moves, so few rounds are enough.
    Raises BudgetTooSmall where the floors and their margin don't fit.
    """
    floors = floor_solution(market)
    needed = market.total_floor + margin_of(market, floors, z_score)
    if needed > pool:
        raise BudgetTooSmall(
            market.tariff.unit * needed,
            market.tariff.unit * pool,
            "min_tokens and their margin",
            market.tariff.counted_in,
        )
    best, first = floors, rule(pool, 0.0) if rough is None else rough(pool)
    multiple = _multiple(market, first, margin_of(market, first, z_score), z_score)
    stays, grant = rough is not None and len(market) > _LUMPY, None
    for _ in range(_ROUNDS):
        same = _refill_with_margin(market, grant, pool, multiple) if stays and grant is not None else None
        grant = rule(pool, multiple) if same is None else same
        margin = margin_of(market, grant, z_score)
        left = pool - total_charge(market, grant) - margin
        if left >= 0.0:
            best = max(best, grant, key=lambda g: g.utility)
            if left <= CLOSE * margin:
                break
        # A hair more than is needed, or the last round would end just outside; more still if that keeps happening.
        hair = 1.0 + 0.1 * CLOSE if left >= 0.0 or best is floors else 1.0 + CLOSE
        multiple = hair * _multiple(market, grant, margin, z_score)
    return best


def solve_at_multiple(
    market: Market,
    pool: float,
    multiple: float,
    rule: Callable[[float], Solution],
    rough: Callable[[float], Solution],
    *,
    topped_up: bool = True,
) -> Solution:
    """What `rule` makes of a pool that also has to hold a margin of `multiple` deviations.

    topped_up : whether what the rule leaves is spent on who is funded.
    """
    low, high = market.total_floor, pool
    own, best = pool, floor_solution(market)
    for _ in range(_TRIES):
        own = max(pool - scaled_margin(market, rough(own), multiple), market.total_floor)
    for _ in range(_TRIES):
        grant = rule(own)
        needed = scaled_margin(market, grant, multiple)
        left = pool - total_charge(market, grant) - needed
        if left >= 0.0:
            best, low = max(best, grant, key=lambda g: g.utility), max(low, own)
        else:
            high = min(high, own)
        if 0.0 <= left <= CLOSE * needed or high - low <= CLOSE * needed or (left >= 0.0 and own >= pool):
            break
        # The margin moves by a small part of what the pool moves, unless single queries jump: then halve.
        own = pool - needed
        if not low < own < high:
            own = 0.5 * (low + high)
    same = _refill_with_margin(market, best, pool, multiple) if topped_up else None
    return best if same is None else max(best, same, key=lambda g: g.utility)


def _refill_with_margin(market: Market, grant: Solution, pool: float, multiple: float) -> Solution | None:
    """The same queries funded, with what the pool has for them and their margin; None if that can't be had.

    Their caps, and so the margin, move without a jump.
    """
    plan = FundedSet(grant.caps > market.smooth.floor, grant.chosen)
    low, high, best = 0.0, pool, None
    own = pool - scaled_margin(market, grant, multiple)
    for _ in range(_REFILLS):
        rival = refill_funded(market, plan, own, 0.0)
        if rival is None:
            return best
        needed = scaled_margin(market, rival, multiple)
        left = pool - total_charge(market, rival) - needed
        if left >= 0.0:
            low, best = own, rival
        else:
            high = own
        if 0.0 <= left <= 0.1 * CLOSE * needed or high - low <= 0.1 * CLOSE * needed:
            break
        own = pool - needed * (1.0 + 0.01 * CLOSE)
        if not low < own < high:
            own = 0.5 * (low + high)
    return best
