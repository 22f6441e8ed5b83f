"""Seeded random cases and hypothesis strategies that the tests share."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

import clear_alloc as ca
from clear_alloc.curves import from_records
from clear_alloc.market.problem import read_problem
from clear_alloc.market.terms import AllocateOptions

SURGE, CUMULATIVE, LOGNORMAL, MENU = "shifted_surge", "cumulative_surge", "lognormal", "menu"
SMOOTH = (SURGE, CUMULATIVE, LOGNORMAL)
FAMILIES = (*SMOOTH, MENU)


@dataclass(frozen=True)
class Record:
    """One query as an object with `family` and `curve_parameters`, which is all that the library asks for."""

    parameters: dict[str, Any]
    family: str = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "family", self.parameters["family"])

    def curve_parameters(self):
        return {name: value for name, value in self.parameters.items() if name != "family"}


def build(records):
    """Curves of a list of plain dicts, the form that the oracles read."""
    return from_records([Record(record) for record in records])


def draws(family, n, rng, scale=1000.0):
    """n random curves of one smooth family, as columns."""
    weight, height = rng.uniform(0.5, 2.0, n), rng.uniform(0.05, 1.0, n)
    if family == SURGE:
        return ca.ShiftedSurge(rng.uniform(0, scale, n), scale * rng.uniform(0.05, 1, n), height, weight)
    if family == CUMULATIVE:
        return ca.CumulativeSurge(rng.uniform(0, scale, n), scale * rng.uniform(0.03, 0.5, n), height, weight)
    median = scale * np.exp(rng.normal(0, 0.7, n))
    return ca.LognormalArrival(median, rng.uniform(0.1, 1.2, n), height, weight)


def menu_draws(n, rng, scale=1000.0, options=5):
    costs = np.sort(rng.uniform(0.02, 2, (n, options)) * scale, axis=1)
    values = np.sort(rng.uniform(0, 1, (n, options)), axis=1)
    return ca.Menu(costs, values, weight=rng.uniform(0.5, 2.0, n))


def column(family, n, rng, scale=1000.0):
    return menu_draws(n, rng, scale) if family == MENU else draws(family, n, rng, scale)


def random_record(rng, family, scale):
    height, weight = float(rng.uniform(0.05, 1)), float(rng.choice([1, 1, 1, 0.5, 2, 3]))
    common = {"family": family, "weight": weight}
    if family == SURGE:
        widths = {"width": float(scale * rng.uniform(0.05, 1)), "peak": height}
        return {**common, "threshold": float(rng.choice([0.0, rng.uniform(0, scale)], p=[0.1, 0.9])), **widths}
    if family == CUMULATIVE:
        widths = {"width": float(scale * rng.uniform(0.03, 0.5)), "solvability": height}
        return {**common, "threshold": float(rng.choice([0.0, rng.uniform(0, scale)], p=[0.1, 0.9])), **widths}
    if family == LOGNORMAL:
        median, spread = float(scale * np.exp(rng.normal(0, 0.7))), float(rng.uniform(0.1, 1.2))
        return {**common, "median": median, "spread": spread, "solvability": height}
    options = int(rng.integers(1, 6))
    costs = np.sort(rng.uniform(0.02, 2, options) * scale)
    if rng.random() < 0.3:
        costs[0] = 0.0
    values = np.cumsum(rng.uniform(0, 1, options))
    values /= max(1.0, values[-1])
    if rng.random() < 0.3:
        values = rng.permutation(values)
    return {**common, "costs": costs.tolist(), "values": values.tolist()}


@dataclass(frozen=True)
class Case:
    """One small instance: plain records for the oracle, curves for us, and feasible floors and ceilings."""

    records: list[dict[str, Any]]
    budget: int
    floors: list[int]
    ceilings: list[int]

    @property
    def curves(self):
        return build(self.records)

    @property
    def limits(self):
        return {"min_tokens": self.floors, "max_tokens": self.ceilings}

    @property
    def within_budget(self):
        return [min(ceiling, self.budget) for ceiling in self.ceilings]


def random_case(rng, sizes, scales):
    """A case with any mix of families, floors, ceilings and ties; the budget from a token to beyond saturation."""
    n, scale = int(rng.choice(sizes)), float(rng.choice(scales))
    one = str(rng.choice([*FAMILIES, "mixed", "mixed"]))
    records = [random_record(rng, str(rng.choice(FAMILIES)) if one == "mixed" else one, scale) for _ in range(n)]
    if rng.random() < 0.15:
        records = [records[k % 2 % n] for k in range(n)]
    share = rng.choice([0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1, 1.5, 2.5])
    budget = max(1, int(n * scale * share * rng.uniform(0.7, 1.3)))
    ceilings, floors = [2**40] * n, [0] * n
    if rng.random() < 0.25:
        ceilings = [int(rng.uniform(0.1, 3) * scale) + 1 if rng.random() < 0.5 else 2**40 for _ in range(n)]
    if rng.random() < 0.25:
        floors = [int(rng.uniform(0, 0.5) * budget / n) if rng.random() < 0.4 else 0 for _ in range(n)]
        rows = zip(records, floors, ceilings, strict=True)
        floors = [payable(record, min(floor, ceiling), ceiling) for record, floor, ceiling in rows]
    if sum(least_cost(r, f) for r, f in zip(records, floors, strict=True)) > budget:
        floors = [0] * n
    return Case(records, budget, floors, ceilings)


def least_cost(record, floor):
    """Whole tokens that a floor really costs: a menu must buy an option that reaches it."""
    if record["family"] != MENU or floor == 0:
        return floor
    return min((int(np.ceil(c)) for c in record["costs"] if np.ceil(c) >= floor), default=2**62)


def payable(record, floor, ceiling):
    """The floor, or 0 where no option of a menu lies between it and the ceiling."""
    return floor if least_cost(record, floor) <= ceiling else 0


def tokens(most=2000):
    """Lengths: round numbers, which make ties and exact edges, and arbitrary ones."""
    return st.one_of(st.just(0.0), st.integers(0, most).map(float), st.floats(1e-9, most))


def scales(most=2000):
    return st.one_of(st.integers(1, most).map(float), st.floats(0.01, most))


def chances():
    return st.one_of(st.sampled_from([0.25, 0.5, 1.0]), st.floats(0.01, 1.0))


def weights():
    return st.one_of(st.just(1.0), st.just(0.0), st.floats(0.1, 10.0))


def surge_records():
    return st.fixed_dictionaries(
        {"family": st.just(SURGE), "threshold": tokens(), "width": scales(), "peak": chances(), "weight": weights()}
    )


def cumulative_records():
    shape = {"threshold": tokens(), "width": scales(500), "solvability": chances(), "weight": weights()}
    return st.fixed_dictionaries({"family": st.just(CUMULATIVE), **shape})


def lognormal_records():
    shape = {"median": scales(), "spread": st.floats(0.05, 2.0), "solvability": chances(), "weight": weights()}
    return st.fixed_dictionaries({"family": st.just(LOGNORMAL), **shape})


@st.composite
def menu_records(draw):
    costs = draw(st.lists(tokens(), min_size=1, max_size=5))
    values = draw(st.lists(st.one_of(st.just(0.0), chances()), min_size=len(costs), max_size=len(costs)))
    return {"family": MENU, "costs": costs, "values": values, "weight": draw(weights())}


def smooth_records():
    return st.one_of(surge_records(), cumulative_records(), lognormal_records())


def any_records():
    return st.one_of(smooth_records(), menu_records())


@st.composite
def tied(draw, records=None, most=5, copies=4):
    """A list of records in which rows are repeated: random draws alone never tie."""
    few = draw(st.lists(any_records() if records is None else records, min_size=1, max_size=most))
    return few * draw(st.integers(1, copies))


def saturation(records):
    """A budget that covers every ceiling, token."""
    return int(np.ceil(build(records).ceiling).sum())


@st.composite
def markets(draw, records=None, most=5, copies=4):
    """Records with ties and a budget between nothing and a little beyond saturation."""
    rows = draw(tied(records, most, copies))
    share = draw(st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1.2)))
    return rows, int(share * saturation(rows))


@contextmanager
def patched(module, name, value):
    """Another value for a module's name, also within a hypothesis test, where fixtures are shared by examples."""
    kept = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, kept)


def repair_only():
    """No case is settled by lists of undominated states, so that small cases test the repair."""
    stack = ExitStack()
    for limit in ("_MOST_CELLS", "_MOST_FINITE", "_MOST_SMOOTH"):
        stack.enter_context(patched(sys.modules["clear_alloc.solver.solve"], limit, 0))
    return stack


def market_of(curves, min_tokens=0, max_tokens=2.0**53, **terms):
    """The market of one call, as the solver sees it."""
    return read_problem(curves, None, AllocateOptions(min_tokens=min_tokens, max_tokens=max_tokens, **terms)).market
