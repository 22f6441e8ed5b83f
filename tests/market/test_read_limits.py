"""Floors, ceilings, levels and fallbacks as a caller gives them: read, merged or refused."""

from __future__ import annotations

import numpy as np
import pytest
from support.refusals import refused

import clear_alloc as ca
from clear_alloc.columns.constant import is_repeated
from clear_alloc.market.read_limits import read_feasible, whole_column

GOOD = ca.ShiftedSurge([100, 200, 300], 50, 0.5)


MENU = ca.Menu([[0, 80, 600], [80, 600], [600]], [[0.1, 0.2, 0.9], [0.3, 0.8], [0.5]])


def test_one_set_for_all():
    result = ca.allocate(GOOD, 1500, levels={0, 150, 320})
    assert set(result.tokens.tolist()) <= {0, 150, 320}
    assert ca.allocate(GOOD, 1500, levels=[320, 150, 0]).tokens.tolist() == result.tokens.tolist()
    assert ca.allocate(GOOD, 1500, levels=np.array([0, 150, 320])).tokens.tolist() == result.tokens.tolist()
    assert ca.allocate(GOOD, 1500, levels=frozenset({0, 150, 320})).tokens.tolist() == result.tokens.tolist()
    assert result.tokens.tolist() == [150, 320, 320]


def test_one_set_per_query():
    for levels in ([{0, 140}, None, {0, (300, 330)}], ([0, 140], None, [0, (300, 330)])):
        assert ca.allocate(GOOD, 9000, levels=levels).tokens.tolist() == [140, 250, 330]
    square = np.array([[0, 140], [0, 240], [0, 340]])
    assert ca.allocate(GOOD, 9000, levels=square).tokens.tolist() == [140, 240, 340]
    assert ca.allocate(GOOD, 9000, levels=[None] * 3).tokens.tolist() == [150, 250, 350]


@pytest.mark.parametrize("nothing", [[0], {0}, range(1)])
def test_nobody_may_get_anything(nothing):
    result = ca.allocate(GOOD, 900, levels=nothing)
    result.audit()
    assert (result.tokens.tolist(), result.spent, result.utility) == ([0, 0, 0], 0, 0)
    assert not result.funded.any()
    assert ca.allocate(GOOD, 900, levels=nothing, fallback=20).tokens.tolist() == [20] * 3
    # An option that needs no token is no cap.
    free = ca.allocate(MENU, 900, levels=nothing)
    assert (free.tokens.tolist(), free.choice.tolist()) == ([0, 0, 0], [0, -1, -1])


def test_without_zero_everybody_is_funded():
    for levels, budget, tokens in (
        ({150, 320}, 640, [150, 320, 150]),
        ([{150, 320}] * 3, 450, [150, 150, 150]),
        ({(120, 320)}, 360, [120, 120, 120]),
        ({(120, None)}, 360, [120, 120, 120]),
        (range(120, 321), 360, [120, 120, 120]),
        (range(120, 321, 50), 360, [120, 120, 120]),
    ):
        result = ca.allocate(GOOD, budget, levels=levels, fallback=[0, 50, 200])
        result.audit()
        assert result.tokens.tolist() == tokens
        assert result.funded.all()
        with pytest.raises(ca.BudgetTooSmall):
            ca.allocate(GOOD, 359, levels=levels)


def test_the_ends_of_a_range():
    curves = ca.ShiftedSurge([100.0] * 2, [50.0, 500.0], 0.5)
    assert ca.allocate(curves, 10**6, levels={0, (50, 149)}).tokens.tolist() == [149, 149]
    assert ca.allocate(curves, 10**6, levels=range(50, 150)).tokens.tolist() == [149, 149]
    assert ca.allocate(curves, 10**6, levels={0, (149, None)}).tokens.tolist() == [150, 600]
    assert ca.allocate(curves, 10**6, levels={0, (700, None)}).tokens.tolist() == [700, 700]
    assert ca.allocate(curves, 10**6, levels={0, (50, 10**9)}, max_tokens=[120, 130]).tokens.tolist() == [120, 130]
    assert ca.allocate(curves, 10**6, levels={0, (125, 10**9)}, max_tokens=[120, 130]).tokens.tolist() == [0, 130]
    assert ca.allocate(curves, 250, levels={0, (50, 139)}, min_tokens=[0, 60]).tokens.tolist() == [139, 111]
    assert ca.allocate(curves, 250, levels={0, (50, 149)}, min_tokens=[0, 120]).tokens.tolist() == [130, 120]
    assert ca.allocate(curves, 700, levels=range(10**6)).tokens.tolist() == ca.allocate(curves, 700).tokens.tolist()
    assert ca.allocate(curves, 700, levels=range(6), fallback=8).tokens.tolist() == [8, 8]


