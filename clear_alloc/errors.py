"""Every deliberate exception. Each carries its numbers, their units and a remedy."""

from __future__ import annotations

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
]


class ClearAllocError(Exception):
    """Root of every exception that clear_alloc raises on purpose."""


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
        self.argument, self.row, self.value = argument, row, value
        self.allowed, self.remedy = allowed, remedy
        where = argument if row is None else f"{argument}[{row}]"
        super().__init__(f"{where} is {_shown(value)}; allowed: {allowed}; {remedy}")


class BudgetTooSmall(ClearAllocError, ValueError):
    """What must be paid in any case costs more than the budget.

    required, budget : in `unit`. what : the floors that don't fit, and of whom.
    """

    def __init__(self, required: float, budget: float, what: str = "min_tokens", unit: str = "tokens"):
        self.required, self.budget, self.what = required, budget, what
        super().__init__(
            f"{what} sum to {required:,.15g} {unit} but the budget is {budget:,.15g}; "
            f"lower {what.partition(' in ')[0].partition(' together')[0]} or raise the budget"
        )


class TooLarge(ClearAllocError, ValueError):
    """An exact method was asked for more work than it is meant for."""

    def __init__(self, work: float, limit: float, remedy: str):
        self.work, self.limit = work, limit
        super().__init__(f"the exact solution needs {work:,.0f} table cells, the limit is {limit:,.0f}; {remedy}")


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
        self.promise, self.found = promise, found
        super().__init__(f"audit: {promise}, but {found}; please report it with the curves and the budget")


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
        self.source, self.row, self.reason = source, row, reason
        super().__init__(f"{source}, row {row}: {reason}")


def _shown(value: Any) -> str:
    text = repr(value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value)
    return text if len(text) <= 80 else text[:77] + "..."
