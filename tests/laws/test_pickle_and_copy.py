"""Whatever the package hands out can go to another process, and be copied, without change."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import clear_alloc as ca

GENERATOR = np.random.default_rng(3)
ROLLOUTS = {
    "query_id": np.repeat(["a", "b", "c", "d"], 6),
    "tokens": GENERATOR.lognormal(6, 0.4, 24).round(),
    "correct": np.tile([1, 1, 0, 1, 1, 0], 4),
}
LOGNORMAL = ca.LognormalArrival([300, 900], 0.5, [0.9, 0.7])
MENU = ca.Menu([[200, 800], [100]], [[0.3, 0.6], [0.2]], expected=[[120, 300], [50]], deviation=[[40, 90], [3]])
SURGE = ca.ShiftedSurge([100, 200], 50, 0.5)
MIXED = ca.concatenate([LOGNORMAL, MENU, SURGE])
CURVES = {
    "lognormal": LOGNORMAL,
    "menu": MENU,
    "shifted surge": SURGE,
    "cumulative surge": ca.CumulativeSurge([100, 200], 50, 0.8),
    "mixed": MIXED,
    "residual": LOGNORMAL.after(100),
    "residual menu": MENU.after(10),
    "none": LOGNORMAL[:0],
}
FITTED = ca.fit(ROLLOUTS)
JUDGED = ca.fit(ROLLOUTS)
JUDGED.judge()
GROUPS = [ca.Group("team", budget=500.0), ca.Group("chat", "team", guarantee=10.0)]
RESULTS = {
    **{name: ca.allocate(curves, 700, ids=[f"q{k}" for k in range(len(curves))]) for name, curves in CURVES.items()},
    "expected": ca.allocate(ca.concatenate([LOGNORMAL, MENU]), 700, accounting="expected"),
    "money": ca.allocate(LOGNORMAL, 700, rate=[0.5, 2.0], call=3),
    "levels": ca.allocate(LOGNORMAL, 700, levels=[0, (256, None)], fallback=8),
    "price": ca.allocate(LOGNORMAL, price=1e-4),
    "uniform": ca.uniform(MIXED, 700),
    "exact": ca.exact(LOGNORMAL, 300),
    "groups": ca.allocate_groups(LOGNORMAL, 700, GROUPS, ["team", "chat"], ids=["x", "y"]),
}
OTHERS = {
    "fitted": FITTED,
    "judged": JUDGED,
    "report": ca.fit(ROLLOUTS, judge=True).report,
    "empirical": ca.fit(ROLLOUTS, "empirical"),
    "cross-fit": ca.CrossFit(ROLLOUTS),
    "choice": ca.choose(ROLLOUTS, 2000),
    "level menu": ca.menu_of_levels({"low": FITTED, "high": FITTED}),
    "frontier": ca.frontier(LOGNORMAL, points=3),
    "query": ca.Query(id="a", family="shifted_surge", threshold=900, width=250, peak=0.8),
    "group": GROUPS[1],
    "status": ca.Status.CLEARED,
    "reason": ca.Reason.FUNDED,
}
WAYS = {"pickle": lambda thing: pickle.loads(pickle.dumps(thing)), "copy": copy.copy, "deepcopy": copy.deepcopy}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request):
    return request.param


@pytest.mark.parametrize("name", CURVES)
def test_curves(name, way):
    curves, found = CURVES[name], way(CURVES[name])
    assert type(found) is type(curves)
    grid = np.linspace(0, 2000, 9)[:, None]
    np.testing.assert_array_equal(found.utility(grid), curves.utility(grid))
    np.testing.assert_array_equal(found.demand(1e-4), curves.demand(1e-4))
    assert found[:1].weight.tolist() == curves[:1].weight.tolist()


@pytest.mark.parametrize("name", RESULTS)
def test_results(name, way):
    result, found = RESULTS[name], way(RESULTS[name])
    assert type(found) is type(result)
    found.audit()
    assert found.to_dict() == result.to_dict()
    assert repr(found) == repr(result)


@pytest.mark.parametrize("name", OTHERS)
def test_fits_choices_and_the_rest(name, way):
    thing, found = OTHERS[name], way(OTHERS[name])
    assert type(found) is type(thing)
    assert repr(found) == repr(thing)
    if hasattr(thing, "to_dict"):
        assert found.to_dict() == thing.to_dict()
    if hasattr(thing, "curves"):
        assert found.curves.to_records() == thing.curves.to_records()


def test_a_judgement_is_the_same_on_the_other_side(way):
    assert way(JUDGED).judge().held_out == JUDGED.judge().held_out == way(FITTED).judge().held_out
