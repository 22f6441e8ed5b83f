"""Rollouts of the model itself, for tests of fits."""

import numpy as np

TRUTH = {
    "median": np.exp(8.0),
    "between_queries": 0.7,
    "spread": 0.25,
    "variation_of_spread": 0.35,
    "offset_of_wrong": 0.0,
    "solvability": 0.6,
    "solvability_size": 2.0,
}


def simulate(seed, queries, each, stopped=0.0, offset=0.0):
    """Rollouts of the model itself; `stopped` is the share that one common cap cuts off."""
    rng = np.random.default_rng(seed)
    mu = rng.normal(8.0, 0.7, queries)
    sigma = np.exp(rng.normal(np.log(0.25), 0.35, queries))
    chance = rng.beta(1.2, 0.8, queries)
    query = np.repeat(np.arange(queries), each)
    right = rng.random(queries * each) < chance[query]
    tokens = np.exp(rng.normal(mu[query] + offset * ~right, sigma[query]))
    cap = np.quantile(tokens, 1.0 - stopped) if stopped else np.inf
    cut = tokens >= cap
    table = {"query_id": query, "tokens": np.minimum(tokens, cap), "correct": (right & ~cut).astype(int)}
    if stopped:
        table["cap"] = np.full(len(query), cap)
    return table, mu, sigma, chance
