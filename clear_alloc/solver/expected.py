"""Expected accounting with a margin: the same repair, every set filled to its charge and its margin together."""

from __future__ import annotations

from functools import partial

import numpy as np

from clear_alloc.market.market import Market
from clear_alloc.solver.chance.margin import margin_of, scaled_margin
from clear_alloc.solver.chance.margin_search import CLOSE, solve_at_multiple, solve_with_margin
from clear_alloc.solver.pricing.sampled import SAMPLED_FROM
from clear_alloc.solver.primal.solution import (
    FundedSet,
    Solution,
    evaluate,
    floor_solution,
    funded_set_of,
    total_charge,
)
from clear_alloc.solver.primal.water_filling import refill_funded
from clear_alloc.solver.solve import Filler, Refill, SolveResult, improved, price_and_bound, priced_only, solve
from clear_alloc.solver.split_bounds import splits_dominated
from clear_alloc.solver.splits import proportional_solution, uniform_solution

__all__ = ["solve_expected"]

_REPAIRS = 4  # until the margin is that of what was found; two are usual, more where single queries move it
_RTOL = 2e-3  # of a margin: what may stay unspent where funded sets are compared
_ALIKE = 0.05  # of a margin: held back within so much of what is needed, it bounds the search well enough
_OTHER = 0.25  # of a multiple: with so much more or less to hold back another set may be best
_ROUNDS = 6  # solutions for very many queries, each nearer to its margin
_MOST_RESERVED = 20_000  # queries; of more, the certain bound on their sum is far from what they burn


def solve_expected(market: Market, pool: float, z_score: float, price_guess: float) -> SolveResult:
    """Caps whose charge and margin fit the pool; the splits that need no price may keep a smaller margin."""
    if len(market) > SAMPLED_FROM and market.finite is None:
        solved = _many_with_margin(market, pool, z_score, price_guess)
        if solved is not None:
            return solved
    first = priced_only(market, pool, price_guess)
    first = priced_only(market, max(pool - margin_of(market, first, z_score), market.total_floor), price_guess)
    search = _Search(market, pool, price_guess)
    solutions = [solve_with_margin(market, pool, z_score, search, first)]
    held = margin_of(market, solutions[0], z_score)
    clearing, bound = price_and_bound(market, pool - held, search.price)
    gap = bound.value + clearing.price * held - solutions[0].utility
    rivals = () if splits_dominated(market, pool, clearing.price, gap) else (uniform_solution, proportional_solution)
    for split in rivals:
        # Without a margin it is worth more; mostly that is too little already.
        plain = split(market, pool)
        if plain.utility > solutions[0].utility:
            rule = partial(_split_at, split, market, pool)
            solutions.append(solve_with_margin(market, pool, z_score, rule, plain))
    if len(market) <= _MOST_RESERVED:
        solutions.append(_reserved(market, pool, z_score, max(one.utility for one in solutions)))
    solution = max(solutions, key=lambda one: one.utility)
    if solution is not solutions[0]:
        clearing, bound = price_and_bound(market, pool - margin_of(market, solution, z_score), search.price)
    return SolveResult(solution, clearing, bound)


def _split_at(split, market: Market, pool: float, multiple: float, _: Solution) -> Solution:  # type: ignore[no-untyped-def]
    solution: Solution = split(market, pool, multiple)
    return solution


