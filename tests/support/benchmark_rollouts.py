"""Rollouts drawn by a formula, for tests of scoring."""

from __future__ import annotations

import numpy as np


def rollouts(seed, queries=40, samples=8, longer=1.0, solved=0.7):
    rng = np.random.default_rng(seed)
    query = np.repeat(np.arange(queries), samples)
    median = np.exp(np.random.default_rng(0).normal(6.0, 0.8, queries))
    tokens = np.maximum(np.round(longer * median[query] * np.exp(rng.normal(0.0, 0.25, len(query)))), 1.0)
    return {
        "query_id": query.astype(str),
        "sample": np.tile(np.arange(1, samples + 1), queries),
        "tokens": tokens.astype(int),
        "correct": (rng.random(len(query)) < solved).astype(int),
    }
