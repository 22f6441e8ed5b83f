"""One record in, one rollout or one refusal out."""

from __future__ import annotations

import sys

import pytest

import clear_alloc as ca
from clear_alloc import importers


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf")])
def test_a_threshold_that_divides_nothing_is_refused(tmp_path, threshold):
    with pytest.raises(ca.InvalidArgument, match=r"threshold is .*; allowed: a finite number above 0"):
        importers.from_lm_eval(tmp_path / "unread.jsonl", tokens_from="n", threshold=threshold)


def test_without_inspect_ai_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "inspect_ai.log", None)
    monkeypatch.setitem(sys.modules, "inspect_ai", None)
    with pytest.raises(
        ca.NotSupported, match=r"needs inspect_ai, which is not .*: pip install 'clear-alloc\[inspect\]"
    ):
        importers.from_inspect(tmp_path / "log.eval")