def test_floors_and_ceilings_choose_among_levels():
    args = {"levels": {0, 50, 150, 320}}
    assert ca.allocate(GOOD, 9000, **args, max_tokens=[150, 319, 320]).tokens.tolist() == [150, 0, 320]
    assert ca.allocate(GOOD, 520, **args, min_tokens=[0, 51, 50]).tokens.tolist() == [150, 320, 50]
    less = ca.allocate(GOOD, 519, **args, min_tokens=[0, 51, 50])
    assert less.tokens.tolist() in ([0, 320, 50], [150, 150, 50])  # either serves one query
    assert less.utility == 0.5
    assert ca.allocate(GOOD, 349, **args, min_tokens=[0, 51, 50]).tokens.tolist() == [0, 150, 50]


def test_no_queries_need_no_levels():
    for levels in ([], (), {0, 512}, {0, (1, None)}, np.empty((0, 2))):
        result = ca.allocate(GOOD[:0], 0, levels=levels)
        result.audit()
        assert len(result) == 0


ALLOWED = "whole caps, or pairs"


BAD = [
    *((bad, None, bad, "at least one cap") for bad in ([], set(), range(3, 3))),
    *((bad, None, bad, ALLOWED) for bad in ((1024, 32000), "512", b"512", 512, 5.0)),
    *(({0, bad}, None, bad, ALLOWED) for bad in ("512", 512.5, -5, np.nan, np.inf, -np.inf, 2.0**54, 1j)),
    ([0, True], None, True, ALLOWED),
    ({0, (1, 2, 3)}, None, (1, 2, 3), ALLOWED),
    ({0, (9, 5)}, None, (9, 5), "low <= high"),
    ({0, (-1, 5)}, None, -1, ALLOWED),
    ({0, (1, 5.5)}, None, 5.5, ALLOWED),
    ([{0, 512}] * 2, None, "of length 2", "length 3"),
    ([None] * 2, None, "of length 2", "length 3"),
    ([{0}, {0, "x"}, None], 1, "x", ALLOWED),
    ([{0}, 7, None], 1, 7, ALLOWED),
    ([{0}, "ab", None], 1, "ab", ALLOWED),
    ([{0}, None, (1024, 32000)], 2, (1024, 32000), ALLOWED),
    ([{0}, set(), None], 1, set(), "at least one cap"),
    ([{0}, {0, 2.5}, {0, 3.5}], 1, 2.5, ALLOWED),
    (np.array([[0, 5], [0, -2], [0, 5]]), 1, -2, ALLOWED),
]


@pytest.mark.parametrize(("levels", "row", "value", "allowed"), BAD, ids=[str(case[0])[:40] for case in BAD])
def test_bad_levels(levels, row, value, allowed):
    for policy in (ca.allocate, ca.uniform):
        with pytest.raises(ca.InvalidArgument) as caught:
            policy(GOOD, 500, levels=levels)
        refused(caught, "levels", row, value, allowed)


@pytest.mark.parametrize(
    ("terms", "row", "value", "allowed"),
    [
        ({"levels": {512}, "max_tokens": [600, 500, 500]}, 1, "512", "from 0 to 500 tokens"),
        ({"levels": {512}, "min_tokens": [600, 500, 700]}, 0, "512", "from 600 to"),
        ({"levels": {0, 512}, "min_tokens": [0, 0, 1], "max_tokens": 500}, 2, "0, 512", "from 1 to 500"),
        ({"levels": {0, 1200, 4000}, "min_tokens": [0, 5000, 0]}, 1, "0, 1,200, 4,000", "from 5,000"),
        ({"levels": {(512, 600)}, "max_tokens": 500}, 0, "512 to 600", "from 0 to 500"),
        ({"levels": [{0, (512, 600)}] * 3, "min_tokens": [0, 700, 0]}, 1, "0, 512 to 600", "from 700"),
        ({"curves": MENU, "levels": {300, 1400}, "max_tokens": [900, 900, 500]}, 2, "300", "covers an option"),
        ({"curves": MENU[[2, 0]], "levels": [{(300, 400)}, None]}, 0, "300 to 400", "covers an option"),
        ({"curves": ca.concatenate([GOOD, MENU]), "levels": {300, 350}}, 5, "300, 350", "covers an option"),
    ],
)
def test_levels_outside_the_limits(terms, row, value, allowed):
    with pytest.raises(ca.InvalidArgument) as caught:
        ca.allocate(**{"curves": GOOD, "budget": 9000, **terms})
    refused(caught, "levels", row, value, allowed)


