"""What holds for every policy."""

from __future__ import annotations

import numpy as np
import pytest
from support.benchmark_batches import accuracy, known_of, needs, shares_of

from benchmarks.batch import Batch
from benchmarks.policies import EXPECTED, LADDER, POLICIES

SLOW = [name for name in POLICIES if name.startswith("ours, expected") or "chosen" in name]
EVERY = [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in POLICIES]


@pytest.mark.parametrize("name", EVERY)
def test_caps_are_whole_and_within_the_budget(known, name):
    act = needs(name)
    sizes = (1, 3) if "chosen" in name else (1, 2, 3, 40)  # who tries many curves is tried on few queries
    for rows in (np.arange(60)[:: 60 // size][:size] for size in sizes):
        scarce, ample = (total * len(rows) // 60 for total in shares_of(known, 0.1, 2.0))
        for budget in (0, scarce) if "chosen" in name else (0, 1, scarce, ample):
            caps = act(Batch(known, rows), budget)
            assert caps.tokens.shape == rows.shape
            assert caps.tokens.dtype == np.int64
            assert (caps.tokens >= 0).all()
            if POLICIES[name].charged == "reserved":
                assert caps.tokens.sum() <= budget


@pytest.mark.parametrize("name", EVERY)
def test_a_stream_of_one_query_is_served(name):
    act, alone = needs(name), known_of("Identical", 1)
    caps = act(Batch(alone, np.arange(1)), 3000).tokens
    assert caps.shape == (1,)
    assert caps[0] > 0


@pytest.mark.parametrize("name", EVERY)
def test_with_plenty_every_policy_gets_nearly_all_answers(known, batch, name):
    (budget,) = shares_of(known, 20.0)
    caps, most = needs(name)(batch, budget), np.full(60, 10**6)
    # Some stop at a length of their own, tokens or not: at the top of a hump, at a break-even, at the longest seen.
    early = {
        "CLEAR, paper's fit": 0.65,
        "best value first": 0.45,
        "ours, empirical": 0.25,
        "CLEAR": 0.2,
        "SLSQP": 0.2,
    }
    short = early.get(name.replace(", expected", ""), 0.15)
    assert accuracy(batch, caps.tokens) >= (1.0 - short) * accuracy(batch, most)


def test_policies_that_are_charged_by_use_say_so():
    assert {name for name in POLICIES if POLICIES[name].charged == EXPECTED} == {
        *(name for name in POLICIES if ", expected" in name),
        "uniform, unused returned",
    }
    assert set(LADDER) < set(POLICIES)
    assert LADDER[0] == "CLEAR"
