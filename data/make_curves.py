"""Make the small synthetic curve sets beside this file; the seed makes them the same everywhere.

python data/make_curves.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import clear_alloc as ca
from clear_alloc.files import write_curves

SEED = 20260608  # the date of the paper's second version
QUERIES = 200

# Typical threshold, width (token) and solvability of a pool; the medians follow the paper's Figure 1.
POOLS = {"easy": (190.0, 110.0, 0.90), "middle": (340.0, 180.0, 0.60), "hard": (620.0, 330.0, 0.25)}
STREAMS = {
    "balanced": (1 / 3, 1 / 3, 1 / 3),
    "mostly_easy": (0.7, 0.2, 0.1),
    "mostly_hard": (0.1, 0.2, 0.7),
    "u_shaped": (0.45, 0.1, 0.45),
}


def stream(shares: tuple[float, ...], rng: np.random.Generator) -> ca.CumulativeSurge:
    """Queries of the three pools in random order, each with its own threshold, width and solvability."""
    pool = rng.choice(len(POOLS), size=QUERIES, p=shares)
    threshold, width, solvability = np.array(list(POOLS.values())).T[:, pool]
    vary = np.exp(rng.normal(0.0, 0.35, size=(2, QUERIES)))
    chance = rng.beta(6.0 * solvability, 6.0 * (1.0 - solvability))
    return ca.CumulativeSurge(
        np.round(threshold * vary[0], 1), np.round(width * vary[1], 1), np.round(np.clip(chance, 0.01, 1.0), 3)
    )


def one_of_each(rng: np.random.Generator) -> ca.Curves:
    """Forty queries, ten of each family, to try things on."""
    threshold, width = np.round(rng.uniform(50, 900, 10), 1), np.round(rng.uniform(30, 400, 10), 1)
    chance = np.round(rng.uniform(0.1, 1.0, size=(3, 10)), 3)
    costs = np.round(np.cumsum(rng.uniform(100, 900, size=(10, 3)), axis=1))
    values = np.round(np.sort(rng.uniform(0.05, 0.95, size=(10, 3)), axis=1), 3)
    return ca.concatenate(
        [
            ca.ShiftedSurge(threshold, width, chance[0]),
            ca.CumulativeSurge(threshold[::-1], width, chance[1]),
            ca.LognormalArrival(2.0 * threshold, np.round(rng.uniform(0.2, 0.9, 10), 3), chance[2]),
            ca.Menu(costs, values),
        ]
    )


def main(folder: Path) -> None:
    rng = np.random.default_rng(SEED)
    sets: dict[str, ca.Curves] = {name: stream(shares, rng) for name, shares in STREAMS.items()}
    sets["four_families"] = one_of_each(rng)
    for name, curves in sets.items():
        ids = [f"{name}-{row:03d}" for row in range(len(curves))]
        write_curves(folder / f"{name}.jsonl", curves, ids)
        print(f"{name}.jsonl: {len(curves)} queries")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent)
