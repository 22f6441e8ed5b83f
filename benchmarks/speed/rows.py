"""One row per case, failures and skips too: what is in it, and its file."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import benchmarks.rows
from benchmarks.speed.timing import ratios
from clear_alloc.files.atomic import replacing

__all__ = ["FILE", "Case", "Row", "environment", "read_rows", "told", "write_rows"]

FILE = "rows.jsonl"
_PATH = re.compile(r"(?<![\w:/])(?:[A-Za-z]:)?[\\/](?:[^\s\\/'\",:;()]+[\\/])+")  # the folders of an absolute path


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


@lru_cache(maxsize=1)
def environment() -> dict[str, Any]:
    """Commit, versions and machine: the same for all rows of a run, and no name of a host or a folder."""
    return {
        **benchmarks.rows.environment(),
        "cpu": _cpu(),
        "cores": _cores(),
        "threads": os.environ.get("CLEAR_ALLOC_THREADS"),  # None: all cores
    }


def _cpu() -> str:
    """The processor's model, in the words of the system."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def told(error: BaseException) -> str:
    """An error in one line, its paths without their folders: a row is to be read on other machines."""
    return f"{type(error).__name__}: {_PATH.sub('', ' '.join(str(error).split()))}"


def write_rows(path: Path, rows: Iterable[Row], kept: Iterable[dict[str, Any]] = ()) -> None:
    """JSONL, one row a line, with the environment, after rows of an earlier run that are kept as they are."""
    where = environment()
    cells = [*kept, *({**asdict(row), **where} for row in rows)]
    with replacing(path) as stream:
        stream.writelines(json.dumps(cell, allow_nan=False).encode() + b"\n" for cell in cells)


def read_rows(path: Path) -> tuple[list[Row], list[dict[str, Any]]]:
    """Rows, and the environments that they were made in, each once; usually one."""
    cells = [json.loads(line) for line in path.read_text().splitlines()]
    known = {field.name for field in fields(Row)}
    rows = [Row(**{name: value for name, value in cell.items() if name in known}) for cell in cells]
    places = [{name: value for name, value in cell.items() if name not in known} for cell in cells]
    return rows, [place for at, place in enumerate(places) if place not in places[:at]]
