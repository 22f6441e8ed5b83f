"""What a budget buys: the allocation at each of a series of budgets, from scarce to more than enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.allocation.result import Allocation
from clear_alloc.curves import MAX_TOKENS
from clear_alloc.errors import InvalidArgument
from clear_alloc.market.market import Market
from clear_alloc.market.problem import CurvesLike, read_problem
from clear_alloc.market.terms import AllocateOptions
from clear_alloc.policies.allocate import allocate

__all__ = ["Frontier", "frontier", "lavish_budget", "saturation_budget", "scarce_budget"]

Floats = npt.NDArray[np.float64]

SCARCE = 0.02  # of the queries, the cheapest to please: a default sweep starts where they break even

LAVISH = 1e-3  # of the median reservation price: beyond it, slow curves take far more tokens for hardly more value


@dataclass(frozen=True)
class Frontier:
    """One entry per budget, in the order given, all of shape (points,).

    budget, spent : token. utility, upper_bound, gap : value. price : value/token.
    funded_share : funded queries / queries, 0 to 1 (0 when there are no queries).
    """

    budget: Floats
    spent: Floats
    utility: Floats
    upper_bound: Floats
    gap: Floats
    price: Floats
    funded_share: Floats

    def __len__(self) -> int:
        return len(self.budget)

    def to_columns(self) -> dict[str, list[float]]:
        """Plain lists by name, for files and tables."""
        return {name: getattr(self, name).tolist() for name in self.__dataclass_fields__}


def saturation_budget(curves: CurvesLike, **terms: Any) -> float:
    """Budget that gives every query its ceiling; more buys nothing. terms : as `allocate` takes them. O(n)."""
    return _most(_market(curves, terms))


def scarce_budget(curves: CurvesLike, **terms: Any) -> float:
    """Budget that lets the SCARCE share of the queries break even, best value per budget unit first. O(n log n)."""
    return _scarce(_market(curves, terms))


def lavish_budget(curves: CurvesLike, **terms: Any) -> float:
    """Budget wanted at LAVISH times the median reservation price, when little is left to gain. O(n)."""
    return _lavish(_market(curves, terms))


def _market(curves: CurvesLike, terms: dict[str, Any]) -> Market:
    return read_problem(curves, None, AllocateOptions(**terms)).market


def _rounded(market: Market, charge: float) -> float:
    return float(np.ceil(charge) if market.plain else charge) * market.tariff.unit


def _most(market: Market) -> float:
    return _rounded(market, sum(demand.saturation for demand in market.demands))


def _scarce(market: Market) -> float:
    # Just below its reservation price a query demands its break-even cap.
    entries = [demand.first_breakpoints() for demand in market.demands]
    if not entries:
        return 0.0
    prices, costs = (np.concatenate([getattr(points, name) for points in entries]) for name in ("price", "cost"))
    best = np.argsort(-prices, kind="stable")[: int(np.ceil(SCARCE * len(market)))]
    return _rounded(market, market.total_floor + float(costs[best].sum()))


def _lavish(market: Market) -> float:
    if not len(market):
        return 0.0
    return _rounded(market, market.total_demand(LAVISH * float(np.median(market.entry_prices))))


def frontier(
    curves: CurvesLike,
    budgets: Iterable[float] | None = None,
    *,
    points: int = 12,
    policy: Callable[..., Allocation] = allocate,
    track: Callable[[Sequence[float]], Iterable[float]] = iter,
    **options: Any,
) -> Frontier:
    """Allocate each of `budgets` and put the results side by side.

    Parameters
    ----------
    curves : Curves
        Shape (n,).
    budgets : tokens, each >= 0, optional
        Answered in the order given. Default: `points` of them, in equal ratios from the scarce to the lavish budget,
        and the saturation budget.
    points : int, >= 2
    policy : function with the signature of `allocate`
        A baseline, to compare.
    track : function
        Wraps the budgets to report progress.
    **options
        Passed on to the policy: `accounting`, `min_tokens`, `max_tokens` and so on.

    Raises
    ------
    InvalidArgument
        Fewer than two points; and whatever the policy refuses.
    """
    chosen = _default_budgets(curves, points, options) if budgets is None else list(budgets)
    found: dict[int, Allocation] = {}
    warm: dict[str, float] = {}
    rising = sorted(range(len(chosen)), key=lambda place: chosen[place])
    for place, budget in zip(rising, track([chosen[place] for place in rising]), strict=True):
        found[place] = policy(curves, budget, **options, **warm)
        if policy is allocate:  # the last price is a guess of the next one
            warm = {"start": found[place].price}
    results = [found[place] for place in range(len(chosen))]
    return Frontier(*(np.array(column, dtype=np.float64) for column in _columns(results)))


def _default_budgets(curves: CurvesLike, points: int, terms: dict[str, Any]) -> list[float]:
    if not isinstance(points, (int, np.integer)) or points < 2:
        raise InvalidArgument("points", points, "at least 2, and whole", "ask for more points or give the budgets")
    market = _market(curves, terms)
    unit = market.tariff.unit
    floors = _rounded(market, market.total_floor) if market.total_floor else 0.0
    least = max(_scarce(market), floors, unit)
    if market.tariff.accounting == "expected" and market.total_floor:
        least = max(least, 2.0 * floors)  # room for the margin of the floors
    much, most = (max(min(f(market), MAX_TOKENS), least) for f in (_lavish, _most))
    # Few tokens round several ratios to one budget.
    rising = np.geomspace(least, max(much, least), points - 1)
    whole = market.plain and unit == 1.0
    rising = np.minimum(np.ceil(rising) if whole else rising, most)
    budgets = np.unique(np.append(rising, most))
    # Two ways to the same budget may differ by rounding.
    return budgets[np.append(True, np.diff(budgets) > 1e-9 * budgets[1:])].tolist()  # type: ignore[no-any-return]


def _columns(results: Sequence[Allocation]) -> list[list[float]]:
    names = ("budget", "spent", "utility", "upper_bound", "gap", "price")
    columns = [[float(getattr(result, name)) for result in results] for name in names]
    return [*columns, [float(result.funded.mean()) if len(result.funded) else 0.0 for result in results]]
