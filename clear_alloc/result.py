"""The result of an allocation: caps, the price that explains them, a certificate and an audit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import Array
from clear_alloc.errors import AuditFailed
from clear_alloc.market import Bool, Market
from clear_alloc.plan import Grant
from clear_alloc.price import Status
from clear_alloc.problem import Problem

__all__ = ["UTILITY_RTOL", "Allocation", "allocation_of"]

UTILITY_RTOL = 1e-9  # of the upper bound: what rounding may do to a sum of utilities


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Allocation:
    """Caps for n queries under one budget, with their certificate.

    Attributes
    ----------
    tokens : int64, shape (n,)
        The cap of each query, token. For a menu, the cost of its option, rounded up.
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
        For menus: index of the option in the caller's list, -1 for none and for other families. None without menus.
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

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def gap(self) -> float:
        """upper_bound - utility, value: no more than this is lost to the optimum. Never negative."""
        return self.upper_bound - self.utility

    def audit(self) -> None:
        """Recompute every promise from the curves and the tokens; raise AuditFailed at the first broken one. O(n)."""
        market = self._market
        tokens, whole = self.tokens.astype(np.float64), self.tokens.dtype == np.int64
        _promise("tokens are whole and one per query", whole and len(tokens) == len(market), f"{self.tokens.dtype}")
        total = float(tokens.sum())
        _promise(
            f"caps sum to at most {self.budget:,.15g} tokens",
            total <= self.budget,
            f"they sum to {total:,.15g}",
        )
        _promise("spent is the sum of the caps", total == self.spent, f"{self.spent:,.15g} against {total:,.15g}")
        self._audit_bounds(tokens)
        value = float(market.curves.utility(tokens).sum())
        slack = UTILITY_RTOL * max(abs(self.upper_bound), abs(value))
        _promise(
            "utility is that of the caps",
            abs(value - self.utility) <= slack,
            f"{self.utility} against {value}",
        )
        _promise("no utility exceeds the upper bound", self.gap >= 0, f"the gap is {self.gap}")
        _promise("the price is not negative", not self.price < 0, f"it is {self.price}")
        paid = (tokens > 0) if self.choice is None else (tokens > 0) | (self.choice >= 0)
        _promise("funded is who gets something", bool((paid == self.funded).all()), "the two differ")
        if self.policy == "allocate":
            self._audit_dual(slack)

    def _audit_bounds(self, tokens: Array) -> None:
        low, high = self._market.floor, self._market.cap
        outside = np.flatnonzero((tokens < low) | (tokens > high))
        found = f"query {outside[0]} has {self.tokens[outside[0]]}" if len(outside) else ""
        _promise("every cap is between min_tokens and max_tokens", not len(outside), found)

    def _audit_dual(self, slack: float) -> None:
        market = self._market
        demand = market.total_demand(self.price)
        fits = demand <= self.budget
        _promise("demand at the price fits the budget", fits, f"{demand:,.15g} tokens against {self.budget:,.15g}")
        bound = market.dual_bound(self.price, self.budget)
        _promise(
            "the upper bound is a dual value",
            self.upper_bound <= bound + slack,
            f"{self.upper_bound} > {bound}",
        )

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


def allocation_of(
    problem: Problem, policy: str, grant: Grant, price: float, bound: float, status: Status
) -> Allocation:
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
        price=price,
        utility=grant.utility,
        upper_bound=max(bound, grant.utility),  # rounding must not put a bound below what was reached
        budget=problem.budget,
        spent=float(tokens.sum()),
        status=status,
        ids=problem.ids,
        choice=choice,
        policy=policy,
        _market=market,
    )
