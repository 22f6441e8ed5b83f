"""Logs of Inspect AI, made and read by inspect-ai itself.

Skipped where it is not installed (200 MB with all that it needs): pip install -e '.[inspect]'.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import clear_alloc as ca
from clear_alloc import importers
from clear_alloc.cli import main

inspect_ai = pytest.importorskip("inspect_ai", reason="inspect-ai is not installed")

from inspect_ai.dataset import Sample  # noqa: E402
from inspect_ai.log import read_eval_log, write_eval_log  # noqa: E402
from inspect_ai.model import GenerateConfig, ModelOutput, ModelUsage, get_model  # noqa: E402
from inspect_ai.scorer import Score, accuracy, includes, match, model_graded_qa, scorer  # noqa: E402
from inspect_ai.solver import generate, solver  # noqa: E402

# An evaluation leaves streams unclosed and uses what is deprecated; reading its log does neither (see below).
pytestmark = pytest.mark.filterwarnings("ignore")
per_format = pytest.mark.parametrize("log_format", ["eval", "json"])


@pytest.fixture(autouse=True)
def _leave_nothing_unclosed():
    yield
    gc.collect()


def says(text, tokens, reasoning=0, stop="stop"):
    output = ModelOutput.from_content("mockllm/model", text, stop_reason=stop)
    output.usage = ModelUsage(
        input_tokens=3, output_tokens=tokens, total_tokens=3 + tokens, reasoning_tokens=reasoning
    )
    return output


def run(folder, outputs, log_format="eval", scorers=None, samples=2, **options):
    """Path of the log of a tiny evaluation, in which the model gives these outputs one after the other."""
    dataset = [Sample(f"{k} + {k}?", target=str(2 * k), id=f"q{k}") for k in range(1, samples + 1)]
    task = inspect_ai.Task(
        dataset=dataset,
        solver=options.pop("solver", generate()),
        scorer=scorers or match(),
        **options.pop("task", {}),
    )
    model = get_model("mockllm/model", custom_outputs=outputs, **options.pop("model", {}))
    quiet = {"log_dir": str(folder), "log_format": log_format, "display": "none", "max_samples": 1}
    [log] = inspect_ai.eval(task, model=model, **{**quiet, **options})
    return log.location


def by_query(table):
    caps = table["cap"].tolist() if "cap" in table else [None] * len(table["tokens"])
    rows = zip(table["query_id"], table["tokens"].tolist(), table["correct"].tolist(), caps, strict=True)
    return sorted(rows)


def edited(path, change):
    log = read_eval_log(path)
    change(log)
    write_eval_log(log, path)
    return path


@scorer(metrics=[accuracy()])
def fixed(value):
    async def score(state, target):
        return Score(value=value)

    return score


@per_format
def test_epochs_are_rollouts_and_reasoning_counts_once(tmp_path, log_format):
    outputs = [says("2", 100, 60), says("9", 400, 390, "max_tokens"), says("2", 80, 70), says("4", 90)]
    path = run(tmp_path, outputs, log_format, epochs=2, max_tokens=400)
    tokens = {tokens for _, tokens, _, _ in by_query(importers.from_inspect(path))}
    assert tokens == {100, 400, 80, 90}
    assert {name for name, *_ in by_query(importers.from_inspect(path))} == {"q1", "q2"}
    found = importers.from_inspect(path)
    assert found["query_id"].tolist() == ["q1", "q1", "q2", "q2"]
    assert found["cap"].tolist() == [400.0] * 4
    assert ca.fit(found).report.censored.sum() == 1


def test_a_cut_answer_has_reached_its_cap_whatever_the_count_says(tmp_path):
    outputs = [says("9", 398, 390, "max_tokens"), says("9", 120, 0, "model_length")]
    found = importers.from_inspect(run(tmp_path, outputs, max_tokens=400))
    assert by_query(found) == [("q1", 398, 0, 398.0), ("q2", 120, 0, 120.0)]


def test_the_cap_of_the_model_holds_where_the_run_sets_none(tmp_path):
    config = {"config": GenerateConfig(max_tokens=256)}
    found = importers.from_inspect(run(tmp_path, [says("2", 10), says("4", 20)], model=config))
    assert [cap for *_, cap in by_query(found)] == [256.0, 256.0]
    found = importers.from_inspect(run(tmp_path, [says("2", 10), says("4", 20)], model=config, max_tokens=300))
    assert [cap for *_, cap in by_query(found)] == [300.0, 300.0]
    assert "cap" not in importers.from_inspect(run(tmp_path, [says("2", 10), says("4", 20)]))


@per_format
def test_a_model_that_grades_itself_is_not_charged_for_grading(tmp_path, log_format):
    outputs = [says("2", 100, 60), says("GRADE: C", 11), says("5", 130), says("GRADE: I", 12)]
    path = run(tmp_path, outputs, log_format, scorers=model_graded_qa(), max_tokens=400)
    assert by_query(importers.from_inspect(path)) == [("q1", 100, 1, 400.0), ("q2", 130, 0, 400.0)]


@per_format
def test_all_calls_of_a_sample_count_and_then_no_cap_is_known(tmp_path, log_format):
    @solver
    def twice():
        async def solve(state, generate):
            return await generate(await generate(state))

        return solve

    outputs = [says("hm", 100, 60), says("2", 30), says("hm", 50), says("4", 20)]
    path = run(tmp_path, outputs, log_format, solver=twice(), max_tokens=400)
    found = importers.from_inspect(path)
    assert by_query(found) == [("q1", 130, 1, None), ("q2", 70, 1, None)]


@pytest.mark.parametrize(("value", "right"), [("C", 1), ("I", 0), ("N", 0), (1, 1), (0.0, 0), (True, 1), (False, 0)])
def test_plain_scores_are_taken_at_their_word(tmp_path, value, right):
    found = importers.from_inspect(run(tmp_path, [says("2", 10)], samples=1, scorers=fixed(value)))
    assert found["correct"].tolist() == [right]


@pytest.mark.parametrize(
    ("value", "threshold", "right"), [("P", 0.5, 1), ("P", 0.6, 0), (0.7, 0.7, 1), (0.7, 0.8, 0), ("C", 0.9, 1)]
)
def test_partial_scores_need_a_threshold(tmp_path, value, threshold, right):
    path = run(tmp_path, [says("2", 10)], samples=1, scorers=fixed(value))
    assert importers.from_inspect(path, threshold=threshold)["correct"].tolist() == [right]
    if value != "C":
        with pytest.raises(ca.BadRow, match=r"row 1: sample 'q1', epoch 1: score 'fixed' is .*; give a threshold"):
            importers.from_inspect(path)


@pytest.mark.parametrize("value", ["maybe", [1, 0], {"a": 1}, float("nan")])
def test_other_scores_are_refused(tmp_path, value):
    path = run(tmp_path, [says("2", 10)], samples=1, scorers=fixed(value))
    with pytest.raises(ca.BadRow, match=r"score 'fixed' is .*; allowed: a number or a boolean"):
        importers.from_inspect(path, threshold=0.5)


def test_several_scorers_are_chosen_by_name(tmp_path):
    path = run(tmp_path, [says("2, or so", 10)], samples=1, scorers=[match(), includes()])
    with pytest.raises(
        ca.InvalidArgument, match="scorer is None; allowed: one of the scorers of the log: match, incl"
    ):
        importers.from_inspect(path)
    assert importers.from_inspect(path, scorer="match")["correct"].tolist() == [0]
    assert importers.from_inspect(path, scorer="includes")["correct"].tolist() == [1]
    with pytest.raises(ca.BadRow, match="it has no score 'none'; allowed: match, includes"):
        importers.from_inspect(path, scorer="none")


def only_skip(path, reason, row, name="q2"):
    with pytest.raises(ca.BadRow, match=reason):
        importers.from_inspect(path)
    table = importers.from_inspect(path, skip_bad_rows=True)
    assert [(skipped.row, name in skipped.reason) for skipped in table.skipped] == [(row, True)]
    return table


@per_format
def test_failed_samples_are_never_counted(tmp_path, log_format):
    @solver
    def fails_on_the_second():
        async def solve(state, generate):
            if state.sample_id == "q2":
                raise RuntimeError("the endpoint is gone")
            return await generate(state)

        return solve

    path = run(tmp_path, [says("2", 10)], log_format, solver=fails_on_the_second(), fail_on_error=False)
    table = only_skip(path, r"row 2: sample 'q2', epoch 1: it failed \(.*the endpoint is gone", 2)
    assert by_query(table) == [("q1", 10, 1, None)]


@per_format
def test_samples_that_an_interrupted_run_lost_are_missed(tmp_path, log_format):
    def interrupt(log):
        log.status, log.samples = "cancelled", [s for s in log.samples if s.id == "q1"]

    path = edited(run(tmp_path, [says("2", 10), says("4", 20)], log_format), interrupt)
    table = only_skip(path, "sample 'q2', epoch 1: it is not in the log, whose status is 'cancelled'", 2)
    assert by_query(table) == [("q1", 10, 1, None)]


def test_samples_without_score_or_usage_are_refused(tmp_path):
    def unscore(log):
        next(s for s in log.samples if s.id == "q2").scores = None

    def unmeasure(log):
        sample = next(s for s in log.samples if s.id == "q2")
        sample.model_usage, sample.output.usage, sample.events = {}, None, []

    path = run(tmp_path, [says("2", 10), says("4", 20)])
    only_skip(edited(path, unscore), r"it has no score; score the log \(inspect score\)", 2)
    path = run(tmp_path, [says("2", 10), says("4", 20)])
    only_skip(edited(path, unmeasure), "it has no usage of model 'mockllm/model'", 2)


def test_a_sample_stopped_by_a_limit_has_reached_its_cap(tmp_path):
    outputs = [says("9", 500), says("4", 20)]
    found = importers.from_inspect(run(tmp_path, outputs, token_limit=300, max_tokens=1000))
    assert by_query(found) == [("q1", 500, 0, 500.0), ("q2", 20, 1, 1000.0)]


@pytest.mark.parametrize("content", [b"", b"not a log", b"{}", b"PK\x05\x06" + bytes(18)])
@pytest.mark.parametrize("suffix", ["eval", "json"])
def test_what_is_no_log_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ca.InvalidArgument, match=r"the content of .* is 'not a log'; allowed: a log of Inspect AI"):
        importers.from_inspect(path)


def test_a_log_cut_short_is_refused(tmp_path):
    path = run(tmp_path, [says("2", 10), says("4", 20)])
    with zipfile.ZipFile(path) as whole:
        assert "header.json" in whole.namelist()
    short = tmp_path / "short.eval"
    short.write_bytes(Path(path).read_bytes()[:900])
    with pytest.raises(ca.InvalidArgument, match="is 'not a log'"):
        importers.from_inspect(short)


def test_other_suffixes_and_missing_files(tmp_path):
    with pytest.raises(ca.InvalidArgument, match=r"is '.jsonl'; allowed: .eval, .json"):
        importers.from_inspect(tmp_path / "x.jsonl")
    with pytest.raises(FileNotFoundError):
        importers.from_inspect(tmp_path / "none.eval")


def test_the_command_reads_logs(tmp_path, capsys):
    outputs = [says("2", 100), says("9", 220), says("2", 80), says("4", 90)]
    path = run(tmp_path, outputs, epochs=2, scorers=[match(), includes()])
    curves = tmp_path / "curves.jsonl"
    words = ["fit", path, "-o", str(curves), "--importer", "inspect", "--option", "scorer=match", "--json"]
    capsys.readouterr()
    assert main(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert sorted(query["id"] for query in said["queries"]) == ["q1", "q2"]
    assert said["skipped"] == {"count": 0, "rows": []}


def test_reading_warns_of_nothing(tmp_path):
    path = run(tmp_path, [says("2", 100), says("4", 220)])
    code = f"from clear_alloc.importers import from_inspect; print(from_inspect({path!r})['tokens'].tolist())"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[100, 220]\n", "")
