"""Who shares which budget: groups inside groups, judged once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import Array
from clear_alloc.errors import BudgetTooSmall, InvalidArgument
from clear_alloc.market import Market
from clear_alloc.problem import in_market_units

__all__ = ["ROOT", "Group", "Tree", "read_tree"]

Index = npt.NDArray[np.intp]

ROOT = 0  # the node of the whole pool; groups come after it, parents before their children


@dataclass(frozen=True)
class Group:
    """Queries, or groups of them, that have a budget of their own within the whole.

    name : unique.
    parent : the group that this one is part of, None for the whole.
    budget : budget units that it may never pass, None for no limit of its own.
    guarantee : budget units that are always at its disposal. Others may borrow what it leaves idle, never more.
    min_funded : least share of its queries that must be funded, 0 to 1.
    """

    name: str
    parent: str | None = None
    budget: float | None = None
    guarantee: float = 0.0
    min_funded: float = 0.0


@dataclass(frozen=True, eq=False)
class Tree:
    """Nodes in an order that has parents before children; node 0 is the whole. Arrays (nodes,) unless said otherwise.

    groups : of the nodes 1 and up. parent : node, -1 for the whole. ceiling, guarantee : budget units of the market.
    node_of : (n,) the node in which each query stands itself.
    """

    groups: tuple[Group, ...]
    parent: Index
    ceiling: Array
    guarantee: Array
    min_funded: Array
    node_of: Index

    def __len__(self) -> int:
        return len(self.parent)

    @property
    def children(self) -> list[list[int]]:
        """Nodes directly inside each node."""
        inside: list[list[int]] = [[] for _ in range(len(self))]
        for node in range(1, len(self)):
            inside[self.parent[node]].append(node)
        return inside

    def summed(self, values: Array) -> Array:
        """Sums over whole subtrees, (nodes,), of values given per query, (n,). O(n + nodes)."""
        total = np.bincount(self.node_of, values, minlength=len(self)).astype(np.float64)
        for node in range(len(self) - 1, 0, -1):
            total[self.parent[node]] += total[node]
        return total

    def inside(self, node: int) -> npt.NDArray[np.bool_]:
        """Whether each node is `node` or inside it, (nodes,)."""
        within = np.zeros(len(self), dtype=bool)
        within[node] = True
        for other in range(node + 1, len(self)):
            within[other] = within[self.parent[other]]
        return within


def read_tree(groups: Iterable[Group], group_of: Sequence[Any], market: Market, pool: float) -> Tree:
    """Judge groups and memberships: InvalidArgument names the group, BudgetTooSmall what does not fit. O(n)."""
    given = _in_order(list(groups))
    place = {group.name: node for node, group in enumerate(given, start=1)}
    parent = np.array([-1, *(ROOT if g.parent is None else place[g.parent] for g in given)], dtype=np.intp)
    tariff = market.tariff
    ceiling = [pool, *(np.inf if g.budget is None else in_market_units(float(g.budget), tariff) for g in given)]
    guarantee = [0.0, *(in_market_units(float(g.guarantee), tariff) for g in given)]
    tree = Tree(
        tuple(given), parent, np.array(ceiling), np.array(guarantee),
        np.array([0.0, *(float(g.min_funded) for g in given)]), _members(group_of, place, len(market)),
    )  # fmt: skip
    _check_sums(tree, market)
    return tree


def _in_order(groups: list[Group]) -> list[Group]:
    """Parents before children; every group judged by itself."""
    named: dict[str, Group] = {}
    for row, group in enumerate(groups):
        _check_group(group, row)
        if group.name in named:
            raise InvalidArgument("groups", group.name, "unique names", "a group stands there twice; rename one", row)
        named[group.name] = group
    ordered: dict[str, Group] = {}
    for row, group in enumerate(groups):
        chain: dict[str, Group] = {}
        member: Group | None = group
        while member is not None and member.name not in ordered:
            if member.name in chain:
                loop = " in ".join([*chain, member.name])
                raise InvalidArgument(
                    "groups", loop, "groups without a cycle", "give one of them another parent", row
                )
            chain[member.name] = member
            if member.parent is not None and member.parent not in named:
                known = ", ".join(named)
                raise InvalidArgument("groups", member.parent, f"a parent that is listed: {known}", "add it", row)
            member = None if member.parent is None else named[member.parent]
        for name in reversed(chain):
            ordered[name] = chain[name]
    return list(ordered.values())


def _check_group(group: Group, row: int) -> None:
    if not isinstance(group, Group) or not isinstance(group.name, str) or not group.name:
        raise InvalidArgument("groups", group, "ca.Group with a name", "build them with ca.Group(name, ...)", row)
    for name in ("budget", "guarantee"):
        value = getattr(group, name)
        if name == "budget" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < np.inf:
            allowed = f"{name} of {group.name!r} finite and >= 0"
            raise InvalidArgument("groups", value, allowed, "in the unit of the budget", row)
    if not isinstance(group.min_funded, (int, float)) or not 0 <= group.min_funded <= 1:
        allowed = f"min_funded of {group.name!r} a share, 0 to 1"
        raise InvalidArgument("groups", group.min_funded, allowed, "divide percentages by 100", row)
    if group.budget is not None and group.guarantee > group.budget:
        allowed = f"at most the budget of {group.name!r}, {group.budget:,.15g}"
        raise InvalidArgument("groups", group.guarantee, allowed, "lower its guarantee or raise its budget", row)


def _members(group_of: Sequence[Any], place: dict[str, int], n: int) -> Index:
    names = group_of.tolist() if isinstance(group_of, np.ndarray) else list(group_of)
    if len(names) != n:
        raise InvalidArgument("group_of", f"of length {len(names)}", f"length {n}", "pass one group per query")
    nodes = np.zeros(n, dtype=np.intp)
    for row, name in enumerate(names):
        if name is None:
            continue
        if not isinstance(name, str):
            allowed = "the name of one group, or None; groups don't overlap, they nest"
            raise InvalidArgument("group_of", name, allowed, "name the innermost group", row)
        if name not in place:
            raise InvalidArgument("group_of", name, f"one of {', '.join(place)}", "add the group to groups", row)
        nodes[row] = place[name]
    return nodes


def _check_sums(tree: Tree, market: Market) -> None:
    """Floors and guarantees, whichever is more, must fit every budget around them."""
    floors = tree.summed(market.least)
    own = np.bincount(tree.node_of, market.least, minlength=len(tree))
    needed = np.zeros(len(tree))
    for node in range(len(tree) - 1, -1, -1):
        needed[node] = max(needed[node] + own[node], tree.guarantee[node])
        if needed[node] > tree.ceiling[node]:
            unit, what = market.tariff.unit, f"in group {tree.groups[node - 1].name!r}" if node else "together"
            kind = "min_tokens" if floors[node] > tree.ceiling[node] else "guarantees and min_tokens"
            raise BudgetTooSmall(needed[node] * unit, tree.ceiling[node] * unit, f"{kind} {what}")
        if node:
            needed[tree.parent[node]] += needed[node]
