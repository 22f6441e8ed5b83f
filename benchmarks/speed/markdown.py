"""Times, sizes and names as people read them."""

from __future__ import annotations

from benchmarks.speed.rows import Case

__all__ = ["seconds_words", "series_words", "significant", "size_words"]

ABSENT = "-"


def significant(value: float | None, digits: int = 3) -> str:
    """A number of so many digits that say something, without exponents: 0.0123, 1.23, 1,230."""
    if value is None or value != value:  # NaN
        return ABSENT
    if abs(value) >= 10.0 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}" if abs(value) >= 1e-3 or not value else f"{value:.1e}"


def seconds_words(seconds: float | None) -> str:
    """In s, ms or us."""
    if seconds is None or seconds != seconds:
        return ABSENT
    for unit, least in (("s", 1.0), ("ms", 1e-3), ("us", 0.0)):
        if seconds >= least:
            return f"{significant(seconds / {'s': 1.0, 'ms': 1e-3, 'us': 1e-6}[unit])} {unit}"
    return ABSENT


def size_words(bytes_: float | None) -> str:
    """In GB of 10^9 bytes."""
    return ABSENT if bytes_ is None else f"{bytes_ / 1e9:.2f} GB"


def series_words(case: Case) -> str:
    """Family and accounting, with the overrun where there is one."""
    overrun = "" if case.overrun is None else f", overrun {case.overrun:g}"
    return f"{case.family} {case.accounting}{overrun}" if case.family else case.group
