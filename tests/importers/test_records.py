"""Importers of evaluation logs: tokens counted once, cuts seen as cuts, and every refusal with its reason.

Logs of Inspect AI are in test_importers_inspect.py, made by inspect-ai itself.
The files here are written after their documented format, cited at each importer's head; the lines of batches were
checked against the types of the openai and anthropic packages.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import clear_alloc as ca
from clear_alloc import files, importers
from clear_alloc.importers import IMPORTERS, SAMPLE_NUMBER


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def shown(table):
    """The table as lists, NaN as None."""
    return {name: [None if value != value else value for value in values.tolist()] for name, values in table.items()}


# ---- OpenAI


def openai_line(name, body, status=200, error=None):
    # The line of https://platform.openai.com/docs/api-reference/batch/request-output
    response = {"status_code": status, "request_id": "req_1", "body": body}
    return {"id": "batch_req_1", "custom_id": name, "response": response, "error": error}


def chat(tokens, reasoning=0, finish="stop", choices=1):
    usage = {"prompt_tokens": 20, "completion_tokens": tokens, "total_tokens": 20 + tokens}
    usage["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    message = {"role": "assistant", "content": "4", "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    frame = {"id": "c1", "object": "chat.completion", "created": 1, "model": "o3"}
    return {**frame, "choices": [choice] * choices, "usage": usage}


def response(tokens, reasoning=0, status="completed", reason=None, limit=None):
    usage = {"input_tokens": 20, "output_tokens": tokens, "total_tokens": 20 + tokens}
    usage["output_tokens_details"] = {"reasoning_tokens": reasoning}
    details = {"reason": reason} if reason else None
    frame = {"id": "r1", "object": "response", "status": status, "error": None, "incomplete_details": details}
    return {**frame, "max_output_tokens": limit, "usage": usage}


def test_openai_chat_counts_reasoning_once(tmp_path):
    path = write(tmp_path / "out.jsonl", [openai_line("q1", chat(900, 850)), openai_line("q2", chat(40))])
    found = importers.from_openai_batch(path, {"q1": 1, "q2": 0})
    assert shown(found) == {"query_id": ["q1", "q2"], "tokens": [900, 40], "correct": [1, 0]}


def test_openai_responses_count_reasoning_once(tmp_path):
    path = write(tmp_path / "out.jsonl", [openai_line("q1", response(700, 640, limit=4096))])
    found = importers.from_openai_batch(path, {"q1": True})
    assert shown(found) == {"query_id": ["q1"], "tokens": [700], "correct": [1], "cap": [4096]}


def test_openai_cut_answers_have_reached_their_cap(tmp_path):
    lines = [
        openai_line("a", chat(998, finish="length")),
        openai_line("b", chat(10)),
        openai_line("c", response(998, status="incomplete", reason="max_output_tokens", limit=1000)),
        openai_line("d", response(50, status="incomplete", reason="content_filter", limit=1000)),
        openai_line("e", chat(7, finish="content_filter")),
    ]
    path, scores = write(tmp_path / "out.jsonl", lines), dict.fromkeys("abcde", 0)
    assert shown(importers.from_openai_batch(path, scores))["cap"] == [998, None, 998, 1000, None]
    assert shown(importers.from_openai_batch(path, scores, cap=1024))["cap"] == [998, 1024, 998, 1000, 1024]
    assert ca.fit(importers.from_openai_batch(path, scores)).report.censored.tolist() == [1, 0, 1, 0, 0]


EXPIRED = {"code": "batch_expired", "message": "This request could not be executed in time."}
OPENAI_FAILURES = [
    ({**openai_line("bad", None), "response": None, "error": EXPIRED}, "failed (This request could not be executed"),
    (openai_line("bad", {"error": {"message": "Rate limit"}}, status=429), "it failed (Rate limit)"),
    (openai_line("bad", {}, status=500), "it failed (status_code 500)"),
    (openai_line("bad", response(5, status="failed")), "it is failed (no reason given)"),
    (openai_line("bad", response(5, status="incomplete", reason="steered")), "it is incomplete (steered)"),
    (openai_line("bad", chat(5, choices=3)), "it has 3 choices and one usage for all"),
    (openai_line("bad", {**chat(5), "usage": None}), "it has no usage.completion_tokens"),
    (openai_line("bad", {**response(5), "usage": None}), "it has no usage.output_tokens"),
    (openai_line("bad", {"object": "list", "data": []}), "neither a chat completion nor a response"),
    (openai_line("bad", chat(-40)), "tokens is -40; allowed: a whole number of tokens"),
    (openai_line(None, chat(5)), "custom_id is None; allowed: a name"),
    (openai_line("unscored", chat(5)), "request 'unscored': it has no score"),
    (openai_line("good", chat(5)), "request 'good': it stands in an earlier row too"),
]


def refused_or_skipped(read, path, *others, row=2, **options):
    """The reason of the one bad row, the same when it is refused and when it is skipped, and what is left."""
    with pytest.raises(ca.BadRow) as caught:
        read(path, *others, **options)
    table = read(path, *others, skip_bad_rows=True, **options)
    assert [(s.source, s.row, s.reason) for s in table.skipped] == [(str(path), row, caught.value.reason)]
    assert caught.value.row == row
    return caught.value.reason, table


@pytest.mark.parametrize(("line", "reason"), OPENAI_FAILURES)
def test_openai_failures_are_named_and_never_counted(tmp_path, line, reason):
    path = write(tmp_path / "out.jsonl", [openai_line("good", chat(30)), line])
    said, table = refused_or_skipped(importers.from_openai_batch, path, {"good": 1, "bad": 1})
    assert reason in said
    assert shown(table) == {"query_id": ["good"], "tokens": [30], "correct": [1]}


def test_a_line_that_is_not_json_is_a_bad_row(tmp_path):
    path = write(tmp_path / "out.jsonl", [openai_line("good", chat(30))])
    path.write_text(path.read_text() + "{half a li\n")
    said, _ = refused_or_skipped(importers.from_openai_batch, path, {"good": 1})
    assert "the row is not one JSON object; repair or remove the line" in said


@pytest.mark.parametrize("name", ["q-7", "q#7"])
def test_a_sample_number_is_dropped_only_when_asked(tmp_path, name):
    path = write(tmp_path / "out.jsonl", [openai_line(name, chat(30)), openai_line("x-y-12", chat(31))])
    scores = {name: 1, "x-y-12": 0}
    assert shown(importers.from_openai_batch(path, scores))["query_id"] == [name, "x-y-12"]
    asked = importers.from_openai_batch(path, scores, id_pattern=SAMPLE_NUMBER)
    assert shown(asked)["query_id"] == ["q", "x-y"]


@pytest.mark.parametrize("odd", ["odd", "q-1-retry", "-1"])
def test_an_id_outside_the_pattern_is_a_bad_row(tmp_path, odd):
    path = write(tmp_path / "out.jsonl", [openai_line("q-1", chat(30)), openai_line(odd, chat(31))])
    said, _ = refused_or_skipped(importers.from_openai_batch, path, {"q-1": 1, odd: 0}, id_pattern=SAMPLE_NUMBER)
    assert f"custom_id is {odd!r}; allowed: what id_pattern" in said


@pytest.mark.parametrize(("pattern", "message"), [("(", "a regular expression;"), ("q.*", "with a group")])
def test_a_bad_pattern_is_refused(tmp_path, pattern, message):
    with pytest.raises(ca.InvalidArgument, match=message):
        importers.from_openai_batch(tmp_path / "unread.jsonl", {}, id_pattern=pattern)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_scores_may_be_a_file(tmp_path, suffix):
    path, scores = write(tmp_path / "out.jsonl", [openai_line("007", chat(30))]), tmp_path / f"scores.{suffix}"
    columns = {"custom_id": ["007", "other"], "correct": [True, False], "grader": ["x", "y"]}
    files.write_columns(scores, columns)
    assert shown(importers.from_openai_batch(path, scores))["correct"] == [1]


def test_bad_scores_are_refused(tmp_path):
    path = write(tmp_path / "out.jsonl", [openai_line("a", chat(30))])
    twice = write(tmp_path / "s.jsonl", [{"custom_id": "a", "correct": 1}, {"custom_id": "a", "correct": 0}])
    with pytest.raises(ca.BadRow, match="row 2: custom_id 'a' is already in row 1"):
        importers.from_openai_batch(path, twice)
    half = write(tmp_path / "h.jsonl", [{"custom_id": "a", "correct": 0.5}])
    with pytest.raises(ca.BadRow, match=r"row 1: correct is 0.5; allowed: 0 or 1"):
        importers.from_openai_batch(path, half)
    with pytest.raises(ca.InvalidArgument, match="scores is None; allowed: a file or mapping"):
        importers.from_openai_batch(path, None)
    with pytest.raises(ca.BadRow, match=r"row 1: correct is 0.5; allowed: 0 or 1"):
        importers.from_openai_batch(path, {"a": 0.5})


# ---- Anthropic


def anthropic_line(name, tokens=0, thinking=0, stop="end_turn"):
    # A line of https://docs.claude.com/en/api/retrieving-message-batch-results
    usage = {"input_tokens": 11, "output_tokens": tokens, "output_tokens_details": {"thinking_tokens": thinking}}
    text = [{"type": "text", "text": "4"}]
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": text}
    message |= {"stop_reason": stop, "stop_sequence": None, "usage": usage}
    return {"custom_id": name, "result": {"type": "succeeded", "message": message}}


def test_anthropic_counts_thinking_once(tmp_path):
    lines = [anthropic_line("q1", 900, 850), anthropic_line("q2", 1000, 990, "max_tokens")]
    lines += [
        anthropic_line("q3", 300, stop="model_context_window_exceeded"),
        anthropic_line("q4", 5, stop="refusal"),
    ]
    path, scores = write(tmp_path / "r.jsonl", lines), {"q1": 1, "q2": 0, "q3": 0, "q4": 0}
    found = shown(importers.from_anthropic_batch(path, scores))
    assert (found["tokens"], found["cap"]) == ([900, 1000, 300, 5], [None, 1000, 300, None])
    assert shown(importers.from_anthropic_batch(path, scores, cap=2000))["cap"] == [2000, 1000, 300, 2000]


ERROR = {"type": "error", "error": {"type": "invalid_request_error", "message": "too long"}, "request_id": None}
NO_USAGE = anthropic_line("bad", 5)
NO_USAGE["result"]["message"]["usage"] = {}
ANTHROPIC_FAILURES = [
    ({"custom_id": "bad", "result": {"type": "errored", "error": ERROR}}, "request 'bad': it is errored (too long)"),
    ({"custom_id": "bad", "result": {"type": "expired"}}, "request 'bad': it is expired; send it again"),
    ({"custom_id": "bad", "result": {"type": "canceled"}}, "request 'bad': it is canceled; send it again"),
    ({"custom_id": "bad"}, "request 'bad': it is without a result"),
    (anthropic_line("bad", 5, stop="pause_turn"), "it paused (pause_turn)"),
    (NO_USAGE, "it has no usage.output_tokens"),
]


@pytest.mark.parametrize(("line", "reason"), ANTHROPIC_FAILURES)
def test_anthropic_failures_are_named_and_never_counted(tmp_path, line, reason):
    path = write(tmp_path / "r.jsonl", [anthropic_line("good", 30), line])
    said, table = refused_or_skipped(importers.from_anthropic_batch, path, {"good": 1, "bad": 1})
    assert reason in said
    assert shown(table) == {"query_id": ["good"], "tokens": [30], "correct": [1]}


# ---- lm-evaluation-harness


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


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf")])
def test_a_threshold_that_divides_nothing_is_refused(tmp_path, threshold):
    with pytest.raises(ca.InvalidArgument, match=r"threshold is .*; allowed: a finite number above 0"):
        importers.from_lm_eval(tmp_path / "unread.jsonl", tokens_from="n", threshold=threshold)


# ---- Inspect AI, as far as it can be tested without inspect-ai


def test_without_inspect_ai_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "inspect_ai.log", None)
    monkeypatch.setitem(sys.modules, "inspect_ai", None)
    with pytest.raises(
        ca.NotSupported, match=r"needs inspect_ai, which is not .*: pip install 'clear-alloc\[inspect\]"
    ):
        importers.from_inspect(tmp_path / "log.eval")


# ---- any table

THEIRS = {"question": ["a", "a", "007"], "n_out": [5, 6, 7], "ok": [True, False, True], "tokens": [0, 0, 0]}
MAP = {"query_id": "question", "tokens": "n_out", "correct": "ok"}


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_a_table_is_read_through_its_map(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    files.write_columns(path, {**THEIRS, "limit": [9, None, 9]})
    found = importers.from_table(path, columns={**MAP, "cap": "limit"})
    expected = {"query_id": ["a", "a", "007"], "tokens": [5, 6, 7], "correct": [1, 0, 1], "cap": [9, None, 9]}
    assert shown(found) == expected
    assert found.skipped == ()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_map_to_no_column_is_refused(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    files.write_columns(path, THEIRS)
    with pytest.raises(
        ca.InvalidArgument, match=r"for cap is 'limit'; allowed: its columns: question, n_out, ok, tok"
    ):
        importers.from_table(path, columns={**MAP, "cap": "limit"})
    with pytest.raises(ca.InvalidArgument, match="for correct is 'correct'; allowed: its columns"):
        importers.from_table(path, columns={"query_id": "question"})


def test_a_map_from_no_name_of_ours_is_refused(tmp_path):
    with pytest.raises(ca.InvalidArgument, match="a name in columns is 'question'; allowed: query_id, tokens, corr"):
        importers.from_table(tmp_path / "unread.csv", columns={"question": "query_id"})


def test_two_columns_of_the_mapped_name_are_refused(tmp_path):
    (tmp_path / "t.csv").write_text("question,n_out,ok,ok\na,1,1,0\n")
    with pytest.raises(ca.InvalidArgument, match="is 'ok'; allowed: each name once"):
        importers.from_table(tmp_path / "t.csv", columns=MAP)


def test_one_column_may_serve_two_names(tmp_path):
    pq.write_table(pa.table({"q": ["a"], "n": [7], "ok": [0]}), tmp_path / "t.parquet")
    found = importers.from_table(
        tmp_path / "t.parquet", columns={"query_id": "q", "tokens": "n", "cap": "n", "correct": "ok"}
    )
    assert shown(found) == {"query_id": ["a"], "tokens": [7], "correct": [0], "cap": [7]}


# ---- the registry


def test_every_importer_has_one_result_and_refuses_foreign_options(tmp_path):
    assert set(IMPORTERS) == {"table", "inspect", "lm-eval", "openai-batch", "anthropic-batch"}
    path = tmp_path / "t.csv"
    files.write_columns(path, {"query_id": ["a"], "tokens": [1], "correct": [1]})
    assert isinstance(IMPORTERS["table"](path, {}), files.RolloutTable)
    with pytest.raises(
        ca.InvalidArgument, match="the option is 'scores'; allowed: options of this importer: columns"
    ):
        IMPORTERS["table"](path, {"scores": "x"})
    with pytest.raises(ca.InvalidArgument, match="option cap is 'many'; allowed: a number"):
        IMPORTERS["openai-batch"](path, {"scores": "x", "cap": "many"})
    with pytest.raises(ca.InvalidArgument, match="scores is None"):
        IMPORTERS["anthropic-batch"](path, {})


def test_a_table_of_rollouts_goes_straight_into_fit(tmp_path):
    rng = np.random.default_rng(3)
    names, lengths = np.repeat(["q1", "q2"], 8), np.rint(rng.lognormal(6, 0.5, 16)).astype(int).tolist()
    lines = [openai_line(f"{name}-{k}", chat(n)) for k, (name, n) in enumerate(zip(names, lengths, strict=True))]
    path = write(tmp_path / "out.jsonl", lines)
    scores = {line["custom_id"]: k % 2 for k, line in enumerate(lines)}
    table = importers.from_openai_batch(path, scores, id_pattern=SAMPLE_NUMBER)
    fitted = ca.fit(table)
    assert list(fitted.ids) == ["q1", "q2"]
    assert repr(table) == "<RolloutTable: 16 rollouts, 0 rows skipped>"
    direct = ca.fit({"query_id": names, "tokens": lengths, "correct": [k % 2 for k in range(16)]})
    assert fitted.curves.to_records() == direct.curves.to_records()
