"""clear_alloc decides how many reasoning tokens each query of a language-model workload gets.

    import clear_alloc as ca

    curves = ca.ShiftedSurge(threshold=[100, 400, 6000], width=[80, 200, 900], peak=[0.9, 0.8, 0.7])
    result = ca.allocate(curves, budget=1000)
    result.tokens, result.price, result.gap

Every query has a curve: the value of its answer against the tokens that it may use. One shadow price clears the
market between all curves and the budget. Units: tokens, value (1 = one right answer), price in value/token.
"""

import typing as _typing

from clear_alloc.allocation.reasons import Reason
from clear_alloc.allocation.result import Allocation
from clear_alloc.curves import (
    CumulativeSurge,
    Curves,
    LognormalArrival,
    Menu,
    ShiftedSurge,
    concatenate,
)
from clear_alloc.errors import (
    AuditFailed,
    BadRow,
    BudgetTooSmall,
    ClearAllocError,
    InvalidArgument,
    NotSupported,
    PriceNotConverged,
    TooLarge,
)
from clear_alloc.market.call_cost import call_cost
from clear_alloc.policies.allocate import allocate
from clear_alloc.solver.pricing.clearing import Status
from clear_alloc.support.lazy import load_later as _load_later

if _typing.TYPE_CHECKING:
    from clear_alloc.fit import FitReport, Fitted, LevelMenu, fit, menu_of_levels
    from clear_alloc.groups import Group, GroupedAllocation, allocate_groups
    from clear_alloc.policies.baselines import cutoff_plus_pad, exact, proportional, uniform
    from clear_alloc.policies.frontier import Frontier, frontier
    from clear_alloc.schema import Query
    from clear_alloc.selection.choose import Choice, CrossFit, choose

__version__ = "0.1.0"

__all__ = [
    "Allocation",
    "AuditFailed",
    "BadRow",
    "BudgetTooSmall",
    "Choice",
    "ClearAllocError",
    "CrossFit",
    "CumulativeSurge",
    "Curves",
    "FitReport",
    "Fitted",
    "Frontier",
    "Group",
    "GroupedAllocation",
    "InvalidArgument",
    "LevelMenu",
    "LognormalArrival",
    "Menu",
    "NotSupported",
    "PriceNotConverged",
    "Query",
    "Reason",
    "ShiftedSurge",
    "Status",
    "TooLarge",
    "allocate",
    "allocate_groups",
    "call_cost",
    "choose",
    "concatenate",
    "cutoff_plus_pad",
    "exact",
    "fit",
    "frontier",
    "menu_of_levels",
    "proportional",
    "uniform",
]

# What serving code seldom needs would take half of the time of an import.
__getattr__ = _load_later(
    __name__,
    {
        "policies.baselines": ("cutoff_plus_pad", "exact", "proportional", "uniform"),
        "selection.choose": ("Choice", "CrossFit", "choose"),
        "fit": ("FitReport", "Fitted", "LevelMenu", "fit", "menu_of_levels"),
        "policies.frontier": ("Frontier", "frontier"),
        "groups": ("Group", "GroupedAllocation", "allocate_groups"),
        "schema": ("Query",),
    },
)
