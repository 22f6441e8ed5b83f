"""The result of an allocation: caps, the price that explains them, a certificate and an audit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.allocation.arrow_export import arrow_table
from clear_alloc.curves import Accounting, Array
from clear_alloc.errors import AuditFailed
from clear_alloc.market.market import Bool, Market
from clear_alloc.market.problem import Problem
from clear_alloc.solver.chance.margin_search import deviation_of, margin_of
from clear_alloc.solver.dual import DualBound
from clear_alloc.solver.pricing.clearing import Clearing, Status
from clear_alloc.solver.primal.water_filling import Solution, charge_per_query, total_charge

__all__ = ["UTILITY_RTOL", "Allocation", "Reason", "allocation_of"]

UTILITY_RTOL = 1e-9  # of the upper bound: what rounding may do to a sum of utilities
_JUST_BELOW = 1.0 - 2.0**-38  # of the price: past the low end of its bracket
_SMALLEST = 2.0**-1060  # value/token; grid points near the smallest floats are this far apart
_DEMAND_RTOL = 1e-12  # what rounding may do to a sum of demands
_SAME = 2.0**-50  # of the price: what a change of unit and back may do to it
_PRICED = ("allocate", "allocate_groups", "exact")  # policies whose allocation a price explains


class Reason(Enum):
    """Why a query got what it got; the value is the message."""

    FUNDED = "it is funded"
    WORTHLESS = "no cap that it may have is worth anything"
    TOO_DEAR = "even the whole budget would not pay for a cap that is worth its cost"
    PRICED_OUT = "its best value per budget unit is not above the price"
    CROWDED_OUT = "it would pay the price, but what was left was worth more elsewhere"
    NOT_CHOSEN = "the policy did not choose it"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Allocation:
    """Caps for n queries under one budget, with their certificate.

    Budget units are tokens, or the unit of `rate` and `call` (money).

    Attributes
    ----------
    tokens : int64, shape (n,)
        The cap of each query, token. For a menu, the cost of an option, rounded up; a mean length, and no cap,
        where `capped` is False.
    funded : bool, shape (n,)
        Queries that get tokens or, for menus, an option; the others are insolvent and get their fallback, if any.
    price : float
        The dual price, value per budget unit: lowest price seen at which demand fits the budget; what one more
        unit would buy. NaN where a baseline knows no price.
    utility : float
        Sum of the curves' values at `tokens`, value.
    upper_bound : float
        No allocation charged at most budget - margin is worth more, value.
    budget, spent : float
        Budget units available and charged: caps in full or, under expected accounting, what they should burn.
    deviation, margin : float
        Standard deviation of what the caps will cost in the end, and what is held back for it, budget units; 0 under
        reserved accounting.
    status : Status
        How the price was found; its value is the message.
    choice : int64, shape (n,), or None
        For menus: index, in the caller's list, of the option bought, -1 for none and for other families. Where caps
        are charged as they are, the best option that the cap covers. None without menus.
    """

    tokens: npt.NDArray[np.int64]
    funded: Bool
    price: float
    utility: float
    upper_bound: float
    budget: float
    spent: float
    deviation: float
    margin: float
    status: Status
    choice: npt.NDArray[np.int64] | None
    policy: str
    _problem: Problem
    _grant: Solution
    _bound: DualBound

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def ids(self) -> tuple[Any, ...] | None:
        """The caller's names of the queries, in order, or None. A column is listed at the first call. O(n)."""
        names = self._problem.names
        return None if names is None else names.listed

    @property
    def gap(self) -> float:
        """upper_bound - utility, value: no more than this is lost to the optimum. Never negative."""
        return self.upper_bound - self.utility

    @property
    def accounting(self) -> Accounting:
        """What caps are charged: `reserved` or `expected`."""
        return self._problem.market.tariff.accounting

    @property
    def charges(self) -> Array:
        """What each query is charged, shape (n,), budget units. O(n)."""
        return self._problem.unit * charge_per_query(self._problem.market, self._grant)

    @property
    def capped(self) -> Bool:
        """Whether `tokens` is a cap to send to an engine, (n,): not where an option costs its mean length. O(n)."""
        choice = np.full(len(self), -1) if self.choice is None else self.choice
        capped: Bool = self._problem.market.curves.capped | (choice < 0)
        return capped

    @property
    def reasons(self) -> list[Reason]:
        """Why each query got what it got, n of them. O(n)."""
        market, pool = self._problem.market, self._pool
        entry, least = market.entry_prices, market.cheapest_useful
        price = self._bound.own_prices
        if price is None:
            price = np.full(len(self), self.price * self._problem.unit)
        codes = np.full(len(self), Reason.CROWDED_OUT, dtype=object)
        codes[entry <= price] = Reason.PRICED_OUT
        if self.status is not Status.PRICED:
            codes[least - market.least > pool - market.total_floor] = Reason.TOO_DEAR
        codes[entry <= 0.0] = Reason.WORTHLESS
        codes[np.isnan(price)] = Reason.NOT_CHOSEN
        codes[self.funded] = Reason.FUNDED
        listed: list[Reason] = codes.tolist()
        return listed

    @property
    def _pool(self) -> float:
        """Budget units of the market that could be charged."""
        pool = (
            self._problem.pool if np.isfinite(self._problem.pool) else total_charge(self._problem.market, self._grant)
        )
        return pool - self.margin / self._problem.unit

    def audit(self) -> None:
        """Recompute every promise from the curves and the tokens; raise AuditFailed at the first broken one. O(n)."""
        n, whole = len(self._problem.market), self.tokens.dtype == np.int64
        _promise("tokens are whole and one per query", whole and len(self) == n, f"{self.tokens.dtype}")
        names = self._problem.names
        named = names is None or (len(names) == n and names.unique)
        _promise("ids are unique and one per query", named, "" if named else f"they are {self.ids}")
        self._audit_caps(self.tokens.astype(np.float64))
        self._audit_budget()
        self._audit_bound()
        self._audit_price()

    def _audit_budget(self) -> None:
        market, unit = self._problem.market, self._problem.unit
        given = self._problem.budget if np.isfinite(self._problem.budget) else self.spent
        _promise("the budget is the one that was given", self.budget == given, f"{self.budget} against {given}")
        if market.tariff.plain and unit == 1.0:
            total: float = int(self.tokens.sum())
            kept, spent = total <= self.budget, total == self.spent
        else:
            total = float(self.charges.sum())
            kept = self.spent + self.margin <= self.budget * (1.0 + _DEMAND_RTOL)
            spent = abs(total - self.spent) <= _DEMAND_RTOL * self.spent
        _promise(f"what is charged is at most {self.budget:,.15g}", kept, f"it is {self.spent:,.15g}")
        _promise("spent is the sum of the charges", spent, f"{self.spent:,.15g} against {total:,.15g}")
        z_score = 0.0 if self.status is Status.PRICED else self._problem.z_score
        needed = unit * margin_of(market, self._grant, z_score)
        held = abs(self.margin - needed) <= UTILITY_RTOL * max(needed, self.spent)
        _promise("the margin covers the agreed overrun", held, f"{self.margin:,.15g} against {needed:,.15g}")
        deviation = unit * deviation_of(market, self._grant)
        same = abs(self.deviation - deviation) <= UTILITY_RTOL * max(deviation, 1e-300)
        _promise("the deviation is that of the caps", same, f"{self.deviation} against {deviation}")

    def _audit_caps(self, tokens: Array) -> None:
        market, menus, chosen = self._problem.market, self._problem.market.menus, self._grant.chosen
        smooth, own = market.smooth_rows, market.menu_rows
        outside = np.flatnonzero(~market.limits.allow(tokens))
        # A menu's tokens are those of an option, and options were chosen by the limits.
        outside = outside[~np.isin(outside, market.own_menu_rows)]
        found = f"query {outside[0]} has {self.tokens[outside[0]]}" if len(outside) else ""
        _promise("every cap is between min_tokens and max_tokens, or listed", not len(outside), found)
        same = bool((tokens[smooth] == self._grant.caps).all() and (tokens[own] == menus.tokens_of(chosen)).all())
        _promise("tokens are those of the grant", same, "they differ")
        choice = np.full(len(market), -1) if self.choice is None else self.choice
        kept = bool((choice[own] == menus.label_of(chosen)).all() and (choice[smooth] == -1).all())
        _promise("the choice of a menu is the option that its tokens pay for", kept, "another one is")
        same = self.funded.shape == tokens.shape and bool((_funded(market, self._grant) == self.funded).all())
        _promise("funded is who gets something", same, "the two differ")
        curves = market.curves.utility(tokens)
        if not market.tariff.plain:  # an option is worth what it is, whatever else its cap would cover
            curves[own] = menus.value_of(chosen)
        value = float(curves.sum())
        kept = abs(value - self.utility) <= UTILITY_RTOL * abs(value)
        _promise("utility is that of the caps", kept, f"{self.utility} against {value}")

    def _audit_bound(self) -> None:
        bound = self._bound
        value = max(bound.recomputed(self._pool), self.utility)
        kept = abs(self.upper_bound - value) <= UTILITY_RTOL * abs(value)
        _promise("the upper bound is a dual value", kept, f"{self.upper_bound} against {value}")
        _promise("no utility exceeds the upper bound", self.gap >= 0, f"the gap is {self.gap}")

    def _audit_price(self) -> None:
        market, pool = self._problem.market, self._pool
        if self._bound.own_prices is not None:
            return
        if self.status is Status.PRICED:
            best, value = market.surplus(self.price * self._problem.unit), self.utility - self.price * self.spent
            kept = abs(best - value) <= UTILITY_RTOL * max(abs(self.utility), abs(best))
            _promise("every query takes what is worth the price", kept, f"{value} of {best} is gained")
            return
        slack = market.total_demand(0.0) <= pool
        status = Status.EMPTY if not len(self) else Status.SLACK if slack else Status.CLEARED
        _promise("the status says how the price was found", self.status is status, f"{self.status}, not {status}")
        if self.policy not in _PRICED:
            _promise(f"{self.policy} knows no price", bool(np.isnan(self.price)), f"it is {self.price}")
            return
        price = self.price * self._problem.unit
        demand = market.total_demand(price * (1.0 + _SAME)) if self.price >= 0 else np.inf
        _promise(
            "demand at the price fits the budget",
            demand <= pool * (1.0 + _DEMAND_RTOL),
            f"{demand:,.15g} budget units against {pool:,.15g}",
        )
        below = market.total_demand(max(price * _JUST_BELOW - _SMALLEST, 0.0))
        least = self.price == 0 if slack else below >= pool * (1.0 - _DEMAND_RTOL)
        _promise("no lower price fits the budget", least, f"{below:,.15g} budget units are wanted just below it")

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and strings, ready for JSON; NaN becomes None."""
        return {
            **self._about(),
            "ids": None if self.ids is None else list(self.ids),
            "tokens": self.tokens.tolist(),
            "charges": self.charges.tolist(),
            "funded": self.funded.tolist(),
            "reasons": [reason.name.lower() for reason in self.reasons],
            "choice": None if self.choice is None else self.choice.tolist(),
            "capped": self.capped.tolist(),
        }

    def _about(self) -> dict[str, Any]:
        """What holds for all queries."""
        return {
            "policy": self.policy,
            "status": self.status.name.lower(),
            "message": self.status.value,
            "budget": self.budget,
            "spent": self.spent,
            "unit": self.unit,
            "accounting": self.accounting,
            "deviation": self.deviation,
            "margin": self.margin,
            "price": None if np.isnan(self.price) else self.price,
            "utility": self.utility,
            "upper_bound": self.upper_bound,
            "gap": self.gap,
        }

    def to_arrow(self) -> Any:
        """A pyarrow table, one row per query; `polars.DataFrame(result)` and `pyarrow.table(result)` read it too.

        Columns: `query_id` if there are ids, `tokens` (int64), `funded` (bool), `choice` (int64) where there are
        menus, and `charge` (float64, budget units). Numbers share their memory with the arrays. What holds for all
        rows is JSON in the metadata of its schema, under `clear_alloc`. NotSupported without pyarrow. O(n).
        """
        columns = {"tokens": self.tokens, "funded": self.funded, "choice": self.choice, "charge": self.charges}
        said = {name: values for name, values in columns.items() if values is not None}
        known = self._about()
        about = {name: known[name] for name in ("price", "utility", "upper_bound", "budget", "spent", "status")}
        return arrow_table(self._problem.names, said, about)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The same by the Arrow PyCapsule protocol."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    @property
    def unit(self) -> str:
        """What the budget is counted in: `token`, or `unit` of `rate` and `call`."""
        return "token" if self._problem.market.tariff.counted_in == "tokens" else "unit"

    @property
    def _uncapped_words(self) -> str:
        count = len(self) - int(self.capped.sum())
        return f"; {count:,} of the tokens are mean lengths, not caps" if count else ""

    def __repr__(self) -> str:
        unit = self.unit
        return (
            f"<Allocation ({self.policy}): {int(self.funded.sum()):,} of {len(self):,} queries funded, "
            f"{self.spent:,.15g} of {self.budget:,.15g} {unit}s, price {self.price:.4g}/{unit}, "
            f"utility {self.utility:.6g}, gap {self.gap:.2g}{self._uncapped_words}>"
        )


def _promise(promise: str, kept: bool, found: str) -> None:
    if not kept:
        raise AuditFailed(promise, found)


def _funded(market: Market, grant: Solution) -> Bool:
    """Queries that get more than their fallback, or a menu's option."""
    menus, fallback = market.menus, market.limits.fallback
    smooth = grant.caps > market.gather_smooth(fallback)
    own = fallback[market.menu_rows]
    resting = (grant.chosen == menus.base) & (own > 0) & (menus.tokens_of(menus.base) <= own)
    bought = (menus.label_of(grant.chosen) >= 0) | (menus.tokens_of(grant.chosen) > 0)
    funded: Bool = market.scatter(smooth, bought & ~resting)
    return funded


