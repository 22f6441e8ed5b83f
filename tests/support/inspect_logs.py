"""Small logs of Inspect AI written by hand, as its versions of 2024 to 2026 wrote them."""

from __future__ import annotations

import json
import zipfile

MODEL = "openai/gpt-4o-mini"


def usage(output, reasoning=None, total=None, prompt=50, **cached):
    total = prompt + output if total is None else total
    counts = {"input_tokens": prompt, "output_tokens": output, "total_tokens": total, "reasoning_tokens": reasoning}
    return {name: count for name, count in (counts | cached).items() if count is not None}


def output(counts, stop="stop"):
    choice = {"message": {"role": "assistant", "content": "x", "source": "generate"}, "stop_reason": stop}
    return {"model": "gpt-4o-mini", "choices": [choice], "usage": counts}


def sample(name, answer, billed=None, events=(), epoch=1, stop="stop", question="2 + 2?", **more):
    """A sample whose answer has the usage `answer`; the model is billed `billed`, which may hold grading too."""
    frame = {
        "id": name,
        "epoch": epoch,
        "input": question,
        "target": "4",
        "messages": [],
        "metadata": {},
        "store": {},
    }
    scores = {"graded": {"value": "C"}}
    events = [{"timestamp": "2024-11-05T13:31:45+00:00", **event} for event in events]
    counted = {"output": output(answer, stop), "model_usage": {MODEL: billed or answer}}
    return {**frame, "scores": scores, "events": events, "attachments": {}, **counted, **more}


def call(counts, **more):
    frame = {"event": "model", "model": MODEL, "input": [], "tools": [], "tool_choice": "none", "config": {}}
    return {**frame, "output": output(counts), **more}


def log(samples, status="success", task="arithmetic", task_id="t1", model=MODEL, epochs=1):
    names = list(dict.fromkeys(one["id"] for one in samples))
    spec = {"run_id": "r1", "created": "2024-11-05T13:31:45+00:00", "task": task, "task_id": task_id, "model": model}
    spec |= {"task_version": 0, "task_attribs": {}, "task_args": {}, "model_args": {}, "config": {"epochs": epochs}}
    spec["dataset"] = {"sample_ids": names, "samples": len(names)}
    plan = {"name": "plan", "steps": [{"solver": "generate", "params": {}}], "config": {}}
    stats = {"started_at": "2024-11-05T13:31:45+00:00", "completed_at": "2024-11-05T13:32:19+00:00"}
    stats["model_usage"] = {}
    return {"version": 2, "status": status, "eval": spec, "plan": plan, "stats": stats, "samples": samples}


def save(path, content, method=zipfile.ZIP_DEFLATED, **members):
    """Write a log as `.json` or `.eval`; `members` replace parts of the archive by text of their own."""
    if path.suffix == ".json":
        path.write_text(json.dumps(content))
        return path
    header = {name: value for name, value in content.items() if name != "samples"}
    brief = [{name: one[name] for name in ("id", "epoch", "input", "target")} for one in content["samples"]]
    parts = {"header": json.dumps(header), "summaries": json.dumps(brief), **members}
    with zipfile.ZipFile(path, "w", method) as archive:
        for one in content["samples"]:
            archive.writestr(f"samples/{one['id']}_epoch_{one['epoch']}.json", json.dumps(one))
        for name, text in parts.items():
            archive.writestr(f"{name}.json", text)
    return path
