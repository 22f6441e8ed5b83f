"""Rows of a run made by hand, for tests of the report."""

from __future__ import annotations

import itertools

from benchmarks.policies import POLICIES
from benchmarks.report.results import Results
from benchmarks.rows import Row

WHERE = {"commit": "abc123", "dirty": True, "machine": "Linux", "versions": "python 3"}


BASE = {"uniform": 0.1, "uniform, unused returned": 0.12, "CLEAR": 0.4, "oracle": 0.6, "oracle, expected": 0.7}


def row(policy, accuracy, experiment="scarcity", stream="Balanced", seed=0, level=0.1, noise=0.0, **more):
    charged = POLICIES[policy].charged
    given = {"granted": 100.0, "burned": 50.0, "abandoned": 0.5, "uncapped": 1000.0, **more}
    budget = given.pop("budget", 10_000)
    return Row(experiment, stream, seed, 100, level, noise, policy, charged, budget, accuracy=accuracy, **given)


def results(*rows):
    return Results(list(rows), WHERE)


def seeded(policy, accuracies, **more):
    return [row(policy, accuracy, seed=seed, **more) for seed, accuracy in enumerate(accuracies)]


def a_run(seeds=2, without=(), experiments=("scarcity", "paper", "noise", "peers", "replay")):
    """Every experiment in small; accuracies differ a little between policies, streams and seeds."""
    places = {
        "scarcity": itertools.product(("Balanced", "Adversarial"), (0.05, 0.1, 0.3), (0.0,)),
        "paper": itertools.product(("Balanced",), (100.0, 700.0), (0.0,)),
        "noise": itertools.product(("Balanced",), (0.1,), (0.0, 0.5)),
        "peers": itertools.product(("Balanced",), (0.1,), (0.0,)),
        "replay": itertools.product(("some_model", "other|model"), (0.1, 0.3), (0.0,)),
    }
    rows = []
    for experiment in experiments:
        for (stream, level, noise), seed in itertools.product(places[experiment], range(seeds)):
            for rank, policy in enumerate(POLICIES):
                if policy not in without:
                    accuracy = BASE.get(policy, 0.3 + 0.01 * rank) + 0.001 * seed * (rank % 3)
                    where = {"experiment": experiment, "stream": stream, "seed": seed, "level": level, "noise": noise}
                    rows.append(row(policy, accuracy, **where))
    return rows
