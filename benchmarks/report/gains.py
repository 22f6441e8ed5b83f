"""Captured gain: how much of the oracle's gain over a uniform cap a policy has, each by its own accounting."""

from __future__ import annotations

import numpy as np

from benchmarks.captured_gain import captured
from benchmarks.policies import POLICIES
from benchmarks.report.results import AMPLE, ORACLES, UNIFORMS, Place, Results


def gain_at(results: Results, place: Place, policy: str) -> float:
    """At one setting, means over the seeds that all three have; NaN without any or where there is little to gain."""
    charged = charged_of(results, place, policy)
    names = (policy, UNIFORMS.get(charged, ""), ORACLES.get(charged, ""))
    rows = [results.at(place, name) for name in names]
    seeds = sorted(set.intersection(*map(set, rows)))
    if not seeds:
        return float("nan")
    return captured(*(float(np.mean([side[seed].accuracy for seed in seeds])) for side in rows))


def charged_of(results: Results, place: Place, policy: str) -> str:
    """What the policy's budget counts, by its own rows."""
    rows = results.at(place, policy)
    return next(iter(rows.values())).charged if rows else POLICIES[policy].charged if policy in POLICIES else ""


def stream_gain(results: Results, experiment: str, stream: str, policy: str) -> float:
    """Mean over budgets of at most AMPLE where there is anything to gain; NaN if there are none."""
    levels = [level for level in results.levels(experiment, stream) if level <= AMPLE]
    gains = np.array([gain_at(results, Place(experiment, stream, level), policy) for level in levels])
    known = gains[~np.isnan(gains)]
    return float(known.mean()) if len(known) else float("nan")


def stream_gains(results: Results, experiment: str) -> dict[str, dict[str, float]]:
    """By policy, then by stream, without the yardsticks; streams without a gain to capture are left out."""
    table = {}
    for policy in results.policies(experiment):
        if policy not in (*UNIFORMS.values(), *ORACLES.values()):
            gains = {name: stream_gain(results, experiment, name, policy) for name in results.streams(experiment)}
            table[policy] = {name: gain for name, gain in gains.items() if not np.isnan(gain)}
    return {policy: gains for policy, gains in table.items() if gains}
