"""Caps from one shadow price: clear the market, repair the funded set, round to whole tokens, certify."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy.typing as npt

from clear_alloc.allocation.result import Allocation, allocation_of
from clear_alloc.columns.validate import scalar
from clear_alloc.curves import Accounting, checked_price
from clear_alloc.errors import InvalidArgument
from clear_alloc.market.problem import CurvesLike, Problem, read_problem
from clear_alloc.market.tariff import RatesLike
from clear_alloc.market.terms import AllocateOptions
from clear_alloc.solver.dual import DualBound
from clear_alloc.solver.expected import solve_expected
from clear_alloc.solver.pricing.clearing import Clearing, Status
from clear_alloc.solver.primal.solution import evaluate, total_charge
from clear_alloc.solver.solve import solve

__all__ = ["allocate"]

_DEAREST = 1e200  # value per budget unit; far beyond what any curve is worth, and much more would overflow


def allocate(
    curves: CurvesLike,
    budget: float | None = None,
    *,
    accounting: Accounting = "reserved",
    overrun: float = 0.05,
    min_tokens: npt.ArrayLike = 0,
    max_tokens: npt.ArrayLike | None = None,
    levels: object = None,
    fallback: npt.ArrayLike = 0,
    rate: RatesLike | None = None,
    call: RatesLike | None = None,
    price: float | None = None,
    start: float = 0.0,
    ids: Iterable[Any] | None = None,
) -> Allocation:
    """Give each of n queries its share of a budget so that the sum of utilities is as high as it can be.

    Parameters
    ----------
    curves : curves of shape (n,), or a list of `Query`
        Utility of each query against its cap.
    budget : float, or None with `price`
        Tokens for all queries together, >= 0; money where `rate` gives tokens a price.
    accounting : {"reserved", "expected"}
        reserved: every cap is charged in full, so the budget holds whatever the queries do.
        expected: a cap is charged what the query is expected to burn under it, E min(length, cap). For families that
        know their lengths: log-normal, cumulative surge, menus with `expected`.
    overrun : float, in (0, 0.5]
        Chance allowed for the real sum of independent queries to pass the budget, under expected accounting: what it
        may exceed its mean by is held back. 0.5 spends to the mean.
    min_tokens, max_tokens : whole tokens, scalar or shape (n,)
        Floor and ceiling of each cap; a floor above 0 forces funding.
    levels : collection, or one collection (or None) per query
        The only caps allowed: whole tokens, `{0, 1024, 4096}`, or 0 and a range, `{0, (1024, 32000)}`. Without 0
        every query is funded.
    fallback : whole tokens, scalar or shape (n,)
        What a query gets that is not funded, and is charged; a menu its best option of at most so many tokens. It is
        exempt from `levels`: what an engine does with a query without a cap of its own.
    rate : budget units per token, scalar, (n,), or for menus one list per query
        Gives the budget another unit than tokens: money. Default 1.
    call : budget units per funded query, like `rate`
        Fixed cost of a call, such as its prompt: see `call_cost`. Default 0.
    price : value per budget unit, in place of a budget
        Every query takes what is worth this price; the result says what that costs.
    start : value per budget unit
        A guess of the price, such as that of the previous batch. Saves a part of the search where a pass over the
        queries takes long; never changes the answer.
    ids : n unique names, optional
        Carried to the result.

    Returns
    -------
    Allocation
        Whole caps within the budget, worth at least as much as a uniform or a proportional split. With them: the
        dual price, an upper bound on any allocation's utility and the gap to it.

    Raises
    ------
    InvalidArgument
        Names the argument, the row and the value.
    BudgetTooSmall
        The floors cost more than the budget.
    NotSupported
        Expected accounting of a family without lengths; levels that mix single caps and ranges.

    Notes
    -----
    About log2(n) + 20 passes over the queries, O(n log n) for the sort of the jump prices; of more than 20,000, seven
    passes over those that may be funded, in blocks and on all cores. A few times that with a margin. Small cases are
    solved exactly. Wan et al. 2026 for the market and its price; the repair is described in
    `clear_alloc.solver.repair.core`.

    Examples
    --------
    >>> import clear_alloc as ca
    >>> curves = ca.ShiftedSurge(threshold=[100, 400, 6000], width=[80, 200, 900], peak=[0.9, 0.8, 0.7])
    >>> result = ca.allocate(curves, budget=1000)
    >>> result.tokens
    array([180, 600,   0])
    >>> result.funded
    array([ True,  True, False])
    >>> ca.allocate(curves, 8, rate=0.004, levels={0, 512, 1024}).tokens
    array([ 512, 1024,    0])
    """
    terms = AllocateOptions(accounting, overrun, min_tokens, max_tokens, levels, fallback, rate, call, ids)
    price_guess = _price("start", start)
    if price is not None:
        if budget is not None:
            remedy = "pass None as the budget, or leave the price out"
            raise InvalidArgument("price", price, "absent beside a budget", remedy)
        asked = _price("price", price)
        if asked > _DEAREST:
            allowed = f"at most {_DEAREST:g} value per budget unit"
            raise InvalidArgument("price", price, allowed, "pass a price that something could be worth")
        return _at_price(read_problem(curves, None, terms), asked)
    if budget is None:
        raise InvalidArgument(
            "budget", None, "a finite number of tokens, >= 0", "pass the size of the pool, or a price"
        )
    problem = read_problem(curves, budget, terms)
    price_guess *= problem.unit
    if problem.z_score:
        solved = solve_expected(problem.market, problem.pool, problem.z_score, price_guess)
    else:
        solved = solve(problem.market, problem.pool, price_guess)
    return allocation_of(problem, "allocate", *solved)


def _price(argument: str, price: object) -> float:
    asked = scalar(argument, price, "one finite number, >= 0, value per budget unit", "pass a number")
    return float(checked_price(asked, argument))


def _at_price(problem: Problem, price: float) -> Allocation:
    """What every query takes at a price; nothing is scarce."""
    market, asked = problem.market, price * problem.unit if len(problem.market) else 0.0
    solution = evaluate(market, [demand.best_at(asked) for demand in market.demands])
    clearing = Clearing(asked, asked, 1, Status.PRICED if len(market) else Status.EMPTY)
    bound = DualBound(market.dual_bound(asked, total_charge(market, solution)), asked, market)
    return allocation_of(problem, "allocate", solution, clearing, bound)
