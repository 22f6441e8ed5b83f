"""Every policy of the comparison, by the name it has in the tables: functions of a batch and a budget, all alike."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple

from benchmarks.batch import Policy
from benchmarks.policies.paper_clear import clear, clear_best_width, clear_integral, clear_paper_fit
from benchmarks.policies.peers import (
    best_value_first,
    cutoff_plus_pad,
    greedy_marginal,
    price_contour,
    proportional,
    random_order,
    slsqp,
    tier_router,
    uniform,
    uniform_returned,
)
from benchmarks.policies.subject import chosen, knowing_its_error, oracle, ours, with_repair, with_shape

__all__ = ["EXPECTED", "LADDER", "POLICIES", "Named", "installed"]


class Named(NamedTuple):
    """act : caps for a batch under a budget. charged : what its budget counts, `reserved` caps or `expected` use.

    needs : a package that may not be installed.
    """

    act: Policy
    charged: str = "reserved"
    needs: str | None = None


EXPECTED = "expected"

POLICIES = {
    "uniform": Named(uniform),
    "proportional": Named(proportional),
    "random order": Named(random_order),
    "tier router": Named(tier_router),
    "greedy marginal": Named(greedy_marginal),
    "cutoff plus pad": Named(cutoff_plus_pad),
    "CLEAR": Named(clear),
    "CLEAR, hump as marginal": Named(clear_integral),
    "CLEAR, paper's fit": Named(clear_paper_fit),
    "CLEAR, best width in hindsight": Named(clear_best_width),
    "best value first": Named(best_value_first),
    "CLEAR + repair": Named(with_repair),
    "CLEAR + repair + shape": Named(with_shape),
    "ours": Named(ours()),
    "ours, chosen": Named(chosen()),
    "ours, shifted surge": Named(ours("shifted_surge")),
    "ours, cumulative surge": Named(ours("cumulative_surge")),
    "ours, empirical": Named(ours("empirical")),
    "ours, knowing its error": Named(knowing_its_error()),
    "oracle": Named(oracle()),
    "uniform, unused returned": Named(uniform_returned, EXPECTED),
    "ours, expected": Named(ours(accounting=EXPECTED), EXPECTED),
    "ours, expected, cumulative surge": Named(ours("cumulative_surge", EXPECTED), EXPECTED),
    "ours, expected, empirical": Named(ours("empirical", EXPECTED), EXPECTED),
    "ours, expected, chosen": Named(chosen(EXPECTED), EXPECTED),
    "ours, expected, knowing its error": Named(knowing_its_error(EXPECTED), EXPECTED),
    "oracle, expected": Named(oracle(EXPECTED), EXPECTED),
    "SLSQP": Named(slsqp),
    "price-contour": Named(price_contour, needs="price_contour"),
}

# From the paper's method to ours, one change at a time.
LADDER = ("CLEAR", "CLEAR + repair", "CLEAR + repair + shape", "ours", "ours, expected")


def installed(name: str) -> bool:
    """Whether a policy's package is at hand."""
    needs = POLICIES[name].needs
    return needs is None or find_spec(needs) is not None
