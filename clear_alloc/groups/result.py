"""The result of an allocation under nested budgets: the allocation, and what each group got for what."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from clear_alloc.allocation.result import Allocation
from clear_alloc.errors import AuditFailed, InvalidArgument
from clear_alloc.groups.exact import NestedBound
from clear_alloc.groups.margins import margins_of
from clear_alloc.groups.reports import GroupReport, reports_of

__all__ = ["GroupReport", "GroupedAllocation"]

_RTOL = 1e-9  # of a budget or a utility: what rounding may do to sums


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
        """The report of the group of that name; InvalidArgument if there is none."""
        for group in self.groups:
            if group.name == name:
                return group
        known = ", ".join(group.name for group in self.groups)
        raise InvalidArgument("group", name, f"one of {known}", "name a group of this allocation")

    def audit(self) -> None:
        """Recompute every promise of caps and groups; raise AuditFailed at the first broken one. O(n x depth)."""
        self.allocation.audit()
        problem, solution, bound = self.allocation.parts
        if not isinstance(bound, NestedBound):
            raise AuditFailed("the upper bound is that of nested budgets", "it is that of one")
        tree = bound.tree
        names = tuple(tree.groups[node - 1].name if node else None for node in tree.node_of.tolist())
        self._check("every query is in the group that was given", self.group_of == names, "another one is named")
        margins = margins_of(problem.market, tree, solution, problem.z_score)
        expected = reports_of(problem, tree, solution, bound.prices, bound.alone, margins)
        self._check("there is one report per group", len(expected) == len(self.groups), f"{len(self.groups)} reports")
        for report, right in zip(self.groups, expected, strict=True):
            self._audit_report(report, right)

    def _audit_report(self, report: GroupReport, right: GroupReport) -> None:
        for field in fields(GroupReport):
            found, due = getattr(report, field.name), getattr(right, field.name)
            if isinstance(due, float) and isinstance(found, (int, float)):
                scale = max(abs(due), right.spent if field.name == "margin" else 0.0)
                same = abs(found - due) <= _RTOL * scale
            else:
                same = type(found) is type(due) and found == due
            self._check(f"{field.name} of {right.name} is {due}", same, f"it is {found}")
        name, held = right.name, report.spent + report.margin
        within = report.budget is None or held <= report.budget * (1.0 + _RTOL)
        self._check(f"{name} stays within its budget of {report.budget}", within, f"it takes {held}")
        kept = report.utility >= report.alone - _RTOL * abs(report.alone)
        promise = f"{name} gets what its guarantee alone would buy, {report.alone}"
        self._check(promise, kept, f"it gets {report.utility}")

    @staticmethod
    def _check(promise: str, kept: bool, found: str) -> None:
        if not kept:
            raise AuditFailed(promise, found)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and strings, ready for JSON."""
        rows = [{**asdict(group), "binding": group.binding.name.lower()} for group in self.groups]
        return {**self.allocation.to_dict(), "group_of": list(self.group_of), "groups": rows}

    def __repr__(self) -> str:
        return f"<GroupedAllocation of {len(self.groups):,} groups: {self.allocation!r}>"
