"""Curves of several families in one column, and the ways to build such a column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from clear_alloc.curves.base import Accounting, Curves, Rows, Smooth
from clear_alloc.curves.cumulative_surge import CumulativeSurge
from clear_alloc.curves.lognormal import LognormalArrival
from clear_alloc.curves.menu import Menu
from clear_alloc.curves.shifted_surge import ShiftedSurge
from clear_alloc.errors import InvalidArgument
from clear_alloc.support.types import Array, Index

__all__ = ["FAMILIES", "CurveRecord", "Mixed", "concatenate", "from_records"]

FAMILIES: dict[str, Any] = {cls.family: cls for cls in (ShiftedSurge, CumulativeSurge, LognormalArrival, Menu)}

Piece = tuple[Any, Index]  # curves of one family, and the rows of the whole column that they fill, in order


class Mixed(Smooth):
    """A column whose rows belong to different families; every question is passed on to the row's own family.

    Built by `concatenate` and `from_records`. `marginal`, `inverse_marginal`, `concave_from` and `break_even` exist
    only where no row is a menu.
    """

    family: ClassVar[str] = "mixed"
    parameters: ClassVar[tuple[str, ...]] = ()

    def __init__(self, pieces: Iterable[Piece]):
        self.pieces = tuple(pieces)
        self.weight = np.empty(sum(len(rows) for _, rows in self.pieces))
        self._piece_of = np.empty(len(self.weight), dtype=np.intp)
        self._row_in_piece = np.empty(len(self.weight), dtype=np.intp)
        for k, (curves, rows) in enumerate(self.pieces):
            self.weight[rows] = curves.weight
            self._piece_of[rows], self._row_in_piece[rows] = k, np.arange(len(rows))

    def take(self, rows: Rows) -> Any:
        """The curves at the given row numbers; of their own family where all rows belong to one."""
        if isinstance(rows, slice):
            rows = np.arange(len(self))[rows]
        piece_of = self._piece_of[rows]
        pieces = []
        for k, (curves, _) in enumerate(self.pieces):
            chosen = np.flatnonzero(piece_of == k)
            if len(chosen):
                pieces.append((curves.take(self._row_in_piece[rows[chosen]]), chosen))
        return pieces[0][0] if len(pieces) == 1 else Mixed(pieces) if pieces else self.pieces[0][0].take(rows)

    def _after(self, spent: Array) -> Curves:
        return Mixed((curves.after(spent[rows]), rows) for curves, rows in self.pieces)

    @property
    def top(self) -> Array:
        """Utility of an unlimited cap, value."""
        return self._gather(lambda curves: curves.top)

    def to_records(self) -> list[dict[str, Any]]:
        """One dict per query: `family` and that family's parameters, as plain numbers."""
        records = [curves.to_records() for curves, _ in self.pieces]
        return [records[k][j] for k, j in zip(self._piece_of.tolist(), self._row_in_piece.tolist(), strict=True)]

    @property
    def capped(self) -> npt.NDArray[np.bool_]:
        """Whether the tokens of a query are a cap; see `Menu.capped`."""
        return self._gather(lambda curves: curves.capped).astype(np.bool_)

    def _gather(self, answers: Callable[[Any], Array]) -> Array:
        out = np.empty(len(self))
        for curves, rows in self.pieces:
            out[rows] = answers(curves)
        return out

    def _ask(self, method: str, values: npt.ArrayLike, *options: Any) -> Array:
        given = np.asarray(values, dtype=np.float64)
        given = np.broadcast_to(given, np.broadcast_shapes(given.shape, (len(self),)))
        out = np.empty(given.shape)
        for curves, rows in self.pieces:
            out[..., rows] = getattr(curves, method)(given[..., rows], *options)
        return out

    def utility(self, tokens: npt.ArrayLike) -> Array:
        """Value of a cap. O(n)."""
        return self._ask("utility", tokens)

    def marginal(self, tokens: npt.ArrayLike) -> Array:
        """Slope at a cap, value/token. O(n)."""
        return self._ask("marginal", tokens)

    def inverse_marginal(self, price: npt.ArrayLike) -> Array:
        """Cap on the concave branch where the marginal value equals `price`. O(n)."""
        return self._ask("inverse_marginal", price)

    def demand(self, price: npt.ArrayLike, accounting: Accounting = "reserved") -> Array:
        """Cap (token) with the highest utility - price x cost; 0 where no cap has positive surplus."""
        return self._ask("demand", price, accounting)

    def reservation_price(self, accounting: Accounting = "reserved") -> Array:
        """Lowest price (value/token) at which the query demands nothing."""
        return self._gather(lambda curves: curves.reservation_price(accounting))

    def answer_survival(self, tokens: npt.ArrayLike) -> Array:
        """Share of the right answers that arrive after `tokens`. O(n)."""
        return self._ask("answer_survival", tokens)

    def expected_cost(self, tokens: npt.ArrayLike) -> Array:
        """Mean of what a completion burns under a cap, token. O(n)."""
        return self._ask("expected_cost", tokens)

    def deviation(self, tokens: npt.ArrayLike) -> Array:
        """Standard deviation of what a completion burns under a cap, token. O(n)."""
        return self._ask("deviation", tokens)

    def expected_square(self, tokens: npt.ArrayLike) -> Array:
        """Mean of min(length, cap)^2, token^2. O(n)."""
        return self._ask("expected_square", tokens)

    def third_moment(self, tokens: npt.ArrayLike) -> Array:
        """Third central moment of what a completion burns under a cap, token^3. O(n)."""
        return self._ask("third_moment", tokens)

    def length_survival(self, tokens: npt.ArrayLike) -> Array:
        """Share of completions that burn more than `tokens`. O(n)."""
        return self._ask("length_survival", tokens)

    def hazard_value(self, tokens: npt.ArrayLike) -> Array:
        """Value per token that is expected to be burned, at the margin of a cap. O(n)."""
        return self._ask("hazard_value", tokens)

    @property
    def hazard_peak(self) -> Array:
        """Cap (token) from which the hazard falls."""
        return self._gather(lambda curves: curves.hazard_peak)

    def inverse_hazard(self, price: npt.ArrayLike) -> Array:
        """Cap on the branch of falling hazard where it equals `price`. O(n)."""
        return self._ask("inverse_hazard", price)

    @property
    def emergence(self) -> Array:
        """Emergence threshold (token), or the scale that stands in its place."""
        return self._gather(lambda curves: curves.emergence)

    @property
    def ceiling(self) -> Array:
        """Cap (token) beyond which no more value is to be had."""
        return self._gather(lambda curves: curves.ceiling)

    @property
    def concave_from(self) -> Array:
        """Cap (token) from which the curve is concave."""
        return self._gather(lambda curves: curves.concave_from)

    @property
    def break_even(self) -> Array:
        """Cap (token) with the highest value per token."""
        return self._gather(lambda curves: curves.break_even)


