"""Ours with its family, or uniform in its place, chosen by samples that were set aside.

The fitting samples are dealt into FOLDS. Each fold is scored by the caps that curves of the other folds give; the
candidate that scores best over all folds is then fitted on all of them. The scoring samples take no part.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import clear_alloc as ca
from benchmarks.batch import Batch, Caps, Known
from benchmarks.policies.peers import uniform
from benchmarks.scoring import Split, held_out_accuracy

__all__ = ["chosen"]

FOLDS = 4
FAMILIES = ("lognormal", "cumulative_surge", "shifted_surge")


def chosen(batch: Batch, budget: int) -> Caps:
    """The family, or uniform, that did best on samples set aside at this budget."""
    scores = {"uniform": 0.0, **dict.fromkeys(FAMILIES, 0.0)}
    for fold in folds(batch.known):
        part = Batch(fold, batch.rows, batch.seed)
        mine = fold.split.only([fold.split.ids[row] for row in batch.rows])
        for name in scores:
            scores[name] += held_out_accuracy(mine, mine.ids, _caps(part, budget, name).tokens)
    return _caps(batch, budget, max(scores, key=lambda name: scores[name]))


def _caps(batch: Batch, budget: int, name: str) -> Caps:
    return uniform(batch, budget) if name == "uniform" else Caps.of(ca.allocate(batch.curves(name), budget))


def folds(known: Known) -> list[Known]:
    """The fitting samples with each fold in turn set aside to score."""
    if not hasattr(known, "_folds"):
        sample = known.split.fitting["sample"]
        deal = np.searchsorted(np.unique(sample), sample) % FOLDS
        known._folds = [
            Known(_set_aside(known.split, deal == fold), known.factor, known.error) for fold in range(FOLDS)
        ]
    return known._folds


def _set_aside(split: Split, aside: npt.NDArray[np.bool_]) -> Split:
    rest, mine = ({name: column[rows] for name, column in split.fitting.items()} for rows in (~aside, aside))
    return Split(rest, mine, split.ids)
