"""Random tenants, and the best there is for them by a programme over whole tokens or by integer programming.

The answers share nothing with clear_alloc: they read the plain records and lists of choices.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from oracles import milp as integer
from scipy.optimize import Bounds, LinearConstraint, milp
from support import strategies, tolerances

import clear_alloc as ca

NEVER = -np.inf
LEAST = 1e-4  # utility: below it an integer programme can't tell a promise from none


@dataclass
class Tenants:
    """Queries as lists of choices, and the groups they stand in; `groups` lists parents before their children."""

    records: list[dict[str, Any]]
    lists: list[list[integer.Choice]]
    groups: list[ca.Group]
    group_of: list[str | None]
    budget: float
    terms: dict[str, Any] = field(default_factory=dict)
    curves: Any = None

    def allocated(self, **changes):
        curves = strategies.build(self.records) if self.curves is None else self.curves
        given = {"budget": self.budget, "groups": self.groups, "group_of": self.group_of, **self.terms, **changes}
        return ca.allocate_groups(curves, given.pop("budget"), given.pop("groups"), given.pop("group_of"), **given)

    def within(self, name):
        """Rows of the queries in a group or inside it."""
        parents = {group.name: group.parent for group in self.groups}

        def above(one):
            while one is not None:
                yield one
                one = parents[one]

        return [row for row, one in enumerate(self.group_of) if name is None or name in above(one)]

    def inside(self, name):
        """Groups inside a group, itself excluded."""
        found = {name}
        for group in self.groups:
            if group.parent in found and group.name is not None:
                found.add(group.name)
        return [group for group in self.groups if group.name in found - {name}]

    def needed(self, name):
        """What must be paid in a group: floors, or guarantees where they are more."""
        least = sum(min(c.charge for c in self.lists[row]) for row, one in enumerate(self.group_of) if one == name)
        return least + sum(
            max(self.needed(group.name), group.guarantee) for group in self.groups if group.parent == name
        )


# ---------------------------------------------------------------- whole tokens: one table per group


def by_tables(case, promised=None):
    """Best utility, and what each guarantee buys by itself, where every charge is a whole number of tokens.

    promised : utility of each guarantee, where they are known, so that both sides keep the same promise.
    """
    alone = {}
    best = _table(case, None, int(case.budget), alone, promised)
    return float(best[-1]), alone


def _table(case, name, size, alone, promised):
    """table[b]: the most that a group can be worth for at most b tokens, -inf where it can't be paid, b <= size."""
    best = np.zeros(size + 1)
    for row, one in enumerate(case.group_of):
        if one == name:
            best = _sum(best, _ladder(case.lists[row], size))
    for group in case.groups:
        if group.parent == name:
            best = _sum(best, _table(case, group.name, size, alone, promised))
    if name is None:
        return best
    group = next(group for group in case.groups if group.name == name)
    if group.budget is not None:
        own_size = int(min(group.budget, size))
        best[own_size:] = best[own_size]
    if group.guarantee:
        pool = int(min(max(group.guarantee, case.needed(name)), size))
        alone[name] = float(best[pool])
        least = alone[name] if promised is None else promised[name]
        best = np.where(best >= least * (1 - tolerances.ROUNDING), best, NEVER)
    return best


def _ladder(options, size):
    """One query: its best value for at most b tokens."""
    best = np.full(size + 1, NEVER)
    for option in options:
        if option.charge <= size:
            best[round(option.charge)] = max(best[round(option.charge)], option.value)
    return np.maximum.accumulate(best)


def _sum(one, other):
    """The best of both together."""
    steps = np.flatnonzero(np.append(other[0] > NEVER, other[1:] > other[:-1]))
    best = np.full(len(one), NEVER)
    for step in steps:
        np.maximum(best[step:], one[: len(one) - step] + other[step], out=best[step:])
    return best


# ---------------------------------------------------------------- any charges: integer programming


def by_programme(case):
    """The same for money and expected tokens, by HiGHS. Guarantees that buy next to nothing are dropped."""
    alone = {}
    for group in reversed(case.groups):
        if group.guarantee:
            alone[group.name] = _programme(
                case, group.name, max(group.guarantee, case.needed(group.name)), case.inside(group.name), alone
            )
            if 0 < alone[group.name] < LEAST:
                place = case.groups.index(group)
                case.groups[place] = replace(group, guarantee=0.0)
                return by_programme(case)
    return _programme(case, None, case.budget, case.groups, alone), alone


