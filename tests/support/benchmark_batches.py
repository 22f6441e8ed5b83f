"""Batches of simulated queries for tests of policies."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.batch import Known
from benchmarks.policies import POLICIES, installed
from benchmarks.scoring import held_out_accuracy
from benchmarks.streams import STREAMS, rollouts_of

RESERVED = [name for name in POLICIES if POLICIES[name].charged == "reserved"]


def known_of(name="Balanced", n=60, seed=3):
    rng = np.random.default_rng(seed)
    return Known(rollouts_of(STREAMS[name].draw(rng, n), rng))


def shares_of(known, *shares):
    return [int(share * known.split.scoring["tokens"].mean() * len(known)) for share in shares]


def needs(name):
    if not installed(name):
        pytest.skip(f"{POLICIES[name].needs} is not installed")
    return POLICIES[name].act


def accuracy(batch, tokens):
    split = batch.known.split
    mine = split.only([split.ids[row] for row in batch.rows])
    return held_out_accuracy(mine, mine.ids, tokens)
