"""Reports of a fit: their suffix is judged before the work, and each is written whole."""

from __future__ import annotations

import json

import numpy as np
import pytest

import clear_alloc as ca
from clear_alloc.cli import reports

TOKENS = np.random.default_rng(1).lognormal(6, 0.4, 24)
ROLLOUTS = {"query_id": np.repeat(["a", "b", "c"], 8), "tokens": TOKENS, "correct": np.tile([1, 0, 1, 1], 6)}


def test_a_suffix_that_can_not_be_written_is_refused_before_the_work(tmp_path, monkeypatch):
    good = [tmp_path / "r.json", tmp_path / "r.PNG"]
    assert reports.check_reports(good) == good
    with pytest.raises(ca.InvalidArgument, match=r"--report is '.*r\.txt'; allowed: \.json, \.png, .*rename"):
        reports.check_reports([*good, tmp_path / "r.txt"])
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ca.NotSupported, match="drawing the report needs matplotlib"):
        reports.check_reports(good)


def test_each_report_is_written(tmp_path):
    fitted = ca.fit(ROLLOUTS)
    paths = [tmp_path / "r.json", tmp_path / "r.png"]
    judgement = reports.judgement_for(paths, fitted)
    assert judgement is fitted.judge()
    reports.write_reports(paths, {"family": "lognormal", "score": float("nan")}, judgement)
    assert json.loads(paths[0].read_text()) == {"family": "lognormal", "score": None}
    assert paths[1].read_bytes().startswith(b"\x89PNG")


def test_numbers_alone_are_not_judged(tmp_path):
    assert reports.judgement_for([tmp_path / "r.json"], ca.fit(ROLLOUTS)) is None
