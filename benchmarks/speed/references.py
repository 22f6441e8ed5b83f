"""What ours is compared with, written without it: bisection on the price, and scipy's general solvers.

The curve is U(b) = peak (x/width) exp(1 - x/width) with x = b - threshold, for x from 0 to the width; then peak.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, kron, vstack
from scipy.special import lambertw, ndtr

from benchmarks.slsqp import best_shares
from benchmarks.speed.workloads import Array, Columns

STEPS = 60  # of bisection: more than a float's digits
GRID = 32  # caps per query that the integer program may choose from
SECONDS = 20.0  # that it may take


class Found(NamedTuple):
    """caps : whole tokens, (n,). left : what the solver says it may have missed, as a share; NaN where it says none.

    ended : whether the solver was content, and did not merely run out of time or steps.
    """

    caps: Array
    left: float
    ended: bool


def surge_value(given: Columns, caps: Array) -> float:
    """Sum of the utilities of shifted surges."""
    threshold, width, peak = given
    y = np.clip((caps - threshold) / width, 0.0, 1.0)
    return float((peak * y * np.exp(1.0 - y)).sum())


def lognormal_value(given: Columns, caps: Array) -> float:
    """Sum of the utilities of log-normal arrivals."""
    median, spread, solvability = given
    with np.errstate(divide="ignore"):  # a cap of 0 is never in time
        return float((solvability * ndtr((np.log(caps) - np.log(median)) / spread)).sum())


def bisected(given: Columns, budget: float) -> tuple[Array, float]:
    """Real-valued caps that fit the budget, and their price: no whole tokens, no repair, no certificate.

    O(n) for each of the STEPS. Where demand jumps past the budget, what it leaves over stays unused.
    """
    threshold, width, peak = given
    # The best value per token is where the chord from 0 touches: x^2 + threshold x = threshold width.
    touch = 0.5 * (np.sqrt(threshold**2 + 4.0 * threshold * width) - threshold)
    highest = peak / width * (1.0 - touch / width) * np.exp(1.0 - touch / width)

    def demand(price: float) -> Array:
        product: Any = price * width / peak
        inverse_marginal = threshold + width * (1.0 - lambertw(product).real)
        return np.where(highest >= price, inverse_marginal, 0.0)

    low, high = 0.0, float(highest.max())
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        if demand(middle).sum() > budget:
            low = middle
        else:
            high = middle
    return demand(high), high


def sequential(given: Columns, budget: int) -> Found:
    """SLSQP from a uniform start, with the analytic gradient; its caps are rounded down. O(n^3) a step."""
    threshold, width, peak = given
    n, scale = len(threshold), budget / len(threshold)

    def loss(x: Array) -> float:
        return -surge_value(given, scale * x)

    def slope(x: Array) -> Array:
        y = (scale * x - threshold) / width
        rest = 1.0 - np.clip(y, 0.0, 1.0)
        return -scale * np.where(y >= 0.0, peak / width * rest * np.exp(rest), 0.0)

    shares, content = best_shares(loss, slope, n)
    return Found(np.floor(scale * shares), float("nan"), content)


def grid_of(given: Columns) -> Array:
    """Whole caps that the integer program may choose from, (n, GRID): 0, then from the threshold to the peak."""
    threshold, width, _ = given
    places = np.linspace(0.0, 1.0, GRID - 1)
    return np.hstack([np.zeros((len(threshold), 1)), np.ceil(threshold[:, None] + width[:, None] * places)])


def mixed_integer(given: Columns, budget: int) -> Found:
    """HiGHS, one cap of the grid per query. Raises RuntimeError where it finds none in its time."""
    threshold, width, peak = given
    caps, n = grid_of(given), len(threshold)
    y = np.clip((caps - threshold[:, None]) / width[:, None], 0.0, 1.0)
    worth = peak[:, None] * y * np.exp(1.0 - y)
    one_each = kron(csr_array(np.eye(n)), np.ones((1, GRID)))
    rows = csr_array(vstack([one_each, csr_array(caps.reshape(1, -1))]))
    within = LinearConstraint(rows, np.append(np.ones(n), 0.0), np.append(np.ones(n), float(budget)))
    found = milp(
        -worth.ravel(), integrality=np.ones(n * GRID, dtype=np.int64), bounds=Bounds(0.0, 1.0), constraints=within,
        options={"time_limit": SECONDS},
    )  # fmt: skip
    if found.x is None:
        raise RuntimeError(f"HiGHS found no caps: {found.message}")
    chosen = found.x.reshape(n, GRID).argmax(axis=1)
    return Found(caps[np.arange(n), chosen], float(found.mip_gap), found.status == 0)
