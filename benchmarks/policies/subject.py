"""The package's own policies, the steps that lead to them from the paper's, and the oracles."""

from __future__ import annotations

import numpy as np

import clear_alloc as ca
from benchmarks.batch import Batch, Caps, Policy
from benchmarks.policies.paper_clear import shared_humps


def ours(family: str = "lognormal", accounting: str = "reserved") -> Policy:
    """`ca.allocate` on fitted curves; expected accounting with the margin that it takes by default."""
    return lambda batch, budget: Caps.of(ca.allocate(batch.curves(family), budget, accounting=accounting))


def with_repair(batch: Batch, budget: int) -> Caps:
    """The paper's curves, allocated by us: funded sets repaired, leftovers spent."""
    return Caps.of(ca.allocate(ca.ShiftedSurge(*shared_humps(batch, budget)), budget))


def with_shape(batch: Batch, budget: int) -> Caps:
    """Log-normal arrivals with a median and a spread per query, but one solvability for all."""
    curves = batch.curves("lognormal")
    pool = float(batch.known.fitted("lognormal").solvability.mean())
    return Caps.of(ca.allocate(ca.LognormalArrival(curves.median, curves.spread, pool), budget))


def knowing_its_error(accounting: str = "reserved") -> Policy:
    """Ours, told how far off predictions are: drawn towards the pool's mean, and spread by what remains in doubt."""

    def policy(batch: Batch, budget: int) -> Caps:
        every = batch.known.fitted("lognormal")
        curves, error = batch.curves("lognormal"), batch.known.error
        predicted = np.log(batch.known.factor * every.median)
        # Predictions scatter by the queries' own differences and by the error; the first is what they tell us.
        trust = max(1.0 - error**2 / max(float(predicted.var()), 1e-12), 0.0)
        median = np.exp(predicted.mean() + trust * (np.log(curves.median) - predicted.mean()))
        spread = np.sqrt(curves.spread**2 + trust * error**2 + (0.0 if trust else float(predicted.var())))
        known = ca.LognormalArrival(median, spread, curves.solvability)
        return Caps.of(ca.allocate(known, budget, accounting=accounting))

    return policy


def chosen(accounting: str = "reserved") -> Policy:
    """`ca.CrossFit`: the family, or uniform, that did best on fitting samples set aside at this budget."""

    def policy(batch: Batch, budget: int) -> Caps:
        known = batch.known
        if (known.factor != 1.0).any():
            raise ValueError("families are chosen on curves as they were fitted, not on lengths predicted wrongly")
        return Caps.of(known.trial.choose(budget, queries=batch.ids, accounting=accounting).result)

    return policy


def oracle(accounting: str = "reserved") -> Policy:
    """The same allocator on the scoring samples' own arrivals; no margin, since nothing is left to chance."""
    return lambda batch, budget: Caps.of(ca.allocate(batch.hindsight, budget, accounting=accounting, overrun=0.5))
