"""The commonest mistakes, in Python and on the command line: each message says what is wrong and what to do."""

from __future__ import annotations

import json

import numpy as np
import pytest

import clear_alloc as ca
from clear_alloc import files
from clear_alloc.cli import main

CURVES = ca.ShiftedSurge([100, 400], [80, 200], [0.9, 0.8])
LENGTHS = ca.LognormalArrival([300, 900], 0.5, [0.9, 0.7])
ROLLOUTS = {"query_id": ["a", "a", "b"], "tokens": [90, 100, 110], "correct": [1, 0, 1]}
GROUPS = [ca.Group("team", budget=500.0)]

# The call, then what its message holds: the argument with its row, the value, what is allowed, what to do.
CALLS = {
    "a budget as text": (lambda: ca.allocate(CURVES, "1000"), "budget", "'1000'", "number of tokens", "pass"),
    "a negative budget": (lambda: ca.allocate(CURVES, -5), "budget", "-5", ">= 0", "pass the size of the pool"),
    "a budget that is no number": (lambda: ca.allocate(CURVES, float("nan")), "budget", "nan", "finite", "pass"),
    "floors beyond the budget": (
        lambda: ca.allocate(CURVES, 10, min_tokens=8), "min_tokens", "16", "10", "raise the budget",
    ),
    "a peak in per cent": (
        lambda: ca.ShiftedSurge([100, 400], 80, [0.9, 80]), "peak[1]", "80", "1", "",
    ),
    "a width of 0": (lambda: ca.ShiftedSurge([100, 400], [80, 0], 0.5), "width[1]", "0.0", "", ""),
    "a hole in the data": (lambda: ca.LognormalArrival([300, float("nan")], 0.5, 0.9), "median[1]", "nan", "", ""),
    "columns of two lengths": (lambda: ca.ShiftedSurge([100, 400], [80] * 3, 0.5), "width", "3", "2", ""),
    "curves as a list of numbers": (
        lambda: ca.allocate([900, 400], 1000), "curves[0]", "900", "ca.Query", "wrap the row in ca.Query(...)",
    ),
    "curves as text": (lambda: ca.allocate("curves.jsonl", 9), "curves", "'curves.jsonl'", "", "build"),
    "an id twice": (lambda: ca.allocate(CURVES, 900, ids=["a", "a"]), "ids[1]", "'a'", "", ""),
    "ids for other queries": (lambda: ca.allocate(CURVES, 900, ids=["a"]), "ids", "1", "2", ""),
    "an unknown accounting": (
        lambda: ca.allocate(CURVES, 900, accounting="expectd"), "accounting", "'expectd'", "expected", "",
    ),
    "expected costs of a curve without lengths": (
        lambda: ca.allocate(CURVES, 900, accounting="expected"), "accounting", "expected", "lognormal", "use",
    ),
    "certainty under expected accounting": (
        lambda: ca.allocate(LENGTHS, 900, accounting="expected", overrun=0), "overrun", "0", "0.5", "reserved",
    ),
    "a ceiling below the floor": (
        lambda: ca.allocate(CURVES, 900, min_tokens=50, max_tokens=[100, 20]), "max_tokens[1]", "20", "50", "raise",
    ),
    "a level in parts": (lambda: ca.allocate(CURVES, 900, levels=[0, 1.5]), "levels", "1.5", "whole", ""),
    "a rate of 0": (lambda: ca.allocate(CURVES, 900, rate=[1.0, 0.0]), "rate[1]", "0.0", "1e-15", ""),
    "neither budget nor price": (lambda: ca.allocate(CURVES), "budget", "None", "price", ""),
    "an unknown family": (lambda: ca.fit(ROLLOUTS, "log-normal"), "family", "'log-normal'", "lognormal", "choose"),
    "a score that is neither right nor wrong": (
        lambda: ca.fit({**ROLLOUTS, "correct": [1, 0.5, 1]}), "correct[1]", "0.5", "0 or 1", "",
    ),
    "a length below 0": (lambda: ca.fit({**ROLLOUTS, "tokens": [90, -1, 9]}), "tokens[1]", "-1", "0", ""),
    "a column of another name": (
        lambda: ca.fit({**{k: v for k, v in ROLLOUTS.items() if k != "tokens"}, "length": [1, 2, 3]}),
        "rollouts", "tokens", "query_id, tokens, correct", "rename or add the column",
    ),
    "a group that nobody declared": (
        lambda: ca.allocate_groups(CURVES, 900, GROUPS, ["team", "taem"]), "group_of[1]", "'taem'", "team", "",
    ),
    "a query out of range": (lambda: ca.Query(id="a", family="shifted_surge", threshold=-1, width=5, peak=0.5),
                             "threshold", "-1", "", ""),
}  # fmt: skip
OPTIONS = {
    "no budget": ("allocate {curves}", "--budget", "None", "--price", "name the size of the pool"),
    "budget and price": ("allocate {curves} --budget 9 --price 1", "--price", "1.0", "one of", "leave one"),
    "money without a rate": ("allocate {curves} --budget 4.5", "--budget", "4.5", "whole number", "--rate"),
    "budgets in parts": ("frontier {curves} --budgets 4,5.5", "--budgets[1]", "5.5", "whole number", "--rate"),
    "budgets with a space": ("frontier {curves} --budgets 4;5", "--budgets", "'4;5'", "commas", "1000,5000"),
    "a misspelt option": ("allocate {curves} --budgte 9", "--budgte", "", "", "--help"),
    "a misspelt command": ("alocate {curves}", "alocate", "", "", "--help"),
    "a file that is not there": ("allocate {folder}/nope.jsonl --budget 9", "nope.jsonl", "No such file", "", ""),
    "an unknown suffix": ("allocate {curves} --budget 9 -o {folder}/caps.txt", "caps.txt", "'.txt'", ".jsonl", ""),
    "output over input": (
        "allocate {curves} --budget 9 -o {curves}", "--output", "curves.jsonl", "another file", "choose another name",
    ),
    "an overrun of reserved caps": (
        "allocate {curves} --budget 9 --overrun 0.1", "--overrun", "0.1", "absent", "--accounting expected",
    ),
    "levels in words": ("allocate {curves} --budget 9 --levels low,high", "--levels", "'low,high'", "0,1024", ""),
    "groups of curves without them": (
        "allocate {curves} --budget 9 --groups {folder}/groups.jsonl", "--groups", "", "column group", "add",
    ),
    "a batch without scores": (
        "fit {rollouts} -o {folder}/c.jsonl --importer openai-batch", "--scores", "None", "custom_id", "scores",
    ),
    "an unknown importer": (
        "fit {rollouts} -o {folder}/c.jsonl --importer openai", "--importer", "'openai'", "openai-batch", "choose",
    ),
    "a map without its sign": (
        "fit {rollouts} -o {folder}/c.jsonl --map tokens", "--map", "'tokens'", "name=value", "query_id=question",
    ),
    "curves taken for rollouts": ("fit {curves} -o {folder}/c.jsonl", "curves.jsonl, row 1", "query_id", "", ""),
    "rollouts taken for curves": ("allocate {rollouts} --budget 9", "rollouts.jsonl, row 1", "id", "", ""),
}  # fmt: skip


