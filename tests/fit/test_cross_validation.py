"""fit: what held-out rollouts say of the curves, and the choice of a family by it."""

import json

import numpy as np
import pytest

import clear_alloc as ca
from clear_alloc.errors import InvalidArgument
from clear_alloc.fit import fit
from clear_alloc.fit.cross_validation import MIXTURE_WEIGHT, _happened, _sides
from clear_alloc.fit.rollouts import read_rollouts


def simulate(seed, queries, each, stopped=0.0, shape="lognormal"):
    """Rollouts of a known shape; caps differ between rollouts and are recorded for all of them."""
    rng = np.random.default_rng(seed)
    query = np.repeat(np.arange(queries), each)
    scale, chance = np.exp(rng.normal(7.0, 0.5, queries)), rng.beta(1.2, 0.8, queries)
    spread = (
        rng.normal(0.0, 0.3, len(query)) if shape == "lognormal" else np.log(0.5 + rng.gamma(2.0, 0.3, len(query)))
    )
    length, right = scale[query] * np.exp(spread), rng.random(len(query)) < chance[query]
    table = {"query_id": query, "tokens": length, "correct": right}
    if stopped:
        cap = np.quantile(length, 1.0 - stopped) * np.exp(rng.normal(0.0, 0.3, len(query)))
        table |= {"tokens": np.minimum(length, cap), "correct": right & (length <= cap), "cap": cap}
    return table


def brute_force(table, family):
    """Log likelihood and Brier score of every held-out rollout, one at a time."""
    data = read_rollouts(table)
    side, ids = _sides(data), np.asarray(data.ids)
    right_lengths = data.tokens[data.right]
    edges = [float(np.quantile(right_lengths, t / 10)) for t in range(1, 10)]
    names, cap = ids[data.query], data.cap
    logs, briers = [], []
    for half in (side, ~side):
        columns = {
            "query_id": names[half],
            "tokens": data.tokens[half],
            "correct": data.right[half],
            "cap": cap[half],
        }
        columns["cap"] = np.where(np.isinf(columns["cap"]), np.nan, columns["cap"])
        fitted = fit(columns, family)
        pool = fit({**columns, "query_id": ["all"] * int(half.sum())}, "empirical").curves

        def chances(curves, place, caps):
            return curves[place].utility(np.asarray(caps)[:, None])[:, 0]

        for row in np.flatnonzero(~half):
            if names[row] not in fitted.ids:
                continue
            ends = sorted({min(edge, cap[row]) for edge in [*edges, 2.0**53]})
            own, all_ = chances(fitted.curves, fitted.ids.index(names[row]), ends), chances(pool, 0, ends)
            events = [data.right[row] and data.tokens[row] <= end for end in ends]
            briers.append([(p - e) ** 2 for p, e in zip(own, events, strict=True)])

            def of_this(p, events=events, row=row):
                if not data.right[row]:
                    return 1.0 - p[-1]
                k = events.index(True)
                return p[k] - (p[k - 1] if k else 0.0)

            n = int(half.sum())
            floor = (n * of_this(all_) + 1.0 / (len(ends) + 1)) / (n + 1)
            logs.append(np.log((1 - MIXTURE_WEIGHT) * of_this(own) + MIXTURE_WEIGHT * floor))
    return np.mean(logs), np.mean(np.concatenate(briers))


@pytest.mark.parametrize("family", ["lognormal", "shifted_surge", "empirical", "paper"])
@pytest.mark.parametrize("stopped", [0.0, 0.4])
def test_scores_are_those_of_a_rollout_at_a_time(family, stopped):
    table = simulate(1, 12, 5, stopped)
    judged = fit(table, family).judge()
    likelihood, brier = brute_force(table, family)
    assert judged.held_out["own"].log_likelihood == pytest.approx(likelihood, rel=1e-9)
    assert judged.held_out["own"].brier == pytest.approx(brier, rel=1e-9)
    assert judged.rollouts == 60
    assert judged.by_query.sum() / judged.rollouts == pytest.approx(likelihood, rel=1e-9)


def test_the_probabilities_of_all_outcomes_sum_to_one():
    chance = np.array([[0.1], [0.1], [0.4], [0.7]])
    hits = [np.arange(4)[:, None] >= first for first in range(5)]
    each = [float(_happened(chance, hit)[0]) for hit in hits]
    assert each == pytest.approx([0.1, 0.0, 0.3, 0.3, 0.3])
    assert sum(each) == pytest.approx(1.0)


def test_no_rollout_is_judged_by_a_curve_that_it_made():
    # Coin flips: in the sample a query's own shares are perfect, of the next rollouts they know nothing.
    rng = np.random.default_rng(2)
    table = {"query_id": np.repeat(np.arange(500), 2), "tokens": np.full(1000, 50), "correct": rng.random(1000) < 0.5}
    judged = fit(table, "empirical").judge()
    assert judged.held_out["own"].brier == pytest.approx(0.5, abs=0.05)
    assert judged.calibration.error == pytest.approx(0.5, abs=0.05)
    assert judged.calibration.predicted.tolist() == [0.0, 1.0]
    assert judged.held_out["pooled"].brier == pytest.approx(0.25, abs=0.01)


