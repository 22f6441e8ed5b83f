"""Expected accounting with a margin: the same repair, every set filled to its charge and its margin together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from clear_alloc.market.market import Market
from clear_alloc.solver.chance.margin import margin_in_deviations, margin_of, scaled_margin
from clear_alloc.solver.chance.margin_search import CLOSE, check_floors, solve_with_margin, solve_within
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

_SEARCHES = 3  # each with the margin of the last one's answer
_REPAIRS = 4  # until the margin is that of what was found; two are usual, more where single queries move it
_TRIES = 3  # to fill a set that is only compared
_RTOL = 2e-3  # of a margin: what may stay unspent where funded sets are compared
_ALIKE = 0.05  # of a margin: held back within so much of what is needed, it bounds the search well enough
_OTHER = 0.1  # of a multiple: with so much more or less to hold back another set may be best
_MOVES = (1.0, 0.99, 0.97, 0.9, 0.8)  # of a cap that no price explains
_FILLED = 3  # sets filled to their exact margins
_IDLE = 2e-3  # of a margin: more is not left unspent without another look
_MANY = 256  # queries; of more, a margin follows from moments and hardly depends on single ones
_HARDLY = 0.5  # of the best utility: an answer of less says nothing of the margin
_ROUNDS = 6  # solutions for very many queries, each nearer to its margin
_MOST_RESERVED = 20_000  # queries; of more, the certain bound on their sum is far from what they burn

Split = Callable[[Market, float], Solution]


def solve_expected(market: Market, pool: float, z_score: float, price_guess: float) -> SolveResult:
    """Caps whose charge and margin fit the pool; the splits that need no price may keep a smaller margin."""
    if len(market) > SAMPLED_FROM and market.finite is None:
        solved = _many_with_margin(market, pool, z_score, price_guess)
        if solved is not None:
            return solved
    solution, price = _searched(market, pool, z_score, price_guess)
    held = margin_of(market, solution, z_score)
    unspent = pool - total_charge(market, solution) - held
    if len(market) > _MANY or unspent > max(_IDLE * held, 2.0 * market.least_step):
        # Where single queries move the margin by jumps no set may fill the pool, and where they hardly move it a
        # search costs little: then every pool that is tried is repaired.
        rival = solve_with_margin(market, pool, z_score, lambda inner: solve(market, inner, price).solution, solution)
        solution = max(solution, rival, key=lambda one: one.utility)
        held = margin_of(market, solution, z_score)
    clearing, bound = price_and_bound(market, pool - held, price)
    rivals = []
    if not splits_dominated(market, pool, clearing.price, bound.value + clearing.price * held - solution.utility):
        rivals += [
            _split(split, market, pool, z_score, solution) for split in (uniform_solution, proportional_solution)
        ]
    if len(market) <= _MOST_RESERVED:
        rivals.append(_reserved(market, pool, z_score, max(one.utility for one in (solution, *rivals))))
    best = max((solution, *rivals), key=lambda one: one.utility)
    if best is not solution:
        clearing, bound = price_and_bound(market, pool - margin_of(market, best, z_score), price)
    return SolveResult(best, clearing, bound)


def _split(split: Split, market: Market, pool: float, z_score: float, known: Solution) -> Solution:
    """The split that keeps its margin; what is known already where the split is worth less even without one."""
    plain = split(market, pool)
    if plain.utility <= known.utility:
        return known
    return solve_with_margin(market, pool, z_score, partial(split, market), plain)


def _searched(market: Market, pool: float, z_score: float, price: float) -> tuple[Solution, float]:
    """The best found by repair and the price near which it was: a margin is a number of deviations that hardly moves.

    Sets are compared at that number, the best few are filled to their exact margins, and the number taken from there.
    """
    best, near = check_floors(market, pool, z_score), priced_only(market, pool, price)
    held = margin_of(market, near, z_score)
    near = priced_only(market, max(pool - held, market.total_floor), price)
    tried: list[float] = []
    for _ in range(_SEARCHES):
        multiple = margin_in_deviations(market, near, margin_of(market, near, z_score), z_score)
        if (
            any(abs(multiple - known) <= _OTHER * multiple for known in tried)
            and best.utility > near.utility * _HARDLY
        ):
            break
        found, price = _repaired(market, pool, multiple, near, price)
        tried.append(multiple)
        filled = [_to_exact_margin(market, pool, z_score, multiple, one, price) for one in found[:_FILLED]]
        best = max([best, *filled], key=lambda one: one.utility)
        near = found[0] if best.utility <= found[0].utility * _HARDLY else best
    return best, price


def _to_exact_margin(
    market: Market, pool: float, z_score: float, multiple: float, found: Solution, price: float
) -> Solution:
    """The best that the funded set of a solution makes of the pool and its exact margin."""
    funded_set, fixed = funded_set_of(market, found)
    solutions = [found] if total_charge(market, found) + margin_of(market, found, z_score) <= pool else []
    # The cap that no price explains may be set anew: what is left goes where it is worth most.
    for one in dict.fromkeys((_moved(market, pool, multiple, found, funded_set, fixed, price), None)):
        rule = partial(_filled, market, funded_set, one, price)
        solutions.append(solve_with_margin(market, pool, z_score, rule, found))
    return max(solutions, key=lambda solution: solution.utility)


def _moved(
    market: Market,
    pool: float,
    multiple: float,
    found: Solution,
    funded_set: FundedSet,
    fixed: tuple[int, float] | None,
    price: float,
) -> tuple[int, float] | None:
    """The cap that no price explains, moved down where others make more of its tokens."""
    if fixed is None:
        return None
    query, cap = fixed
    refill = _filler(pool, multiple, scaled_margin(market, found, multiple))
    tries = [(query, float(np.floor(cap * share))) for share in _MOVES]
    worth = [solution.utility if (solution := refill(market, price, pool)(funded_set, one)) else 0.0 for one in tries]
    return tries[int(np.argmax(worth))]


def _filled(
    market: Market, funded_set: FundedSet, fixed: tuple[int, float] | None, price: float, inner: float
) -> Solution | None:
    return refill_funded(market, funded_set, inner, price, fixed)


def _repaired(
    market: Market, pool: float, multiple: float, near: Solution, price: float
) -> tuple[list[Solution], float]:
    """What repair makes of pools that leave about `multiple` deviations, the best first, and the last price."""
    every: dict[bytes, Solution] = {}
    low, high = market.total_floor, pool
    margin = scaled_margin(market, near, multiple)
    inner = max(pool - margin, low)
    for _ in range(_REPAIRS):
        clearing, bound = price_and_bound(market, inner, price)
        price = clearing.price
        found, _ = improved(market, clearing, bound, inner, _filler(pool, multiple, margin))
        every |= {b"".join(level.tobytes() for level in funded_set_of(market, one)[0]): one for one in found}
        margins = [scaled_margin(market, one, multiple) for one in found]
        fits = all(total_charge(market, one) + held <= pool for one, held in zip(found, margins, strict=True))
        low, high, margin = max(low, inner) if fits else low, high if fits else min(high, inner), margins[-1]
        # What is held back bounds the search for a better set, so that it must be what is needed.
        if abs(pool - margin - inner) <= _ALIKE * margin or high - low <= _ALIKE * margin:
            break
        inner = pool - margin if low < pool - margin < high else 0.5 * (low + high)
    return sorted(every.values(), key=lambda one: -one.utility), price


def _filler(pool: float, multiple: float, margin: float) -> Filler:
    """Funded sets filled to their charge and `multiple` deviations; margin : a guess of what they come to."""

    def filler(within: Market, price: float, _: float) -> Refill:
        def held(solution: Solution) -> float:
            return scaled_margin(within, solution, multiple)

        def refill(funded_set: FundedSet, fixed: tuple[int, float] | None) -> Solution | None:
            rule = partial(_filled, within, funded_set, fixed, price)
            solution = solve_within(within, pool, held, margin, rule, _RTOL, _TRIES)
            # A set without a margin that fits is handed on: the pool that is tried next allows for it.
            return rule(max(pool - margin, within.total_floor)) if solution is None else solution

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
