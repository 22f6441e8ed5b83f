"""Where rows are made: commit, code, versions and machine, but no name of a host or a folder."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[2]
VERSIONED = ("numpy", "scipy", "clear-alloc", "price-contour")  # the last if it is installed
SHOWING = {"report", "figures.py", "markdown.py", "page.py"}  # code that shows rows and makes none


@lru_cache(maxsize=1)
def environment() -> dict[str, Any]:
    """Commit, whether files differ from it, a mark of the code, machine and versions.

    The mark changes with the code that makes rows, so that two states of a dirty tree are told apart.
    """
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONED if _installed(name))
    return {
        "commit": _git("rev-parse", "HEAD") or "unknown",
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "code": code_mark(),
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": f"python {platform.python_version()}, {versions}",
    }


@lru_cache(maxsize=1)
def timing_environment() -> dict[str, Any]:
    """The same, and what times depend on: the processor, its usable cores and the threads that were asked for."""
    threads = os.environ.get("CLEAR_ALLOC_THREADS")  # None: all cores
    return {**environment(), "cpu": _cpu(), "cores": _cores(), "threads": threads}


def code_mark() -> str:
    """Twelve digits of everything that rows depend on: the package and the benchmarks, without what shows rows."""
    paths = [path.relative_to(HERE) for room in ("clear_alloc", "benchmarks") for path in (HERE / room).rglob("*.py")]
    content = sha256()
    for path in sorted(path for path in paths if SHOWING.isdisjoint(path.parts)):
        content.update(path.as_posix().encode() + b"\n" + (HERE / path).read_bytes())
    return content.hexdigest()[:12]


def _git(*words: str) -> str:
    """What git prints of this tree; nothing where it is no repository of its own, or git is not installed."""
    ceiling = {**os.environ, "GIT_CEILING_DIRECTORIES": str(HERE.parent)}  # a repository around it is another's
    try:
        done = subprocess.run(["git", *words], cwd=HERE, env=ceiling, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _cpu() -> str:
    """The processor's model, in the words of the system."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
