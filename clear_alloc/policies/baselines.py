"""Policies to compare with, called and answering like `allocate`: uniform, proportional, cutoff-plus-pad, exact."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Unpack

import numpy as np
import numpy.typing as npt

from clear_alloc.allocation.result import Allocation, allocation_of
from clear_alloc.curves import Array
from clear_alloc.errors import InvalidArgument, NotSupported
from clear_alloc.market.market import Market
from clear_alloc.market.problem import CurvesLike, read_problem
from clear_alloc.market.terms import AllocateKwargs, AllocateOptions
from clear_alloc.solver.chance.margin import margin_of
from clear_alloc.solver.chance.margin_search import solve_with_margin
from clear_alloc.solver.primal.solution import Solution, charge_per_query
from clear_alloc.solver.solve import best_combination, price_and_bound, solve
from clear_alloc.solver.splits import proportional_solution, solution_within, uniform_solution

__all__ = ["cutoff_plus_pad", "exact", "proportional", "uniform"]

_NO_GAP = 1e-15  # of the upper bound: nothing better can be told apart from rounding
_PADS = 96  # pads tried, evenly spaced on a logarithmic scale


def uniform(curves: CurvesLike, budget: float, **options: Unpack[AllocateKwargs]) -> Allocation:
    """One cap for everybody, budget // n; a query whose ceiling is lower gets its ceiling and no more.

    Where caps aren't charged as they are, the largest common cap that fits the budget.

    Arguments, result and errors are those of `allocate`; `price` is NaN. O(n), and a clearing for the bound.
    """
    return _baseline("uniform", uniform_solution, curves, budget, options)


def proportional(curves: CurvesLike, budget: float, **options: Unpack[AllocateKwargs]) -> Allocation:
    """Caps proportional to the emergence threshold (log-normal: to the median; menus: to the cheapest useful option).

    Arguments, result and errors are those of `allocate`; `price` is NaN. O(n), and a clearing for the bound.
    """
    return _baseline("proportional", proportional_solution, curves, budget, options)


def cutoff_plus_pad(curves: CurvesLike, budget: float, **options: Unpack[AllocateKwargs]) -> Allocation:
    """Fund queries in order of threshold with threshold + pad tokens while the budget lasts; the best pad wins.

    With alpha and beta shared by all queries this is what the policy of Wan et al. 2026 comes down to. The pad is
    tuned on the curves themselves, over 96 pads. Weights and peaks influence the tuning, not the order.
    Arguments, result and errors are those of `allocate`; `price` is NaN. O(n log n + 96 n).
    """
    return _baseline("cutoff_plus_pad", _best_pad, curves, budget, options)


def exact(curves: CurvesLike, budget: float, **options: Unpack[AllocateKwargs]) -> Allocation:
    """The best whole caps there are: every choice that the certified gap leaves open is looked at; small cases only.

    Arguments and result are those of `allocate`, without a margin (`overrun=0.5`) under expected accounting. Raises
    TooLarge where lists of undominated states pass 20,000, or more than 512 smooth curves or 131,072 caps are open.
    """
    return _baseline("exact", _exact, curves, budget, options)


def _baseline(
    name: str,
    rule: Callable[[Market, float], Solution],
    curves: CurvesLike,
    budget: float,
    options: AllocateKwargs,
) -> Allocation:
    unknown = sorted(set(options) - set(AllocateOptions.__dataclass_fields__))
    if unknown:
        raise TypeError(f"{name}() got an unexpected keyword argument {unknown[0]!r}")
    if budget is None:
        raise InvalidArgument("budget", None, "a finite number of tokens, >= 0", "pass the size of the pool")
    problem = read_problem(curves, budget, AllocateOptions(**options))
    market, pool, z_score = problem.market, problem.pool, problem.z_score
    solution = rule(market, pool)
    if z_score:
        if name == "exact":
            raise NotSupported("the exact programme holds no margin back; pass overrun=0.5, or use ca.allocate")
        solution = solve_with_margin(market, pool, z_score, partial(rule, market), solution)
    clearing, bound = price_and_bound(market, pool - margin_of(market, solution, z_score))
    return allocation_of(problem, name, solution, clearing, bound)


def _exact(market: Market, budget: float) -> Solution:
    solution, _, bound = solve(market, budget)
    if bound.value - solution.utility <= _NO_GAP * bound.value:
        return solution
    return best_combination(market, solution, bound, budget, exact=True) or solution


def _best_pad(market: Market, budget: float) -> Solution:
    if not len(market):
        return uniform_solution(market, budget)
    threshold = np.ceil(market.curves.emergence)
    order = np.argsort(threshold, kind="stable")
    most = max(budget, 1.0) if market.plain else np.inf
    widest = float(np.clip(np.max(market.curves.ceiling - threshold), 1.0, most))
    pads = np.unique(np.round(np.geomspace(1.0, widest, _PADS)))
    solutions = (_first_who_fit(market, threshold + pad, order, budget) for pad in pads)
    return max(solutions, key=lambda one: one.utility)


def _first_who_fit(market: Market, caps: Array, order: npt.NDArray[np.intp], budget: float) -> Solution:
    """Caps in order while the budget lasts, the floor for everybody else."""
    floor = np.maximum(market.caps.floor, market.default_tokens)
    wanted = np.maximum(np.minimum(caps, market.caps.high), floor)
    # What each query would be charged if all were funded; a plain cap in full, used or not.
    charge = wanted if market.plain else charge_per_query(market, solution_within(market, wanted))
    base = floor if market.plain else market.least
    charge = np.maximum(charge, base)
    spent = base.sum() + np.cumsum((charge - base)[order])
    # Where a cap is not charged as it is, an option that the floor's tokens cover may cost more than the base.
    limits = floor.copy() if market.plain else np.zeros(len(market))
    funded = order[: int(np.searchsorted(spent, budget, side="right"))]
    limits[funded] = wanted[funded]
    return solution_within(market, limits)
