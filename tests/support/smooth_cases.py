"""Smooth curves under every kind of limit and charge, and the quick path tried on few of them."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import numpy as np
import pytest
from support import strategies

import clear_alloc as ca
import clear_alloc.solver.expected
from clear_alloc.curves import concatenate
from clear_alloc.solver.splits import proportional_solution, uniform_solution

NEVER = 10**9


NEAR = 1e-8  # of the upper bound: what a crowd is content with


def sampled_from(n, block=None):
    """The quick path for very many queries begins at n of them, and columns are cut at so many rows."""
    stack = ExitStack()
    for name in ("solver.solve", "solver.pricing.clearing", "solver.expected"):
        stack.enter_context(strategies.patched(sys.modules[f"clear_alloc.{name}"], "SAMPLED_FROM", n))
    for name in ("support.parallel", "market.smooth_demand") if block else ():
        stack.enter_context(strategies.patched(sys.modules[f"clear_alloc.{name}"], "BLOCK", block))
    return stack


LIMITS = {
    "none": {},
    "floor": {"min_tokens": 30},
    "floors": {"min_tokens": "own"},
    "ceiling": {"max_tokens": 700},
    "far ceiling": {"max_tokens": 2**53 - 1},
    "ceilings": {"max_tokens": "own"},
    "both": {"min_tokens": 10, "max_tokens": 900},
    "range": {"levels": {0, (256, 2048)}},
    "fallback": {"fallback": 20},
    "rates": {"rate": "own"},
    "call": {"rate": 0.5, "call": 12.0},
    "expected": {"accounting": "expected"},
    "expected rates": {"accounting": "expected", "rate": "own", "max_tokens": 800},
    "expected floors": {"accounting": "expected", "min_tokens": "own"},
}


KINDS = (*strategies.SMOOTH, "mixed", "after", "broadcast_column")


COLUMNS = ("least", "stop", "last_whole", "start", "floor_value", "floor_charge", "entry_price", "discontinuous")


def curves_of(kind, n, rng, *, lengths=False):
    if kind == "mixed":
        families = strategies.SMOOTH[1:] if lengths else strategies.SMOOTH
        pieces = concatenate([strategies.draws(family, n // 2, rng) for family in families])
        return pieces[rng.permutation(len(pieces))[:n]]
    if kind == "after":
        return strategies.draws(strategies.LOGNORMAL, n, rng).after(rng.integers(0, 400, n))
    if kind == "broadcast_column":
        return ca.LognormalArrival(rng.uniform(100, 900, n), 0.6, 0.5)
    return strategies.draws(kind, n, rng)


def terms_of(limits, n, rng):
    columns = {"min_tokens": rng.integers(0, 60, n), "max_tokens": rng.integers(300, 2_000, n)}
    columns["rate"] = rng.uniform(0.5, 2.0, n)
    return {
        name: columns[name] if isinstance(value, str) and value == "own" else value for name, value in limits.items()
    }


def case_of(kind, limits, n=60, seed=0):
    rng = np.random.default_rng(seed)
    expected = limits.get("accounting") == "expected"
    if expected and kind == strategies.SURGE:
        pytest.skip("a shifted surge knows no lengths")
    curves = curves_of(kind, n, rng, lengths=expected)
    return curves, terms_of(limits, len(curves), rng), rng


def splits_of(market, pool):
    return max(split(market, pool).utility for split in (uniform_solution, proportional_solution))
