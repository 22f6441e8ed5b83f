"""Results as people read them: amounts, and what is no cap."""

from __future__ import annotations

import json

import numpy as np
import pytest

import clear_alloc as ca
from clear_alloc import files
from clear_alloc.cli import main, tables

GENERATOR = np.random.default_rng(4)


def fitted(log_length):
    tokens = GENERATOR.lognormal(log_length, 0.4, 24).round()
    names = np.repeat(["a", "b", "c"], 8)
    return ca.fit({"query_id": names, "tokens": tokens, "correct": np.tile([1, 0, 1, 1], 6)})


LEVELS = {"low": fitted(5), "high": fitted(7)}


def test_amounts_are_whole_or_have_six_digits():
    amounts = [0.0, 1200.0, 1234567.0, 1234567.5, 0.123456789, 1234.56789, None]
    assert [tables._amount(amount) for amount in amounts] == [
        "0", "1,200", "1,234,567", "1,234,568", "0.123457", "1,234.57", "-"
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_mean_lengths_are_never_taken_for_caps(tmp_path, capsys, suffix):
    menu = ca.menu_of_levels(LEVELS)
    result = ca.allocate(menu.curves, 5000)
    assert result.funded.all()
    assert result.capped.tolist() == [False] * 3 == result.to_dict()["capped"]
    assert repr(result).endswith("; 3 of the tokens are mean lengths, not caps>")
    curves, caps = tmp_path / f"curves.{suffix}", tmp_path / f"caps.{suffix}"
    files.write_curves(curves, menu.curves, menu.ids)
    assert main(["allocate", str(curves), "--budget", "5000", "-o", str(caps)]) == 0
    assert "3 of the tokens are mean lengths of options, not caps: run these without" in capsys.readouterr().out
    assert files.read_caps(caps)["capped"].tolist() == [False] * 3


@pytest.mark.parametrize("caps", [{"low": 200, "high": 2000}, {"low": 1, "high": 10**7}], ids=["usual", "extreme"])
def test_levels_with_caps_have_caps(tmp_path, capsys, caps):
    menu = ca.menu_of_levels(LEVELS, caps)
    mixed = ca.concatenate([menu.curves, ca.LognormalArrival(300, 0.5, 0.9), ca.menu_of_levels(LEVELS).curves])
    assert mixed.capped.tolist() == [True] * 4 + [False] * 3
    path = tmp_path / "caps.jsonl"
    result = ca.allocate(menu.curves, 5000)
    files.write_caps(path, result, menu.ids)
    assert "capped" not in path.read_text()
    assert files.read_caps(path)["capped"].all()
    assert "mean length" not in repr(result)


def test_who_gets_nothing_has_a_cap_of_nothing():
    assert ca.allocate(ca.menu_of_levels(LEVELS).curves, 0).capped.all()


def test_the_json_says_which_tokens_are_caps(tmp_path, capsys):
    menu = ca.menu_of_levels(LEVELS)
    files.write_curves(tmp_path / "c.jsonl", menu.curves, menu.ids)
    assert main(["allocate", str(tmp_path / "c.jsonl"), "--budget", "5000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["capped"] == [False] * 3
