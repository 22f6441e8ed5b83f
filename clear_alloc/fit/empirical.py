"""The curves that the rollouts themselves draw: the share that was right by each length at which one was."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clear_alloc.fit.rollouts import Array, Ints, Rollouts

__all__ = ["Arrivals", "arrivals_of", "pooled_arrivals"]


class Arrivals(NamedTuple):
    """Right answers in order of query and length, one entry per distinct length of a query.

    owner : number of the query. at : token. share : of the query's rollouts that are right by then, in (0, 1].
    """

    owner: Ints
    at: Array
    share: Array

    def lists(self, queries: int) -> tuple[list[Array], list[Array]]:
        """Lengths and shares query by query; a query without a right answer has the one entry (0, 0)."""
        never = np.setdiff1d(np.arange(queries), self.owner)
        owner = np.concatenate([never, self.owner])
        order = np.argsort(owner, kind="stable")
        nothing = np.zeros(len(never))
        at, share = (np.concatenate([nothing, column])[order] for column in (self.at, self.share))
        cuts = np.searchsorted(owner[order], np.arange(1, queries))
        return np.split(at, cuts), np.split(share, cuts)

    def by(self, tokens: Array) -> Array:
        """Share right by `tokens`, any shape, of the first query alone: the step function. O(tokens log arrivals)."""
        steps = np.append(0.0, self.share)
        return steps[np.searchsorted(self.at, tokens, side="right")]


def arrivals_of(data: Rollouts) -> Arrivals:
    """Product-limit estimate of the share right by each length (Aalen & Johansen 1978). O(rollouts log rollouts).

    Where none was stopped it is the plain share of the query's rollouts. A rollout stopped by its cap hands its part
    on, evenly, to those of its query that went on beyond the cap. Answers wrong by then are finished and get none of
    it; in the estimate with two outcomes (Kaplan & Meier 1958) they would wait for ever, and would. Beyond the last
    cap nobody is left to tell: what still waits there counts as not right.
    """
    order = np.lexsort((data.censored, data.tokens, data.query))  # at a tie the answer comes before the cap
    query, tokens = data.query[order], data.tokens[order]
    right, stopped = data.right[order], data.censored[order]
    n = data.per_query(np.ones(len(query)))
    end = np.cumsum(n)[query]
    # One finish is worth g = S/m of the query: m are still going, S of it has not finished. A finish takes S and m
    # down alike and leaves g as it is; a stop leaves S and multiplies g by m/(m - 1).
    waiting = end - np.arange(len(query))
    handed = np.where(stopped & (waiting > 1), -np.log1p(-1.0 / np.maximum(waiting, 2.0)), 0.0)
    worth = np.exp(_within(handed, query) - handed) / n[query]
    share = np.minimum(_within(np.where(right, worth, 0.0), query), 1.0)
    # Of right answers of one length, the last carries them all.
    rows = np.flatnonzero(right)
    query, tokens, share = query[rows], tokens[rows], share[rows]
    last = np.append((query[1:] != query[:-1]) | (tokens[1:] != tokens[:-1]), True)[: len(rows)]
    return Arrivals(query[last], tokens[last], share[last])


def pooled_arrivals(data: Rollouts) -> Arrivals:
    """The same for all rollouts together, as if they were of one query."""
    return arrivals_of(Rollouts([0], np.zeros_like(data.query), data.tokens, data.right, data.cap))


def _within(values: Array, query: Ints) -> Array:
    # Running sum within each run of equal queries.
    total = np.cumsum(values)
    first = np.append(True, query[1:] != query[:-1])
    before = (total - values)[first]
    running: Array = total - before[np.cumsum(first) - 1]
    return running
