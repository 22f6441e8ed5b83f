"""Tenants: nested budgets, guarantees and shares, one price per budget that binds."""

from clear_alloc.groups.allocate import allocate_groups
from clear_alloc.groups.reports import GroupReport
from clear_alloc.groups.result import GroupedAllocation
from clear_alloc.groups.tree import Group
from clear_alloc.groups.tree_price import Binding

__all__ = ["Binding", "Group", "GroupReport", "GroupedAllocation", "allocate_groups"]
