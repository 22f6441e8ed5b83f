"""One row per policy and budget, failures too: what is in it, and its files."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from clear_alloc.files.atomic import replacing

__all__ = [
    "COLUMNS",
    "Row",
    "Setting",
    "environment",
    "read_cells",
    "read_rows",
    "row_of",
    "write_parquet",
    "write_rows",
]

HERE = Path(__file__).resolve().parent.parent
VERSIONED = ("numpy", "scipy", "clear-alloc", "price-contour")  # the last if it is installed


@dataclass(frozen=True)
class Setting:
    """Where a row was made.

    experiment : scarcity, paper, noise, spending, peers or replay. stream : or the configuration that is replayed.
    seed : of the draw; of a replay, 0 where odd samples are fitted and 1 where even ones are. queries : how many.
    level : the budget as a share of the uncapped use or, of the paper's experiment, in tokens per query. noise :
    error of the predicted lengths, 0.5 for 50 %. policy : its name. charged : what its budget counts, reserved caps
    or expected use. budget : token, for all queries.
    """

    experiment: str
    stream: str
    seed: int
    queries: int
    level: float
    noise: float
    policy: str
    charged: str
    budget: int


@dataclass(frozen=True)
class Row(Setting):
    """What came of it; None where there is nothing to tell, and everywhere if the policy raised `error`.

    accuracy : share right of the scoring samples. granted, burned : token per query, caps and what samples use under
    them. abandoned : share of queries without tokens. promised : share right by the policy's own estimate. price :
    value per token. gap : its certificate, share right. uncapped : token per query, if nothing is stopped. fullest :
    the largest share of its budget that a window burned; most streams have one window.
    """

    accuracy: float | None = None
    granted: float | None = None
    burned: float | None = None
    abandoned: float | None = None
    promised: float | None = None
    price: float | None = None
    gap: float | None = None
    uncapped: float | None = None
    fullest: float | None = None
    error: str | None = None


COLUMNS = tuple(field.name for field in fields(Row))


@lru_cache(maxsize=1)
def environment() -> dict[str, Any]:
    """Commit, whether files differ from it, a mark of the code, machine and versions: the same for all rows of a run.

    The mark changes with the code that makes rows, so that two states of a dirty tree are told apart.
    """

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=HERE, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONED if _installed(name))
    return {
        "commit": git("rev-parse", "HEAD") or "unknown",
        "dirty": bool(git("status", "--porcelain", "--untracked-files=no")),
        "code": _mark(),
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": f"python {platform.python_version()}, {versions}",
    }


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _mark() -> str:
    """Of everything that rows depend on: the package and the benchmarks, reports apart."""
    files = [path.relative_to(HERE) for part in ("clear_alloc", "benchmarks") for path in (HERE / part).rglob("*.py")]
    content = sha256()
    for path in sorted(path for path in files if "report" not in path.parts):
        content.update(path.as_posix().encode() + b"\n" + (HERE / path).read_bytes())
    return content.hexdigest()[:12]


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """JSONL, one row a line, with the environment; put in place in one step."""
    where = environment()
    lines = (json.dumps({**asdict(row), **where}, allow_nan=False) + "\n" for row in rows)
    with replacing(path) as stream:
        stream.writelines(line.encode() for line in lines)


def write_parquet(path: Path, rows: list[Row]) -> None:
    """The same as a table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"int": pa.int64(), "float": pa.float64(), "float | None": pa.float64()}
    schema = pa.schema([(field.name, kinds.get(str(field.type), pa.string())) for field in fields(Row)])
    table = pa.Table.from_pylist([asdict(row) for row in rows], schema=schema)
    for name, value in environment().items():
        table = table.append_column(name, pa.array([value] * len(rows)))
    with replacing(path) as stream:
        pq.write_table(table, stream)


def read_rows(path: Path) -> tuple[list[Row], dict[str, Any]]:
    """Rows of a JSONL or Parquet file, and the environment of the first."""
    cells = read_cells(path)
    return [row_of(cell) for cell in cells], {name: cells[0].get(name) for name in environment()} if cells else {}


def read_cells(path: Path) -> list[dict[str, Any]]:
    """Rows and environment as they stand in a JSONL or Parquet file; raises ValueError where a line is cut off."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return pq.read_table(path).to_pylist()
    return [json.loads(line) for line in path.read_text().splitlines()]


def row_of(cell: dict[str, Any]) -> Row:
    """A row without its environment, where older rows may tell less. Raises KeyError for what is no row."""
    setting = {field.name: cell[field.name] for field in fields(Setting)}
    return Row(**{**{name: cell.get(name) for name in COLUMNS}, **setting})
