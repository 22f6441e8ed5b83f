"""Logs of Inspect AI as files: reasoning apart, directories, retries, and a file that changes between readings."""

from __future__ import annotations

import json
import os

import pytest

pytest.importorskip("inspect_ai", reason="inspect-ai is not installed")

from support.inspect_logs import log, sample, save, usage

import clear_alloc as ca
from clear_alloc import importers
from clear_alloc.cli import main

pytestmark = pytest.mark.filterwarnings("ignore")
per_format = pytest.mark.parametrize("suffix", [".json", ".eval"])


def answered(tokens, name="q1", **more):
    return log([sample(name, usage(tokens))], **more)


@per_format
def test_reasoning_apart_is_added_and_reasoning_inside_is_not(tmp_path, suffix):
    cached = usage(6, 763, 1632, prompt=100, input_tokens_cache_read=763)
    samples = [
        sample("apart", usage(6, 34604, 34660)),
        sample("inside", usage(900, 850, 950)),
        sample("cached", cached),
        sample("cache_inside", usage(6, 500, 606, prompt=100, input_tokens_cache_read=70)),
        sample("none", usage(46)),
    ]
    found = importers.from_inspect(save(tmp_path / f"x{suffix}", log(samples)))
    assert found["tokens"].tolist() == [34610, 900, 769, 506, 46]
    assert found.notes == ()


@per_format
def test_a_total_that_leaves_reasoning_open_is_refused_and_a_larger_one_noted(tmp_path, suffix):
    samples = [sample("q1", usage(46)), sample("q2", usage(46, 40, 1)), sample("q3", usage(6, 500, 1))]
    path = save(tmp_path / f"x{suffix}", log(samples))
    with pytest.raises(ca.BadRow, match="row 2: sample 'q2', epoch 1: it reports 46 output and 40 reasoning tokens"):
        importers.from_inspect(path)
    found = importers.from_inspect(path, skip_bad_rows=True)
    assert found["tokens"].tolist() == [46, 506]
    assert [note for note in found.notes if "don't confirm it" in note]


@per_format
def test_an_answer_that_ended_nobody_knows_how_is_refused(tmp_path, suffix):
    path = save(tmp_path / f"x{suffix}", log([sample("q1", usage(46), stop="unknown")]))
    with pytest.raises(ca.BadRow, match="stop_reason is 'unknown'; allowed: stop, tool_calls"):
        importers.from_inspect(path)


@per_format
def test_a_log_rewritten_at_the_same_path_is_read_anew(tmp_path, suffix):
    path = tmp_path / f"latest{suffix}"
    found = []
    for tokens in (100, 999):
        save(path, answered(tokens))
        os.utime(path, (1e9, 1e9))
        found += importers.from_inspect(path)["tokens"].tolist()
    assert found == [100, 999]


@per_format
def test_several_logs_of_one_task_are_more_rollouts(tmp_path, suffix):
    (tmp_path / "later").mkdir()
    save(tmp_path / f"1{suffix}", answered(100, task_id="a"))
    save(tmp_path / "later" / f"2{suffix}", answered(200, task_id="b"))
    (tmp_path / "logs.json").write_text("{}")
    (tmp_path / ".hidden.json").write_text("{}")
    found = importers.from_inspect(tmp_path)
    assert found["query_id"].tolist() == ["q1", "q1"]
    assert found["tokens"].tolist() == [100, 200]
    assert found.notes == ()


def test_several_tasks_keep_their_queries_apart(tmp_path):
    save(tmp_path / "1.json", answered(100, task="gpqa"))
    save(tmp_path / "2.eval", answered(200, task="aime", task_id="t2"))
    assert importers.from_inspect(tmp_path)["query_id"].tolist() == ["gpqa/q1", "aime/q1"]


def test_several_models_are_noted_and_the_fit_says_so(tmp_path):
    answer = sample("q1", usage(200))
    answer["model_usage"] = {"xai/grok": answer["model_usage"].popitem()[1]}
    save(tmp_path / "1.json", answered(100, task_id="a"))
    save(tmp_path / "2.json", log([answer], model="xai/grok", task_id="b"))
    found = importers.from_inspect(tmp_path)
    [note] = found.notes
    assert note.startswith("2 models are pooled as if they were one (openai/gpt-4o-mini, xai/grok); fit each")
    assert note in ca.fit(found).report.notes


def test_an_unfinished_log_is_left_out_where_its_run_was_finished(tmp_path):
    save(tmp_path / "1.json", answered(100, status="error"))
    save(tmp_path / "2.json", log([sample("q1", usage(100)), sample("q2", usage(70))]))
    found = importers.from_inspect(tmp_path)
    assert found["tokens"].tolist() == [100, 70]
    assert "1.json is left out: its status is 'error', and another log finishes the same run" in found.notes[0]


def test_one_id_for_two_questions_is_refused(tmp_path):
    save(tmp_path / "1.json", answered(100, task_id="a"))
    save(tmp_path / "2.json", log([sample("q1", usage(70), question="3 + 3?")], task_id="b"))
    with pytest.raises(ca.BadRow, match=r"2.json, row 1: sample 'q1', epoch 1: it asks another question"):
        importers.from_inspect(tmp_path)


def test_a_log_that_does_not_list_its_samples_is_read_in_its_own_order(tmp_path):
    old = log([sample("b", usage(100)), sample("a", usage(70))])
    del old["eval"]["dataset"]["sample_ids"]
    assert importers.from_inspect(save(tmp_path / "x.json", old))["query_id"].tolist() == ["b", "a"]


def test_a_directory_without_logs_is_refused(tmp_path):
    with pytest.raises(
        ca.InvalidArgument, match=r"the number of logs in .* is 0; allowed: at least 1 of .eval, .json"
    ):
        importers.from_inspect(tmp_path)


def test_the_command_fits_a_directory_of_logs(tmp_path, capsys):
    samples = [sample(name, usage(100 + 10 * k), epoch=k) for name in ("q1", "q2") for k in (1, 2)]
    save(tmp_path / "1.json", log(samples, task_id="a", epochs=2))
    save(tmp_path / "2.eval", log(samples, task_id="b", epochs=2))
    curves = tmp_path / "curves.jsonl"
    assert main(["fit", str(tmp_path), "-o", str(curves), "--importer", "inspect", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert [query["id"] for query in content["queries"]] == ["q1", "q2"]
    assert len(curves.read_text().splitlines()) == 2