def test_every_rollout_of_a_query_with_two_or_more_is_judged_once():
    table = {
        "query_id": [1, 2, 2, 3, 3, 3, 4, 4],
        "tokens": [9, 8, 7, 6, 5, 4, 3, 2],
        "correct": [1, 1, 0, 1, 1, 1, 1, 1],
    }
    judged = fit(table).judge()
    assert (judged.rollouts, judged.queries, len(judged.by_query)) == (7, 3, 3)
    side = _sides(read_rollouts(table))
    for rows, most in (([1, 2], 1), ([3, 4, 5], 2), ([6, 7], 1)):
        assert 1 <= side[rows].sum() <= most


@pytest.mark.parametrize("stopped", [0.0, 0.3])
def test_promises_of_the_true_model_are_kept(stopped):
    judged = fit(simulate(3, 1500, 8, stopped), judge=True).report
    assert judged.calibration.error < 0.02
    assert len(judged.calibration.count) == 10
    assert judged.held_out["own"].log_likelihood > judged.held_out["empirical"].log_likelihood + 0.1
    assert judged.held_out["own"].log_likelihood > judged.held_out["pooled"].log_likelihood + 0.1
    assert judged.held_out["own"].brier < judged.held_out["empirical"].brier < judged.held_out["pooled"].brier


def test_promises_that_are_not_kept_show():
    # A family that knows no solvability promises the same to all.
    judged = fit(simulate(4, 300, 8), "paper").judge()
    assert judged.calibration.error > 0.08


@pytest.mark.parametrize(("shape", "best"), [("lognormal", "lognormal"), ("surge", "cumulative_surge")])
def test_auto_chooses_the_family_that_made_the_rollouts(shape, best):
    fitted = fit(simulate(5, 400, 8, shape=shape), "auto", weight=2.0)
    report = fitted.report
    assert report.family == best
    assert set(report.candidates) == {"lognormal", "shifted_surge", "cumulative_surge"}
    assert max(report.candidates, key=report.candidates.get) == best
    assert report.judgement.held_out["own"].log_likelihood == report.candidates[best]
    assert fitted.curves.weight.tolist() == [2.0] * 400
    (note,) = (note for note in report.notes if "chosen by held-out" in note)
    assert note.startswith(
        f"{best} chosen by held-out log likelihood, {report.candidates[best]:.4f} nats per rollout; "
    )
    for other in set(report.candidates) - {best}:
        assert f"{other} has {report.candidates[best] - report.candidates[other]:.4f} +- " in note
    same = fit(simulate(5, 400, 8, shape=shape), best)
    for name in same.curves.parameters:
        assert getattr(fitted.curves, name).tolist() == getattr(same.curves, name).tolist()


def test_the_error_of_a_lead_is_its_scatter_over_repetitions():
    leads, errors = [], []
    for seed in range(30):
        table = simulate(100 + seed, 60, 6)
        one, two = fit(table).judge(), fit(table, "shifted_surge").judge()
        lead, error = one.ahead_of(two)
        assert lead == pytest.approx(one.held_out["own"].log_likelihood - two.held_out["own"].log_likelihood)
        leads.append(lead)
        errors.append(error)
    assert 0.6 < np.std(leads) / np.mean(errors) < 1.6


ALONE = {"query_id": [1, 2, 3], "tokens": [9, 8, 7], "correct": [1, 0, 1]}
ONE_RIGHT = {"query_id": [1, 1, 2, 2], "tokens": [9, 8, 7, 6], "correct": [1, 0, 0, 0]}


@pytest.mark.parametrize(
    ("table", "reason"),
    [(ALONE, "no query has two rollouts"), (ONE_RIGHT, "one half of the rollouts is too few to fit on")],
)
def test_what_cannot_be_judged_says_why(table, reason):
    fitted = fit(table, judge=True)
    assert fitted.report.calibration is None
    assert fitted.report.held_out is None
    assert any(note.startswith(f"not judged: {reason}") for note in fitted.report.notes)
    with pytest.raises(InvalidArgument, match=f"rollouts is '{reason[:30]}.*record more rollouts") as refused:
        fitted.judge()
    assert str(refused.value.value).startswith(reason)  # the message cuts the middle of long values
    auto = fit(table, "auto").report
    assert auto.family == "lognormal"
    assert auto.candidates == {}
    assert any(note.startswith(f"nothing to choose a family by, so lognormal: {reason}") for note in auto.notes)


def test_a_fit_is_judged_alike_at_once_and_later_and_whatever_the_weights():
    table = simulate(6, 40, 4, 0.3)
    at_once = fit(table, judge=True, weight=7.0)
    later = fit(table)
    assert later.report.judgement is None
    assert at_once.judge() is at_once.report.judgement
    assert later.judge() is later.judge()
    assert later.judge().to_dict() == at_once.judge().to_dict()


def test_a_judgement_is_printed_and_is_json():
    report = fit(simulate(7, 60, 6), "auto").report
    told = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert told["judgement"]["calibration"]["error"] == report.calibration.error
    assert sum(told["judgement"]["calibration"]["count"]) == 360 * 10
    assert list(told["judgement"]["held_out"]) == ["own", "empirical", "pooled"]
    assert told["candidates"] == dict(report.candidates)
    text = str(report)
    assert "judged on 360 held-out rollouts of 60 queries" in text
    assert f"{report.held_out['pooled'].log_likelihood:.4f}" in text
    assert f"{report.calibration.error:.3f} apart on average" in text
    plain = fit(simulate(7, 60, 6)).report
    assert "judgement" not in plain.to_dict()
    assert "held-out" not in str(plain)


def test_an_unknown_family_is_told_of_auto():
    with pytest.raises(InvalidArgument, match="empirical, paper, auto"):
        ca.fit(ALONE, "best")
