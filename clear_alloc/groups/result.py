"""The result of an allocation under nested budgets: the allocation, and what each group got for what."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from clear_alloc.allocation.result import Allocation
from clear_alloc.errors import AuditFailed
from clear_alloc.groups.tree_price import Binding

__all__ = ["GroupReport", "GroupedAllocation"]

_RTOL = 1e-9  # of a budget or a utility: what rounding may do to sums


@dataclass(frozen=True)
class GroupReport:
    """One group after the allocation. Amounts are in the unit of the budget, prices in value per unit of it.

    price : what one more unit of this group's own budget would buy beyond what it costs the groups around; 0 unless
    its budget binds. guarantee_price : what its guarantee costs the others, per unit; 0 unless it binds.
    marginal : the price at which its queries buy. margin : held back under expected accounting.
    alone : utility that the guarantee would buy by itself; the group never gets less.
    """

    name: str
    parent: str | None
    budget: float | None
    guarantee: float
    spent: float
    margin: float
    utility: float
    alone: float
    queries: int
    funded: int
    price: float
    guarantee_price: float
    marginal: float
    binding: Binding


@dataclass(frozen=True)
class GroupedAllocation:
    """Caps for n queries under nested budgets.

    allocation : as `allocate` returns it; its price is that of the whole, its upper bound holds under all budgets.
    groups : one report per group, parents before children.
    group_of : each query's own group, n of them.
    """

    allocation: Allocation
    groups: tuple[GroupReport, ...]
    group_of: tuple[str | None, ...]

    @property
    def tokens(self) -> np.ndarray:
        """Whole caps, int64 (n,), token."""
        return self.allocation.tokens

    def __getitem__(self, name: str) -> GroupReport:
        """The report of the group of that name."""
        for group in self.groups:
            if group.name == name:
                return group
        raise KeyError(name)

    def audit(self) -> None:
        """Recompute every promise of caps and groups; raise AuditFailed at the first broken one. O(n x depth)."""
        self.allocation.audit()
        charges = self.allocation.charges
        parents = {group.name: group.parent for group in self.groups}
        for group in self.groups:
            rows = np.array([_within(own, group.name, parents) for own in self.group_of], dtype=bool)
            spent = float(charges[rows].sum())
            if abs(spent - group.spent) > _RTOL * max(spent, group.spent):
                raise AuditFailed(f"{group.name} spent what its caps are charged", f"{group.spent} against {spent}")
            if group.budget is not None and spent + group.margin > group.budget * (1.0 + _RTOL):
                raise AuditFailed(f"{group.name} stays within its budget of {group.budget}", f"it spends {spent}")
            if group.utility < group.alone - _RTOL * abs(group.alone):
                found = f"it gets {group.utility}"
                raise AuditFailed(f"{group.name} gets what its guarantee alone would buy, {group.alone}", found)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and strings, ready for JSON."""
        rows = [{**asdict(group), "binding": group.binding.name.lower()} for group in self.groups]
        return {**self.allocation.to_dict(), "group_of": list(self.group_of), "groups": rows}

    def __repr__(self) -> str:
        return f"<GroupedAllocation of {len(self.groups):,} groups: {self.allocation!r}>"


def _within(own: str | None, name: str, parents: dict[str, str | None]) -> bool:
    while own is not None:
        if own == name:
            return True
        own = parents[own]
    return False
