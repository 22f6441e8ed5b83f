"""Who shares which budget: groups inside groups, judged once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import Array
from clear_alloc.errors import BudgetTooSmall, InvalidArgument
from clear_alloc.market.market import Market
from clear_alloc.market.problem import in_market_units
from clear_alloc.support.parallel import cached_property

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
    """Nodes in preorder: what is inside a node follows it. Node 0 is the whole. Arrays are (nodes,).

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

    @cached_property
    def last(self) -> Index:
        """One past the last node inside each node."""
        last = np.arange(1, len(self) + 1)
        for node in range(len(self) - 1, 0, -1):
            last[self.parent[node]] = max(last[self.parent[node]], last[node])
        return last

    @cached_property
    def layers(self) -> list[Index]:
        """Nodes of each depth below the whole, the deepest first."""
        depth = np.zeros(len(self), dtype=np.intp)
        for node in range(1, len(self)):
            depth[node] = depth[self.parent[node]] + 1
        return [np.flatnonzero(depth == level) for level in range(int(depth.max()), 0, -1)]

    @property
    def children(self) -> list[int]:
        """Nodes directly inside the whole."""
        return np.flatnonzero(self.parent == ROOT).tolist()

    def summed(self, values: Array) -> Array:
        """Sums over whole subtrees, (nodes,), of values given per query, (n,). O(n + nodes)."""
        total = np.bincount(self.node_of, values, minlength=len(self)).astype(np.float64)
        for layer in self.layers:
            np.add.at(total, self.parent[layer], total[layer])
        return total

    def needed(self, least: Array) -> Array:
        """What must be paid in each node, (nodes,): floors (n,), or guarantees where they are more."""
        total = np.bincount(self.node_of, least, minlength=len(self)).astype(np.float64)
        for layer in self.layers:
            total[layer] = np.maximum(total[layer], self.guarantee[layer])
            np.add.at(total, self.parent[layer], total[layer])
        return total

    @cached_property
    def room(self) -> Array:
        """The smallest budget around each node, its own included, (nodes,)."""
        return self.left(np.zeros(len(self)))

    def left(self, spent: Array) -> Array:
        """What each node may still spend within every budget around it, (nodes,)."""
        left = self.ceiling - spent
        for layer in self.layers[::-1]:
            left[layer] = np.minimum(left[layer], left[self.parent[layer]])
        return left

    def with_pool(self, pool: float) -> Tree:
        """A tree whose whole has `pool` budget units."""
        return replace(self, ceiling=np.append(pool, self.ceiling[1:]))

    def rows(self, node: int) -> Index:
        """The queries inside a node."""
        return np.flatnonzero((self.node_of >= node) & (self.node_of < self.last[node]))

    def under(self, node: int) -> Tree:
        """A node as a whole of its own, with everything inside it."""
        own = slice(node, int(self.last[node]))
        parent = self.parent[own] - node
        parent[0] = -1
        return replace(
            self, groups=self.groups[node : own.stop - 1], parent=parent, ceiling=self.ceiling[own],
            guarantee=self.guarantee[own], min_funded=self.min_funded[own],
            node_of=self.node_of[self.rows(node)] - node,
        )  # fmt: skip


def read_tree(groups: object, group_of: Sequence[Any], market: Market, pool: float) -> Tree:
    """Judge groups and memberships: InvalidArgument names the group, BudgetTooSmall what does not fit. O(n)."""
    if isinstance(groups, (str, bytes)) or not isinstance(groups, Iterable):
        raise InvalidArgument("groups", groups, "a list of ca.Group", "put it in a list")
    given = _in_order(list(groups))
    place = {group.name: node for node, group in enumerate(given, start=1)}
    parent = np.array([-1, *(ROOT if g.parent is None else place[g.parent] for g in given)], dtype=np.intp)
    tariff = market.tariff
    ceiling = [
        pool,
        *(np.inf if g.budget is None else in_market_units(float(g.budget), tariff, market.plain) for g in given),
    ]
    guarantee = [0.0, *(in_market_units(float(g.guarantee), tariff, market.plain) for g in given)]
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
    inside: dict[str | None, list[Group]] = {None: []}
    for row, group in enumerate(groups):
        _check_chain(group, named, row)
        inside.setdefault(group.parent, []).append(group)
    ordered, waiting = [], inside[None][::-1]
    while waiting:
        ordered.append(waiting.pop())
        waiting += inside.get(ordered[-1].name, [])[::-1]
    return ordered


def _check_chain(group: Group, named: dict[str, Group], row: int) -> None:
    """A group's parents are listed, and none of them is inside itself."""
    chain = [group.name]
    while group.parent is not None:
        if group.parent not in named:
            remedy = f"list the parent of {group.name!r} too, or correct its name"
            raise InvalidArgument("groups", group.parent, f"a parent among {', '.join(named)}", remedy, row)
        if group.parent in chain:
            loop = " in ".join([*chain, group.parent])
            raise InvalidArgument("groups", loop, "groups without a cycle", "give one of them another parent", row)
        chain.append(group.parent)
        group = named[group.parent]


def _check_group(group: Group, row: int) -> None:
    if not isinstance(group, Group) or not isinstance(group.name, str) or not group.name:
        raise InvalidArgument("groups", group, "ca.Group with a name", "build them with ca.Group(name, ...)", row)
    if group.parent is not None and not isinstance(group.parent, str):
        allowed = f"as parent of {group.name!r} the name of a group, or None"
        raise InvalidArgument("groups", group.parent, allowed, "groups don't overlap, they nest", row)
    for name in ("budget", "guarantee"):
        value = getattr(group, name)
        if not (name == "budget" and value is None) and not _number(value, np.inf):
            allowed = f"{name} of {group.name!r} finite and >= 0"
            raise InvalidArgument("groups", value, allowed, "in the unit of the budget", row)
    if not _number(group.min_funded, 2.0) or group.min_funded > 1:
        allowed = f"min_funded of {group.name!r} a share, 0 to 1"
        raise InvalidArgument("groups", group.min_funded, allowed, "divide percentages by 100", row)
    if group.budget is not None and group.guarantee > group.budget:
        allowed = f"at most the budget of {group.name!r}, {group.budget:,.15g}"
        raise InvalidArgument("groups", group.guarantee, allowed, "lower its guarantee or raise its budget", row)


def _number(value: object, below: float) -> bool:
    kinds = (int, float, np.integer, np.floating)
    if isinstance(value, int) and value.bit_length() > 1023:  # no float is that large
        return False
    return isinstance(value, kinds) and not isinstance(value, bool) and bool(0 <= value < below)


def _members(group_of: Sequence[Any], place: dict[str, int], n: int) -> Index:
    if len(group_of) != n:
        raise InvalidArgument("group_of", f"of length {len(group_of)}", f"length {n}", "pass one group per query")
    nodes = np.zeros(n, dtype=np.intp)
    for row, name in enumerate(group_of):
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
    floors, needed = tree.summed(market.least), tree.needed(market.least)
    for node in range(len(tree) - 1, -1, -1):  # innermost first: it names the group that is too small
        if needed[node] > tree.ceiling[node]:
            tariff, what = market.tariff, f"in group {tree.groups[node - 1].name!r}" if node else "together"
            kind = "min_tokens" if floors[node] > tree.ceiling[node] else "guarantees and min_tokens"
            raise BudgetTooSmall(
                needed[node] * tariff.unit, tree.ceiling[node] * tariff.unit, f"{kind} {what}", tariff.counted_in
            )
