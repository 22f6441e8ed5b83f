"""Markets that the quick path for very many queries has answered."""

from __future__ import annotations

import numpy as np
from support import strategies

from clear_alloc.solver.pricing.clearing import cleared
from clear_alloc.solver.pricing.sampled import sampled_clearing
from clear_alloc.solver.primal.sampled_rounding import sampled_solution


def sampled_case(n=8_000, family=strategies.SURGE, seed=0, **terms):
    """A market with its quick grant, and what belongs to it."""
    rng = np.random.default_rng(seed)
    curves = strategies.draws(family, n, rng)
    pool = float(int(0.4 * curves.break_even.sum()))
    market = strategies.market_of(curves, **terms)
    bracket, found = sampled_clearing(market, pool)
    clearing = cleared(bracket)
    made = sampled_solution(clearing, found, pool)
    assert made is not None
    return market, pool, clearing, made
