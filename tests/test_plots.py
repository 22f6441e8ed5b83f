"""Pictures: what is drawn is what was allocated. Looked at with eyes as well; here the numbers are checked."""

from __future__ import annotations

import dataclasses
import sys
import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure

import clear_alloc as ca
from clear_alloc.plots import example_queries, plot_calibration, plot_curves, plot_frontier
from clear_alloc.policies.frontier import frontier

GENERATOR = np.random.default_rng(5)
N = 60
CURVES = ca.concatenate([
    ca.ShiftedSurge(GENERATOR.lognormal(6, 0.5, N), GENERATOR.lognormal(5, 0.3, N), GENERATOR.uniform(0.3, 1, N)),
    ca.LognormalArrival([500, 900], 0.5, [0.9, 0.5]),
    ca.Menu([[10, 300, 2000], [1500]], [[0.2, 0.5, 0.6], [0.9]]),
])  # fmt: skip
RESULT = ca.allocate(CURVES, 12_000)


def drawn(curves=CURVES, result=RESULT, **options):
    axes = Figure().subplots()
    plot_curves(curves, result, axes, **options)
    return axes


def labels(axes):
    return axes.get_legend_handles_labels()[1]


def dashed(axes):
    return [line for line in axes.get_lines() if line.get_linestyle() == "--"]


def test_examples_are_funded_ones_by_cap_then_insolvent_ones_in_reach():
    rows = example_queries(CURVES, RESULT)
    funded = RESULT.funded[rows]
    assert funded.tolist() == [True] * 4 + [False] * 2
    assert (np.diff(RESULT.tokens[rows[:4]]) > 0).all()
    assert (CURVES.reservation_price()[rows[4:]] <= RESULT.price).all()
    assert CURVES.demand(CURVES.reservation_price() * 0.999)[rows[4:]].max() <= 1.5 * RESULT.tokens[rows[:4]].max()


def test_an_insolvent_query_that_is_worth_the_price_is_no_example():
    # The repair may leave such a query out for want of tokens; its curve would cross the price line.
    worth = CURVES.reservation_price()
    cheaper = dataclasses.replace(RESULT, price=float(np.median(worth[~RESULT.funded])))
    rows = example_queries(CURVES, cheaper)
    insolvent = rows[~RESULT.funded[rows]]
    assert len(insolvent) == 2
    assert (worth[insolvent] <= cheaper.price).all()


def test_curves_dots_and_tangents_are_the_allocation_s():
    axes = drawn()
    rows = example_queries(CURVES, RESULT)
    funded = rows[RESULT.funded[rows]]
    solid = [line for line in axes.get_lines() if line.get_linestyle() == "-"]
    for line, row in zip(solid, rows, strict=True):
        grid, values = line.get_data()
        np.testing.assert_array_equal(values, CURVES[int(row)].utility(grid[:, None])[:, 0])
    dots = axes.collections[0].get_offsets()
    np.testing.assert_array_equal(dots[:, 0], RESULT.tokens[funded])
    np.testing.assert_array_equal(dots[:, 1], CURVES.utility(RESULT.tokens)[funded])
    ray, *tangents = dashed(axes)
    assert ray.get_xydata()[0].tolist() == [0, 0]
    for line, dot in zip([ray, *tangents], [None, *dots], strict=True):
        (x0, y0), (x1, y1) = line.get_xydata()
        assert (y1 - y0) / (x1 - x0) == pytest.approx(RESULT.price, rel=1e-9)
        if dot is not None:
            np.testing.assert_allclose(((x0 + x1) / 2, (y0 + y1) / 2), dot)


def test_insolvent_curves_lie_below_the_price_line_and_are_grey():
    axes = drawn()
    grey = [line for line in axes.get_lines() if line.get_color() == "#9A9A9A" and line.get_linestyle() == "-"]
    assert len(grey) == 2
    for line in grey:
        tokens, values = line.get_data()
        assert (values <= RESULT.price * tokens + 1e-12).all()


