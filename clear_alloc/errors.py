"""Every deliberate exception. Each carries its numbers, their units and a remedy.

Their texts may hold what others wrote: ids, column names, lines of a file. They are safe on a terminal and short.
"""

from __future__ import annotations

import copyreg
import pickle
import reprlib
from itertools import islice
from typing import Any

__all__ = [
    "AuditFailed",
    "BadRow",
    "BudgetTooSmall",
    "ClearAllocError",
    "InvalidArgument",
    "NotSupported",
    "PriceNotConverged",
    "TooLarge",
    "printable",
]

_TEXT, _VALUE = 500, 80  # letters of a text and of a value that a message shows
_BITS = 1024  # of an integer that is written out; Python refuses to write very long ones


def printable(text: object, limit: int = _TEXT) -> str:
    """`text` on one line of at most `limit` letters, for terminals and messages. O(limit).

    Control characters, escape sequences and marks of direction are written as Python writes them in `repr`; of a
    longer text the middle is left out.
    """
    full = str(text)
    kept = full if len(full) <= limit else full[:limit] + full[-limit:]
    if not kept.isprintable():
        kept = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in kept)
    if len(full) <= limit and len(kept) <= limit:
        return kept
    tail = limit // 3
    return f"{kept[: limit - tail - 3]}...{kept[len(kept) - tail :]}"


class ClearAllocError(Exception):
    """Root of every exception that clear_alloc raises on purpose. Survives pickle and copy with its attributes."""

    def __init__(self, message: str = ""):
        super().__init__(printable(message, 4 * _TEXT))

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is rebuilt as cls(*args) by default, and args hold the message alone.
        state = {name: _portable(value) for name, value in self.__dict__.items()}
        return copyreg.__newobj__, (type(self), *self.args), state  # type: ignore[attr-defined]


class InvalidArgument(ClearAllocError, ValueError):
    """An argument, or one row of it, is outside what is allowed.

    Attributes
    ----------
    argument : str
        Name of the argument as the caller wrote it.
    row : int or None
        Index of the first offending row; None when the whole argument is at fault.
    value : object
        The offending value.
    allowed : str
        What would have been accepted, with units.
    remedy : str
        What to do about it.
    """

    def __init__(self, argument: str, value: object, allowed: str, remedy: str, row: int | None = None):
        self.argument, self.row, self.value = printable(argument), row, value
        self.allowed, self.remedy = printable(allowed), printable(remedy)
        where = self.argument if row is None else f"{self.argument}[{row}]"
        super().__init__(f"{where} is {_shown(value)}; allowed: {self.allowed}; {self.remedy}")


class BudgetTooSmall(ClearAllocError, ValueError):
    """What must be paid in any case costs more than the budget.

    required, budget : in `unit`. what : the floors that don't fit, and of whom.
    """

    def __init__(self, required: float, budget: float, what: str = "min_tokens", unit: str = "tokens"):
        what = printable(what)
        self.required, self.budget, self.what = required, budget, what
        super().__init__(
            f"{what} sum to {required:,.15g} {unit} but the budget is {budget:,.15g}; "
            f"lower {what.partition(' in ')[0].partition(' together')[0]} or raise the budget"
        )


class TooLarge(ClearAllocError, ValueError):
    """An exact method was asked for more work than it is meant for."""

    def __init__(self, work: float, limit: float, remedy: str, unit: str = "undominated states"):
        self.work, self.limit, self.unit = work, limit, unit
        super().__init__(f"the exact solution needs {work:,.0f} {unit}, the limit is {limit:,.0f}; {remedy}")


class NotSupported(ClearAllocError, NotImplementedError):
    """A documented option that this combination of inputs can't honour."""


class PriceNotConverged(ClearAllocError, RuntimeError):
    """The price bracket stayed wider than the tolerance."""

    def __init__(self, low: float, high: float, evaluations: int):
        self.low, self.high, self.evaluations = low, high, evaluations
        super().__init__(
            f"the price stayed between {low:.17g} and {high:.17g} value/token after {evaluations} evaluations; "
            "demand must be finite and must not rise with the price"
        )


class AuditFailed(ClearAllocError, RuntimeError):
    """An allocation broke one of its own promises."""

    def __init__(self, promise: str, found: str):
        self.promise, self.found = printable(promise), printable(found)
        super().__init__(f"audit: {self.promise}, but {self.found}; please report it with the curves and the budget")


class BadRow(ClearAllocError, ValueError):
    """A row of outside data was refused.

    Attributes
    ----------
    source : str
        File name, or the name of the table.
    row : int
        Row as a person counts it: 1 is the first row of data (JSONL: the line number).
    reason : str
        What is wrong with it, what is allowed and what to do.
    """

    def __init__(self, source: str, row: int, reason: str):
        self.source, self.row, self.reason = printable(source), row, printable(reason, 2 * _TEXT)
        super().__init__(f"{self.source}, row {row}: {self.reason}")


class _Shown(reprlib.Repr):
    """`repr` whose work is bounded too, where the size of a value is known."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = _VALUE
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = 20
        self.maxlevel = 3

    def repr_int(self, value: int, level: int) -> str:  # noqa: ARG002
        return repr(value) if value.bit_length() <= _BITS else f"an integer of {value.bit_length()} bits"

    def repr_bytes(self, value: bytes, level: int) -> str:  # noqa: ARG002
        return repr(value if len(value) <= _VALUE else value[:_VALUE])

    def repr_dict(self, value: dict[Any, Any], level: int) -> str:
        # In the order of the dict: reprlib would sort all keys.
        if level <= 0:
            return "{...}"
        few = islice(value.items(), self.maxdict)
        pairs = [f"{self.repr1(key, level - 1)}: {self.repr1(item, level - 1)}" for key, item in few]
        return f"{{{', '.join([*pairs, '...'] if len(value) > self.maxdict else pairs)}}}"


def _shown(value: Any) -> str:
    try:
        scalar = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
        text = str.__str__(scalar) if isinstance(scalar, str) else scalar
        return printable(_Shown().repr(text), _VALUE)
    except Exception:  # noqa: BLE001 - whatever a foreign repr raises, the refusal comes first
        return f"a {printable(type(value).__name__, _VALUE)}"


def _portable(value: Any) -> Any:
    """The value, or the text that stands for it where another process couldn't read it."""
    try:
        pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - pickle raises whatever the value's class does
        return _shown(value)
    return value
