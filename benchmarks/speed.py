"""How long `allocate` takes, as a ratio to np.sort of the same length, timed in turn in one process.

python -m benchmarks.speed [--largest N] [--repeats R]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import clear_alloc as ca

SEED = 1
SHARE = 0.3  # of the tokens at which every query would break even


def shifted_surge(rng: np.random.Generator, n: int) -> ca.Curves:
    return ca.ShiftedSurge(rng.uniform(0, 2000, n), rng.uniform(10, 500, n), rng.uniform(0.1, 1, n))


def cumulative_surge(rng: np.random.Generator, n: int) -> ca.Curves:
    return ca.CumulativeSurge(rng.uniform(0, 2000, n), rng.uniform(10, 500, n), rng.uniform(0.1, 1, n))


def lognormal(rng: np.random.Generator, n: int) -> ca.Curves:
    return ca.LognormalArrival(rng.uniform(50, 2000, n), rng.uniform(0.05, 1.5, n), rng.uniform(0.1, 1, n))


FAMILIES = {"shifted_surge": shifted_surge, "cumulative_surge": cumulative_surge, "lognormal": lognormal}


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = act()
    return time.perf_counter() - start, result


def measure(family: str, n: int, repeats: int) -> str:
    """One row: median times in turn, their ratio and the certified gap."""
    rng = np.random.default_rng([SEED, n])
    make = FAMILIES[family]
    keys = rng.random(n)
    budget = int(SHARE * make(np.random.default_rng([SEED, n]), n).break_even.sum())
    ours, sorts = [], []
    for _ in range(repeats):
        curves = make(np.random.default_rng([SEED, n]), n)  # new each time: curves remember what they have computed
        seconds, result = timed(lambda curves=curves: ca.allocate(curves, budget))
        ours.append(seconds)
        sorts.append(timed(lambda: np.sort(keys))[0])
    ratio = float(np.median(np.array(ours) / np.array(sorts)))
    return f"{family:<17} {n:>10,} {1e3 * np.median(ours):>12.3f} {ratio:>12.1f} {result.gap / result.utility:>12.1e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    chosen = parser.parse_args()
    print(f"{'family':<17} {'queries':>10} {'allocate, ms':>12} {'x np.sort':>12} {'gap/utility':>12}")
    n = 10
    while n <= chosen.largest:
        for family in FAMILIES:
            print(measure(family, n, chosen.repeats))
        n *= 10


if __name__ == "__main__":
    main()
