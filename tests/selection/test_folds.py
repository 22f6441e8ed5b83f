"""Folds: how rollouts are dealt, and which fits are made of the others."""

from oracles.set_aside import table

import clear_alloc as ca
from clear_alloc.fit.rollouts import read_rollouts
from clear_alloc.selection import folds as folds_module
from clear_alloc.selection.folds import Folds


def test_more_folds_than_rollouts_set_one_aside_at_a_time():
    columns = table(14, most=3)
    many, enough = (ca.choose(columns, 1500, folds=folds) for folds in (10**12, 3))
    assert many.held_out == enough.held_out
    assert repr(ca.CrossFit(columns, folds=10**12)).endswith("6 queries, 3 folds>")


def test_fits_are_made_once(monkeypatch):
    made = {"basis_of": 0, "curves_of": 0}

    def counted(name):
        real = getattr(folds_module, name)

        def call(*args):
            made[name] += 1
            return real(*args)

        return call

    for name in made:
        monkeypatch.setattr(f"clear_alloc.selection.folds.{name}", counted(name))
    trial = ca.CrossFit(table(15), ["lognormal", "shifted_surge"])
    assert set(made.values()) == {0}
    for budget in (500, 1500, 3000, 1500):
        trial.choose(budget)
    assert made["basis_of"] == 4 + 1
    assert 2 * 4 < made["curves_of"] <= 2 * (4 + 1)


def test_each_query_is_dealt_in_its_own_order_and_keeps_a_rollout():
    data = read_rollouts({"query_id": list("abacaab"), "tokens": range(1, 8), "correct": [1] * 7})
    folds = Folds(data, 3)
    assert [rows.tolist() for rows in folds.test_rows] == [[0, 1, 5], [2, 6], [4]]
    for fold in range(3):
        assert len(folds.curves("lognormal", fold)) == 3
    alone = Folds(read_rollouts({"query_id": [1, 2], "tokens": [3, 4], "correct": [1, 1]}), 4)
    assert [rows.tolist() for rows in alone.test_rows] == [[]]
