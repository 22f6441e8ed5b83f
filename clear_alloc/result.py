"""The result of an allocation: caps, the price that explains them, a certificate and an audit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import Array
from clear_alloc.errors import AuditFailed
from clear_alloc.market import Bool, Market
from clear_alloc.plan import Grant
from clear_alloc.price import Clearing, Status
from clear_alloc.problem import Problem

__all__ = ["UTILITY_RTOL", "Allocation", "Bound", "allocation_of", "bound_at", "lowest"]

UTILITY_RTOL = 1e-9  # of the upper bound: what rounding may do to a sum of utilities
_JUST_BELOW = 1.0 - 2.0**-38  # of the price: past the low end of its bracket
_SMALLEST = 2.0**-1060  # value/token; grid points near the smallest floats are this far apart
_DEMAND_RTOL = 1e-12  # what rounding may do to a sum of demands
_PRICED = ("allocate", "exact")  # policies whose allocation a price explains


class Bound(NamedTuple):
    """A dual value, which no allocation exceeds, and what it is the dual of."""

    value: float
    price: float
    market: Market


def bound_at(market: Market, price: float, budget: float) -> Bound:
    """The dual value at a price, value/token. O(n)."""
    return Bound(market.dual_bound(price, budget), price, market)


def lowest(bounds: Iterable[Bound]) -> Bound:
    """The bound that certifies most."""
    return min(bounds, key=lambda bound: bound.value)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Allocation:
    """Caps for n queries under one budget, with their certificate.

    Attributes
    ----------
    tokens : int64, shape (n,)
        The cap of each query, token. For a menu, the cost of an option, rounded up.
    funded : bool, shape (n,)
        Queries that get tokens or, for menus, an option; the others are insolvent.
    price : float
        The dual price, value/token: lowest price seen at which demand fits the budget; what one more token would
        buy. NaN where a baseline knows no price.
    utility : float
        Sum of the curves' values at `tokens`, value.
    upper_bound : float
        No allocation within the budget is worth more, value.
    budget, spent : float
        Tokens available and tokens charged.
    status : Status
        How the price was found; its value is the message.
    ids : tuple or None
        The caller's names of the queries, in order.
    choice : int64, shape (n,), or None
        For menus: index, in the caller's list, of the best option that the cap covers, -1 for none and for other
        families. It costs less than the cap only where `min_tokens` rules it out. None without menus.
    """

    tokens: npt.NDArray[np.int64]
    funded: Bool
    price: float
    utility: float
    upper_bound: float
    budget: float
    spent: float
    status: Status
    ids: tuple[Any, ...] | None
    choice: npt.NDArray[np.int64] | None
    policy: str
    _market: Market
    _bound: Bound

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def gap(self) -> float:
        """upper_bound - utility, value: no more than this is lost to the optimum. Never negative."""
        return self.upper_bound - self.utility

    def audit(self) -> None:
        """Recompute every promise from the curves and the tokens; raise AuditFailed at the first broken one. O(n)."""
        n, whole = len(self._market), self.tokens.dtype == np.int64
        _promise("tokens are whole and one per query", whole and len(self) == n, f"{self.tokens.dtype}")
        named = self.ids is None or len(set(self.ids)) == len(self.ids) == n
        _promise("ids are unique and one per query", named, f"they are {self.ids}")
        total = int(self.tokens.sum())
        _promise(
            f"caps sum to at most {self.budget:,.15g} tokens", total <= self.budget, f"they sum to {total:,.15g}"
        )
        _promise("spent is the sum of the caps", total == self.spent, f"{self.spent:,.15g} against {total:,.15g}")
        self._audit_caps(self.tokens.astype(np.float64))
        self._audit_bound()
        self._audit_price()

    def _audit_caps(self, tokens: Array) -> None:
        market, menus = self._market, self._market.menus
        outside = np.flatnonzero((tokens < market.floor) | (tokens > market.cap))
        found = f"query {outside[0]} has {self.tokens[outside[0]]}" if len(outside) else ""
        _promise("every cap is between min_tokens and max_tokens", not len(outside), found)
        choice = np.full(len(market), -1) if self.choice is None else self.choice
        paid = (tokens > 0) | (choice >= 0)
        same = self.funded.shape == paid.shape and bool((paid == self.funded).all())
        _promise("funded is who gets something", same, "the two differ")
        kept = menus.keeps(choice[market.menu_rows], tokens[market.menu_rows])
        kept = kept and bool((choice[market.smooth_rows] == -1).all())
        _promise("the choice of a menu is the best option that its tokens cover", kept, "another one is")
        value = float(market.curves.utility(tokens).sum())
        kept = abs(value - self.utility) <= UTILITY_RTOL * abs(value)
        _promise("utility is that of the caps", kept, f"{self.utility} against {value}")

    def _audit_bound(self) -> None:
        bound = self._bound
        value = max(bound.market.dual_bound(bound.price, float(np.floor(self.budget))), self.utility)
        kept = abs(self.upper_bound - value) <= UTILITY_RTOL * abs(value)
        _promise("the upper bound is a dual value", kept, f"{self.upper_bound} against {value}")
        _promise("no utility exceeds the upper bound", self.gap >= 0, f"the gap is {self.gap}")

    def _audit_price(self) -> None:
        market, pool = self._market, float(np.floor(self.budget))
        slack = market.total_demand(0.0) <= pool
        status = Status.EMPTY if not len(self) else Status.SLACK if slack else Status.CLEARED
        _promise("the status says how the price was found", self.status is status, f"{self.status}, not {status}")
        if self.policy not in _PRICED:
            _promise(f"{self.policy} knows no price", bool(np.isnan(self.price)), f"it is {self.price}")
            return
        demand = market.total_demand(self.price) if self.price >= 0 else np.inf
        _promise(
            "demand at the price fits the budget",
            demand <= pool * (1.0 + _DEMAND_RTOL),
            f"{demand:,.15g} tokens against {pool:,.15g}",
        )
        below = market.total_demand(max(self.price * _JUST_BELOW - _SMALLEST, 0.0))
        least = self.price == 0 if slack else below >= pool * (1.0 - _DEMAND_RTOL)
        _promise("no lower price fits the budget", least, f"{below:,.15g} tokens are wanted just below it")

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and strings, ready for JSON; NaN becomes None."""
        return {
            "policy": self.policy,
            "status": self.status.name.lower(),
            "message": self.status.value,
            "budget": self.budget,
            "spent": self.spent,
            "price": None if np.isnan(self.price) else self.price,
            "utility": self.utility,
            "upper_bound": self.upper_bound,
            "gap": self.gap,
            "ids": None if self.ids is None else list(self.ids),
            "tokens": self.tokens.tolist(),
            "funded": self.funded.tolist(),
            "choice": None if self.choice is None else self.choice.tolist(),
        }

    def __repr__(self) -> str:
        return (
            f"<Allocation ({self.policy}): {int(self.funded.sum()):,} of {len(self):,} queries funded, "
            f"{self.spent:,.15g} of {self.budget:,.15g} tokens, price {self.price:.4g}/token, "
            f"utility {self.utility:.6g}, gap {self.gap:.2g}>"
        )


def _promise(promise: str, kept: bool, found: str) -> None:
    if not kept:
        raise AuditFailed(promise, found)


def allocation_of(problem: Problem, policy: str, grant: Grant, clearing: Clearing, bound: Bound) -> Allocation:
    """The public result of a grant, in the caller's order of queries. O(n)."""
    market = problem.market
    tokens = np.empty(len(market), dtype=np.int64)
    tokens[market.smooth_rows] = grant.caps
    tokens[market.menu_rows] = market.menus.cost_of(grant.chosen)
    choice = None
    if len(market.menus):
        choice = np.full(len(market), -1, dtype=np.int64)
        choice[market.menu_rows] = market.menus.given_order(grant.chosen)
    funded = tokens > 0 if choice is None else (tokens > 0) | (choice >= 0)
    return Allocation(
        tokens=tokens,
        funded=funded,
        price=clearing.price if policy in _PRICED else float("nan"),
        utility=grant.utility,
        upper_bound=max(bound.value, grant.utility),  # rounding must not put a bound below what was reached
        budget=problem.budget,
        spent=float(tokens.sum()),
        status=clearing.status,
        ids=problem.ids,
        choice=choice,
        policy=policy,
        _market=market,
        _bound=bound,
    )
