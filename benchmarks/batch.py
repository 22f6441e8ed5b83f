"""What a policy is given: queries with the rollouts to learn from and, for the oracles alone, those that score."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

import clear_alloc as ca
from benchmarks.scoring import Split, hindsight_curves

Array = npt.NDArray[np.float64]


class Known:
    """Rollouts of all queries, and the curves fitted to them, each family once.

    factor : by which a query's predicted lengths are off, shape (n,), and the deviation `error` of its logarithm;
    ones and 0 where nothing is predicted and curves are used as they were fitted.
    """

    def __init__(self, split: Split, factor: Array | None = None, error: float = 0.0):
        self.split = split
        self.factor = np.ones(len(split.ids)) if factor is None else factor
        self.error = error
        self._fits: dict[str, ca.Fitted] = {}

    def __len__(self) -> int:
        return len(self.split.ids)

    def fitted(self, family: str) -> ca.Curves:
        """Curves of one family in the order of the ids, as fitted."""
        if family not in self._fits:
            fitted = ca.fit(self.split.fitting, family=family)
            if fitted.ids != self.split.ids:
                raise ValueError("the fit has its queries in another order than the stream")
            self._fits[family] = fitted
        return self._fits[family].curves

    def disturbed(self, factor: Array, error: float) -> Known:
        """The same rollouts and fits, with lengths predicted wrongly."""
        other = copy(self)
        other.factor, other.error = factor, error
        return other

    @cached_property
    def hindsight(self) -> ca.Menu:
        """The scoring samples' own arrivals."""
        return hindsight_curves(self.split, self.split.ids)

    @cached_property
    def trial(self) -> ca.CrossFit:
        """Families fitted with some of the fitting samples set aside; predicted lengths are no part of it."""
        return ca.CrossFit(self.split.fitting)


@dataclass(frozen=True)
class Caps:
    """What a policy answers. tokens : whole caps, (n,). price : value/token; promised : its own estimate of the right
    answers; gap : its certificate, value; NaN where it has none."""

    tokens: npt.NDArray[np.int64]
    price: float = float("nan")
    promised: float = float("nan")
    gap: float = float("nan")

    @classmethod
    def of(cls, result: ca.Allocation) -> Caps:
        """Those of an allocation."""
        return cls(result.tokens, result.price, result.utility, result.gap)


@dataclass(frozen=True)
class Batch:
    """The queries `rows` of what is `known`, to be allocated together; `seed` is for policies that draw lots."""

    known: Known
    rows: npt.NDArray[np.intp]
    seed: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def curves(self, family: str) -> ca.Curves:
        """Fitted curves, lengths as they are predicted: shape (len(self),)."""
        return _stretched(self.known.fitted(family)[self.rows], self.known.factor[self.rows])

    @property
    def hindsight(self) -> ca.Menu:
        """For oracles: the scoring samples' own arrivals."""
        return self.known.hindsight[self.rows]

    @property
    def ids(self) -> list[str]:
        """Names of its queries."""
        return [self.known.split.ids[row] for row in self.rows]

    @property
    def split(self) -> Split:
        """Its queries' rollouts, with ids in its own order."""
        every = np.array_equal(self.rows, np.arange(len(self.known)))
        return self.known.split if every else self.known.split.only(self.ids)


Policy = Callable[[Batch, int], Caps]  # caps for a batch under a budget, token


def _stretched(curves: ca.Curves, factor: Array) -> ca.Curves:
    """Curves whose predicted thresholds or medians are off by a factor; nothing is predicted of widths and menus."""
    if (factor == 1.0).all():
        return curves
    if isinstance(curves, ca.LognormalArrival):
        return ca.LognormalArrival(factor * curves.median, curves.spread, curves.solvability, curves.weight)
    if isinstance(curves, ca.ShiftedSurge):
        return ca.ShiftedSurge(factor * curves.threshold, curves.width, curves.peak, curves.weight)
    if isinstance(curves, ca.CumulativeSurge):
        return ca.CumulativeSurge(factor * curves.threshold, curves.width, curves.solvability, curves.weight)
    raise TypeError(f"{type(curves).__name__} has no predicted lengths; use a smooth family")