def test_a_reader_is_told_the_units_the_price_and_each_cap():
    axes = drawn()
    assert "tokens" in axes.get_xlabel()
    assert "1 = one right answer" in axes.get_ylabel()
    assert f"{RESULT.funded.sum()} of {len(CURVES)} queries share 12,000 tokens." in axes.get_title(loc="left")
    text = labels(axes)
    row = example_queries(CURVES, RESULT)[0]
    assert text[0] == f"cap {RESULT.tokens[row]:,} tokens: query {row}"
    assert text.count("insolvent: not funded") == 1
    assert "granted cap or option" in text
    assert text[-1].startswith(f"shadow price, {RESULT.price:.3g} value/token:")


def test_chosen_queries_title_and_names():
    names = ["_hidden $x$", "long" * 20]
    curves = ca.ShiftedSurge([100, 200], 50, 0.5)
    axes = drawn(curves, ca.allocate(curves, 400, ids=names), queries=[0, 1], title="Two")
    assert axes.get_title(loc="left") == "Two"
    assert labels(axes)[0].endswith(r"tokens: _hidden \$x\$")
    assert labels(axes)[1].endswith("tokens: longlonglonglonglonglonglon...")


KINDS = {
    "tokens": (CURVES, {}),
    "expected": (CURVES[N:], {"accounting": "expected"}),
    "dollars": (CURVES, {"rate": 2e-5}),
    "rates and calls": (CURVES, {"rate": np.linspace(1, 3, N + 4), "call": 90.0}),
    "dollars in expectation": (CURVES[N:], {"rate": 1e-3, "call": 0.05, "accounting": "expected"}),
    "levels": (CURVES[: N + 2], {"levels": [0, 256, 1024, 4096]}),
    "option rates": (CURVES[N + 2 :], {"rate": [[1.0, 2.0, 0.5], [3.0]]}),
}


def priced(kind, share=0.4):
    curves, terms = KINDS[kind]
    everything = ca.allocate(curves, 2.0**40, **terms).spent
    return curves, ca.allocate(
        curves, round(share * everything, 3) if "dollars" in kind else int(share * everything), **terms
    )


@pytest.mark.parametrize("kind", KINDS)
def test_lines_through_the_dots_are_tangents_in_what_is_charged(kind):
    curves, result = priced(kind)
    rows = example_queries(curves, result)
    axes = drawn(curves, result)
    dots = axes.collections[0].get_offsets()
    funded = rows[result.funded[rows]]
    np.testing.assert_array_equal(dots[:, 0], result.charges[funded])
    solid = [line for line in axes.get_lines() if line.get_linestyle() == "-"][: len(funded)]
    marked = [line.get_xydata() for line in axes.get_lines() if line.get_linestyle() == "None"]
    tangents = dashed(axes)[-len(funded) :]
    slack = 1.001 * result.gap + 1e-9
    for line, dot, tangent, row in zip(solid, dots, tangents, funded, strict=True):
        (x0, y0), (x1, y1) = tangent.get_xydata()
        assert (y1 - y0) / (x1 - x0) == pytest.approx(result.price, rel=1e-9)
        surplus = dot[1] - result.price * dot[0]
        menu = isinstance(curves[int(row)], ca.Menu)
        choices = line.get_xydata() if "levels" not in KINDS[kind][1] and not menu else marked.pop(0)
        assert (choices[:, 1] - result.price * choices[:, 0]).max() <= surplus + slack
        assert np.abs(choices / dot - 1.0).max(axis=1).min() < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_the_words_are_those_of_what_is_charged(kind):
    curves, result = priced(kind)
    axes = drawn(curves, result)
    words = [axes.get_xlabel(), axes.get_title(loc="left"), labels(axes)[-1]]
    money = result.unit != "token"
    assert all(("budget unit" in text) == money for text in words)
    assert not (money and any("token" in text for text in words))
    assert ("expect" in words[0]) == ("expect" in words[1]) == (result.accounting == "expected")
    if money:
        axes = drawn(curves, result, unit="dollars")
        words = [axes.get_xlabel(), axes.get_title(loc="left"), labels(axes)[-1]]
        assert all("dollars" in text and "budget unit" not in text for text in words)


