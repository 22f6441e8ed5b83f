"""JSON lines: one object each, each key once."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tables import write_rows

import clear_alloc as ca
from clear_alloc import files
from clear_alloc.files import json_text


def test_a_missing_key_is_named_in_jsonl(tmp_path):
    path = tmp_path / "r.jsonl"
    write_rows(path, [{"query_id": "a", "n_tokens": 4, "correct": 1}])
    with pytest.raises(ca.BadRow, match=r"row 1: tokens is missing; .*; add tokens"):
        files.read_rollouts(path)


def test_rows_of_jsonl_are_counted_as_lines(tmp_path):
    path = tmp_path / "r.jsonl"
    good = json.dumps({"query_id": "a", "tokens": 3, "correct": 1})
    path.write_text(f"\ufeff{good}\n\n{good[:-1]}\n", encoding="utf-8")
    with pytest.raises(ca.BadRow, match=r"row 3: the row is not one JSON object; repair or remove the line"):
        files.read_rollouts(path)


ROLLOUT = {"query_id": "a", "tokens": 5, "correct": 1}
DEEP = 100_000
HOSTILE = {
    "lists": ("[" * DEEP, "nested too deep"),
    "objects": ('{"a":' * DEEP, "nested too deep"),
    "closed": (json.dumps(ROLLOUT)[:-1] + ', "x": ' + "[" * DEEP + "]" * DEEP + "}", "nested too deep"),
    "twice": ('{"query_id": "a", "tokens": 5, "tokens": 6, "correct": 1}', "the key 'tokens' stands twice"),
    "escaped": ('{"query_id": "a", "tokens": 5, "tok\\u0065ns": 6, "correct": 1}', "the key 'tokens' stands twice"),
    "inside": (json.dumps(ROLLOUT)[:-1] + ', "x": {"b": 1, "b": 2}}', "the key 'b' stands twice"),
    "long key": (f'{{"{"k" * 10**7}": 1, "{"k" * 10**7}": 2}}', "stands twice"),
    "digits": ('{"query_id": "a", "tokens": ' + "9" * 10**7 + ', "correct": 1}', "a number has 10,000,000 digits"),
    "text": (json.dumps({**ROLLOUT, "tokens": "x" * 10**7}), "allowed: a whole number of tokens"),
    "NUL": ('{"query_id": "a\0", "tokens": 5, "correct": 1}', "Invalid control character"),
    "many NULs": ("\0" * 10**6, "not one JSON object"),
    "surrogate": ('{"query_id": "a\\ud800", "tokens": 5, "correct": 1}', "query_id is"),
    "no object": ("[1]", "not one JSON object"),
}


@pytest.mark.parametrize(("line", "reason"), HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("columns", [None, {"cap": "limit"}], ids=["plain", "mapped"])
def test_hostile_lines_are_refused_in_one_short_sentence_or_skipped(tmp_path, line, reason, columns):
    path = tmp_path / "r.jsonl"
    path.write_text(f"{json.dumps(ROLLOUT)}\n{line}\n", encoding="utf-8")
    with pytest.raises(ca.BadRow) as caught:
        files.read_rollouts(path, columns=columns)
    assert (caught.value.row, len(caught.value.reason) < 600) == (2, True)
    assert reason in caught.value.reason
    assert caught.value.reason.isprintable()
    table = files.read_rollouts(path, columns=columns, skip_bad_rows=True)
    assert (len(table["tokens"]), [row.row for row in table.skipped]) == (1, [2])


@pytest.mark.parametrize("name", ["lists", "objects", "twice"])
def test_curves_are_no_deeper_and_have_each_key_once(tmp_path, name):
    (tmp_path / "c.jsonl").write_text(HOSTILE[name][0])
    with pytest.raises(ca.BadRow, match=f"row 1: the row is not one JSON object; .*{HOSTILE[name][1]}"):
        files.read_curves(tmp_path / "c.jsonl")


def test_lines_that_are_not_utf8_are_bad_rows(tmp_path):
    good = json.dumps(ROLLOUT).encode()
    (tmp_path / "r.jsonl").write_bytes(b"\n".join([b"\xef\xbb\xbf" + good, good.replace(b"a", b"\xff", 1)]))
    with pytest.raises(ca.BadRow, match=r"row 2: .*can't decode byte 0xff"):
        files.read_rollouts(tmp_path / "r.jsonl")


def test_long_texts_that_are_not_ours_are_read(tmp_path):
    (tmp_path / "r.jsonl").write_text(json.dumps({**ROLLOUT, "text": "a: b" * 3_000_000}))
    assert files.read_rollouts(tmp_path / "r.jsonl")["tokens"].tolist() == [5]


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)


@given(values)
def test_what_json_says_is_what_is_read(value):
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")):
        try:
            expected = json.loads(text if isinstance(text, str) else text.decode())
        except UnicodeDecodeError:  # a lone surrogate
            with pytest.raises(ValueError, match="codec"):
                json_text.parse_json(text)
        else:
            assert json_text.parse_json(text) == expected


@given(st.dictionaries(st.text(":ab", min_size=1), st.text(":{,", max_size=3), min_size=1), st.data())
def test_a_key_that_stands_twice_is_found_wherever_it_stands(content, data):
    pairs = list(content.items())
    name = data.draw(st.sampled_from(sorted(content)))
    pairs.insert(data.draw(st.integers(0, len(pairs))), (name, "again"))
    text = ",".join(f"{json.dumps(key)}:{json.dumps(value)}" for key, value in pairs)
    for whole in (f"{{{text}}}", f'[{{"x": [{{{text}}}]}}]'):
        with pytest.raises(ValueError, match="stands twice"):
            json_text.parse_json(whole)


def test_a_field_inside_another_is_mapped(tmp_path):
    rows = [
        {"query_id": "a", "correct": 1, "usage": {"completion_tokens": 5, "x": {"cap": 9}}, "tokens": 1},
        {"query_id": "b", "correct": 1, "usage.completion_tokens": 7, "usage": {"completion_tokens": 8}},
    ]
    bad = [{"query_id": "c", "correct": 1, "usage": usage} for usage in ({}, 3, None, {"completion_tokens": {}})]
    (tmp_path / "r.jsonl").write_text("\n".join(json.dumps(row) for row in [*rows, *bad]))
    columns = {"tokens": "usage.completion_tokens", "cap": "usage.x.cap"}
    table = files.read_rollouts(tmp_path / "r.jsonl", columns=columns, skip_bad_rows=True)
    assert table["tokens"].tolist() == [5, 7]
    np.testing.assert_array_equal(table["cap"], [9.0, np.nan])
    assert [row.row for row in table.skipped] == [3, 4, 5, 6]
    assert all("tokens is" in row.reason for row in table.skipped)
