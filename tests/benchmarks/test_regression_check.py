"""compare: what changed between two runs, and when it exits with 1."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.common.environment import environment
from benchmarks.common.rows import write_rows
from benchmarks.regression_check import compared
from benchmarks.rows import Row

PLACE = ("scarcity", "Balanced", 0.1, 0.0)


def row(policy="ours", seed=0, accuracy=0.2, **other):
    setting = {"experiment": "scarcity", "stream": "Balanced", "level": 0.1, "noise": 0.0, **other}
    return Row(seed=seed, queries=500, policy=policy, charged="reserved", budget=100, accuracy=accuracy, **setting)


def run_of(policy="ours", shift=0.0, wobble=0.0, seeds=4):
    return [row(policy, seed, 0.2 + 0.05 * seed + shift + wobble * (-1) ** seed) for seed in range(seeds)]


def exit_of(tmp_path, before, after, *options):
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for path, rows in zip(paths, (before, after), strict=True):
        write_rows(path, rows, environment())
    done = CliRunner().invoke(app, ["compare", *map(str, paths), *options])
    return done.exit_code, done.output


def test_a_file_against_itself_has_no_change(tmp_path):
    found = compared(run_of(), run_of())
    assert [(c.place, c.policy, c.paired.difference, c.real) for c in found.changes] == [(PLACE, "ours", 0.0, False)]
    assert found[2:] == ([], [], [], [])
    assert [(own.experiment, own.settings, own.seeds, own.difference) for own in found.pooled] == [
        ("scarcity", 1, 4, 0.0)
    ]
    code, said = exit_of(tmp_path, run_of(), run_of())
    assert code == 0
    assert "nothing of ours got worse" in said


@pytest.mark.parametrize(
    ("shift", "wobble", "tolerance", "code"),
    [
        (-0.01, 0.0, "0.25", 1),  # one point less with every seed
        (-0.01, 0.0, "6", 0),  # which is tolerated
        (-0.01, 0.05, "0.25", 0),  # or lost in the noise
        (0.01, 0.0, "0.25", 0),
        (-0.0004, 0.0, "0.25", 0),
    ],
)
def test_ours_may_not_lose_more_than_the_tolerance(tmp_path, shift, wobble, tolerance, code):
    result = exit_of(tmp_path, run_of(), run_of(shift=shift, wobble=wobble), "--tolerance", tolerance)
    assert result[0] == code, result[1]
    assert ("worse:" in result[1]) == bool(code)


def test_seeds_are_paired_and_not_pooled():
    change = compared(run_of(), run_of(shift=-0.001)).changes[0]  # the seeds differ by 5 points, the runs by 0.1
    assert change.real
    assert change.paired.difference == pytest.approx(-0.001)
    assert change.paired.seeds == 4


def test_others_may_lose(tmp_path):
    assert exit_of(tmp_path, run_of("CLEAR"), run_of("CLEAR", shift=-0.1))[0] == 0
    assert exit_of(tmp_path, run_of("ours, expected"), run_of("ours, expected", shift=-0.1))[0] == 1


def test_one_seed_counts_as_it_is():
    losing = compared([row(accuracy=0.3)], [row(accuracy=0.29)]).changes[0]
    assert losing.real
    assert losing.worse(0.0025)
    assert not losing.worse(0.02)


def test_a_new_failure_is_a_regression_and_an_old_one_is_not(tmp_path):
    broken = [replace(row(seed=2), accuracy=None, error="ValueError: no")]
    kept = [own for own in run_of() if own.seed != 2]
    code, said = exit_of(tmp_path, run_of(), kept + broken)
    assert code == 1
    assert "fails now" in said
    assert "seed 2: ValueError: no" in said
    assert exit_of(tmp_path, kept + broken, kept + broken)[0] == 0
    assert compared(kept + broken, run_of()).failing == []


def test_settings_in_one_file_alone_are_named():
    found = compared([*run_of(), row(level=0.5)], [*run_of(), row(noise=0.25), row("CLEAR")])
    assert found.gone == [(("scarcity", "Balanced", 0.5, 0.0), "ours")]
    assert found.new == [(("scarcity", "Balanced", 0.1, 0.0), "CLEAR"), (("scarcity", "Balanced", 0.1, 0.25), "ours")]
    assert len(found.changes) == 1


def test_the_largest_loss_comes_first():
    before = run_of() + [replace(own, level=0.3) for own in run_of()]
    after = run_of(shift=-0.01) + [replace(own, level=0.3) for own in run_of(shift=-0.03)]
    assert [change.place[2] for change in compared(before, after).regressions(0.0)] == [0.3, 0.1]


def test_a_small_loss_in_every_setting_is_a_regression(tmp_path):
    before, after = (
        [replace(own, level=level) for level in (0.1, 0.2) for own in run_of(shift=by)] for by in (0, -0.001)
    )
    code, said = exit_of(tmp_path, before, after)
    assert code == 1
    assert "scarcity, ours: -0.10 points over 2 settings" in said
    assert compared(before, after).regressions(0.0025) == []
    mixed = after[:4] + [replace(own, accuracy=own.accuracy + 0.002) for own in after[4:]]
    assert exit_of(tmp_path, before, mixed)[0] == 0


def test_passing_the_budget_oftener_is_a_regression(tmp_path):
    def spent(share):
        return [replace(own, charged="expected", fullest=share) for own in run_of("ours, expected")]

    code, said = exit_of(tmp_path, spent(0.99), spent(1.01))
    assert code == 1
    assert "0 % -> 100 % of batches over budget" in said
    assert exit_of(tmp_path, spent(1.01), spent(0.99))[0] == 0
    assert exit_of(tmp_path, spent(1.01), spent(1.02))[0] == 0


def test_a_policy_of_ours_that_is_gone_is_no_improvement(tmp_path):
    code, said = exit_of(tmp_path, run_of() + run_of("ours, chosen"), run_of())
    assert code == 1
    assert "missing: 1 settings of ours" in said
    assert exit_of(tmp_path, run_of() + run_of("CLEAR"), run_of())[0] == 0


def test_other_queries_are_not_compared(tmp_path):
    for column, value in (("queries", 499), ("budget", 101), ("uncapped", 7.0)):
        other = [replace(own, **{column: value}) for own in run_of(shift=-0.1)]
        found = compared(run_of() + run_of("CLEAR"), other + run_of("CLEAR"))
        assert found.other == [(PLACE, "ours")]
        assert [own.policy for own in found.changes] == ["CLEAR"]
    code, said = exit_of(tmp_path, run_of(), other)
    assert code == 2
    assert "no setting in common" in said


def test_files_that_are_not_there_or_empty_are_refused(tmp_path):
    missing = CliRunner().invoke(app, ["compare", str(tmp_path / "none.jsonl"), str(tmp_path / "none.jsonl")])
    assert missing.exit_code == 2
    assert f"there is no file {tmp_path / 'none.jsonl'}" in missing.output
    code, said = exit_of(tmp_path, [], run_of())
    assert code == 2
    assert f"{tmp_path / 'a.jsonl'} has no rows" in said


def test_files_of_something_else_are_refused_and_older_rows_are_read(tmp_path):
    for name, content in (("a.jsonl", '{"x": 1}\n'), ("b.jsonl", "no"), ("c.jsonl", "[1]\n"), ("d.parquet", "no")):
        (tmp_path / name).write_text(content)
        done = CliRunner().invoke(app, ["compare", str(tmp_path / name), str(tmp_path / name)])
        assert done.exit_code == 2
        assert "holds no rows of a run" in done.output
    write_rows(tmp_path / "old.jsonl", run_of(), environment())
    lines = [json.loads(line) for line in (tmp_path / "old.jsonl").read_text().splitlines()]
    older = [{name: value for name, value in line.items() if name != "fullest"} for line in lines]
    (tmp_path / "old.jsonl").write_text("".join(json.dumps(line) + "\n" for line in older))
    assert CliRunner().invoke(app, ["compare", *[str(tmp_path / "old.jsonl")] * 2]).exit_code == 0
