"""Small runs of the comparison for tests: an experiment that takes no time, rows made by hand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.experiments import Experiment, cases_of
from benchmarks.main_job import ROLLOUTS
from benchmarks.rows import Row
from benchmarks.running import run_all

TINY = Experiment((0.1, 0.5), ("uniform", "oracle"), ("Balanced", "Identical"), seeds=3, queries=20)


FILES = ("rows.jsonl", "rows.parquet")


def tiny_cases(seeds=None, levels=None):
    return list(cases_of("peers", seeds, levels, ROLLOUTS))


def ran(cases, out, jobs=1):
    return run_all(cases, out, jobs, lambda _: None)


def bytes_of(out):
    return [(out / name).read_bytes() for name in FILES]


def one_row(policy, seed, accuracy, level=0.1, error=None, stream="Balanced", experiment="scarcity"):
    return Row(experiment, stream, seed, 20, level, 0.0, policy, "reserved", 100, accuracy=accuracy, error=error)


def sides(seed, n, better=0.1, base=0.3):
    rng = np.random.default_rng(seed)
    theirs = np.clip(base + 0.05 * rng.standard_normal(n), 0.01, 1.0)
    ours = np.clip(theirs + better + 0.05 * rng.standard_normal(n), 0.0, 1.0)
    return ours, theirs


def as_rows(values, policy="ours"):
    return {seed: one_row(policy, seed, float(value)) for seed, value in enumerate(values)}


def replayed(path, seed, names=("one",)):
    rng, count = np.random.default_rng(seed), 12 * 4
    table = {
        "query_id": np.tile(np.repeat([f"q{k}" for k in range(12)], 4), len(names)),
        "sample": np.tile(np.arange(1, 5), 12 * len(names)),
        "tokens": rng.integers(50, 900, count * len(names)),
        "correct": (np.arange(count * len(names)) % 4 != 3).astype(int),
        "cap": np.full(count * len(names), 1000.0),
    }
    if len(names) > 1:
        table["config"] = np.repeat(names, count)
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(table), path)
    return path