def allocation_of(problem: Problem, policy: str, grant: Solution, clearing: Clearing, bound: DualBound) -> Allocation:
    """The public result of a grant, in the caller's order of queries. O(n)."""
    market, unit = problem.market, problem.unit
    tokens = market.scatter(grant.caps.astype(np.int64), market.menus.tokens_of(grant.chosen))
    choice = None
    if market.has_menus:
        choice = np.full(len(market), -1, dtype=np.int64)
        choice[market.menu_rows] = market.menus.label_of(grant.chosen)
    spent = float(int(tokens.sum())) if market.tariff.plain else total_charge(market, grant)
    margin = margin_of(market, grant, problem.z_score) if np.isfinite(problem.pool) else 0.0
    return Allocation(
        tokens=tokens,
        funded=_funded(market, grant),
        price=clearing.price / unit if policy in _PRICED else float("nan"),
        utility=grant.utility,
        upper_bound=max(bound.value, grant.utility),  # rounding must not put a bound below what was reached
        budget=problem.budget if np.isfinite(problem.budget) else spent * unit,
        spent=spent * unit,
        deviation=deviation_of(market, grant) * unit,
        margin=margin * unit,
        status=clearing.status,
        choice=choice,
        policy=policy,
        _problem=problem,
        _grant=grant,
        _bound=bound,
    )
