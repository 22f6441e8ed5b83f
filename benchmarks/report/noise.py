"""What errors of prediction cost: accuracy against error, mean over the paper's streams."""

from __future__ import annotations

import numpy as np

from benchmarks.report.results import Place, Results


def errors(results: Results) -> list[float]:
    """Rising."""
    return sorted({place.noise for place in results.places("noise", noise=None)})


def accuracies(results: Results, policy: str, level: float, error: float) -> np.ndarray:
    """Mean over streams by seed, (seeds,), of the seeds that all streams have; empty where a stream is missing."""
    places = [Place("noise", stream, level, error) for stream in results.streams("noise")]
    found = [results.at(place, policy) for place in places]
    seeds = sorted(set.intersection(*(set(rows) for rows in found))) if found else []
    return np.array([np.mean([rows[seed].accuracy for rows in found]) for seed in seeds])


def kept(results: Results, policy: str, error: float) -> float:
    """Accuracy as a share of that without error, mean over budgets; NaN where there is none to keep or no row."""
    shares = []
    for level in results.levels("noise"):
        sure, unsure = (accuracies(results, policy, level, off) for off in (0.0, error))
        if len(sure) and len(unsure) and sure.mean() > 0.0:
            shares.append(float(unsure.mean() / sure.mean()))
    return float(np.mean(shares)) if shares else float("nan")