def check(message, expected):
    for words in expected:
        assert words in message
    assert message.isprintable()
    assert 30 < len(message) < 600


@pytest.mark.parametrize("name", CALLS)
def test_in_python(name):
    call, *expected = CALLS[name]
    with pytest.raises(ca.ClearAllocError) as caught:
        call()
    check(str(caught.value), expected)
    if isinstance(caught.value, ca.InvalidArgument):
        assert caught.value.argument in expected[0]
        assert (caught.value.row is not None) == ("[" in expected[0])
        assert len(caught.value.remedy) > 10


@pytest.mark.parametrize("name", OPTIONS)
def test_on_the_command_line(tmp_path, capsys, name):
    paths = {name: str(tmp_path / f"{name}.jsonl") for name in ("curves", "rollouts", "groups")}
    files.write_curves(paths["curves"], CURVES, ["a", "b"])
    files.write_rollouts(paths["rollouts"], ROLLOUTS)
    (tmp_path / "groups.jsonl").write_text(json.dumps({"name": "team"}))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    line, *expected = OPTIONS[name]
    assert main(line.format(**paths, folder=tmp_path).split()) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    check(err.strip(), expected)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("foreign", ["\x1b[31mred\x1b[2J", "\u202eevil", "\x9b1m", "two\nlines", "x" * 10**6])
def test_names_of_others_are_harmless_in_every_message(foreign):
    calls = [
        lambda: ca.allocate(CURVES, 900, ids=[foreign, foreign]),
        lambda: ca.allocate(CURVES, 900, ids=[foreign]),
        lambda: ca.allocate_groups(CURVES, 900, GROUPS, ["team", foreign]),
        lambda: ca.allocate_groups(CURVES, 900, [ca.Group(foreign), ca.Group(foreign)], [foreign, foreign]),
        lambda: ca.fit({**ROLLOUTS, "query_id": [foreign, "b", None]}),
        lambda: ca.fit(ROLLOUTS, foreign),
        lambda: ca.fit(ROLLOUTS, weight={foreign: 1.0}),
        lambda: ca.allocate(CURVES, foreign),
        lambda: ca.menu_of_levels({"low": ca.fit(ROLLOUTS)}, {foreign: 1}),
        lambda: ca.allocate(CURVES, np.array([foreign])),
    ]
    for call in calls:
        with pytest.raises(ca.ClearAllocError) as caught:
            call()
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 1000