def test_a_group_s_queries_have_the_price_of_their_group():
    groups = [ca.Group("tight", budget=2000.0), ca.Group("free", guarantee=100.0)]
    result = ca.allocate_groups(CURVES, 12_000, groups, ["tight"] * 32 + ["free"] * 32).allocation
    axes = drawn(CURVES, result, queries=np.flatnonzero(result.funded)[[0, -1]])
    slopes = [(y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in (line.get_xydata() for line in dashed(axes))]
    assert len(slopes) == 2
    assert slopes[0] > 1.01 * slopes[1]
    assert f"{slopes[1]:.3g} to {slopes[0]:.3g} value/token" in labels(axes)[-1]


def test_a_baseline_without_a_price_has_no_price_line():
    axes = drawn(result=ca.uniform(CURVES, 30_000))
    assert dashed(axes) == []
    assert not any("price" in text for text in labels(axes))


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_pictures_are_files_of_their_suffix(tmp_path, suffix):
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    plot_curves(CURVES, RESULT, tmp_path / f"c.{suffix}")
    plot_frontier({"ours": frontier(CURVES, points=4)}, tmp_path / f"f.{suffix}")
    assert (tmp_path / f"c.{suffix}").read_bytes().startswith(start)
    assert (tmp_path / f"f.{suffix}").read_bytes().startswith(start)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("budget", [0, 10**6])
@pytest.mark.parametrize("n", [0, 1, 2])
def test_small_markets_can_be_drawn(tmp_path, n, budget):
    curves = CURVES[:n]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_curves(curves, ca.allocate(curves, budget), tmp_path / "c.png")
        plot_frontier(frontier(curves, [budget, budget + 9]), tmp_path / "f.png")
    for picture in ("c.png", "f.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


def test_the_state_of_pyplot_is_not_touched(tmp_path):
    before = sys.modules.get("matplotlib.pyplot")
    plot_curves(CURVES, RESULT, tmp_path / "c.png")
    assert sys.modules.get("matplotlib.pyplot") is before


def test_refusals(tmp_path, monkeypatch):
    with pytest.raises(ca.InvalidArgument, match="result is 'of 64 queries'; allowed: 2, as curves"):
        plot_curves(CURVES[:2], RESULT, tmp_path / "c.png")
    with pytest.raises(ca.InvalidArgument, match=r"is '\.bmp2'; allowed: .*\.png"):
        plot_curves(CURVES, RESULT, tmp_path / "c.bmp2")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ca.NotSupported, match=r"drawing needs matplotlib, .*'clear-alloc\[plot\]'"):
        plot_curves(CURVES, RESULT, tmp_path / "c.png")
    assert list(tmp_path.iterdir()) == []


ROLLOUTS = {
    "query_id": np.repeat(np.arange(40), 6),
    "tokens": GENERATOR.lognormal(6, 0.4, 240),
    "correct": GENERATOR.random(240) < np.repeat(GENERATOR.random(40), 6),
}


def test_the_dots_of_a_calibration_are_its_deciles(tmp_path):
    fitted = ca.fit(ROLLOUTS, judge=True)
    axes = Figure().subplots()
    plot_calibration(fitted.report, axes)
    diagonal, dots = axes.get_lines()
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    np.testing.assert_array_equal(dots.get_xdata(), fitted.report.calibration.predicted)
    np.testing.assert_array_equal(dots.get_ydata(), fitted.report.calibration.observed)
    assert f"{fitted.report.calibration.error:.3f} apart on average" in axes.get_title(loc="left")
    assert "240 held-out rollouts of 40 queries" in axes.get_title(loc="left")
    assert f"pooled: {fitted.report.held_out['pooled'].log_likelihood:.3f}" in axes.texts[0].get_text()
    plot_calibration(fitted.judge(), tmp_path / "c.svg")
    assert (tmp_path / "c.svg").read_bytes().startswith(b"<?xml")
    with pytest.raises(ca.InvalidArgument, match=r"a report without a judgement.*fit with judge=True"):
        plot_calibration(ca.fit(ROLLOUTS).report, tmp_path / "d.svg")
