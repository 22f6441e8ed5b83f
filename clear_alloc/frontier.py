"""What a budget buys: the allocation at each of a series of budgets, from scarce to more than enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.allocate import allocate
from clear_alloc.curves import MAX_TOKENS, Curves
from clear_alloc.errors import InvalidArgument
from clear_alloc.result import Allocation

__all__ = ["Frontier", "frontier", "lavish_budget", "saturation_budget", "scarce_budget"]

Floats = npt.NDArray[np.float64]

SCARCE = 0.02  # of the queries, the cheapest to please: a default sweep starts where they break even

LAVISH = 1e-3  # of the median reservation price: beyond it, slow curves take far more tokens for hardly more value


@dataclass(frozen=True)
class Frontier:
    """One entry per budget, rising, all of shape (points,).

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


def saturation_budget(curves: Curves) -> float:
    """Tokens that give every query its ceiling; a larger budget buys nothing. O(n)."""
    return float(np.ceil(curves.ceiling).sum())


def scarce_budget(curves: Curves) -> float:
    """Tokens that let the SCARCE share of the queries break even, best value per token first. O(n log n)."""
    prices = curves.reservation_price()
    # Just below its reservation price a query demands its break-even cap.
    caps = curves.demand(prices * (1.0 - 1e-9))
    best = np.argsort(-prices, kind="stable")[: int(np.ceil(SCARCE * len(curves)))]
    return float(np.ceil(caps[best]).sum())


def lavish_budget(curves: Curves) -> float:
    """Tokens wanted at LAVISH times the median reservation price, when little is left to gain. O(n)."""
    if not len(curves):
        return 0.0
    price = LAVISH * float(np.median(curves.reservation_price()))
    return float(np.ceil(curves.demand(price)).sum())


def frontier(
    curves: Curves,
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
        Sorted before use. Default: `points` of them, in equal ratios from the scarce to the lavish budget,
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
    floors = options.get("min_tokens", 0)
    chosen = _default_budgets(curves, points, floors) if budgets is None else sorted(budgets)
    results = [policy(curves, budget, **options) for budget in track(chosen)]
    return Frontier(*(np.array(column, dtype=np.float64) for column in _columns(results)))


def _default_budgets(curves: Curves, points: int, min_tokens: npt.ArrayLike) -> list[float]:
    if points < 2:
        raise InvalidArgument("points", points, "at least 2", "ask for more points or give the budgets")
    floors = float(np.ceil(np.broadcast_to(min_tokens, len(curves))).sum())
    least = max(scarce_budget(curves), floors, 1.0)
    much, most = (max(min(f(curves), MAX_TOKENS), least) for f in (lavish_budget, saturation_budget))
    # Few tokens round several ratios to one budget.
    rising = np.minimum(np.ceil(np.geomspace(least, much, points - 1)), most)
    return sorted({*rising.tolist(), most})


def _columns(results: Sequence[Allocation]) -> list[list[float]]:
    names = ("budget", "spent", "utility", "upper_bound", "gap", "price")
    columns = [[float(getattr(result, name)) for result in results] for name in names]
    return [*columns, [float(result.funded.mean()) if len(result.funded) else 0.0 for result in results]]
