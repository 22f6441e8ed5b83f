"""The audit: every promise of an allocation, recomputed from the curves and the tokens."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.constant import exact_total
from clear_alloc.curves import Array
from clear_alloc.errors import AuditFailed
from clear_alloc.market.market import Market
from clear_alloc.market.problem import Problem
from clear_alloc.solver.chance.margin import deviation_of, margin_of
from clear_alloc.solver.dual import DualBound
from clear_alloc.solver.pricing.clearing import Status
from clear_alloc.solver.primal.solution import Solution, choice_of, funded_of
from clear_alloc.support.types import Bool

__all__ = ["PRICED", "audit"]

PRICED = ("allocate", "allocate_groups", "exact")  # policies whose allocation a price explains
UNPRICED = ("uniform", "proportional", "cutoff_plus_pad")
UTILITY_RTOL = 1e-9  # of the upper bound: what rounding may do to a sum of utilities
_JUST_BELOW = 1.0 - 2.0**-38  # of the price: past the low end of its bracket
_SMALLEST = 2.0**-1060  # value/token; grid points near the smallest floats are this far apart
_DEMAND_RTOL = 1e-12  # what rounding may do to a sum of demands
_SAME = 2.0**-50  # of the price: what a change of unit and back may do to it


class Promised(Protocol):
    """What an allocation says of itself."""

    @property
    def tokens(self) -> npt.NDArray[np.int64]: ...
    @property
    def funded(self) -> Bool: ...
    @property
    def price(self) -> float: ...
    @property
    def utility(self) -> float: ...
    @property
    def upper_bound(self) -> float: ...
    @property
    def budget(self) -> float: ...
    @property
    def spent(self) -> float: ...
    @property
    def deviation(self) -> float: ...
    @property
    def margin(self) -> float: ...
    @property
    def status(self) -> Status: ...
    @property
    def choice(self) -> npt.NDArray[np.int64] | None: ...
    @property
    def policy(self) -> str: ...
    @property
    def charges(self) -> Array: ...


def audit(said: Promised, problem: Problem, solution: Solution, bound: DualBound, pool: float) -> None:
    """Raise AuditFailed at the first promise that is broken. pool : budget units that could be charged. O(n)."""
    n, whole = len(problem.market), said.tokens.dtype == np.int64
    _promise("tokens are whole and one per query", whole and len(said.tokens) == n, f"{said.tokens.dtype}")
    ids = problem.names
    named = ids is None or (len(ids) == n and ids.unique)
    _promise("ids are unique and one per query", named, "" if ids is None else "they are not")
    _audit_caps(said, problem.market, solution)
    _audit_budget(said, problem, solution)
    _audit_bound(said, bound, pool)
    _audit_price(said, problem, bound, pool)


def _audit_budget(said: Promised, problem: Problem, solution: Solution) -> None:
    market, unit = problem.market, problem.unit
    given = problem.budget if np.isfinite(problem.budget) else said.spent
    _promise("the budget is the one that was given", said.budget == given, f"{said.budget} against {given}")
    if market.plain and unit == 1.0:
        total: float = exact_total(said.tokens)
        kept, spent = total <= said.budget, float(total) == said.spent
    else:
        total = float(said.charges.sum())
        kept = said.spent + said.margin <= said.budget * (1.0 + _DEMAND_RTOL)
        spent = abs(total - said.spent) <= _DEMAND_RTOL * said.spent
    if not np.isfinite(problem.budget):  # nothing was scarce: what was charged stands for the budget
        kept = said.spent == said.budget
    _promise(f"what is charged is at most {said.budget:,.15g}", kept, f"it is {said.spent:,.15g}")
    _promise("spent is the sum of the charges", spent, f"{said.spent:,.15g} against {total:,.15g}")
    z_score = 0.0 if said.status is Status.PRICED else problem.z_score
    needed = unit * margin_of(market, solution, z_score)
    held = abs(said.margin - needed) <= UTILITY_RTOL * max(needed, said.spent)
    _promise("the margin covers the agreed overrun", held, f"{said.margin:,.15g} against {needed:,.15g}")
    deviation = unit * deviation_of(market, solution)
    same = abs(said.deviation - deviation) <= UTILITY_RTOL * max(deviation, 1e-300)
    _promise("the deviation is that of the caps", same, f"{said.deviation} against {deviation}")


def _audit_caps(said: Promised, market: Market, solution: Solution) -> None:
    tokens = said.tokens.astype(np.float64)
    outside = np.flatnonzero(~market.caps.allow(tokens))
    # A menu's tokens are those of an option, and options were chosen by the limits.
    outside = outside[~np.isin(outside, market.menu_rows)]
    found = f"query {outside[0]} has {said.tokens[outside[0]]}" if len(outside) else ""
    _promise("every cap is between min_tokens and max_tokens, or listed", not len(outside), found)
    granted = market.decided(lambda demand, column: demand.tokens(column), solution.decisions)
    _promise("tokens are those of the solution", bool((tokens == granted).all()), "they differ")
    choice = np.full(len(market), -1) if said.choice is None else said.choice
    kept = bool((choice == choice_of(market, solution)).all())
    _promise("the choice of a menu is the option that its tokens pay for", kept, "another one is")
    same = said.funded.shape == tokens.shape and bool((funded_of(market, solution) == said.funded).all())
    _promise("funded is who gets something", same, "the two differ")
    curves = market.curves.utility(tokens)
    finite = market.finite
    if finite is not None and not market.plain:
        # An option is worth what it is, whatever else its cap would cover.
        curves[market.rows[-1]] = finite.value(solution.decisions[-1])
    value = float(curves.sum())
    kept = abs(value - said.utility) <= UTILITY_RTOL * abs(value)
    _promise("utility is that of the caps", kept, f"{said.utility} against {value}")


def _audit_bound(said: Promised, bound: DualBound, pool: float) -> None:
    bound = bound
    value, gap = max(bound.recomputed(pool), said.utility), said.upper_bound - said.utility
    kept = abs(said.upper_bound - value) <= UTILITY_RTOL * abs(value)
    _promise("the upper bound is a dual value", kept, f"{said.upper_bound} against {value}")
    _promise("no utility exceeds the upper bound", gap >= 0, f"the gap is {gap}")


def _audit_price(said: Promised, problem: Problem, bound: DualBound, pool: float) -> None:
    market = problem.market
    nested = bound.own_prices is not None
    _promise("the policy is one that is known", said.policy in (*PRICED, *UNPRICED), f"it is {said.policy!r}")
    right = nested == (said.policy == "allocate_groups")
    _promise("the policy is that of the certificate", right, f"it is {said.policy!r}")
    if said.policy in UNPRICED:
        _promise(f"{said.policy} knows no price", bool(np.isnan(said.price)), f"it is {said.price}")
    else:
        _promise("the price is finite and not negative", 0.0 <= said.price < np.inf, f"it is {said.price}")
    if said.status is Status.PRICED:
        _promise("only a given price has no budget", not np.isfinite(problem.pool), "a budget was given")
        best, value = market.surplus(said.price * problem.unit), said.utility - said.price * said.spent
        kept = abs(best - value) <= UTILITY_RTOL * max(abs(said.utility), abs(best))
        _promise("every query takes what is worth the price", kept, f"{value} of {best} is gained")
        return
    slack = bound.price <= 0.0 if nested else market.total_demand(0.0) <= pool
    status = Status.EMPTY if not len(said.tokens) else Status.SLACK if slack else Status.CLEARED
    _promise("the status says how the price was found", said.status is status, f"{said.status}, not {status}")
    if nested:
        same = abs(said.price - bound.price / problem.unit) <= UTILITY_RTOL * said.price
        _promise("the price is that of the whole", same, f"{said.price} against {bound.price / problem.unit}")
    elif said.policy in PRICED:
        _audit_clearing(said.price, market, problem.unit, pool, slack)


def _audit_clearing(price: float, market: Market, unit: float, pool: float, slack: bool) -> None:
    demand = market.total_demand(price * unit * (1.0 + _SAME))
    fits = demand <= pool * (1.0 + _DEMAND_RTOL)
    _promise("demand at the price fits the budget", fits, f"{demand:,.15g} budget units against {pool:,.15g}")
    below = market.total_demand(max(price * unit * _JUST_BELOW - _SMALLEST, 0.0))
    least = price == 0 if slack else below >= pool * (1.0 - _DEMAND_RTOL)
    _promise("no lower price fits the budget", least, f"{below:,.15g} budget units are wanted just below it")


def _promise(promise: str, kept: bool, found: str) -> None:
    if not kept:
        raise AuditFailed(promise, found)
