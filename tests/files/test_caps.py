"""Caps on disk."""

from __future__ import annotations

import numpy as np
import pytest
from support.tables import per_format, write_rows

import clear_alloc as ca
from clear_alloc import files


@per_format
@pytest.mark.parametrize("menu", [False, True])
def test_caps_come_back(tmp_path, suffix, menu):
    path = tmp_path / f"caps.{suffix}"
    curves = ca.ShiftedSurge([100, 200, 9000], 50, 0.5)
    curves = ca.concatenate([curves, ca.Menu([[0, 10]], [[0.1, 0.5]])]) if menu else curves
    names = ["a", 'b "quoted", with a comma', "c", "d"][: len(curves)]
    result = ca.allocate(curves, 400)
    files.write_caps(path, result, names)
    found = files.read_caps(path)
    assert found["query_id"].tolist() == names
    np.testing.assert_array_equal(found["tokens"], result.tokens)
    np.testing.assert_array_equal(found["funded"], result.funded)
    np.testing.assert_array_equal(found["choice"], result.choice if menu else [-1] * len(names))
    assert found["reason"].tolist() == [reason.name.lower() for reason in result.reasons]
    assert {"funded", "too_dear"} <= set(found["reason"])
    assert found["charge"].tolist() == result.charges.tolist()
    assert found["charge"].sum() == result.spent


@per_format
def test_caps_without_reasons_and_charges_are_read_too(tmp_path, suffix):
    path = tmp_path / f"caps.{suffix}"
    write_rows(
        path, [{"query_id": "a", "tokens": 1, "funded": True}, {"query_id": "b", "tokens": 0, "funded": False}]
    )
    found = files.read_caps(path)
    assert (found["tokens"].tolist(), found["reason"].tolist()) == ([1, 0], [None, None])
    assert np.isnan(found["charge"]).all()


def test_caps_are_charged_in_the_unit_of_the_budget(tmp_path):
    result = ca.allocate(ca.LognormalArrival([300, 900], 0.5, 0.9), 5.0, accounting="expected", rate=0.01, call=0.5)
    files.write_caps(tmp_path / "caps.csv", result, ["a", "b"])
    assert files.read_caps(tmp_path / "caps.csv")["charge"].sum() == pytest.approx(result.spent)
    assert 1.0 < result.spent < 5.0
