"""Exact integer dynamic programme over whole tokens that are charged as they are, for small cases."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import Array
from clear_alloc.market.market import Index, Market, MenuDemand, SmoothDemand
from clear_alloc.solver.primal.water_filling import Solution, evaluate

__all__ = ["exact_solution", "table_cells"]

_CELLS_AT_ONCE = 2_000_000  # 16 MB per array


def table_cells(market: Market, budget: float) -> float:
    """Work of `exact_solution`: comparisons of one cap of one query against one budget. O(n)."""
    free = _free(market, budget)
    smooth = np.minimum(market.smooth.last_whole - market.smooth.floor, free) + 1.0
    options = np.isfinite(market.menus.costs).sum(axis=1) + 1.0
    sizes = np.sort(np.concatenate([smooth, options]))
    # The largest two stages are put first and last, where one row of the table is enough.
    return float((sizes[:-2].sum() + 1.0) * (free + 1.0) + sizes[-2:].sum())


def exact_solution(market: Market, budget: float) -> Solution:
    """The best whole caps there are. O(`table_cells`) time, O(n x budget) memory.

    Bellman's recursion over queries: best(i, b) = max over caps c of best(i - 1, b - c) + U_i(c), on the tokens
    above the floors. Of equally good caps the smallest is taken.
    """
    free = int(_free(market, budget))
    smooth, menus = market.smooth, market.menus
    stages = [_cap_options(smooth, row, free) for row in range(len(smooth))]
    stages += [_menu_options(menus, row, free) for row in range(len(menus))]
    order = np.argsort([len(stage.extra) for stage in stages], kind="stable")
    order = np.concatenate([order[-1:], order[:-1]])
    picks = np.zeros(len(stages), dtype=np.intp)
    picks[order] = _picks([stages[k] for k in order], free)
    caps, chosen = smooth.floor.copy(), menus.base.copy()
    for row, pick in enumerate(picks[: len(smooth)]):
        caps[row] = stages[row].decision[pick]
    for row, pick in enumerate(picks[len(smooth) :]):
        chosen[row] = stages[len(smooth) + row].decision[pick]
    return evaluate(market, caps, chosen)


def _free(market: Market, budget: float) -> float:
    """Whole tokens above the floors that can be used at all: a table longer than that would be idle."""
    smooth, menus = market.smooth, market.menus
    dearest = np.where(np.isfinite(menus.costs), menus.costs, menus.base_charge[:, None]).max(axis=1, initial=0.0)
    usable = float((smooth.last_whole - smooth.floor).sum() + (dearest - menus.base_charge).sum())
    return max(min(float(np.floor(budget - market.total_floor)), usable), 0.0)


class _Stage(NamedTuple):
    """One query's options: tokens above its floor (rising, first 0), value, and the decision they stand for."""

    extra: Index
    value: Array
    decision: Array | Index


def _cap_options(side: SmoothDemand, row: int, free: int) -> _Stage:
    own = side.rows(np.array([row]))
    floor = own.floor[0]
    extra = np.arange(int(min(own.last_whole[0] - floor, free)) + 1)
    extra = extra[(extra == 0) | (floor + extra >= own.low[0])]
    value = own.curves.utility((floor + extra)[:, None])[:, 0]
    useful = np.append(True, value[1:] > value[:-1])
    return _Stage(extra[useful], value[useful], floor + extra[useful])


def _menu_options(side: MenuDemand, row: int, free: int) -> _Stage:
    above = side.costs[row] - side.base_charge[row]
    options = np.flatnonzero((above > 0) & (above <= free))
    extra = np.concatenate([[0], above[options]]).astype(np.intp)
    value = np.concatenate([[side.base_value[row]], side.values[row, options]])
    return _Stage(extra, value, np.concatenate([[side.base[row]], options]))


def _picks(stages: list[_Stage], free: int) -> list[int]:
    """Index of the best option of each stage, by forward recursion and tracing back."""
    best = np.zeros(free + 1)
    tables: list[npt.NDArray[np.int32]] = []
    for stage in stages[:-1]:
        # The first stage starts from a table of zeros, where the best option in reach only grows with the budget.
        pick, best = _first(stage, free) if not tables else _next(stage, best)
        tables.append(pick.astype(np.int32))
    picks, left = [], free
    if stages:
        last = stages[-1]
        picks.append(int((best[free - last.extra] + last.value).argmax()))
        left -= int(last.extra[picks[0]])
    for stage, table in zip(reversed(stages[:-1]), reversed(tables), strict=True):
        picks.append(int(table[left]))
        left -= int(stage.extra[picks[-1]])
    return picks[::-1]


def _first(stage: _Stage, free: int) -> tuple[Index, Array]:
    leader = np.maximum.accumulate(stage.value)
    champion = np.searchsorted(leader, leader, side="left")  # the first option to reach the running maximum
    reach = np.searchsorted(stage.extra, np.arange(free + 1), side="right") - 1
    return champion[reach], stage.value[champion[reach]]


def _next(stage: _Stage, best: Array) -> tuple[Index, Array]:
    """For every budget, the option whose value plus the best of what it leaves is highest; in bounded memory."""
    pick, value = np.empty(len(best), dtype=np.intp), np.empty(len(best))
    padded = np.concatenate([np.full(int(stage.extra[-1]), -np.inf), best])
    rows = max(_CELLS_AT_ONCE // len(stage.extra), 1)
    for start in range(0, len(best), rows):
        some = slice(start, min(start + rows, len(best)))
        total = _totals(stage, padded, best, some)
        pick[some] = total.argmax(axis=1)
        value[some] = total[np.arange(len(total)), pick[some]]
    return pick, value


def _totals(stage: _Stage, padded: Array, best: Array, some: slice) -> Array:
    """One row per budget, one column per option."""
    run, reach = stage.extra[1:], int(stage.extra[-1])
    if len(run) and (np.diff(run) == 1).all():  # consecutive caps: a view instead of a gather
        view = np.lib.stride_tricks.sliding_window_view(padded[: len(padded) - int(run[0])], len(run))[some, ::-1]
        return np.column_stack([best[some] + stage.value[0], view + stage.value[1:]])
    budgets = np.arange(some.start, some.stop)
    total: Array = padded[budgets[:, None] + (reach - stage.extra)] + stage.value
    return total