def _programme(case, name, pool, groups, alone):
    rows = case.within(name)
    flat = [(row, option) for row in rows for option in integer.thinned(case.lists[row])]
    if not flat:
        return 0.0
    owner = np.array([row for row, _ in flat])
    value = np.array([option.value for _, option in flat])
    charge = np.array([option.charge for _, option in flat])
    limits = [LinearConstraint((owner[None, :] == np.array(rows)[:, None]).astype(float), 1, 1)]
    unit = max(charge.max(), 1e-300)
    limits.append(LinearConstraint(charge[None, :] / unit, NEVER, pool / unit * (1 + 1e-12)))
    for group in groups:
        mine = np.isin(owner, case.within(group.name))
        if group.budget is not None:
            limits.append(LinearConstraint((charge * mine / unit)[None, :], NEVER, group.budget / unit * (1 + 1e-12)))
        if group.guarantee:
            limits.append(LinearConstraint((value * mine)[None, :], alone[group.name] - 1e-7, np.inf))
    found = milp(
        -value, constraints=limits, integrality=np.ones(len(flat)), bounds=Bounds(0, 1), options={"mip_rel_gap": 0.0}
    )
    if found.x is None:
        return NEVER
    return float(value[found.x.round() > 0].sum())


# ---------------------------------------------------------------- random cases


def random_groups(rng, levels, guaranteed=0.4):
    """Names and parents: tenants, teams in them and, at the third level, people in those."""
    parents = {}
    for tenant in range(int(rng.integers(1, 4))):
        name = f"t{tenant}"
        parents[name] = None
        for team in range(int(rng.integers(0, 4)) if levels > 1 else 0):
            parents[f"{name}.{team}"] = name
            for person in range(int(rng.integers(0, 3)) if levels > 2 else 0):
                parents[f"{name}.{team}.{person}"] = f"{name}.{team}"
    return parents


def tenants(rng, records, lists, levels=2, share=None, whole=True, **extra):
    """A case with random budgets and guarantees that fit."""
    parents = random_groups(rng, levels)
    names = [None, *parents]
    group_of = [names[k] for k in rng.integers(0, len(names), len(lists))]
    most = [max(c.charge for c in options) for options in lists]
    least = [min(c.charge for c in options) for options in lists]
    share = float(rng.choice([0.05, 0.1, 0.2, 0.4, 0.8])) if share is None else share
    size = (lambda x: float(int(x))) if whole else float
    budget = size(sum(least) + share * rng.uniform(0.7, 1.3) * sum(most) + 1)
    plain = Tenants(records, lists, [ca.Group(n, p) for n, p in parents.items()], group_of, budget, **extra)
    limits, promised = {}, {}
    room = {None: budget - plain.needed(None)}
    for name, parent in parents.items():
        rows = plain.within(name)
        floor = sum(least[row] for row in rows)
        full = sum(most[row] for row in rows)
        limits[name] = None if rng.random() < 0.4 else size(floor + (full - floor) * rng.uniform(0.05, 0.8)) + 1
        own_room = min(room[parent], np.inf if limits[name] is None else limits[name] - floor)
        promised[name] = size(floor + own_room * rng.uniform(0, 0.6)) if rng.random() < 0.4 else 0.0
        if floor > promised[name]:
            promised[name] = 0.0
        taken = max(promised[name] - floor, 0.0)
        room[parent] -= taken
        room[name] = taken if promised[name] else 0.0
        if not promised[name] and room[parent] > 0:  # groups inside may have guarantees where this one has none
            room[name] = 0.3 * own_room
            room[parent] -= room[name]
    plain.groups = [ca.Group(n, p, limits[n], promised[n]) for n, p in parents.items()]
    return plain


