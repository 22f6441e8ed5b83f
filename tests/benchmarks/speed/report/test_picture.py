"""The picture has a line per kind of curves."""

from __future__ import annotations

from support.speed_rows import some_rows

from benchmarks.speed.report.picture import sizes as sizes_picture
from benchmarks.speed.workloads import FUNDED


def test_the_picture_has_a_line_per_kind_and_np_sort():
    times, ratio_axes = sizes_picture(some_rows()).axes
    assert [len(times.lines), len(ratio_axes.lines)] == [7, 7]
    assert sizes_picture([row for row in some_rows() if row.share == FUNDED]) is None
