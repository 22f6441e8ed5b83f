"""Ours with its family, or uniform in its place, chosen by samples that were set aside: `ca.CrossFit`.

Of the fitting samples alone; the scoring samples take no part.
"""

from __future__ import annotations

from benchmarks.batch import Batch, Caps, Policy

__all__ = ["chosen"]


def chosen(accounting: str = "reserved") -> Policy:
    """The family, or uniform, that did best on samples set aside at this budget."""

    def policy(batch: Batch, budget: int) -> Caps:
        known = batch.known
        if (known.factor != 1.0).any():
            raise ValueError("families are chosen on curves as they were fitted, not on lengths predicted wrongly")
        return Caps.of(known.trial.choose(budget, queries=batch.ids, accounting=accounting).result)

    return policy
