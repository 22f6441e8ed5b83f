"""Policies to compare with, called and answering like `allocate`: uniform, proportional, cutoff-plus-pad, exact."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import Accounting, Array, require_reserved
from clear_alloc.dynamic import exact_grant, table_cells
from clear_alloc.errors import NotSupported, TooLarge
from clear_alloc.market import Market
from clear_alloc.plan import Grant
from clear_alloc.price import clearing_price
from clear_alloc.problem import CurvesLike, read_problem
from clear_alloc.result import Allocation, allocation_of, bound_at
from clear_alloc.simple import grant_within, proportional_grant, uniform_grant

__all__ = ["cutoff_plus_pad", "exact", "proportional", "uniform"]

MOST_CELLS = 2e8  # table cells of the exact programme: seconds of NumPy
_PADS = 96  # pads tried, evenly spaced on a logarithmic scale


class Options(TypedDict, total=False):
    """Keyword arguments of `allocate`, which every baseline takes too."""

    accounting: Accounting
    overrun: float
    min_tokens: npt.ArrayLike
    max_tokens: npt.ArrayLike | None
    levels: object
    ids: Iterable[Any] | None


def uniform(curves: CurvesLike, budget: float, **options: Unpack[Options]) -> Allocation:
    """One cap for everybody, budget // n; a query whose ceiling is lower gets its ceiling and no more.

    Arguments, result and errors are those of `allocate`; `price` is NaN. O(n), and a clearing for the bound.
    """
    return _baseline("uniform", uniform_grant, curves, budget, options)


def proportional(curves: CurvesLike, budget: float, **options: Unpack[Options]) -> Allocation:
    """Caps proportional to the emergence threshold (log-normal: to the median; menus: to the cheapest useful option).

    Arguments, result and errors are those of `allocate`; `price` is NaN. O(n), and a clearing for the bound.
    """
    return _baseline("proportional", proportional_grant, curves, budget, options)


def cutoff_plus_pad(curves: CurvesLike, budget: float, **options: Unpack[Options]) -> Allocation:
    """Fund queries in order of threshold with threshold + pad tokens while the budget lasts; the best pad wins.

    With alpha and beta shared by all queries this is what the policy of Wan et al. 2026 comes down to. The pad is
    tuned on the curves themselves, over 96 pads. Weights and peaks influence the tuning, not the order.
    Arguments, result and errors are those of `allocate`; `price` is NaN. O(n log n + 96 n).
    """
    return _baseline("cutoff_plus_pad", _cutoff_grant, curves, budget, options)


def exact(curves: CurvesLike, budget: float, **options: Unpack[Options]) -> Allocation:
    """The best whole caps there are, by integer dynamic programming; small cases only.

    Arguments and result are those of `allocate`; raises TooLarge above 2e8 table cells (caps x budget).
    """
    return _baseline("exact", _exact_grant, curves, budget, options)


def _baseline(
    name: str, rule: Callable[[Market, float], Grant], curves: CurvesLike, budget: float, options: Options
) -> Allocation:
    unknown = sorted(set(options) - set(Options.__annotations__))
    if unknown:
        raise TypeError(f"{name}() got an unexpected keyword argument {unknown[0]!r}")
    require_reserved(options.get("accounting", "reserved"))
    if options.get("levels") is not None:
        raise NotSupported("levels are not available in this version; offer the allowed caps as a ca.Menu instead")
    problem = read_problem(
        curves, budget, options.get("min_tokens", 0), options.get("max_tokens"), options.get("ids")
    )
    market, pool = problem.market, float(np.floor(problem.budget))
    clearing = clearing_price(market, pool)
    bound = bound_at(market, clearing.price, pool)
    return allocation_of(problem, name, rule(market, pool), clearing, bound)


def _exact_grant(market: Market, budget: float) -> Grant:
    cells = table_cells(market, budget)
    if cells > MOST_CELLS:
        raise TooLarge(cells, MOST_CELLS, "use ca.allocate, whose certificate bounds its distance to the optimum")
    return exact_grant(market, budget)


def _cutoff_grant(market: Market, budget: float) -> Grant:
    if not len(market):
        return uniform_grant(market, budget)
    threshold = np.ceil(market.curves.emergence)
    order = np.argsort(threshold, kind="stable")
    widest = float(np.clip(np.max(market.curves.ceiling - threshold), 1.0, max(budget, 1.0)))
    pads = np.unique(np.round(np.geomspace(1.0, widest, _PADS)))
    grants = (grant_within(market, _limits(market, threshold + pad, order, budget)) for pad in pads)
    return max(grants, key=lambda grant: grant.utility)


def _limits(market: Market, caps: Array, order: npt.NDArray[np.intp], budget: float) -> Array:
    """Caps in order while the budget lasts, the floor for everybody else."""
    base = market.least
    wanted = np.maximum(np.minimum(caps, market.cap), base)
    spent = base.sum() + np.cumsum((wanted - base)[order])
    limits = base.copy()
    funded = order[: int(np.searchsorted(spent, budget, side="right"))]
    limits[funded] = wanted[funded]
    return limits
