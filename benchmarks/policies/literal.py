"""CLEAR as the paper describes it, and no more: nothing here uses the package's solver.

Every query has the hump alpha (b - tau)+ exp(-beta (b - tau)), with alpha and beta shared by all; only tau differs.
The price that clears the budget is found by bisection. At a price each query demands the closed form of the principal
Lambert W branch if its surplus there is positive, and nothing otherwise. Demand is taken at the end of the bracket
that fits the budget; what is left over stays unspent.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import lambertw

from benchmarks.batch import Batch, Caps
from benchmarks.scoring import held_out_accuracy

__all__ = ["clear", "clear_best_width", "clear_paper_fit", "hump_caps", "shared_humps"]

STEPS = 60  # of the bisection
WIDTHS = 17  # tried in hindsight; odd, so that the plain one is among them

Array = npt.NDArray[np.float64]


def clear(batch: Batch, budget: int) -> Caps:
    """Thresholds as we fit them, which is kinder than the paper's own fit; one height and one width for all."""
    threshold, width, peak = shared_humps(batch)
    return Caps(hump_caps(threshold, width, peak, budget))


def clear_paper_fit(batch: Batch, budget: int) -> Caps:
    """The paper's own least squares on histograms of lengths, as far as it is known."""
    curves = batch.curves("paper")
    return Caps(hump_caps(curves.threshold, float(curves.width[0]), float(curves.peak[0]), budget))


def clear_best_width(batch: Batch, budget: int) -> Caps:
    """The width 1/beta that scores best on the very samples that score it: more than anybody can know."""
    threshold, width, peak = shared_humps(batch)
    widths = width * np.geomspace(0.1, 10.0, WIDTHS)
    tried = [hump_caps(threshold, float(own), peak, budget) for own in widths]
    split = batch.known.split
    if len(batch) < len(batch.known):  # a window: the others' caps don't count
        split = split.only([split.ids[row] for row in batch.rows])
    return Caps(max(tried, key=lambda caps: held_out_accuracy(split, split.ids, caps)))


def shared_humps(batch: Batch) -> tuple[Array, float, float]:
    """Thresholds, the width that all share (the middle one) and the height that all share (share right)."""
    curves = batch.curves("shifted_surge")
    solved = batch.known.fitted("shifted_surge").peak
    return curves.threshold, float(np.median(batch.known.fitted("shifted_surge").width)), float(solved.mean())


def hump_caps(threshold: Array, width: float, peak: float, budget: int) -> npt.NDArray[np.int64]:
    """Caps, (n,), by bisection on the price. O(n) per step."""
    low, high = 0.0, peak * np.e / width  # nobody demands anything at the steepest slope there is
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        fits = _demand(threshold, width, peak, middle).sum() <= budget
        low, high = (low, middle) if fits else (middle, high)
    return np.floor(_demand(threshold, width, peak, high)).astype(np.int64)


def _demand(threshold: Array, width: float, peak: float, price: float) -> Array:
    # U'(x) = (peak/s)(1 - x/s) e^(1 - x/s) = price; with y = 1 - x/s, y e^y = price s/peak: one pad for everybody.
    y = lambertw(min(price * width / peak, np.e)).real
    pad = width * (1.0 - y)
    surplus = peak * (1.0 - y) * np.exp(y) - price * (threshold + pad)
    return np.where(surplus > 0.0, threshold + pad, 0.0)
