"""One row per case, failures and skips too: what is in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.speed.timing import ratios

FILE = "rows.jsonl"


@dataclass(frozen=True)
class Case:
    """What is measured. group : what it is compared with. family, accounting, overrun : as `allocate` takes them.

    n : queries. share : the budget, of the tokens at which every query would break even.
    """

    group: str
    family: str = ""
    accounting: str = ""
    n: int = 0
    overrun: float | None = None
    share: float | None = None

    @property
    def series(self) -> tuple[str, str, str, float | None, float | None]:
        """What cases of several sizes have in common."""
        return self.group, self.family, self.accounting, self.overrun, self.share

    @property
    def label(self) -> str:
        """Family and accounting, with the overrun where there is one."""
        overrun = "" if self.overrun is None else f", overrun {self.overrun:g}"
        return f"{self.family} {self.accounting}{overrun}" if self.family else self.group


@dataclass(frozen=True)
class Row(Case):
    """What came of it.

    ours, reference : seconds per call of each round, in turn. ratio, ratio_low, ratio_high : median and quartiles of
    ours / reference, round by round. gap : certified, as a share of the utility. figures : what else the group
    measures, by name. shares : of the time, by room of the package. skipped : why it was not run. error : what it
    raised.
    """

    ours: tuple[float, ...] = ()
    reference: tuple[float, ...] = ()
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    gap: float | None = None
    figures: dict[str, float] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    skipped: str | None = None
    error: str | None = None

    @classmethod
    def of(cls, case: Case, ours: tuple[float, ...] = (), reference: tuple[float, ...] = (), **more: Any) -> Row:
        """A case with its times, and their ratio if there are two sides."""
        found = ratios(ours, reference)
        if found is not None:
            more.update(ratio_low=found.low, ratio=found.median, ratio_high=found.high)
        return cls(**asdict(case), ours=tuple(ours), reference=tuple(reference), **more)
