"""What changed between two result files, policy by policy, and whether ours got worse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from benchmarks.rows import Row
from benchmarks.summary import Paired, Place, by_setting, mean_interval, paired

OURS = "ours"  # how the names of the policies begin that must not get worse
OFTENER = 0.05  # of a policy's batches: when so many more pass their budget, it got worse


class Change(NamedTuple):
    """One policy in one setting of both files: `paired.difference` is after less before, in accuracy."""

    place: Place
    policy: str
    paired: Paired

    @property
    def real(self) -> bool:
        """Whether the 95 % interval excludes no change; with one seed, whether there is any."""
        return _excludes_zero(self.paired.seeds, self.paired.difference, self.paired.low, self.paired.high)

    def worse(self, tolerance: float) -> bool:
        """Whether a policy of ours has lost more than `tolerance` of accuracy."""
        return self.policy.startswith(OURS) and self.real and self.paired.difference < -tolerance


class Pooled(NamedTuple):
    """A policy over all settings of an experiment that both files have: means over settings, paired by seed.

    difference, low, high : accuracy after less before and its 95 % interval. before, after : share of batches that
    burned more than a budget, 0 where budgets are charged by caps.
    """

    experiment: str
    policy: str
    settings: int
    seeds: int
    difference: float
    low: float
    high: float
    before: float
    after: float

    def worse(self, tolerance: float) -> bool:
        """Whether a policy of ours has lost more than `tolerance` of accuracy, or passes its budget oftener."""
        lost = _excludes_zero(self.seeds, self.difference, self.low, self.high) and self.difference < -tolerance
        return self.policy.startswith(OURS) and (lost or self.after > self.before + OFTENER)


class Comparison(NamedTuple):
    """changes : settings that both files have. pooled : the same, experiment by experiment.

    gone, new : settings in one file alone, with their policy. other : settings whose queries or budgets are not the
    same in both, so that nothing can be said. failing : rows that raise after and didn't before, as setting, policy,
    seed and error.
    """

    changes: list[Change]
    pooled: list[Pooled]
    gone: list[tuple[Place, str]]
    new: list[tuple[Place, str]]
    other: list[tuple[Place, str]]
    failing: list[tuple[Place, str, int, str]]

    def regressions(self, tolerance: float) -> list[Change]:
        """Where ours got worse, the largest loss first."""
        return sorted((c for c in self.changes if c.worse(tolerance)), key=lambda c: c.paired.difference)

    @property
    def missing(self) -> list[tuple[Place, str]]:
        """Settings of ours that the second file lacks."""
        return [setting for setting in self.gone if setting[1].startswith(OURS)]


def compared(before: Iterable[Row], after: Iterable[Row]) -> Comparison:
    """Both files setting by setting, paired by seed."""
    before, after = list(before), list(after)
    old, new = by_setting(before), by_setting(after)
    ours, theirs = ({(place, name) for place, found in side.items() for name in found} for side in (old, new))
    both = [key for key in sorted(ours & theirs) if _row_of(old, key).keys() & _row_of(new, key).keys()]
    other = [key for key in both if not _alike(_row_of(old, key), _row_of(new, key))]
    alike = [key for key in both if key not in set(other)]
    changes = [Change(*key, paired(_row_of(new, key), _row_of(old, key))) for key in alike]
    groups: dict[tuple[str, str], list[tuple[dict[int, Row], dict[int, Row]]]] = {}
    for key in alike:
        groups.setdefault((key[0][0], key[1]), []).append((_row_of(old, key), _row_of(new, key)))
    pooled = [_pooled(*name, sides) for name, sides in groups.items()]
    failed = {_key(row) for row in before if row.error is not None}
    failing = [(*_key(row), str(row.error)) for row in after if row.error is not None and _key(row) not in failed]
    return Comparison(changes, pooled, sorted(ours - theirs), sorted(theirs - ours), other, failing)


def _row_of(side: dict[Place, dict[str, dict[int, Row]]], key: tuple[Place, str]) -> dict[int, Row]:
    return side[key[0]][key[1]]


def _alike(old: dict[int, Row], new: dict[int, Row]) -> bool:
    """Whether the seeds in common have the same queries and budgets."""
    return all(
        (old[seed].queries, old[seed].budget, old[seed].uncapped)
        == (new[seed].queries, new[seed].budget, new[seed].uncapped)
        for seed in old.keys() & new.keys()
    )


def _pooled(experiment: str, policy: str, sides: list[tuple[dict[int, Row], dict[int, Row]]]) -> Pooled:
    by_seed: dict[int, list[float]] = {}
    over: list[tuple[bool, bool]] = []
    for old, new in sides:
        for seed in old.keys() & new.keys():
            by_seed.setdefault(seed, []).append((new[seed].accuracy or 0.0) - (old[seed].accuracy or 0.0))
            over.append((_overdrawn(old[seed]), _overdrawn(new[seed])))
    means = np.array([np.mean(by_seed[seed]) for seed in sorted(by_seed)])
    shares = np.mean(over, axis=0).tolist()
    return Pooled(experiment, policy, len(sides), len(means), *mean_interval(means), *shares)


def _overdrawn(row: Row) -> bool:
    return row.charged == "expected" and row.fullest is not None and row.fullest > 1.0 + 1e-9


def _excludes_zero(seeds: int, difference: float, low: float, high: float) -> bool:
    return difference != 0.0 if seeds == 1 else low > 0.0 or high < 0.0


def _key(row: Row) -> tuple[Place, str, int]:
    return (row.experiment, row.stream, row.level, row.noise), row.policy, row.seed
