"""The margin that a solution needs, so that the real sum passes the budget no oftener than agreed."""

from __future__ import annotations

import numpy as np

from clear_alloc.market.market import Market
from clear_alloc.solver.chance.sum_distribution import margin_from_moments, upper_quantile
from clear_alloc.solver.primal.solution import Solution, total_charge

__all__ = ["deviation_of", "margin_in_deviations", "margin_of", "scaled_margin"]


def deviation_of(market: Market, solution: Solution) -> float:
    """Standard deviation of what a solution will cost in the end, budget units: queries are independent. O(n)."""
    if market.tariff.accounting == "reserved":
        return 0.0
    return float(np.sqrt(_sums(market, solution, "variance")[0]))


def margin_of(market: Market, solution: Solution, z_score: float) -> float:
    """Budget units to hold back, so that the sum passes them as rarely as a normal one does so many deviations.

    O(n), and the time of a few hundred Fourier transforms where the uncertain queries are few.
    """
    if z_score <= 0.0:
        return 0.0
    quantile = upper_quantile(market, solution, z_score)
    if quantile is None:
        return _margin_from_moments(market, solution, z_score)
    return max(min(quantile - total_charge(market, solution), _worst_case_slack(market, solution)), 0.0)


def scaled_margin(market: Market, solution: Solution, multiple: float) -> float:
    """So many deviations, but no more than the room; with the multiple of a like solution nearly its margin. O(n)."""
    if multiple <= 0.0:
        return 0.0
    return max(min(multiple * deviation_of(market, solution), _worst_case_slack(market, solution)), 0.0)


def margin_in_deviations(market: Market, solution: Solution, margin: float, z_score: float) -> float:
    """A margin in deviations of the solution's own sum; those of a normal one where nothing is uncertain."""
    deviation = deviation_of(market, solution)
    return margin / deviation if deviation > 0.0 else z_score


def _margin_from_moments(market: Market, solution: Solution, z_score: float) -> float:
    variance, third = _sums(market, solution, "variance", "third_moment")
    pairs = zip(market.demands, solution.decisions, strict=True)
    largest = max((demand.largest_variance(column) for demand, column in pairs), default=0.0)
    moments = (np.asarray(x) for x in (variance, third, largest, _worst_case_slack(market, solution)))
    return float(margin_from_moments(z_score, *moments))


def _worst_case_slack(market: Market, solution: Solution) -> float:
    return _sums(market, solution, "worst")[0] - total_charge(market, solution)


def _sums(market: Market, solution: Solution, *quantities: str) -> list[float]:
    pairs = zip(market.demands, solution.decisions, strict=True)
    columns = [demand.totals(column, *quantities) for demand, column in pairs]
    return [sum(column[k] for column in columns) for k in range(len(quantities))]
