"""Allowed caps, fallbacks and reasons, against every choice listed one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import milp
from support import strategies, tolerances
from support.laws import examples
from support.listed_choices import KNOWN, instances, losses
from support.refusals import refused

import clear_alloc as ca

laws = examples(30)
GOOD = ca.ShiftedSurge([100, 200, 300], 50, 0.5)
MENU = ca.Menu([[0, 80, 600], [80, 600], [600]], [[0.1, 0.2, 0.9], [0.3, 0.8], [0.5]])


LEVELS = {
    "points": (strategies.SMOOTH, {"levels": "points"}),
    "ranges": (strategies.SMOOTH, {"levels": "range"}),
    "menus": ([strategies.MENU], {"levels": "any"}),
    "mixed": (strategies.FAMILIES, {"levels": "any"}),
    "floors": (strategies.FAMILIES, {"levels": "any", "floors": True}),
    "fallbacks": (strategies.FAMILIES, {"levels": "any", "fallback": True}),
    "a fallback alone": (strategies.FAMILIES, {"fallback": True}),
    "everything": (strategies.FAMILIES, {"levels": "any", "floors": True, "fallback": True}),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LEVELS)
def test_allowed_caps_lose_next_to_nothing(kind):
    families, terms = LEVELS[kind]
    loss = losses(instances(1, 50, families, **terms))
    assert loss.mean() <= 1e-3
    assert loss.max() <= 1e-2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["points", "ranges", "mixed"])
def test_the_repair_of_allowed_caps_comes_close(kind):
    families, terms = LEVELS[kind]
    with strategies.repair_only():
        loss = losses(instances(2, 40, families, **terms))
    assert loss.mean() <= 1e-3
    assert loss.max() <= 1e-2


@pytest.mark.parametrize(
    ("families", "terms"),
    [(KNOWN, {"levels": "points"}), ((*KNOWN, strategies.MENU), {"levels": "any", "queries": 4, "scale": 12.0}),
     ([strategies.MENU], {"levels": "any"}), ([strategies.MENU], {})],
    ids=["points", "mixed", "menus with levels", "menus"],
)  # fmt: skip
def test_allowed_caps_under_expected_accounting(families, terms):
    loss = losses(instances(3, 40, families, expected=True, **terms), overrun=0.5)
    # One smooth curve beside finite choices may be left on the wrong side of its bend; few queries feel it.
    assert loss.mean() <= 1e-3
    assert loss.max() <= (1e-2 if families == [strategies.MENU] else 5e-2)


def test_the_oracle_agrees_with_integer_programming():
    for families, terms in (LEVELS["points"], LEVELS["menus"]):
        for one in instances(4, 12, families, **terms):
            best = milp.best_value(one.lists, one.budget)
            assert milp.best_by_milp(one.lists, one.budget) == pytest.approx(best, rel=1e-6, abs=1e-9)


def test_a_margin_fits_beside_allowed_caps():
    """Whatever the rule of the margin, it costs utility and never the budget."""
    held = 0
    for one in instances(5, 25, (*KNOWN, strategies.MENU), levels="points", expected=True, scattered=True, queries=5):
        try:
            result = ca.allocate(strategies.build(one.records), one.budget, **one.terms)
        except ca.BudgetTooSmall as error:
            assert error.required > one.budget  # noqa: PT017
            continue
        result.audit()
        assert result.spent + result.margin <= one.budget * (1 + tolerances.ROUNDING)
        assert result.utility <= milp.best_value(one.lists, one.budget) * (1 + tolerances.SATURATION) + 1e-12
        rival = ca.uniform(strategies.build(one.records), one.budget, **one.terms)
        assert result.utility >= rival.utility * (1 - tolerances.ROUNDING)
        held += result.margin > 0
    assert held > 12


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


def test_a_menu_buys_its_option_with_the_smallest_cap_that_covers_it():
    for levels in ({512, 1024}, {(512, 1024)}, range(512, 1025)):
        result = ca.allocate(MENU, 9000, levels=levels)
        result.audit()
        assert result.choice.tolist() == [2, 1, 0]
        assert result.tokens.tolist() == ([1024] * 3 if levels == {512, 1024} else [600] * 3)
    few = ca.allocate(MENU[:2], 1024, levels={(512, 1024)})
    assert (few.tokens.tolist(), few.choice.tolist()) == ([512, 512], [1, 0])
    result = ca.allocate(MENU, 1536, levels={0, 512, 1024})
    assert (result.tokens.tolist(), result.choice.tolist()) == ([1024, 512, 0], [2, 0, -1])
    # Of options worth the same the cheapest, whatever else the cap would cover.
    assert ca.allocate(ca.Menu([[60, 50, 70]], [[0.5, 0.5, 0.4]]), 100, levels={0, 100}).choice.tolist() == [1]
    assert ca.allocate(ca.Menu([[60, 50, 70]], [[0.5, 0.5, 0.4]]), 100, min_tokens=55).choice.tolist() == [1]
    # A floor alone lifts nothing: an option must reach it.
    assert ca.allocate(MENU[:2], 9000, min_tokens=90).tokens.tolist() == [600, 600]


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


@pytest.mark.parametrize(
    ("levels", "forged"),
    [({0, (50, 149)}, 49), ({0, (50, 149)}, 150), ({0, 120, 149}, 119), ({0, 120, 149}, 150), (None, -1)],
)
def test_the_audit_knows_the_caps_that_are_allowed(levels, forged):
    result = ca.allocate(ca.ShiftedSurge([100.0] * 2, [50.0, 500.0], 0.5), 700, levels=levels)
    result.audit()
    tokens = result.tokens.copy()
    tokens[0] = forged
    with pytest.raises(ca.AuditFailed, match="every cap is between"):
        replace(result, tokens=tokens).audit()


def test_floors_and_ceilings_choose_among_levels():
    args = {"levels": {0, 50, 150, 320}}
    assert ca.allocate(GOOD, 9000, **args, max_tokens=[150, 319, 320]).tokens.tolist() == [150, 0, 320]
    assert ca.allocate(GOOD, 520, **args, min_tokens=[0, 51, 50]).tokens.tolist() == [150, 320, 50]
    assert ca.allocate(GOOD, 519, **args, min_tokens=[0, 51, 50]).tokens.tolist() == [0, 320, 50]
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


def test_a_floor_that_no_option_reaches_is_named():
    with pytest.raises(ca.InvalidArgument) as caught:
        ca.allocate(ca.concatenate([GOOD, MENU]), 9000, min_tokens=[0, 0, 0, 601, 0, 0])
    refused(caught, "min_tokens", 3, 601.0, "a floor that an option of the menu meets")


def test_who_is_not_funded_gets_the_fallback():
    """Exactly, and charged; on smooth curves with any levels."""
    rng = np.random.default_rng(3)
    for levels in (None, {0, 300, 600, 1200}, {0, (300, None)}):
        for curves in (strategies.draws(strategies.SURGE, 40, rng), strategies.draws(strategies.LOGNORMAL, 40, rng)):
            back = rng.integers(0, 200, 40)
            for budget in (int(back.sum()), int(back.sum()) + 700, 15_000):
                result = ca.allocate(curves, budget, levels=levels, fallback=back)
                result.audit()
                assert (result.tokens[~result.funded] == back[~result.funded]).all()
                assert (result.tokens[result.funded] > back[result.funded]).all()
                assert (result.charges == result.tokens).all()
                assert result.spent <= budget
            with pytest.raises(ca.BudgetTooSmall) as caught:
                ca.allocate(curves, int(back.sum()) - 1, levels=levels, fallback=back)
            assert (caught.value.required, caught.value.budget) == (back.sum(), back.sum() - 1)


def test_a_menu_falls_back_to_its_best_option_within():
    menu = ca.Menu(
        [[400, 30, 60, 0], [50, 60], [400], [60, 60]], [[0.9, 0.3, 0.2, 0.1], [0.1, 0.2], [0.9], [0.2, 0.3]]
    )
    for levels in (None, {0, 500}, {0, (450, 500)}, [None, {0}, {0, 500}, None]):
        result = ca.allocate(menu, 30 + 60 + 0 + 60, fallback=60, levels=levels)
        result.audit()
        assert result.tokens.tolist() == [30, 60, 0, 60]
        assert result.choice.tolist() == [1, 1, -1, 1]
        assert result.charges.tolist() == [30, 60, 0, 60]
        assert result.funded.tolist() == [False] * 4
    result = ca.allocate(menu, 30 + 60 + 400 + 60, fallback=60)
    assert (result.tokens.tolist(), result.choice.tolist()) == ([30, 60, 400, 60], [1, 1, 0, 1])
    assert result.funded.tolist() == [False, False, True, False]
    with pytest.raises(ca.BudgetTooSmall):
        ca.allocate(menu, 149, fallback=60)


def test_a_better_option_that_costs_less_takes_the_place_of_the_fallback():
    menu = ca.Menu([[80, 600, 600]] * 2, [[0.3, 0.9, 0.8]] * 2)
    for terms in ({"price": 0.0}, {"price": 1.0}, {"budget": 1200}, {"budget": 1e9}):
        result = ca.allocate(menu, **terms, rate=[[10, 1, 1]] * 2, fallback=100)
        result.audit()
        assert (result.choice.tolist(), result.charges.tolist()) == ([1, 1], [600, 600])
        assert result.funded.all()
    assert ca.allocate(menu, 700, rate=[[1, 10, 10]] * 2, fallback=100).choice.tolist() == [0, 0]


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


def test_every_reason():
    surge = ca.ShiftedSurge([100, 100, 100, 100, 9000], 50, [0.9, 0.5, 0.01, 0.5, 0.9], weight=[1, 1, 1, 0, 1])
    result = ca.allocate(surge, 299)
    assert [reason.name for reason in result.reasons] == ["FUNDED", "FUNDED", "PRICED_OUT", "WORTHLESS", "TOO_DEAR"]
    twins = ca.allocate(ca.Menu([[100]] * 3, [[0.5]] * 3), 250)
    assert sorted(reason.name for reason in twins.reasons) == ["FUNDED", "FUNDED", "PRICED_OUT"]
    # The first is worth most per token, but what it leaves is too little for either of the others.
    left = ca.allocate(ca.Menu([[100], [60], [90]], [[1.0], [0.58], [0.85]]), 150)
    assert [reason.name for reason in left.reasons] == ["CROWDED_OUT", "FUNDED", "FUNDED"]
    assert {reason.name for reason in ca.uniform(MENU, 3).reasons} == {"FUNDED", "NOT_CHOSEN"}
    assert left.to_dict()["reasons"] == ["crowded_out", "funded", "funded"]
    assert ca.Reason.TOO_DEAR.value.startswith("even the whole budget")
    # Too dear is what no useful cap would fit, not what the best one costs or what is worth nothing.
    late = ca.allocate(ca.ShiftedSurge([100, 100], [50, 2000], [0.9, 0.3]), 180)
    assert [reason.name for reason in late.reasons] == ["FUNDED", "PRICED_OUT"]
    idle = ca.allocate(ca.Menu([[10, 9000], [100]], [[0.0, 0.9], [0.5]]), 300)
    assert [reason.name for reason in idle.reasons] == ["TOO_DEAR", "FUNDED"]
    outside = ca.allocate(GOOD, 900, levels=[{0, 50}, {0, (10, 150)}, None])
    assert [reason.name for reason in outside.reasons] == ["WORTHLESS", "WORTHLESS", "FUNDED"]


def level_sets():
    caps = st.lists(st.integers(1, 1500), min_size=1, max_size=4)
    spans = st.tuples(st.integers(1, 900), st.one_of(st.none(), st.integers(900, 2500))).map(lambda span: [span])
    return st.one_of(st.none(), st.one_of(caps, spans).map(lambda some: {0, *some}))


@given(strategies.markets(most=4, copies=3), level_sets(), st.integers(0, 40), st.data())
@laws
def test_laws_of_levels_and_fallbacks(case, levels, fallback, data):
    """Within budget, audited, no worse than the splits, rising with the budget, whatever the order of queries."""
    records, budget = case
    terms = {"levels": levels, "fallback": fallback}
    try:
        result = ca.allocate(strategies.build(records), budget, **terms)
    except ca.BudgetTooSmall:
        return
    result.audit()
    assert sum(result.tokens.tolist()) == result.spent <= budget
    slack = tolerances.ROUNDING * max(1.0, result.upper_bound)
    for baseline in (ca.uniform, ca.proportional, ca.cutoff_plus_pad):
        rival = baseline(strategies.build(records), budget, **terms)
        rival.audit()
        assert rival.utility <= result.utility + slack + (result.gap if baseline is ca.cutoff_plus_pad else 0.0)
    more = ca.allocate(strategies.build(records), budget + data.draw(st.integers(1, 1000)), **terms)
    assert more.utility >= result.utility - more.gap - slack
    order = data.draw(st.permutations(range(len(records))))
    other = ca.allocate(strategies.build([records[k] for k in order]), budget, **terms)
    assert abs(other.utility - result.utility) <= max(result.gap, other.gap) + slack
