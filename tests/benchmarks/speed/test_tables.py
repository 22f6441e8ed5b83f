"""A line has the row's numbers."""

from __future__ import annotations

from support.speed_rows import surge_case

from benchmarks.speed.rows import Row
from benchmarks.speed.tables import table_of
from benchmarks.speed.workloads import FUNDED


def test_a_line_has_the_row_s_numbers():
    row = Row.of(surge_case("bisection", 10_000), (1.0, 2.0, 4.0), (60.0, 160.0, 200.0), figures={"utility": 0.9999})
    (line,) = table_of("bisection", [row, Row.of(surge_case(), (1.0,), (1.0,))]).lines
    assert line == [*("shifted_surge reserved", "10,000", "2 s", "160 s", "60 x", "55 to 70", "3", "0.999900", "-")]
    (line,) = table_of("sort", [Row.of(surge_case(n=1, share=FUNDED), (6.0, 4.0), (2.0, 2.0), gap=0.0)]).lines
    assert line == [*("shifted_surge reserved", "1 (funded)", "5 s", "2 s", "2.5 x", "2.25 to 2.75", "2", "0.0e+00")]