def menu_record(rng, scale, options=5):
    k = int(rng.integers(1, options))
    values = rng.uniform(0, 1, k)
    costs = np.ceil(np.sort(rng.uniform(0.02, 2, k)) * scale)
    return {
        "family": strategies.MENU,
        "costs": costs.tolist(),
        "values": (np.sort(values) if rng.random() < 0.8 else values).tolist(),
        "weight": float(rng.choice([1.0, 1.0, 2.0])),
    }


def drawn(kind, rng, levels=2, most=14, scale=200):
    """A random case of one kind."""
    n = int(rng.integers(2, most))
    if kind == "menus":
        records = [menu_record(rng, scale) for _ in range(n)]
        return tenants(rng, records, [integer.choices(r) for r in records], levels)
    if kind == "floors":
        records = [menu_record(rng, scale) for _ in range(n)]
        floors = [int(rng.choice(r["costs"])) if rng.random() < 0.3 else 0 for r in records]
        lists = [integer.choices(r, floor=f) for r, f in zip(records, floors, strict=True)]
        return tenants(rng, records, lists, levels, terms={"min_tokens": floors})
    if kind == "levels":
        records = [strategies.random_record(rng, str(rng.choice(strategies.FAMILIES)), scale) for _ in range(n)]
        listed = {0, *(int(x) for x in rng.uniform(0.1, 3, 4) * scale)}
        records = [
            r if r["family"] != strategies.MENU else {**r, "costs": np.ceil(r["costs"]).tolist()} for r in records
        ]
        lists = [integer.choices(r, levels=listed) for r in records]
        return tenants(rng, records, lists, levels, terms={"levels": listed})
    if kind == "money":
        records = [menu_record(rng, scale) for _ in range(n)]
        rate = rng.uniform(0.5, 2, n) * 1e-3
        call = rng.uniform(0, 0.1, n) * (rng.random() < 0.7)
        lists = [
            integer.choices(r, rate=[a] * len(r["costs"]), call=[b] * len(r["costs"]))
            for r, a, b in zip(records, rate.tolist(), call.tolist(), strict=True)
        ]
        return tenants(rng, records, lists, levels, whole=False, terms={"rate": rate, "call": call})
    if kind == "expected menus":
        records = [menu_record(rng, scale) for _ in range(n)]
        for record in records:
            record["expected"] = (np.array(record["costs"]) * rng.uniform(0.3, 0.9, len(record["costs"]))).tolist()
        lists = [integer.choices(r, expected=True) for r in records]
        curves = ca.Menu(
            [r["costs"] for r in records], [r["values"] for r in records],
            weight=[r["weight"] for r in records], expected=[r["expected"] for r in records],
        )  # fmt: skip
        terms = {"accounting": "expected", "overrun": 0.5}
        return tenants(rng, records, lists, levels, whole=False, terms=terms, curves=curves)
    if kind == "expected levels":
        records = [strategies.random_record(rng, strategies.LOGNORMAL, scale) for _ in range(n)]
        listed = {0, *(int(x) for x in rng.uniform(0.1, 3, 4) * scale)}
        lists = [integer.choices(r, levels=listed, expected=True) for r in records]
        terms = {"accounting": "expected", "overrun": 0.5, "levels": listed}
        return tenants(rng, records, lists, levels, whole=False, terms=terms)
    if kind == "ranges":
        records = [strategies.random_record(rng, str(rng.choice(strategies.SMOOTH)), scale) for _ in range(n)]
        listed = {0, (scale // 2, 4 * scale)}
        lists = [integer.choices(r, levels=listed) for r in records]
        return tenants(rng, records, lists, levels, 0.15, terms={"levels": listed})
    families = strategies.FAMILIES if kind == "mixed" else [kind]
    records = [strategies.random_record(rng, str(rng.choice(families)), scale) for _ in range(n)]
    records = [r if r["family"] != strategies.MENU else {**r, "costs": np.ceil(r["costs"]).tolist()} for r in records]
    lists = [integer.choices(r, high=8 * scale) for r in records]
    share = float(rng.choice([0.01, 0.03, 0.06, 0.1, 0.2]))
    return tenants(rng, records, lists, levels, share, terms={"max_tokens": 8 * scale})


FINITE = ("menus", "floors", "levels", "money", "expected menus", "expected levels")
WHOLE = ("menus", "floors", "levels")
SMOOTH = (*strategies.SMOOTH, "mixed")
