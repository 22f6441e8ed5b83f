"""The report: counts, flags, and notes on what the table seems to hide."""

import json

import numpy as np
import pytest
from oracles.rollout_pools import simulate

from clear_alloc.fit import fit


def test_the_report_counts_flags_and_is_json():
    table = {
        "query_id": ["x", "y", "y", "y", "z", "z", "z"],
        "tokens": [50, 60, 70, 80, 90, 100, 100],
        "correct": [0, 1, 1, 0, 1, 0, 0],
        "cap": [None, None, None, 80, 100, 100, 100],
    }
    report = fit(table, "cumulative_surge").report
    assert report.n.tolist() == [1, 3, 3]
    assert report.solved.tolist() == [0, 2, 1]
    assert report.censored.tolist() == [0, 1, 2]
    told = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert [q["id"] for q in told["queries"]] == ["x", "y", "z"]
    assert told["queries"][0]["flags"] == ["single_rollout", "never_solved"]
    assert told["queries"][1]["flags"] == ["always_solved"]
    assert told["queries"][2]["flags"] == ["always_solved", "beyond_caps"]
    assert told["family"] == "cumulative_surge"
    text = str(report)
    assert "7 rollouts of 3 queries (cumulative_surge)" in text
    assert "right 42.9%, stopped by their cap 42.9%" in text
    assert "threshold in medians" in text
    assert "1 queries: one rollout" in text


def test_the_note_on_single_rollouts():
    table = simulate(19, 60, 1)[0]
    assert any("no query has two" in note for note in fit(table).report.notes)
    assert fit(simulate(19, 60, 2)[0]).report.notes == ()


def pile(capped):
    table = {"query_id": np.repeat(np.arange(25), 4), "tokens": np.full(100, 4000), "correct": np.zeros(100, int)}
    table["tokens"][:3], table["correct"][:3] = [310, 700, 520], 1
    return {**table, "cap": np.full(100, 4000)} if capped else table


@pytest.mark.parametrize("family", ["lognormal", "empirical", "paper"])
def test_a_pile_up_of_wrong_lengths_is_asked_about(family):
    (note,) = (note for note in fit(pile(False), family).report.notes if "was that a cap?" in note)
    assert note.startswith("97% of the lengths are 4,000 tokens, and none of these is right")
    assert "Pass it as column cap" in note
    assert not any("was that a cap?" in note for note in fit(pile(True), family).report.notes)


def test_lengths_that_some_answers_share_are_no_cap():
    table = pile(False)
    table["correct"][50] = 1  # right at the pile itself
    short = {
        "query_id": np.repeat(np.arange(30), 4),
        "tokens": np.tile([5, 6, 7, 8, 9, 7], 20),
        "correct": [0, 1] * 60,
    }
    instant = {"query_id": [1] * 9, "tokens": [2] * 4 + [100, 130, 150, 160, 170], "correct": [0] * 4 + [1] * 5}
    for rollouts in (table, short, instant):
        assert not any("cap" in note for note in fit(rollouts).report.notes)


SETTINGS = {
    "model": (["small", "large"] * 20, True),
    "effort": ([1024, 4096, 1024, 1024, 4096] * 8, True),
    "thinking": ([True, False, False, True] * 10, True),
    "sample": ([0, 1, 2, 3] * 10, False),
    "epoch": (["run-1", "run-2", "run-3", "run-4"] * 10, False),
    "subject": (np.repeat(["maths", "physics"], 20), False),
    "finish_reason": (["stop", "length"] * 20, False),
    "seed": (np.arange(40), False),
    "vector": (np.ones((40, 2)), False),
    "payload": ([{"a": 1}] * 40, False),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_column_that_tells_rollouts_of_a_query_apart_is_named(name):
    values, named = SETTINGS[name]
    rng = np.random.default_rng(1)
    table = {
        "query_id": np.repeat(np.arange(10), 4),
        "tokens": rng.integers(90, 110, 40),
        "correct": [1, 1, 0, 1] * 10,
    }
    report = fit({**table, name: values}).report
    assert any(note.startswith(f"column {name!r} differs between rollouts") for note in report.notes) == named
    assert fit(table).report.notes == ()


def test_a_column_that_says_again_what_is_right_is_no_setting():
    table = {"query_id": np.repeat(np.arange(10), 4), "tokens": np.arange(90, 130), "correct": [1, 1, 0, 1] * 10}
    assert fit({**table, "mark": ["good", "good", "bad", "good"] * 10}).report.notes == ()
