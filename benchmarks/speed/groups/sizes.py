"""Times by size: against np.sort of as many numbers, and with the price of the previous batch to start from."""

from __future__ import annotations

import numpy as np

from benchmarks.speed.rows import Case, Row
from benchmarks.speed.subject import WARM, certified, work_of
from benchmarks.speed.timing import in_turn
from benchmarks.speed.workloads import FAMILIES, FUNDED, SEED, SHARE

SIZES = (1, 10, 64, 100, 512, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
BATCHES = (64, 1_000, 100_000, 1_000_000)
TERMS = (
    *((family, "reserved", None) for family in FAMILIES),
    ("lognormal", "expected", 0.5),
    ("lognormal", "expected", 0.05),
    ("cumulative_surge", "expected", 0.5),
)
SORT = [
    Case("sort", family, accounting, n, overrun, share)
    for family, accounting, overrun in TERMS
    for share, sizes in ((FUNDED, (1,)), (SHARE, SIZES))
    for n in sizes
]
START = [Case("start", "shifted_surge", "reserved", n, share=SHARE) for n in BATCHES]


def against_sort(case: Case, rounds: int) -> Row:
    """The same arrays and the same keys in each round."""
    work = work_of(case)
    keys = np.random.default_rng([SEED, case.n]).random(case.n)
    work_of(case, min(case.n, WARM)).done()
    timed = in_turn(work.done, lambda: np.sort(keys), rounds)
    return Row.of(case, timed.ours, timed.reference, gap=certified(timed.result))


def with_start(case: Case, rounds: int) -> Row:
    """The next batch of a stream, told the price of the one before; the reference is not told."""
    price = work_of(case).done().price
    following = work_of(case, seed=SEED + 1)
    work_of(case, min(case.n, WARM)).done(price)
    timed = in_turn(lambda: following.done(price), following.done, rounds)
    same = np.array_equal(timed.result.tokens, timed.other.tokens)
    return Row.of(case, timed.ours, timed.reference, gap=certified(timed.result), figures={"same caps": float(same)})
