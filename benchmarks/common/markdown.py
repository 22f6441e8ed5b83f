"""Numbers, lists and tables as people read them, in Markdown."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

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


def significant(value: float | None, digits: int = 3) -> str:
    """A number of so many digits that say something, without exponents: 0.0123, 1.23, 1,230."""
    if value is None or math.isnan(value):
        return ABSENT
    if abs(value) >= 10.0 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}" if abs(value) >= 1e-3 or not value else f"{value:.1e}"


def seconds_words(seconds: float | None) -> str:
    """In s, ms or us."""
    if seconds is None or not seconds >= 0.0:
        return ABSENT
    unit, size = ("s", 1.0) if seconds >= 1.0 else ("ms", 1e-3) if seconds >= 1e-3 else ("us", 1e-6)
    return f"{significant(seconds / size)} {unit}"


def size_words(bytes_: float | None) -> str:
    """In GB of 10^9 bytes."""
    return ABSENT if bytes_ is None else f"{bytes_ / 1e9:.2f} GB"


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
