"""Rollouts dealt into folds, and the curves that each fold's others give: what a fold's rollouts may be scored by."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from clear_alloc.errors import InvalidArgument
from clear_alloc.fit.families import FAMILIES, MODELS, Basis, FittedCurves, basis_of, curves_of, refusal
from clear_alloc.fit.rollouts import Ints, Rollouts

__all__ = ["Folds", "checked_families", "checked_folds"]


class Folds:
    """Each query's rollouts, dealt in the order in which they stand; a query's only rollout is never set aside.

    test_rows : rows of the rollouts of each fold, none of them empty; one fold that sets nothing aside where no
        query has two rollouts. Every query keeps a rollout outside each fold: all curves have the queries of
        `data.ids`.
    """

    def __init__(self, data: Rollouts, folds: int):
        self.data, self.test_rows = data, _dealt(data, folds)
        self._outside = [_without(data, test_rows) for test_rows in self.test_rows]
        self._bases: dict[int | None, Basis] = {}
        self._curves: dict[tuple[str, int | None], FittedCurves] = {}

    def __len__(self) -> int:
        return len(self.test_rows)

    def refusal(self, family: str) -> InvalidArgument | None:
        """Why a family can't be fitted on all rollouts, or on those outside a fold, if so. O(folds x rollouts)."""
        refused = refusal(self.data, family)
        for fold, outside in enumerate(self._outside):
            error = refusal(outside, family) if refused is None else None
            if error is not None:
                found = f"{error.value} once fold {fold + 1} of {len(self)} is set aside"
                refused = InvalidArgument(error.argument, found, error.allowed, error.remedy)
        return refused

    def curves(self, family: str, fold: int | None = None) -> FittedCurves:
        """Curves from the rollouts outside a fold, or from all: shape (queries,). Fitted once, then kept."""
        key = family, fold
        if key not in self._curves:
            data = self.data if fold is None else self._outside[fold]
            if family in MODELS and fold not in self._bases:
                self._bases[fold] = basis_of(data)
            weight = 1.0 if data.weight is None else data.weight
            self._curves[key], _ = curves_of(data, family, weight, self._bases.get(fold))
        return self._curves[key]


def _dealt(data: Rollouts, folds: int) -> list[Ints]:
    times = np.bincount(data.query, minlength=len(data.ids))
    order = np.argsort(data.query, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order)) - np.repeat(np.cumsum(times) - times, times)
    fold = np.where(times[data.query] > 1, rank % folds, -1)
    rows = [np.flatnonzero(fold == number) for number in range(int(fold.max()) + 1)]
    return rows or [np.empty(0, dtype=np.intp)]


def _without(data: Rollouts, test_rows: Ints) -> Rollouts:
    kept = np.ones(len(data.query), dtype=bool)
    kept[test_rows] = False
    return data.only(kept)[0]


def checked_folds(folds: object) -> int:
    """A number of folds; InvalidArgument unless it is whole and 2 or more."""
    if not isinstance(folds, (int, np.integer)) or folds < 2:
        remedy = "set a part of each query's rollouts aside; 4 is usual"
        raise InvalidArgument("folds", folds, "a whole number, 2 or more", remedy)
    return int(folds)


def checked_families(families: Iterable[str]) -> tuple[str, ...]:
    """Names of families in their order; InvalidArgument for none, an unknown one or one named twice."""
    allowed = f"some of {', '.join(FAMILIES)}, each once"
    if isinstance(families, (str, bytes)) or not isinstance(families, Iterable):
        raise InvalidArgument("families", families, allowed, "pass a list of names")
    names = tuple(families)
    if not names:
        raise InvalidArgument("families", [], allowed, "name one at least; uniform is a candidate in any case")
    for row, name in enumerate(names):
        if name not in FAMILIES:
            raise InvalidArgument("families", name, allowed, "choose one of them", row)
        if name in names[:row]:
            raise InvalidArgument("families", name, allowed, f"it is row {names.index(name)} already; drop it", row)
    return names
