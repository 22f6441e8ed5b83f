"""What else people do: routers, greedy rules, lots, a general optimiser, a pricing library."""

from __future__ import annotations

import heapq

import numpy as np
import numpy.typing as npt

import clear_alloc as ca
from benchmarks.batch import Array, Batch, Caps
from benchmarks.scoring import uniform_cap
from benchmarks.slsqp import best_shares

TIERS = 5
BLOCKS = 20  # per query: how finely greedy hands out the budget
GRID = 40  # caps per query offered to the pricing library
ROUNDS = 20_000  # of its multiplier
LOTS = 1_000  # beside the seed, which streams use with their own small numbers


def uniform(batch: Batch, budget: int) -> Caps:
    """One cap for everybody."""
    return Caps(np.full(len(batch), budget // max(len(batch), 1), dtype=np.int64))


def uniform_returned(batch: Batch, budget: int) -> Caps:
    """One cap for everybody, where what early finishers leave is handed on to the others, until it is spent.

    It ends at the largest common cap under which the scoring samples burn no more than the budget. No gateway can
    know that cap beforehand; it is the best that returning tokens can do.
    """
    split = batch.split
    return Caps(uniform_cap(split, split.ids, budget, "expected").astype(np.int64))


def proportional(batch: Batch, budget: int) -> Caps:
    """Caps in proportion to the median length."""
    return _of_baseline(ca.proportional(batch.curves("lognormal"), budget))


def cutoff_plus_pad(batch: Batch, budget: int) -> Caps:
    """Shortest first, each with its threshold and one pad for all; the pad is tuned on the fitted curves."""
    return _of_baseline(ca.cutoff_plus_pad(batch.curves("shifted_surge"), budget))


def _of_baseline(result: ca.Allocation) -> Caps:
    return Caps(result.tokens, promised=result.utility, gap=result.gap)


def tier_router(batch: Batch, budget: int) -> Caps:
    """Five tiers of difficulty by median length with a fixed cap each, in proportion to the tier's 90 % lengths.

    The caps keep their proportions and are scaled to the budget, as an operator would who has tiers and less money.
    """
    if not len(batch):
        return Caps(np.empty(0, dtype=np.int64))
    curves = batch.curves("lognormal")
    rank = np.argsort(np.argsort(curves.median, kind="stable"), kind="stable")
    tier = rank * min(TIERS, len(batch)) // len(batch)
    long = curves.median * np.exp(1.2816 * curves.spread)  # nine in ten are shorter
    typical = np.bincount(tier, long) / np.bincount(tier)
    scale = min(budget / typical[tier].sum(), float(ca.curves.MAX_TOKENS) / typical.max())
    return Caps(np.floor(scale * typical[tier]).astype(np.int64))


def random_order(batch: Batch, budget: int) -> Caps:
    """Lots are drawn; each gets nine in ten of its lengths while the budget lasts."""
    curves = batch.curves("lognormal")
    order = np.random.default_rng([batch.seed, LOTS]).permutation(len(batch))
    wanted = np.ceil(curves.median * np.exp(1.2816 * curves.spread)).astype(np.int64)
    return _while_it_lasts(wanted, order, budget)


def best_value_first(batch: Batch, budget: int) -> Caps:
    """Everybody at the cap where a token buys most on average, the best value per token first, while it lasts."""
    curves = batch.curves("lognormal")
    wanted = np.ceil(curves.break_even).astype(np.int64)
    order = np.argsort(-curves.reservation_price(), kind="stable")
    return _while_it_lasts(wanted, order, budget)


def _while_it_lasts(wanted: npt.NDArray[np.int64], order: npt.NDArray[np.intp], budget: int) -> Caps:
    """What each wants, in order, until the next is more than is left."""
    return Caps(np.where(np.isin(np.arange(len(wanted)), order[np.cumsum(wanted[order]) <= budget]), wanted, 0))


def greedy_marginal(batch: Batch, budget: int) -> Caps:
    """The next block of tokens to whoever gains most by it, again and again: short-sighted where curves are flat."""
    curves, n = batch.curves("lognormal"), len(batch)
    block = max(budget // max(BLOCKS * n, 1), 1)
    tokens = np.zeros(n, dtype=np.int64)
    worth = curves.utility(np.arange(2 * BLOCKS * BLOCKS)[:, None] * float(block))
    steps = np.diff(worth, axis=0)
    heap = [(-gain, row, 0) for row, gain in enumerate(steps[0].tolist())]
    heapq.heapify(heap)
    for _ in range(int(budget) // block if n else 0):
        if not heap:
            break
        _, row, place = heapq.heappop(heap)
        tokens[row] += block
        if place + 1 < len(steps):
            heapq.heappush(heap, (-float(steps[place + 1, row]), row, place + 1))
    return Caps(tokens)


def slsqp(batch: Batch, budget: int) -> Caps:
    """scipy's SLSQP on the same curves from a uniform start, as optimisers of marketing budgets do. O(n^3) a step."""
    curves, n = batch.curves("lognormal"), len(batch)
    scale = budget / n

    def loss(x: Array) -> float:
        return -float(curves.utility(scale * x).sum())

    def slope(x: Array) -> Array:
        step = 1e-4
        ahead, behind = curves.utility(scale * (x + step)), curves.utility(scale * np.maximum(x - step, 0.0))
        result: Array = -(ahead - behind) / (step + np.minimum(x, step))
        return result

    shares, _ = best_shares(loss, slope, n)
    tokens = np.floor(scale * shares).astype(np.int64)
    return Caps(tokens, promised=float(curves.utility(tokens).sum()))


def price_contour(batch: Batch, budget: int) -> Caps:
    """The pricing library price-contour (AGPL, installed apart): GRID caps per query, one Lagrange multiplier.

    It starts from the step whose total is nearest to the budget and walks towards it, ROUNDS steps at the most; it
    may stop on either side. Where caps pass the budget, those that promise least per token are dropped.
    """
    if budget == 0:
        return uniform(batch, budget)
    import polars as pl
    import price_contour as pc

    curves, n = batch.curves("lognormal"), len(batch)
    places = np.linspace(-2.5, 3.5, GRID - 1)  # deviations of log length
    lengths = curves.median[:, None] * np.exp(places * curves.spread[:, None])
    caps = np.hstack([np.zeros((n, 1)), np.ceil(lengths)])
    worth = curves.utility(caps.T).T
    start = max(int(np.argmin(np.abs(caps.sum(axis=0) - budget))), 1)  # its baseline is where the value is 1
    scenarios = pl.DataFrame(
        {
            "quote_id": np.repeat([f"{row:09d}" for row in range(n)], GRID),
            "scenario_index": np.tile(np.arange(GRID, dtype=np.int32), n),
            "scenario_value": np.tile(np.arange(GRID) / start, n).astype(np.float32),
            "right": worth.ravel().astype(np.float32),
            "tokens": (caps / budget).ravel().astype(np.float32),
        }
    )
    optimiser = pc.OnlineOptimiser("right", {"tokens": {"max": 1.0}}, max_iter=ROUNDS)
    step = optimiser.solve(scenarios).dataframe.sort("quote_id")["optimal_step"].to_numpy().astype(np.intp)
    rows = np.arange(n)
    tokens, promised = caps[rows, step].astype(np.int64), worth[rows, step]
    for row in np.argsort(promised / np.maximum(tokens, 1), kind="stable"):
        if tokens.sum() <= budget:
            break
        tokens[row] = 0
    return Caps(tokens)