@pytest.mark.parametrize("levels", [{0, 512, (600, 700)}, {(1, 2), (600, 700)}, [{0}, {5, (6, 7)}, None]])
def test_points_beside_ranges_are_not_supported(levels):
    with pytest.raises(ca.NotSupported, match=r"single caps beside a range, .* list the caps one by one"):
        ca.allocate(GOOD, 500, levels=levels)


@pytest.mark.parametrize(
    ("given", "row", "value", "allowed"),
    [
        ([1, 2, 0.5], 2, 0.5, "whole tokens"),
        ([1, -1, 0], 1, -1.0, "0 to 2**53 tokens"),
        ([1, np.nan, 0], 1, np.nan, "finite numbers"),
        ([1, 2], None, "of length 2", "length 3 or a scalar"),
        ([5, 60, 5], 1, 60.0, "at most max_tokens"),
    ],
)
def test_bad_fallbacks(given, row, value, allowed):
    with pytest.raises(ca.InvalidArgument) as caught:
        ca.allocate(GOOD, 500, fallback=given, max_tokens=50)
    refused(caught, "fallback", row, value, allowed)


def test_a_floor_makes_the_fallback_idle():
    result = ca.allocate(GOOD, 1000, min_tokens=[0, 7, 70], fallback=[5, 50, 5], levels=None)
    result.audit()
    assert result.funded.all()
    assert ca.allocate(GOOD, 82, min_tokens=[0, 7, 70], fallback=[5, 50, 5]).tokens.tolist() == [5, 7, 70]


def columns_of(caps):
    return [column.tolist() for column in (caps.floor, caps.fallback, caps.low, caps.high)]


def test_floors_ceilings_and_fallbacks_are_merged():
    none = read_feasible(3)
    assert columns_of(none) == [[0] * 3, [0] * 3, [0] * 3, [2.0**53] * 3]
    assert not len(none.listed)
    assert is_repeated(none.high)
    caps = read_feasible(3, min_tokens=[0, 7, 70], max_tokens=[90, 80, 70], fallback=[5, 50, 5])
    # A floor above 0 forces funding, so that its query never falls back.
    assert columns_of(caps) == [[5, 7, 70], [5, 0, 0], [5, 7, 70], [90, 80, 70]]


def test_levels_narrow_what_floors_and_ceilings_allow():
    caps = read_feasible(3, [0, 0, 60], [500, 90, 500], {0, 50, 100, 400})
    assert caps.listed.tolist() == [0, 1, 2]
    assert caps.levels.tolist() == [[50, 100, 400], [50, np.inf, np.inf], [100, 400, np.inf]]
    assert columns_of(caps)[0] == [0, 0, 100]
    span = read_feasible(2, [0, 300], 800, {0, (200, 900)})
    assert not len(span.listed)
    assert columns_of(span) == [[0, 300], [0, 0], [200, 300], [800, 800]]
    mixed = read_feasible(3, levels=[None, {0, 8}, {0, (3, 5)}])
    assert mixed.listed.tolist() == [1]
    assert columns_of(mixed)[2:] == [[0, 0, 3], [2.0**53, 2.0**53, 5]]
    assert mixed.lifts.tolist() == [False, True, True]


def test_a_column_is_whole_and_read_only():
    column = whole_column("min_tokens", [1, 2], 2)
    assert column.tolist() == [1.0, 2.0]
    assert not column.flags.writeable
    assert whole_column("min_tokens", 7, 3).tolist() == [7.0] * 3
    with pytest.raises(ca.InvalidArgument, match="whole tokens"):
        whole_column("min_tokens", 1.5, 3)
