"""CLEAR as the paper describes it, and no more: nothing here uses the package's solver.

Every query has the hump alpha (b - tau)+ exp(-beta (b - tau)), with alpha and beta shared by all; only tau differs.
The price that clears the budget is found by bisection. At a price each query demands the closed form of a Lambert W
branch if its surplus there is positive, and nothing otherwise. Demand is taken at the end of the bracket that fits
the budget; what is left over stays unspent.

Whether the hump is the utility (principal branch) or the marginal utility (branch -1, the cumulative surge) the paper
doesn't settle: both are here. Nor is it known how beta is set. Here it is the width that scores best on the fitting
samples at this budget, and thresholds are ours, fitted; both are kinder than the paper's own fit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import lambertw

from benchmarks.batch import Batch, Caps
from benchmarks.scoring import Split, held_out_accuracy

STEPS = 60  # of the bisection
WIDTHS = 17  # tried, from a tenth to ten times the middle one of the queries' own

Array = npt.NDArray[np.float64]
Tokens = npt.NDArray[np.int64]
Rule = Callable[[Array, float, float, int], Tokens]  # threshold, width, peak and budget to caps


def clear(batch: Batch, budget: int) -> Caps:
    """The hump as the utility."""
    return Caps(hump_caps(*shared_humps(batch, budget), budget))


def clear_integral(batch: Batch, budget: int) -> Caps:
    """The hump as the marginal utility."""
    return Caps(integral_caps(*shared_humps(batch, budget, integral_caps), budget))


def clear_paper_fit(batch: Batch, budget: int) -> Caps:
    """The paper's own least squares on histograms of lengths, as far as it is known."""
    curves = batch.curves("paper")
    return Caps(hump_caps(curves.threshold, float(curves.width[0]), float(curves.peak[0]), budget))


def clear_best_width(batch: Batch, budget: int) -> Caps:
    """The width that scores best on the very samples that score it."""
    return Caps(hump_caps(*_best(batch, budget, hump_caps, batch.split), budget))


def shared_humps(batch: Batch, budget: int, rule: Rule | None = None) -> tuple[Array, float, float]:
    """Thresholds, the width that all share and the height that all share (share right)."""
    split = batch.split
    return _best(batch, budget, rule or hump_caps, split._replace(scoring=split.fitting))


def _best(batch: Batch, budget: int, rule: Rule, split: Split) -> tuple[Array, float, float]:
    curves, every = batch.curves("shifted_surge"), batch.known.fitted("shifted_surge")
    threshold, peak = curves.threshold, float(every.peak.mean())
    widths = float(np.median(every.width)) * np.geomspace(0.1, 10.0, WIDTHS)

    def right(width: float) -> float:
        return held_out_accuracy(split, split.ids, rule(threshold, width, peak, budget))

    return threshold, max(map(float, widths), key=right), peak


def hump_caps(threshold: Array, width: float, peak: float, budget: int) -> Tokens:
    """Caps, (n,), of humps as utility, by bisection on the price. O(n) per step."""

    # U'(x) = (peak/s)(1 - x/s) e^(1 - x/s) = price; with y = 1 - x/s, y e^y = price s/peak: one pad for everybody.
    def pad_and_value(price: float) -> tuple[float, float]:
        y = float(lambertw(min(price * width / peak, np.e)).real)
        return width * (1.0 - y), peak * (1.0 - y) * np.exp(y)

    return _cleared(threshold, pad_and_value, peak * np.e / width, budget)


def integral_caps(threshold: Array, width: float, peak: float, budget: int) -> Tokens:
    """Caps, (n,), of humps as marginal utility, whose integral rises to `peak`. O(n) per step."""

    # price = peak x/s^2 e^(-x/s); with w = -x/s, w e^w = -price s/peak, on the branch where the slope falls.
    def pad_and_value(price: float) -> tuple[float, float]:
        x = -float(lambertw(max(-price * width / peak, -1.0 / np.e), -1).real) if price > 0.0 else np.inf
        return width * x, peak * (1.0 - (1.0 + x) * np.exp(-x)) if x < np.inf else peak

    return _cleared(threshold, pad_and_value, peak / (np.e * width), budget)


def _cleared(
    threshold: Array, pad_and_value: Callable[[float], tuple[float, float]], steepest: float, budget: int
) -> Tokens:
    def demand(price: float) -> Array:
        pad, value = pad_and_value(price)
        caps = threshold + pad
        return np.where(value > price * caps, caps, 0.0)

    low, high = 0.0, steepest  # at which nobody demands anything
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if demand(middle).sum() <= budget else (middle, high)
    return np.floor(demand(high)).astype(np.int64)
