"""Ours with its family, or uniform in its place, chosen by samples that were set aside: `ca.CrossFit`.

Of the fitting samples alone; the scoring samples take no part.
"""

from __future__ import annotations

from collections.abc import Callable

import clear_alloc as ca
from benchmarks.batch import Batch, Caps, Known

__all__ = ["chosen"]

Policy = Callable[[Batch, int], Caps]


def chosen(accounting: str = "reserved") -> Policy:
    """The family, or uniform, that did best on samples set aside at this budget."""

    def policy(batch: Batch, budget: int) -> Caps:
        queries = [batch.known.split.ids[row] for row in batch.rows]
        return Caps.of(trial_of(batch.known).choose(budget, queries=queries, accounting=accounting).result)

    return policy


def trial_of(known: Known) -> ca.CrossFit:
    """Of the fitting samples, fitted once; predicted lengths are no part of it."""
    if (known.factor != 1.0).any():
        raise ValueError("families are chosen on curves as they were fitted, not on lengths predicted wrongly")
    if not hasattr(known, "_trial"):
        known._trial = ca.CrossFit(known.split.fitting)
    return known._trial
