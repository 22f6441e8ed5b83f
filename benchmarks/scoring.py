"""Fit on some samples of each query, score caps on the others: what every comparison on real rollouts uses."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import clear_alloc as ca

Columns = dict[str, npt.NDArray]


class Split(NamedTuple):
    """Rollouts to fit on and rollouts to score on, as columns; `ids` are the queries in order of appearance."""

    fitting: Columns
    scoring: Columns
    ids: list[str]


def split_by_parity(rollouts: Columns) -> Split:
    """Odd samples to fit on, even ones to score on. No rollout is in both."""
    odd = rollouts["sample"] % 2 == 1
    fitting, scoring = ({name: column[side] for name, column in rollouts.items()} for side in (odd, ~odd))
    return Split(fitting, scoring, list(dict.fromkeys(fitting["query_id"].tolist())))


def held_out_accuracy(split: Split, ids: list[str], caps: npt.NDArray) -> float:
    """Mean over queries of the share of scoring samples that are right within the query's cap."""
    row_of = {query: row for row, query in enumerate(ids)}
    rows = np.array([row_of[query] for query in split.scoring["query_id"].tolist()])
    right = (split.scoring["correct"] == 1) & (split.scoring["tokens"] <= caps[rows])
    samples = np.bincount(rows, minlength=len(ids))
    return float((np.bincount(rows, right, minlength=len(ids)) / samples).mean())


def hindsight_curves(split: Split, ids: list[str]) -> ca.Menu:
    """The scoring samples' own arrivals: the curves of somebody who knows the answers. For the oracle only."""
    queries = split.scoring["query_id"]
    costs, values = [], []
    for query in ids:
        mine = queries == query
        arrivals = np.sort(split.scoring["tokens"][mine & (split.scoring["correct"] == 1)])
        costs.append(np.concatenate([[0], arrivals]))
        values.append(np.arange(len(arrivals) + 1) / mine.sum())
    return ca.Menu(costs, values)
