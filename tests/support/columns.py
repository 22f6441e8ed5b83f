"""Columns that many tests ask: random ones, awkward ones, one of each kind with seven rows."""

from __future__ import annotations

import numpy as np
from support import strategies

import clear_alloc as ca

RANDOM = {
    family: strategies.draws(family, 25, np.random.default_rng(k)) for k, family in enumerate(strategies.SMOOTH)
}

EDGES = {
    "surge from 0": ca.ShiftedSurge(0, 200, 0.8),
    "surge, a step": ca.ShiftedSurge(1000, 1e-9, 0.8),
    "surge, huge": ca.ShiftedSurge([0, 2.0**40], 2.0**50, 0.8),
    "surge, far": ca.ShiftedSurge(2.0**40, 1.0, 1.0),
    "surge, light": ca.ShiftedSurge(10, 20, 1e-9, weight=1e-9),
    "surge, heavy": ca.ShiftedSurge(10, 20, 1, weight=2.0**50),
    "cumulative from 0": ca.CumulativeSurge(0, 200, 0.8),
    "cumulative, a step": ca.CumulativeSurge(1000, 1e-9, 0.8),
    "cumulative, huge": ca.CumulativeSurge([0, 2.0**40], 2.0**45, 0.8),
    "cumulative, far": ca.CumulativeSurge(2.0**40, 1.0, 1.0),
    "log-normal, a step": ca.LognormalArrival(1000, 1e-7, 0.8),
    "log-normal, narrow": ca.LognormalArrival(1000, 1e-3, 0.8),
    "log-normal, wide": ca.LognormalArrival(1000, 5.0, 0.8),
    "log-normal, widest": ca.LognormalArrival(1e-6, 20.0, 0.8),
    "log-normal, huge": ca.LognormalArrival(2.0**45, 0.5, 0.8),
}

COLUMNS = {
    **{family: curves[:7] for family, curves in RANDOM.items()},
    "menu": ca.Menu(
        [[1, 2, 3], [4], [5, 6], [1], [2], [3], [0, 9]], [[0.1, 0.2, 0.3], [1], [0.5, 0.6], [1], [1], [1], [0.2, 1]]
    ),
}

COLUMNS["mixed"] = ca.concatenate(
    [
        COLUMNS[strategies.SURGE][:2],
        COLUMNS["menu"][:2],
        COLUMNS[strategies.SURGE][2:3],
        COLUMNS[strategies.LOGNORMAL][:2],
    ]
)
