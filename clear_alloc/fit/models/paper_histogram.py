"""The paper's own fit, as far as it is known: one hump for the whole pool, moved to each query's threshold.

Wan et al. 2026 write the latent utility as alpha (b - tau)+ exp(-beta (b - tau)), share alpha and beta among all
queries, and draw it over a histogram of correct rollouts by length. That much is known. Our reading of the rest:

- The histogram has BINS equal bins from 0 to the longest right answer of the pool; its entries are shares of a
  query's rollouts. Thresholds lie on the edges of its bins. Caps play no part: a stopped rollout is one that is not
  right.
- Least squares gives tau and beta. The histogram's height depends on its bins and can't be a value, so alpha is such
  that the peak alpha/(beta e) is the pool's share of right rollouts. alpha is common to all and moves no cap.
- A query without a right answer has no hump: its threshold is the longest right answer of the pool.

With a handful of rollouts per query the histograms are mostly gaps, and the narrowest hump fits them best; so does no
reading that we tried (coarser bins, a width chosen by held-out histograms) come near the other families on real logs.
For replication, not for use.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clear_alloc.fit.rollouts import Array, Rollouts

__all__ = ["Humps", "fit_humps"]

BINS = 64
_WIDTHS = 33  # candidates for 1/beta, from one bin to the whole histogram
_ROUNDS = 20


class Humps(NamedTuple):
    """threshold : token, shape (queries,). alpha : value/token; beta : 1/token. rmse : of the histograms, share."""

    threshold: Array
    alpha: float
    beta: float
    rmse: float


def fit_humps(data: Rollouts) -> Humps:
    """Least squares over beta, the height, and a threshold per query; needs a right answer of 1 token or more.

    O(queries x BINS^2) per candidate of beta; thresholds and height in turn, each the best given the other.
    """
    edges = np.linspace(0.0, data.tokens[data.right].max(), BINS + 1)
    bins = np.clip(np.searchsorted(edges, data.tokens, side="left") - 1, 0, BINS - 1)
    cells = np.bincount(data.query * BINS + bins, data.right, len(data.ids) * BINS)
    shares = cells.reshape(-1, BINS) / data.per_query(np.ones(len(data.query)))[:, None]
    widths = np.geomspace(edges[1], edges[-1], _WIDTHS)
    fits = [_aligned(shares, edges, width) for width in widths]
    best = int(np.argmin([loss for loss, _ in fits]))
    loss, threshold = fits[best]
    beta = 1.0 / float(widths[best])
    peak = float(data.right.mean())
    return Humps(edges[threshold], peak * beta * np.e, beta, float(np.sqrt(max(loss, 0.0) / shares.size)))


def _aligned(shares: Array, edges: Array, width: float) -> tuple[float, Array]:
    """Sum of squares, and the edge at which each query's hump begins."""
    y = np.maximum((edges[:-1] + 0.5 * edges[1] - edges[:-1, None]) / width, 0.0)
    humps = y * np.exp(1.0 - y)  # one row per threshold, of height 1
    match, size = shares @ humps.T, (humps**2).sum(axis=1)
    rows, solved = np.arange(len(shares)), shares.any(axis=1)
    start = np.argmax(match / np.sqrt(size), axis=1)  # the best if every query had a height of its own
    for _ in range(_ROUNDS):
        gained, used = match[rows, start][solved].sum(), size[start][solved].sum()
        # |shares - height hump|^2 = |shares|^2 - 2 height match + height^2 size, least at height = match/size
        better = np.argmax(2.0 * (gained / used) * match - (gained / used) ** 2 * size, axis=1)
        if np.array_equal(better[solved], start[solved]):
            break
        start = better
    gained, used = match[rows, start][solved].sum(), size[start][solved].sum()
    return float((shares**2).sum() - gained**2 / used), np.where(solved, start, len(edges) - 1)
