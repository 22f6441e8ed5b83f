"""Numbers and foreign text as people read them."""

from __future__ import annotations

import math

from benchmarks.common.markdown import one_line, points, seconds_words, significant, times


def test_foreign_text_and_numbers_are_written_plainly():
    assert one_line("a_b\n  c") == "a\\_b c"
    assert len(one_line("x" * 1000)) == 240
    assert (points(-0.00001), points(0.012), points(float("nan"))) == ("0.0", "+1.2", "-")
    assert (times(float("inf")), times(2.04), times(float("nan"))) == ("no bound", "2.0", "-")


def test_numbers_are_read_without_exponents():
    shown = (1.8666e-3, 4.5678e-5, 12.5, 1234.5, 0.0)
    assert [seconds_words(own) for own in shown] == ["1.87 ms", "45.7 us", "12.5 s", "1,234 s", "0 us"]
    assert [significant(own) for own in (0.01234, 1.999, 123456.0, None, math.nan)] == [
        *("0.0123", "2", "123,456", "-", "-")
    ]
