"""The curves that the rollouts themselves draw: the share that was right by each length at which one was."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import Menu
from clear_alloc.fit.rollouts import Array, Ints, Rollouts

__all__ = ["Arrivals", "arrivals_of", "pooled_arrivals"]


class Arrivals(NamedTuple):
    """Right answers in order of query and length, one entry per distinct length of a query.

    owner : number of the query. at : token. share : of the query's rollouts that are right by then, in (0, 1].
    burned, deviation : mean and standard deviation of min(length, at) over all its rollouts, right or wrong, token.
    """

    owner: Ints
    at: Array
    share: Array
    burned: Array
    deviation: Array

    def menu(self, queries: int, weight: npt.ArrayLike = 1.0) -> Menu:
        """A menu that knows what each cap is expected to burn; without a right answer it has one option, of 0."""
        never = np.setdiff1d(np.arange(queries), self.owner)
        order = np.argsort(np.concatenate([never, self.owner]), kind="stable")
        cuts = np.searchsorted(np.sort(np.concatenate([never, self.owner])), np.arange(1, queries))
        at, share, burned, deviation = (
            np.split(np.concatenate([np.zeros(len(never)), column])[order], cuts)
            for column in (self.at, self.share, self.burned, self.deviation)
        )
        return Menu(at, share, weight, expected=burned, deviation=deviation)

    def share_by(self, query: Ints | int, tokens: Array) -> Array:
        """Share of a query's rollouts that are right by `tokens`, elementwise. O((caps + arrivals) log arrivals)."""
        levels = np.unique(self.at)
        # One sorted column of (query, length) pairs, as whole numbers, answers all queries at once.
        pairs = self.owner * (len(levels) + 1) + np.searchsorted(levels, self.at, side="right")
        asked = query * (len(levels) + 1) + np.searchsorted(levels, tokens, side="right")
        last = np.searchsorted(pairs, asked, side="right") - 1
        arrived = np.append(self.owner, -1)[last] == query
        return np.where(arrived, np.append(self.share, 0.0)[last], 0.0)


def arrivals_of(data: Rollouts) -> Arrivals:
    """Product-limit estimate of the share right by each length (Aalen & Johansen 1978). O(rollouts log rollouts).

    Where none was stopped it is the plain share of the query's rollouts. A rollout stopped by its cap hands its part
    on, evenly, to those of its query that went on beyond the cap. Answers wrong by then are finished and get none of
    it; in the estimate with two outcomes (Kaplan & Meier 1958) they would wait for ever, and would. Beyond the last
    cap nobody is left to tell: what still waits there counts as not right.

    Tokens burned follow from the same parts: the restricted mean of Kaplan and Meier's survival of all completions.
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
    burned, deviation = _burned(query, tokens, np.where(stopped, 0.0, worth))
    # Of right answers of one length, the last carries them all.
    rows = np.flatnonzero(right)
    query, tokens, share = query[rows], tokens[rows], share[rows]
    last = np.append((query[1:] != query[:-1]) | (tokens[1:] != tokens[:-1]), True)[: len(rows)]
    return Arrivals(query[last], tokens[last], share[last], burned[rows][last], deviation[rows][last])


def pooled_arrivals(data: Rollouts) -> Arrivals:
    """The product-limit estimate of all rollouts together, as if they were of one query."""
    return arrivals_of(Rollouts([0], np.zeros_like(data.query), data.tokens, data.right, data.cap))


def _burned(query: Ints, tokens: Array, ended: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of min(length, own length), row by row; `ended` is the part that ends at a row."""
    # Beyond the query's shortest, which all of them burn: a query of one length has a deviation of 0 and no rounding.
    shortest = tokens[_first(query)]
    beyond = tokens - shortest
    longer = np.maximum(1.0 - _within(ended, query), 0.0)
    mean = _within(ended * beyond, query) + beyond * longer
    square = _within(ended * beyond**2, query) + beyond**2 * longer
    deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
    return np.minimum(shortest + mean, tokens), deviation


def _within(values: Array, query: Ints) -> Array:
    # Running sum within each run of equal queries.
    total = np.cumsum(values)
    running: Array = total - (total - values)[_first(query)]
    return running


def _first(query: Ints) -> Ints:
    # Row by row, the first row of its run of equal queries.
    starts = np.flatnonzero(np.append(True, query[1:] != query[:-1]))
    return np.repeat(starts, np.diff(starts, append=len(query)))
