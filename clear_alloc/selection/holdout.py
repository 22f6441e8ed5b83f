"""What rollouts that were set aside say of a policy's caps on one family's curves."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from clear_alloc.allocation.result import Allocation
from clear_alloc.curves import Array
from clear_alloc.errors import BudgetTooSmall
from clear_alloc.fit.rollouts import Ints
from clear_alloc.market.tariff import Tariff
from clear_alloc.market.terms import AllocateKwargs
from clear_alloc.selection.folds import Folds

__all__ = ["ROUNDING", "HoldoutScore", "SelectionTask", "held_out"]

ROUNDING = 1e-12  # of a sum of values or charges: those as close as that are equal
_ROUNDS = 8  # of a smaller budget; one or two are usual
_HAIR = 2e-3  # of the budget: what a smaller one stays below the one that should just do; twice as much each round


class HoldoutScore(NamedTuple):
    """What set-aside rollouts say of one candidate.

    value : sum over queries of weight x the share of their set-aside rollouts that are right within the cap.
    charged : budget units that the caps turned out to cost, summed over queries. within : whether that and the margin
    for an overrun fit what was asked for. rollouts : number set aside. budget : what the candidate was given to
    allocate: all that was asked for, or less where that would overspend it.
    """

    value: float
    charged: float
    within: bool
    rollouts: int
    budget: float


class SelectionTask(NamedTuple):
    """One question. rows : numbers of its queries, (n,). position : their positions by number, -1 for others.

    weight : value of a right answer, (n,).
    """

    budget: float
    rows: Ints
    position: Ints
    weight: Array
    tariff: Tariff
    terms: AllocateKwargs


def held_out(folds: Folds, act: Callable[..., Allocation], family: str, task: SelectionTask) -> HoldoutScore:
    """Score a policy; where it overspends, with a budget that is smaller by the factor by which it does.

    O(rollouts) and an allocation per fold; a few times that where it overspends.
    """
    held, foreseen = _scored(folds, act, family, task, task.budget)
    for tried in range(_ROUNDS):
        if held.within:
            break
        # Curves foresaw less than was burned; by their own measure the budget is that much smaller.
        smaller = (1.0 - _HAIR * 2.0**tried) * task.budget * foreseen / held.charged
        try:
            held, foreseen = _scored(folds, act, family, task, smaller)
        except BudgetTooSmall:  # for the floors, which have to be paid
            break
    return held


def _scored(
    folds: Folds, act: Callable[..., Allocation], family: str, task: SelectionTask, budget: float
) -> tuple[HoldoutScore, float]:
    """Also what the curves foresaw, budget units."""
    data, n, expected = folds.data, len(task.rows), task.tariff.accounting == "expected"
    right, charged, times, foreseen = np.zeros((4, n))
    margin = 0.0
    for fold, test_rows in enumerate(folds.test_rows):
        result = act(folds.curves(family, fold).take(task.rows), budget, **task.terms)
        position = task.position[data.query[test_rows]]
        mine, position = test_rows[position >= 0], position[position >= 0]
        tokens, caps = data.tokens[mine], result.tokens[position]
        right += np.bincount(position, data.right[mine] & (tokens <= caps), n)
        charged += np.bincount(position, _charge(task.tariff, result, position, tokens), n)
        times += np.bincount(position, minlength=n)
        foreseen += result.charges / len(folds)
        margin += result.margin / len(folds)
    known = times > 0 if expected else np.zeros(n, dtype=bool)  # reserved caps are charged whatever is burned
    total = float(np.where(known, charged / np.maximum(times, 1.0), foreseen).sum())
    within = not expected or total + margin <= task.budget * (1.0 + ROUNDING)
    value = float((task.weight * right / np.maximum(times, 1.0)).sum())
    return HoldoutScore(value, total, within, int(times.sum()), budget), float(foreseen.sum())


def _charge(tariff: Tariff, result: Allocation, position: Ints, tokens: Array) -> Array:
    """Budget units for rollouts of so many tokens under their query's cap: `Charged`, of lengths that are known."""
    burned: Array = np.minimum(tokens, result.tokens[position])
    if tariff.rate is not None:
        burned = burned * tariff.rate[position, 0]
    if tariff.call is not None:
        called = result.tokens > 0
        if result.choice is not None:
            called |= result.choice >= 0  # an option of no tokens is a call as well
        burned = burned + np.where(called[position], tariff.call[position, 0], 0.0)
    return burned * tariff.unit
