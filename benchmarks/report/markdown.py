"""Numbers and tables as Markdown."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from benchmarks.summary import Paired

__all__ = ["ABSENT", "interval", "listed", "one_line", "percent", "points", "table", "times"]

ABSENT = "-"
LONGEST = 240  # letters of an error's message


def percent(share: float, digits: int = 1) -> str:
    """A share as a number of per cent, without the sign."""
    return ABSENT if math.isnan(share) else f"{100.0 * share:.{digits}f}"


def points(share: float, digits: int = 1) -> str:
    """A difference of shares in points."""
    return ABSENT if math.isnan(share) else _signed(100.0 * share, digits)


def _signed(value: float, digits: int) -> str:
    text = f"{value:+.{digits}f}"
    return text if float(text) else f"{0.0:.{digits}f}"  # neither -0.0 nor +0.0


def times(ratio: float) -> str:
    """A multiple; what has no bound says so."""
    return ABSENT if math.isnan(ratio) else "no bound" if math.isinf(ratio) else f"{ratio:.1f}"


def interval(pair: Paired) -> str:
    """The paired difference in points with its 95 % interval, if it has one."""
    middle = points(pair.difference, 2)
    return middle if pair.seeds < 2 else f"{middle} ({points(pair.low, 2)} to {points(pair.high, 2)})"


def listed(names: Iterable[str]) -> str:
    """a, b and c."""
    every = list(names)
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} and {every[-1]}" if every else ""


def one_line(text: str) -> str:
    """Foreign text as plain Markdown: on one line, not too long, nothing in it read as a sign of the language."""
    flat = " ".join(text.split())
    cut = flat if len(flat) <= LONGEST else f"{flat[: LONGEST - 1]}…"
    return re.sub(r"([\\`*_{}\[\]<>#|~&!])", r"\\\1", cut)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1, prose: bool = False) -> str:
    """A Markdown table; the first `left` columns, and the last if it is `prose`, are text, the others numbers."""
    marks = ["---"] * left + ["---:"] * (len(header) - left)
    marks[-1] = "---" if prose else marks[-1]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, marks, *rows))
