"""The README shows what `make run` prints, and the data beside the code are what their script makes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import clear_alloc as ca
from benchmarks import main_job
from benchmarks.scoring import held_out_accuracy, hindsight_curves, split_by_parity

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def made():
    return main_job.table()


@pytest.mark.slow
def test_the_readme_shows_the_table_that_make_run_prints(made):
    readme = (ROOT / "README.md").read_text().splitlines()
    missing = [line for line in made[0] if line and line not in readme]
    assert not missing, f"README is out of date: {missing[0]}"


@pytest.mark.slow
def test_priced_caps_keep_far_more_right_answers_than_a_uniform_cap(made):
    _, split, fitted = made
    n, used = len(fitted.ids), split.scoring["tokens"].mean()
    for share, ratio in ((0.2, 20.0), (0.5, 1.5)):
        priced, uniform = (
            held_out_accuracy(split, fitted.ids, policy(fitted.curves, int(share * used * n)).tokens)
            for policy in (ca.allocate, ca.uniform)
        )
        assert priced > ratio * uniform


def test_no_rollout_is_used_both_to_fit_and_to_score():
    rollouts = main_job.load()
    split = split_by_parity(rollouts)
    assert set(split.fitting["sample"] % 2) == {1}
    assert set(split.scoring["sample"] % 2) == {0}
    assert len(split.fitting["sample"]) + len(split.scoring["sample"]) == len(rollouts["sample"])


@pytest.mark.slow
def test_hindsight_curves_promise_what_scoring_finds(made):
    _, split, fitted = made
    curves = hindsight_curves(split, fitted.ids)
    caps = np.arange(len(fitted.ids)) % 60
    assert curves.utility(caps).mean() == pytest.approx(held_out_accuracy(split, fitted.ids, caps), abs=1e-12)


@pytest.mark.slow
def test_the_job_writes_one_cap_per_question_and_a_plot(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(main_job, "OUT", tmp_path)
    main_job.main()
    lines = [json.loads(line) for line in (tmp_path / "allocation.jsonl").read_text().splitlines()]
    assert len({line["query_id"] for line in lines}) == 430
    assert sum(line["tokens"] for line in lines) <= 0.2 * 430 * 39
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    assert "clear_alloc" in capsys.readouterr().out


@pytest.mark.slow
def test_the_synthetic_curves_are_what_their_script_makes(tmp_path):
    subprocess.run([sys.executable, ROOT / "data" / "make_curves.py", tmp_path], check=True, capture_output=True)
    for made_file in sorted(tmp_path.iterdir()):
        assert made_file.read_bytes() == (ROOT / "data" / made_file.name).read_bytes()
    assert len(list(tmp_path.iterdir())) == 5
