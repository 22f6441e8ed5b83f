"""A family of curves, or one cap for all, chosen by rollouts that were set aside, at the budget in question.

Promises about an allocation hold on its curves. Where no family fits, what holds is what other rollouts say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Unpack, cast

import numpy as np

from clear_alloc.allocation.result import Allocation
from clear_alloc.errors import BudgetTooSmall, InvalidArgument, NotSupported
from clear_alloc.fit.families import FittedCurves
from clear_alloc.fit.rollouts import Ints, read_rollouts
from clear_alloc.market.problem import checked_budget
from clear_alloc.market.tariff import read_tariff
from clear_alloc.market.terms import AllocateKwargs, AllocateOptions
from clear_alloc.policies.allocate import allocate
from clear_alloc.policies.baselines import uniform
from clear_alloc.selection.folds import Folds, checked_families, checked_folds
from clear_alloc.selection.holdout import ROUNDING, HoldoutScore, SelectionTask, held_out

__all__ = ["Choice", "CrossFit", "HoldoutScore", "choose"]

CANDIDATES = ("lognormal", "cumulative_surge", "shifted_surge")
UNIFORM = "uniform"


@dataclass(frozen=True, eq=False, repr=False)
class Choice:
    """The candidate that did best on set-aside rollouts, and what it does with all of them.

    candidate : name of a family, or "uniform".
    result : its allocation, on curves of all rollouts. `result.ids` are the queries; `result.budget` is less than
        was asked for where the candidate was found to overspend.
    curves : those curves, shape (queries,). Where uniform was chosen, the first candidate's.
    held_out : by candidate, in order of preference at equal value.
    left_out : by name, why a family was no candidate.
    """

    candidate: str
    result: Allocation
    curves: FittedCurves
    held_out: Mapping[str, HoldoutScore]
    left_out: Mapping[str, str]

    def __repr__(self) -> str:
        values = ", ".join(f"{name} {held.value:.6g}" for name, held in self.held_out.items())
        rollouts = self.held_out[self.candidate].rollouts
        return f"<Choice {self.candidate}: value on {rollouts:,} rollouts set aside: {values}>"


class CrossFit:
    """Families fitted on all rollouts, and on all but each fold in turn, so as to be chosen from at any budget.

    Parameters
    ----------
    rollouts : dataframe or mapping of columns
        As `fit` takes them.
    families : names, in order of preference at equal value
        Of lognormal, cumulative_surge, shifted_surge, empirical and paper; "uniform" is always a candidate too.
    folds : int, >= 2
        Parts to deal each query's rollouts into, in the order in which they stand: no chance is involved. A query's
        only rollout is never set aside.

    Attributes
    ----------
    ids : list
        The queries, in order of first appearance.
    families : tuple
        Those that can be fitted whichever fold is set aside.
    left_out : dict
        By name, why others can't.

    Raises
    ------
    InvalidArgument
        As `fit`; for families that are empty, unknown or named twice; folds that are no whole number above 1; and,
        with the reason, where no family is left.

    Notes
    -----
    Fits are made when they are first needed, and kept: folds + 1 fits, which lognormal and both surges share. 500
    queries of 8 rollouts take about 0.2 s.

    Examples
    --------
    >>> import clear_alloc as ca
    >>> rollouts = {"query_id": ["a"] * 4 + ["b"] * 4 + ["c"] * 4,
    ...             "tokens": [310, 290, 350, 330, 900, 1100, 980, 1250, 8000, 7400, 9100, 6900],
    ...             "correct": [1, 1, 1, 1, 1, 0, 1, 1, 0, 1, 0, 0]}
    >>> trial = ca.CrossFit(rollouts)
    >>> choice = trial.choose(2500)
    >>> choice.candidate, choice.result.tokens
    ('lognormal', array([ 559, 1941,    0]))
    >>> {name: held.value for name, held in choice.held_out.items()}
    {'lognormal': 1.75, 'cumulative_surge': 1.75, 'shifted_surge': 1.75, 'uniform': 1.0}
    """

    def __init__(self, rollouts: Any, families: Iterable[str] = CANDIDATES, folds: int = 4):
        asked, parts = checked_families(families), checked_folds(folds)
        self._folds = Folds(read_rollouts(rollouts), parts)
        self.ids = self._folds.data.ids
        refused = {name: self._folds.refusal(name) for name in asked}
        self.families = tuple(name for name, error in refused.items() if error is None)
        self.left_out = {name: str(error) for name, error in refused.items() if error is not None}
        first = refused[asked[0]]
        if not self.families and first is not None:
            raise first

    def __repr__(self) -> str:
        return f"<CrossFit of {', '.join(self.families)}: {len(self.ids):,} queries, {len(self._folds)} folds>"

    def choose(
        self, budget: float, *, queries: Iterable[Any] | None = None, **terms: Unpack[AllocateKwargs]
    ) -> Choice:
        """Allocate a budget by the candidate that does best on rollouts set aside, at this budget and these terms.

        Each candidate's caps come from curves that have not seen the rollouts which score them. A rollout is right
        within a cap if it is correct and no longer. One that was stopped by a recorded cap below the one granted is
        counted as not right, and as having burned what it burned.

        Under reserved accounting caps are charged in full and always fit. Under expected accounting a rollout is
        charged the tokens that it burns under its cap, by `rate` and `call`; a query without a set-aside rollout what
        its curve expects; that and the margin of its curves have to fit the budget. A candidate that fits by its own
        curves may so be found to overspend. Its budget is then made smaller, by as much as its curves expected too
        little, and it is judged by what that buys. How many rollouts are set aside decides how sure that is: the
        chance of an overrun is kept as far as their mean is right.

        The best value wins among the candidates within the budget; where none is, as floors may have it, the one that
        passes it least. Ties go to the earlier family, and to uniform last.

        Parameters
        ----------
        budget : tokens, or budget units, >= 0
        queries : ids, optional
            Those to allocate now, in their order; all if not given. Terms of shape (n,) follow it.
        **terms
            As `allocate` takes them: accounting, overrun, min_tokens, max_tokens, levels, fallback, rate, call.

        Returns
        -------
        Choice
            "uniform" is `ca.uniform` on the first candidate's curves.

        Raises
        ------
        InvalidArgument
            A query that is not among `ids` or is named twice.
        InvalidArgument, BudgetTooSmall, NotSupported
            As `allocate`, where every family is refused. A family that alone is refused is left out: shifted_surge
            under expected accounting, for one, since it knows no lengths.

        Notes
        -----
        One allocation per candidate and fold, and one more: about 0.1 s for 500 queries and reserved caps. Under
        expected accounting the margin takes longer, and smaller budgets are tried: 2 to 5 s.
        """
        unknown = sorted(set(terms) - (set(AllocateOptions.__dataclass_fields__) - {"ids"}))
        if unknown:
            raise TypeError(f"choose() got an unexpected keyword argument {unknown[0]!r}")
        asked = self._asked(budget, queries, terms)
        held, left_out, errors = {}, dict(self.left_out), []
        for name in self.families:
            try:
                held[name] = held_out(self._folds, allocate, name, asked)
            except (BudgetTooSmall, InvalidArgument, NotSupported) as error:
                left_out[name] = str(error)
                errors.append(error)
        if not held:
            raise errors[0]
        first = next(iter(held))
        try:
            held[UNIFORM] = held_out(self._folds, uniform, first, asked)
        except BudgetTooSmall as error:  # for floors whose margin differs from fold to fold
            left_out[UNIFORM] = str(error)
        best = _best(held)
        family = first if best == UNIFORM else best
        curves = self._folds.curves(family).take(asked.rows)
        named: AllocateKwargs = {**asked.terms, "ids": [self.ids[row] for row in asked.rows]}
        act = uniform if best == UNIFORM else allocate
        try:
            result = act(curves, held[best].budget, **named)
        except BudgetTooSmall:  # for the floors, by the curves of all rollouts
            result = act(curves, asked.budget, **named)
        return Choice(best, result, curves, held, left_out)

    def _asked(self, budget: float, queries: Iterable[Any] | None, terms: AllocateKwargs) -> SelectionTask:
        pool = checked_budget(budget)
        rows = np.arange(len(self.ids)) if queries is None else _rows(self.ids, queries)
        position = np.full(len(self.ids), -1)
        position[rows] = np.arange(len(rows))
        # Used once per fold and candidate, which an iterator would not survive.
        kept = {name: list(value) if isinstance(value, Iterator) else value for name, value in terms.items()}
        given = AllocateOptions(**kept)  # type: ignore[arg-type]
        tariff = read_tariff(given.accounting, given.rate, given.call, lambda: np.ones(len(rows), dtype=np.intp))
        weight = self._folds.data.weight
        worth = np.ones(len(rows)) if weight is None else weight[rows]
        return SelectionTask(pool, rows, position, worth, tariff, cast(AllocateKwargs, kept))


def choose(
    rollouts: Any,
    budget: float,
    *,
    families: Iterable[str] = CANDIDATES,
    folds: int = 4,
    queries: Iterable[Any] | None = None,
    **terms: Unpack[AllocateKwargs],
) -> Choice:
    """Fit, and allocate a budget by the family, or by one cap for all, that does best on rollouts set aside.

    Returns `CrossFit(rollouts, families, folds).choose(budget, queries=queries, **terms)`; the two pages say what is
    taken and raised, and what it costs. For several budgets, keep one CrossFit: it fits only once.

    Examples
    --------
    >>> import clear_alloc as ca
    >>> rollouts = {"query_id": ["a", "b"] * 4, "tokens": [300, 900, 310, 980, 290, 1100, 350, 950],
    ...             "correct": [1, 1, 1, 0, 1, 1, 1, 1]}
    >>> ca.choose(rollouts, 1500, families=["lognormal", "shifted_surge"])
    <Choice lognormal: value on 8 rollouts set aside: lognormal 1.5, shifted_surge 1.5, uniform 1>
    """
    return CrossFit(rollouts, families, folds).choose(budget, queries=queries, **terms)


def _best(held: Mapping[str, HoldoutScore]) -> str:
    fits = [name for name in held if held[name].within]
    if not fits:
        least = min(score.charged for score in held.values())
        return next(name for name in held if held[name].charged <= least * (1.0 + ROUNDING))
    most = max(held[name].value for name in fits)
    return next(name for name in fits if held[name].value >= most * (1.0 - ROUNDING))


def _rows(ids: Iterable[Any], queries: Iterable[Any]) -> Ints:
    """Numbers of the queries, in their order."""
    asked = queries.tolist() if isinstance(queries, np.ndarray) else queries
    if isinstance(asked, (str, bytes)) or not isinstance(asked, Iterable):
        raise InvalidArgument("queries", queries, "ids of the rollouts, each once", "pass a list of ids")
    number = {id_: row for row, id_ in enumerate(ids)}
    seen: dict[Any, int] = {}
    for row, id_ in enumerate(asked):
        named = isinstance(id_, (str, int, np.integer)) and not isinstance(id_, bool)
        if not named or id_ not in number:
            remedy = "leave it out, or record rollouts of it"
            raise InvalidArgument("queries", id_, "an id of the rollouts", remedy, row)
        if id_ in seen:
            remedy = f"it is row {seen[id_]} already; drop it"
            raise InvalidArgument("queries", id_, "ids that are named once", remedy, row)
        seen[id_] = row
    return np.array([number[id_] for id_ in seen], dtype=np.intp)
