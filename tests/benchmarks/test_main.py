"""The command: what it runs, says and refuses."""

from __future__ import annotations

import pytest
from support.benchmark_runs import TINY
from typer.testing import CliRunner

from benchmarks import __main__ as cli
from benchmarks import estimate as estimating
from benchmarks import running
from benchmarks.common.environment import environment
from benchmarks.common.rows import read_rows
from benchmarks.estimate import Speed
from benchmarks.experiments import EXPERIMENTS
from benchmarks.main_job import ROLLOUTS
from benchmarks.policies import POLICIES, Named
from benchmarks.rows import Row

pytestmark = pytest.mark.usefixtures("tiny")


def invoked(*words):
    found = CliRunner().invoke(cli.app, ["run", *map(str, words)])
    return found.exit_code, found.output


@pytest.fixture
def quickly(monkeypatch):
    monkeypatch.setattr(cli, "speed_of", lambda jobs: Speed(estimating.PROBE, jobs))


def test_the_command_runs_an_experiment_and_says_what_it_did(tmp_path, quickly):
    code, said = invoked("--only", "peers", "--only", "peers", "--seeds", 2, "--jobs", 1, "--out", tmp_path)
    assert code == 0
    assert "4 cases on 1 processes: about 0.1 minutes" in said
    assert "16 rows, 0 of them failures" in said
    assert len(read_rows(tmp_path / "rows.parquet", Row)[0]) == 16


def test_quick_is_two_seeds_and_some_budgets():
    cases = cli.planned(["peers", "scarcity"], True, None, ROLLOUTS)
    assert {case.seed for case in cases} == {0, 1}
    assert {case.stream: case.levels for case in cases}["Drift"] == (0.1, 0.5)
    assert len(cli.planned(["peers"], True, 1, ROLLOUTS)) == 2
    assert {case.levels for case in cli.planned(["peers"], False, None, ROLLOUTS)} == {TINY.levels}


def test_the_command_refuses_a_folder_of_other_code_unless_it_may_start_anew(tmp_path, quickly, monkeypatch):
    words = ("--only", "peers", "--seeds", 1, "--jobs", 1, "--out", tmp_path)
    assert invoked(*words)[0] == 0
    mine = environment()["code"]
    for module in (running,):
        monkeypatch.setattr(module, "environment", lambda: {**environment(), "code": "f" * 12})
    code, said = invoked(*words)
    assert code == 2
    assert f"code {mine}; this is code {'f' * 12}" in said
    assert "--fresh" in said
    (tmp_path / "thesis.tex").write_text("years of work")
    assert invoked(*words, "--fresh")[0] == 0
    assert read_rows(tmp_path / "rows.jsonl", Row)[1][0]["code"] == "f" * 12
    assert (tmp_path / "thesis.tex").exists()


def test_without_a_folder_every_state_of_the_code_has_its_own(tmp_path, quickly, monkeypatch):
    monkeypatch.setattr(cli, "OUT", tmp_path)
    assert invoked("--only", "peers", "--seeds", 1, "--jobs", 1)[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == [environment()["code"]]
    assert (tmp_path / environment()["code"] / "rows.parquet").exists()


def test_unknown_experiments_and_missing_files_are_refused_by_the_option_s_name(tmp_path):
    code, said = invoked("--only", "nonsense", "--out", tmp_path / "out")
    assert code == 2
    assert "'nonsense' is no experiment; choose from scarcity, paper" in said
    assert "--only" in said
    for path in (tmp_path / "none.parquet", tmp_path):
        code, said = invoked("--rollouts", path, "--out", tmp_path / "out")
        assert code == 2
        assert "--rollouts" in said
        assert f"there is no file {path}\n" in said
    assert invoked("--jobs", 0)[0] == invoked("--seeds", 0)[0] == 2
    assert not (tmp_path / "out").exists()


def test_failures_are_counted_and_leave_the_summary_standing(tmp_path, quickly, monkeypatch):
    def broken(batch, budget):
        raise ValueError("no luck")

    monkeypatch.setitem(POLICIES, "ours", Named(broken))
    monkeypatch.setitem(EXPERIMENTS, "scarcity", TINY._replace(policies=("uniform", "ours")))
    code, said = invoked("--only", "scarcity", "--seeds", 2, "--jobs", 1, "--out", tmp_path)
    assert code == 0
    assert "16 rows, 8 of them failures" in said
    assert "Balanced" in said
