"""Results of `allocate` and `frontier` as people read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from clear_alloc.allocation.reasons import Reason
from clear_alloc.allocation.result import Allocation
from clear_alloc.cli.show import show_table, show_text
from clear_alloc.groups import GroupReport
from clear_alloc.policies.frontier import Frontier
from clear_alloc.solver.pricing.clearing import Status

__all__ = ["more_text", "show_allocation", "show_frontier", "show_groups"]

_MANY = {"token": "tokens", "unit": "budget units"}
_PER = {"token": "value/token", "unit": "value/budget unit"}


def show_allocation(result: Allocation, output: Path | None) -> None:
    """The sums of an allocation, why queries were not funded, and where the caps are."""
    many, expected = _MANY[result.unit], result.accounting == "expected"
    rows = [
        ("budget", _amount(result.budget), many),
        ("expected spend" if expected else "spent", _amount(result.spent), many),
        ("deviation", _amount(result.deviation), many),
        ("margin", _amount(result.margin), many),
        ("funded", f"{result.funded.sum():,} of {len(result):,}", "queries"),
        ("price", f"{result.price:.4g}", _PER[result.unit]),
        ("utility", f"{result.utility:,.6g}", "value (expected right answers x weight)"),
        ("upper bound", f"{result.upper_bound:,.6g}", "value"),
        ("gap", f"{result.gap:.2g}", "value"),
    ]
    left_out = {"budget"} if result.status is Status.PRICED else set()
    left_out |= set() if expected else {"deviation", "margin"}
    show_table("allocation", ("", "amount", "unit"), [row for row in rows if row[0] not in left_out])
    show_text(result.status.value)
    counts = Counter(result.reasons)
    for reason in Reason:
        if reason is not Reason.FUNDED and counts[reason]:
            show_text(f"{counts[reason]:,} not funded, {_words(reason.name)}: {reason.value}")
    lengths = len(result) - int(result.capped.sum())
    if lengths:
        show_text(f"{lengths:,} of the tokens are mean lengths of options, not caps: run these without max_tokens")
    show_text(f"caps written to {output}" if output else "caps not written: name a file with -o, or use --json")


def show_groups(groups: Sequence[GroupReport], unit: str) -> None:
    """What each group got, one row per group."""
    header = ("group", "parent", "budget", "guarantee", "spent", "utility", "funded", "price", "marginal")
    rows = [
        (
            group.name,
            group.parent or "-",
            _amount(group.budget),
            _amount(group.guarantee),
            _amount(group.spent),
            f"{group.utility:,.6g}",
            f"{group.funded:,} of {group.queries:,}",
            f"{group.price:.4g}",
            f"{group.marginal:.4g}",
        )
        for group in groups
    ]
    show_table(f"groups ({_MANY[unit]}, value, {_PER[unit]})", header, rows)


def show_frontier(swept: Frontier, n: int, unit: str) -> None:
    """One row per budget."""
    header = (f"budget ({_MANY[unit]})", "utility (value)", f"price ({_PER[unit]})", "funded", "gap (value)")
    rows = [
        (_amount(budget), f"{utility:,.6g}", f"{price:.4g}", f"{funded:.1%}", f"{gap:.2g}")
        for budget, utility, price, funded, gap in zip(
            swept.budget, swept.utility, swept.price, swept.funded_share, swept.gap, strict=True
        )
    ]
    show_table(f"frontier of {n:,} queries", header, rows)


def more_text(swept: Frontier, unit: str, extra: str) -> str:
    """What the second of two budgets, larger by `extra`, buys beyond the first."""
    budget, larger = (_amount(budget) for budget in swept.budget)
    before, after = (f"{utility:,.6g}" for utility in swept.utility)
    few, many = (f"{share:.1%}" for share in swept.funded_share)
    start = f"{extra} more than {budget} {_MANY[unit]} ({larger})"
    if before == after:
        return f"{start} would buy nothing: the utility stays {after}."
    return f"{start} would raise the utility from {before} to {after} and the share funded from {few} to {many}."


def _amount(value: float | None) -> str:
    """Whole and large amounts to the unit, others to six digits."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 1e6 else f"{value:,.6g}"


def _words(name: str) -> str:
    return name.lower().replace("_", " ")
