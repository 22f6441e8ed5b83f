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

    def swapped(self) -> Split:
        """The same with the sides exchanged."""
        return Split(self.scoring, self.fitting, list(dict.fromkeys(self.scoring["query_id"].tolist())))

    def only(self, ids: list[str]) -> Split:
        """The same for some of the queries, in their order."""
        kept = [np.isin(side["query_id"], ids) for side in (self.fitting, self.scoring)]
        sides = zip((self.fitting, self.scoring), kept, strict=True)
        fitting, scoring = ({name: column[rows] for name, column in side.items()} for side, rows in sides)
        return Split(fitting, scoring, list(ids))


def split_by_parity(rollouts: Columns) -> Split:
    """Odd samples to fit on, even ones to score on. No rollout is in both."""
    odd = rollouts["sample"] % 2 == 1
    fitting, scoring = ({name: column[side] for name, column in rollouts.items()} for side in (odd, ~odd))
    return Split(fitting, scoring, list(dict.fromkeys(fitting["query_id"].tolist())))


def held_out_accuracy(split: Split, ids: list[str], caps: npt.NDArray) -> float:
    """Mean over queries of the share of scoring samples that are right within the query's cap."""
    rows = _rows(split, ids)
    return _mean_over_queries(rows, (split.scoring["correct"] == 1) & (split.scoring["tokens"] <= caps[rows]))


def held_out_use(split: Split, ids: list[str], caps: npt.NDArray) -> float:
    """Mean over queries of the tokens that the scoring samples burn under the query's cap, right or wrong."""
    rows = _rows(split, ids)
    return _mean_over_queries(rows, np.minimum(split.scoring["tokens"], caps[rows]))


def _rows(split: Split, ids: list[str]) -> npt.NDArray:
    row_of = {query: row for row, query in enumerate(ids)}
    return np.array([row_of[query] for query in split.scoring["query_id"].tolist()])


def _mean_over_queries(rows: npt.NDArray, values: npt.NDArray) -> float:
    return float((np.bincount(rows, values) / np.bincount(rows)).mean())


def uniform_cap(split: Split, ids: list[str], budget: int, accounting: str) -> npt.NDArray:
    """The largest common cap whose charge fits: itself, or the tokens that the scoring samples burn under it."""
    if accounting == "reserved":
        return np.full(len(ids), budget // len(ids))
    low, high = 0, int(split.scoring["tokens"].max())  # what they burn rises with the cap: halve
    while low < high:
        middle = (low + high + 1) // 2
        fits = held_out_use(split, ids, np.full(len(ids), middle)) * len(ids) <= budget
        low, high = (middle, high) if fits else (low, middle - 1)
    return np.full(len(ids), low)


def hindsight_curves(split: Split, ids: list[str]) -> ca.Menu:
    """The scoring samples' own arrivals: the curves of somebody who knows the answers. For the oracle only.

    An option is expected to burn the mean of min(tokens, cap) over the query's scoring samples.
    """
    queries = split.scoring["query_id"]
    costs, values, burned = [], [], []
    for query in ids:
        mine = queries == query
        tokens = split.scoring["tokens"][mine]
        arrivals = np.sort(tokens[split.scoring["correct"][mine] == 1])
        costs.append(np.concatenate([[0], arrivals]))
        values.append(np.arange(len(arrivals) + 1) / len(tokens))
        burned.append(np.minimum(tokens, costs[-1][:, None]).mean(axis=1))
    return ca.Menu(costs, values, expected=burned)
