"""What changed between two result files, policy by policy, and whether ours got worse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from benchmarks.rows import Row
from benchmarks.summary import Paired, Place, by_setting, paired

__all__ = ["OURS", "Change", "Comparison", "compared"]

OURS = "ours"  # how the names of the policies begin that must not get worse


class Change(NamedTuple):
    """One policy in one setting of both files: `paired.difference` is after less before, in accuracy."""

    place: Place
    policy: str
    paired: Paired

    @property
    def real(self) -> bool:
        """Whether the 95 % interval excludes no change; with one seed, whether there is any."""
        if self.paired.seeds == 1:
            return self.paired.difference != 0.0
        return self.paired.low > 0.0 or self.paired.high < 0.0

    def worse(self, tolerance: float) -> bool:
        """Whether a policy of ours has lost more than `tolerance` of accuracy."""
        return self.policy.startswith(OURS) and self.real and self.paired.difference < -tolerance


class Comparison(NamedTuple):
    """changes : settings that both files have. gone, new : settings in one file alone, with their policy.

    failing : rows that raise after and didn't before, as setting, policy, seed and error.
    """

    changes: list[Change]
    gone: list[tuple[Place, str]]
    new: list[tuple[Place, str]]
    failing: list[tuple[Place, str, int, str]]

    def regressions(self, tolerance: float) -> list[Change]:
        """Where ours got worse, the largest loss first."""
        return sorted((c for c in self.changes if c.worse(tolerance)), key=lambda c: c.paired.difference)


def compared(before: Iterable[Row], after: Iterable[Row]) -> Comparison:
    """Both files setting by setting, paired by seed."""
    before, after = list(before), list(after)
    old, new = by_setting(before), by_setting(after)
    ours, theirs = ({(place, policy) for place, own in side.items() for policy in own} for side in (old, new))
    changes = [
        Change(place, policy, paired(new[place][policy], old[place][policy]))
        for place, policy in sorted(ours & theirs)
        if new[place][policy].keys() & old[place][policy].keys()
    ]
    failed = {_key(row) for row in before if row.error is not None}
    failing = [(*_key(row), str(row.error)) for row in after if row.error is not None and _key(row) not in failed]
    return Comparison(changes, sorted(ours - theirs), sorted(theirs - ours), failing)


def _key(row: Row) -> tuple[Place, str, int]:
    return (row.experiment, row.stream, row.level, row.noise), row.policy, row.seed