def concatenate(columns: Sequence[Curves]) -> Curves:
    """One column out of several, in order; of their own family where all are of one, else `Mixed`. O(n)."""
    if not len(columns):
        raise InvalidArgument("columns", "empty", "one or more columns of curves", "pass at least one")
    pieces: list[Piece] = []
    offset = 0
    for curves in columns:
        listed = curves.pieces if isinstance(curves, Mixed) else ((curves, np.arange(len(curves))),)
        pieces.extend((piece, rows + offset) for piece, rows in listed)
        offset += len(curves)
    return _merged(pieces)


def _merged(pieces: Sequence[Piece]) -> Curves:
    """One piece per family, rows in order."""
    merged: list[Piece] = []
    for family in dict.fromkeys(curves.family for curves, _ in pieces):
        same = [(curves, rows) for curves, rows in pieces if curves.family == family]
        merged.append((type(same[0][0]).concatenate([c for c, _ in same]), np.concatenate([r for _, r in same])))
    filled = [piece for piece in merged if len(piece[1])]
    if len(filled) > 1:
        return Mixed(filled)
    curves, rows = filled[0] if filled else merged[0]
    alone: Curves = curves.take(np.argsort(rows, kind="stable"))
    return alone


class CurveRecord(Protocol):
    """One query as an object: the pydantic models of `clear_alloc.schema` are of this kind."""

    @property
    def family(self) -> str:
        """Name of the family, a key of `FAMILIES`."""

    def curve_parameters(self) -> dict[str, Any]:
        """Keyword arguments of the family's class, one value each."""


def from_records(records: Iterable[CurveRecord]) -> Curves:
    """Curves from one object per query, in their order; families may be mixed. O(n).

    An unknown family or a parameter outside its range raises InvalidArgument naming the record.
    """
    by_kind: dict[tuple[str, ...], tuple[list[int], list[dict[str, Any]]]] = {}
    for row, record in enumerate(records):
        if record.family not in FAMILIES:
            remedy = "spell the family as listed"
            raise InvalidArgument("family", record.family, ", ".join(FAMILIES), remedy, row)
        given = record.curve_parameters()
        # Menus with and without expected costs: `Menu.concatenate` fills in what a few of them leave out.
        kind = (record.family, *(name for name in ("expected", "deviation") if given.get(name) is not None))
        rows, parameters = by_kind.setdefault(kind, ([], []))
        rows.append(row)
        parameters.append(given)
    if not by_kind:
        return ShiftedSurge(np.empty(0), np.empty(0), np.empty(0))
    return _merged([_built(kind[0], *rows_and_more) for kind, rows_and_more in by_kind.items()])


def _built(family: str, rows: list[int], parameters: list[dict[str, Any]]) -> Piece:
    # A column that no row gives is left to the family's default.
    names = [name for name in parameters[0] if any(p[name] is not None for p in parameters)]
    columns = {name: [p[name] for p in parameters] for name in names}
    try:
        return FAMILIES[family](**columns), np.array(rows, dtype=np.intp)
    except InvalidArgument as error:
        row = None if error.row is None else rows[error.row]
        raise InvalidArgument(error.argument, error.value, error.allowed, error.remedy, row) from None
