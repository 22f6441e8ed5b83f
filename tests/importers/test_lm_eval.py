"""Samples of the lm-evaluation-harness: what counts as a rollout, as a metric, as a length that was cut."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.logs import refused_or_skipped, shown, write

import clear_alloc as ca
from clear_alloc import importers


def lm_sample(doc, tokens, judged_by="strict-match", options=None, **metrics):
    # As lm_eval/evaluator.py (evaluate) builds it and evaluation_tracker.py (save_results_samples) writes it.
    options = {"until": ["\n\n"], "do_sample": True} if options is None else options
    arguments = {"gen_args_0": {"arg_0": "Q: 2+2?", "arg_1": options}}
    sample = {"doc_id": doc, "doc": {"question": "2+2?", "cost": {"out": tokens}}, "target": "4"}
    sample |= {"arguments": arguments, "resps": [["four"]], "filtered_resps": ["4"], "filter": judged_by}
    hashes = {"doc_hash": f"d{doc}", "prompt_hash": f"p{doc}", "target_hash": f"t{doc}"}
    return {**sample, "metrics": list(metrics), **hashes, **metrics, "n_out": tokens}


def test_lm_eval_samples_are_read(tmp_path):
    capped = {"until": [], "max_gen_toks": 512}
    lines = [lm_sample(0, 300, exact_match=1.0), lm_sample(1, 512, options=capped, exact_match=0)]
    path = write(tmp_path / "samples_gsm8k.jsonl", lines)
    expected = {"query_id": ["0", "1"], "tokens": [300, 512], "correct": [1, 0], "cap": [None, 512]}
    assert shown(importers.from_lm_eval(path, tokens_from="n_out")) == expected
    assert shown(importers.from_lm_eval(path, tokens_from="doc.cost.out")) == expected
    counted = importers.from_lm_eval(path, tokens_from=lambda sample: len(sample["resps"][0][0]), cap=100)
    assert (shown(counted)["tokens"], shown(counted)["cap"]) == ([4, 4], [100, 512])


def test_lm_eval_logs_of_several_runs_are_several_rollouts(tmp_path):
    path = write(tmp_path / "s.jsonl", [lm_sample(0, 300, acc=1), lm_sample(0, 280, acc=0)])
    assert shown(importers.from_lm_eval(path, tokens_from="n_out"))["query_id"] == ["0", "0"]


def test_lm_eval_without_tokens_says_what_to_do(tmp_path):
    message = (
        "tokens_from is None; allowed: a field of the samples or a function of a sample; sample logs hold no token"
    )
    with pytest.raises(ca.InvalidArgument, match=message):
        importers.from_lm_eval(tmp_path / "unread.jsonl")


def test_lm_eval_filters_are_chosen_by_name(tmp_path):
    lines = [lm_sample(0, 9, "strict-match", exact_match=0), lm_sample(0, 9, "flexible-extract", exact_match=1)]
    lines += [lm_sample(0, 9, "third", exact_match=1)]
    path = write(tmp_path / "s.jsonl", lines)
    with pytest.raises(ca.InvalidArgument, match="one of the file's filters: strict-match, flexible-extract, third"):
        importers.from_lm_eval(path, tokens_from="n_out")
    with pytest.raises(ca.InvalidArgument, match="filter is 'none'; allowed: one of the file's filters: strict"):
        importers.from_lm_eval(path, tokens_from="n_out", filter="none")
    for name, right in (("strict-match", 0), ("flexible-extract", 1)):
        assert shown(importers.from_lm_eval(path, tokens_from="n_out", filter=name))["correct"] == [right]


def test_lm_eval_metrics_are_chosen_by_name(tmp_path):
    path = write(tmp_path / "s.jsonl", [lm_sample(0, 9, exact_match=0, f1=0.75)])
    with pytest.raises(
        ca.InvalidArgument, match="metric is None; allowed: one of the samples' metrics: exact_match, f1"
    ):
        importers.from_lm_eval(path, tokens_from="n_out")
    with pytest.raises(ca.BadRow, match="it has no metric 'acc'; allowed: exact_match, f1"):
        importers.from_lm_eval(path, tokens_from="n_out", metric="acc")
    with pytest.raises(ca.BadRow, match=r"metric 'f1' is 0.75, neither right nor wrong; .* give a threshold"):
        importers.from_lm_eval(path, tokens_from="n_out", metric="f1")
    for threshold, right in ((0.75, 1), (0.8, 0)):
        found = importers.from_lm_eval(path, tokens_from="n_out", metric="f1", threshold=threshold)
        assert shown(found)["correct"] == [right]


LIKELIHOOD = {**lm_sample(1, 9, acc=1), "arguments": {"gen_args_0": {"arg_0": "Q", "arg_1": " yes"}}}
LM_BAD = [
    (LIKELIHOOD, "ranked by likelihood, not written"),
    (lm_sample(1, 9, acc="C"), "metric 'acc' is 'C'; allowed: a number or a boolean"),
    (lm_sample(1, 9, acc=float("nan")), "metric 'acc' is nan; allowed: a number"),
    ({"doc": 1}, "it has no doc_id; give a samples_*.jsonl"),
    ({**lm_sample(0, 9, acc=1), "doc_hash": "other"}, "doc_id 0 is another document than before"),
    ({k: v for k, v in lm_sample(1, 9, acc=1).items() if k != "n_out"}, "it has no field 'n_out' with its tokens"),
    (lm_sample(1, 9.5, acc=1), "tokens is 9.5; allowed: a whole number"),
    (lm_sample(1, 9, options={"max_gen_toks": 8}, acc=1), "tokens is 9; allowed: at most the row's cap, 8"),
]


@pytest.mark.parametrize(("sample", "reason"), LM_BAD)
def test_lm_eval_bad_samples_are_named(tmp_path, sample, reason):
    path = write(tmp_path / "s.jsonl", [lm_sample(0, 30, acc=1), sample])
    said, table = refused_or_skipped(importers.from_lm_eval, path, tokens_from="n_out")
    assert reason in said
    assert shown(table) == {"query_id": ["0"], "tokens": [30], "correct": [1]}


def test_lm_eval_old_logs_name_no_filter_and_are_refused_where_that_matters(tmp_path):
    old = {k: v for k, v in lm_sample(0, 30, acc=1).items() if k not in ("filter", "metrics", "n_out")}
    old["arguments"] = [["Q", {"max_gen_toks": 64}]]
    path = write(tmp_path / "s.jsonl", [old, {**old, "acc": 0}])
    said, table = refused_or_skipped(importers.from_lm_eval, path, tokens_from=lambda _: 30)
    assert "doc_id 0 stands twice and no filter is named" in said
    assert shown(table) == {"query_id": ["0"], "tokens": [30], "correct": [1], "cap": [64]}


@pytest.mark.parametrize("doc", [None, "", True, 1.5, [1], {"a": 1}])
def test_an_id_that_names_nothing_is_refused(tmp_path, doc):
    path = write(tmp_path / "s.jsonl", [lm_sample(0, 30, acc=1), {**lm_sample(1, 9, acc=1), "doc_id": doc}])
    said, table = refused_or_skipped(importers.from_lm_eval, path, tokens_from="n_out")
    assert said.startswith(f"doc_id is {doc!r}; allowed: a whole number or a name")
    assert shown(table)["query_id"] == ["0"]


ODD = [
    ("acc", 10**400, "metric 'acc' is 1000"),
    ("acc", ["text " * 10**5, ["text"]], "metric 'acc' is ['text text"),
    ("acc", float("inf"), "metric 'acc' is inf; allowed: a number or a boolean"),
    ("acc", {"a": 1}, "metric 'acc' is {'a': 1}; allowed: a number or a boolean"),
    ("metrics", 3, "metrics is 3; allowed: a list of names"),
    ("metrics", {"x": 1}, "metrics is {'x': 1}; allowed: a list of names"),
    ("metrics", {}, "metrics is {}; allowed: a list of names"),
    ("metrics", [], "metrics is []; allowed: a list of names"),
    ("metrics", [["acc"]], "metrics is [['acc']]; allowed: a list of names"),
    ("filter", ["a"], "filter is ['a']; allowed: a name"),
    ("filter", None, "filter is None; allowed: a name"),
    ("n_out", "9", "tokens is '9'; allowed: a whole number"),
    ("n_out", None, "tokens is None; allowed: a whole number"),
    ("finish_reason", "abort", "finish_reason is 'abort'; allowed: stop"),
]


@pytest.mark.parametrize(("field", "value", "reason"), ODD)
def test_odd_samples_are_bad_rows_with_a_short_reason(tmp_path, field, value, reason):
    path = write(tmp_path / "s.jsonl", [lm_sample(0, 30, acc=1), {**lm_sample(1, 9, acc=1), field: value}])
    said, _ = refused_or_skipped(importers.from_lm_eval, path, tokens_from="n_out")
    assert said.startswith(reason)
    assert len(said) < 300


def test_repeats_and_votes_are_no_rollout(tmp_path):
    vote = {**lm_sample(1, 9, "maj@3", acc=1), "resps": [["a", "b", "c"]]}
    path = write(tmp_path / "s.jsonl", [lm_sample(0, 30, "maj@3", acc=1), vote])
    said, _ = refused_or_skipped(importers.from_lm_eval, path, tokens_from="n_out")
    assert said.startswith("it holds 3 answers and one score; allowed: 1; run the task with repeats: 1")


@pytest.mark.parametrize(("field", "tokens"), [("n_out", 30), ("usage.completion_tokens", {"completion_tokens": 30})])
def test_the_tokens_that_were_added_to_an_old_log_are_no_metric(tmp_path, field, tokens):
    old = {**lm_sample(0, 30, exact_match=1.0), field.partition(".")[0]: tokens}
    old = {k: v for k, v in old.items() if k not in ("filter", "metrics") and (k != "n_out" or field == "n_out")}
    path = write(tmp_path / "s.jsonl", [old, {**lm_sample(1, 40, "none", exact_match=0), **old, "doc_id": 1}])
    assert shown(importers.from_lm_eval(path, tokens_from=field))["correct"] == [1, 1]


@pytest.mark.parametrize("off", [-6, -1, 0, 1, 6])
@pytest.mark.parametrize("as_function", [False, True])
def test_a_count_a_few_tokens_off_the_cap_has_reached_it(tmp_path, off, as_function):
    capped = {"max_gen_toks": 4096}
    lines = [lm_sample(0, 4096 + off, options=capped, acc=0), lm_sample(1, 3900, options=capped, acc=0)]
    path = write(tmp_path / "s.jsonl", lines)
    tokens_from = (lambda sample: sample["n_out"]) if as_function else "n_out"
    found = shown(importers.from_lm_eval(path, tokens_from=tokens_from))
    assert found["tokens"] == [4096, 3900]
    assert found["cap"] == [4096, 4096]


def test_a_count_far_over_the_cap_is_refused(tmp_path):
    lines = [lm_sample(0, 30, acc=1), lm_sample(1, 4200, options={"max_gen_toks": 4096}, acc=0)]
    said, _ = refused_or_skipped(importers.from_lm_eval, write(tmp_path / "s.jsonl", lines), tokens_from="n_out")
    assert "tokens is 4200; allowed: at most the row's cap, 4096" in said


def test_a_pool_that_is_counted_again_keeps_its_solvability(tmp_path):
    rng, cap = np.random.default_rng(1), 4096
    lengths = np.exp(np.repeat(rng.normal(8.0, 0.6, 100), 8) + rng.normal(0, 0.35, 800)).round().astype(int)
    cut = lengths >= cap
    right = ~cut & (rng.random(800) < 0.85)
    counted = np.where(cut, cap + rng.integers(-6, 7, 800), lengths)
    options = {"max_gen_toks": cap}
    rows = enumerate(zip(counted.tolist(), right.tolist(), strict=True))
    lines = [lm_sample(row // 8, n, options=options, acc=int(good)) for row, (n, good) in rows]
    fitted = ca.fit(importers.from_lm_eval(write(tmp_path / "s.jsonl", lines), tokens_from="n_out"))
    assert np.mean(fitted.curves.solvability) == pytest.approx(0.85, abs=0.02)
    assert np.mean(fitted.rollouts.censored) == pytest.approx(np.mean(cut), abs=0.01)


def test_the_engine_s_finish_reason_decides_where_it_was_added(tmp_path):
    capped = {"max_gen_toks": 4096}
    stopped = lm_sample(0, 4090, options=capped, acc=0) | {"finish_reason": "stop"}
    cut = lm_sample(1, 3000, options=capped, acc=0) | {"finish_reason": "length"}
    found = shown(importers.from_lm_eval(write(tmp_path / "s.jsonl", [stopped, cut]), tokens_from="n_out"))
    assert (found["tokens"], found["cap"]) == ([4090, 3000], [4096, 3000])


DATE = "2025-01-0{}T10-00-00.000000"


def test_counting_texts_says_that_thinking_may_be_cut_off_them(tmp_path):
    path = write(tmp_path / f"samples_gsm8k_{DATE.format(1)}.jsonl", [lm_sample(0, 30, acc=1)])
    results = tmp_path / f"results_{DATE.format(1)}.json"

    def count(sample):
        return len(sample["resps"][0][0])

    assert "without the thinking" in importers.from_lm_eval(path, tokens_from=count).notes[0]
    assert importers.from_lm_eval(path, tokens_from="n_out").notes == ()
    for arguments in ("pretrained=m,think_end_token=</think>", {"pretrained": "m", "think_end_token": "</think>"}):
        results.write_text(json.dumps({"config": {"model_args": arguments}}))
        with pytest.raises(
            ca.InvalidArgument, match=r"was written with a think_end_token, .*name a field with the eng"
        ):
            importers.from_lm_eval(path, tokens_from=count)
        assert shown(importers.from_lm_eval(path, tokens_from="n_out"))["tokens"] == [30]
    results.write_text(json.dumps({"config": {"model_args": {"pretrained": "m", "think_end_token": None}}}))
    assert importers.from_lm_eval(path, tokens_from=count).notes == ()


def test_a_directory_of_samples_is_one_table(tmp_path):
    for run, tokens in enumerate((30, 40), start=1):
        write(tmp_path / f"samples_gsm8k_{DATE.format(run)}.jsonl", [lm_sample(0, tokens, acc=1)])
    found = importers.from_lm_eval(tmp_path, tokens_from="n_out")
    assert (shown(found)["query_id"], shown(found)["tokens"], found.notes) == (["0", "0"], [30, 40], ())
    write(tmp_path / f"samples_aime_24_{DATE.format(3)}.jsonl", [{**lm_sample(0, 50, acc=1), "doc_hash": "other"}])
    found = importers.from_lm_eval(tmp_path, tokens_from="n_out")
    assert shown(found)["query_id"] == ["aime_24/0", "gsm8k/0", "gsm8k/0"]


def test_logs_of_several_models_are_noted(tmp_path):
    for model in ("small", "large"):
        (tmp_path / model).mkdir()
        write(tmp_path / model / f"samples_gsm8k_{DATE.format(1)}.jsonl", [lm_sample(0, 30, acc=1)])
    assert importers.from_lm_eval(tmp_path, tokens_from="n_out").notes[0].startswith("2 models are pooled")


def test_a_log_of_one_task_twice_under_another_document_is_refused(tmp_path):
    write(tmp_path / f"samples_gsm8k_{DATE.format(1)}.jsonl", [lm_sample(0, 30, acc=1)])
    write(tmp_path / f"samples_gsm8k_{DATE.format(2)}.jsonl", [{**lm_sample(0, 40, acc=1), "doc_hash": "other"}])
    with pytest.raises(ca.BadRow, match="doc_id 0 is another document than before"):
        importers.from_lm_eval(tmp_path, tokens_from="n_out")