class _Search:
    """The rule of the margin search: repair until the margin is that of the solution, then move caps alone."""

    def __init__(self, market: Market, pool: float, price: float):
        self.market, self.pool, self.price = market, pool, price
        self._found: tuple[Solution, float] | None = None

    def __call__(self, multiple: float, near: Solution) -> Solution:
        """The best solution that holds back `multiple` deviations, `near` one that is much like it."""
        if self._found is not None and abs(multiple - self._found[1]) <= _OTHER * multiple:
            filler = self._filler(multiple, scaled_margin(self.market, near, multiple), 0.1 * CLOSE)
            same = filler(self.market, self.price, self.pool)(*funded_set_of(self.market, self._found[0]))
            if same is not None:
                return same
        self._found = self._repaired(multiple, near), multiple
        return self._found[0]

    def _repaired(self, multiple: float, near: Solution) -> Solution:
        """The best of what repair makes of pools that leave about the margin it needs."""
        market, best = self.market, floor_solution(self.market)
        low, high = market.total_floor, self.pool
        margin = scaled_margin(market, near, multiple)
        inner = max(self.pool - margin, low)
        for _ in range(_REPAIRS):
            clearing, bound = price_and_bound(market, inner, self.price)
            self.price = clearing.price
            found, _ = improved(market, clearing, bound, inner, self._filler(multiple, margin, _RTOL))
            fitting = [one for one in found if self._fits(one, multiple)]
            if len(fitting) == len(found):
                low = max(low, inner)
            else:
                high = min(high, inner)
            best = max([best, *fitting], key=lambda one: one.utility)
            margin = scaled_margin(market, found[-1], multiple)
            # What is held back bounds the search for a better set, so that it must be what is needed.
            if abs(self.pool - margin - inner) <= _ALIKE * margin or high - low <= _ALIKE * margin:
                break
            inner = self.pool - margin if low < self.pool - margin < high else 0.5 * (low + high)
        return best

    def _fits(self, solution: Solution, multiple: float) -> bool:
        held = scaled_margin(self.market, solution, multiple)
        return total_charge(self.market, solution) + held <= self.pool

    def _filler(self, multiple: float, margin: float, rtol: float) -> Filler:
        """Funded sets filled to their charge and `multiple` deviations; margin : a guess of what they come to."""

        def filler(within: Market, price: float, _: float) -> Refill:
            def refill(funded_set: FundedSet, fixed: tuple[int, float] | None) -> Solution | None:
                def rule(inner: float) -> Solution | None:
                    return refill_funded(within, funded_set, inner, price, fixed)

                return solve_at_multiple(within, self.pool, multiple, margin, rule, rtol)

            return refill

        return filler


def _many_with_margin(market: Market, pool: float, z_score: float, price_guess: float) -> SolveResult | None:
    """Very many queries, where no single one moves the margin; None if one does, or an even split might win."""
    inner = pool
    for _ in range(_ROUNDS):
        solution, clearing, _ = solve(market, inner, price_guess)
        margin = margin_of(market, solution, z_score)
        left = pool - total_charge(market, solution) - margin
        if 0.0 <= left <= CLOSE * margin:
            clearing, bound = price_and_bound(market, pool - margin, clearing.price)
            gap = bound.value + clearing.price * margin - solution.utility
            dominant = splits_dominated(market, pool, clearing.price, gap)
            return SolveResult(solution, clearing, bound) if dominant else None
        price_guess, inner = clearing.price, pool - margin * (1.0 + 0.1 * CLOSE)
    return None


def _reserved(market: Market, pool: float, z_score: float, known: float) -> Solution:
    """Caps that can't pass the budget at all: best where a few queries share it, or one outweighs all others."""
    charged = Market(market.curves, market.caps, market.tariff._replace(accounting="reserved"))
    room = float(np.floor(pool)) if charged.plain else pool
    nothing = floor_solution(market)
    if charged.total_floor > room or price_and_bound(charged, room)[1].value <= known:
        return nothing
    solution = solve(charged, room).solution
    if market.finite is not None and charged.finite is not None:
        # The same options, which stand in another order where they are charged otherwise.
        finite, chosen = charged.finite, solution.decisions[-1]
        same = market.finite.option_of(finite.label(chosen), finite.tokens(chosen), chosen >= 0)
        solution = evaluate(market, [*solution.decisions[:-1], same])
    fits = total_charge(market, solution) + margin_of(market, solution, z_score) <= pool
    return evaluate(market, solution.decisions) if fits else nothing
