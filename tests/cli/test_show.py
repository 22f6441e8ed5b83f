"""What reaches a terminal or a pipe: names as they are, nothing that steers the terminal, whatever its width."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import clear_alloc as ca
from clear_alloc import files
from clear_alloc.cli import show

CURVES = ca.LognormalArrival([300, 900, 400], 0.5, [0.9, 0.7, 0.8])
NAMES = ["[/red]", "team[eu]", "\x1b[31mred\x9b"]
STYLE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")  # what rich itself writes: styles and the cursor
TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("\x00\x1b\x9b[]/bold\u202e\u2028\r\ud800")), max_size=20)


@pytest.fixture
def grouped(tmp_path):
    files.write_curves(tmp_path / "curves.jsonl", CURVES, ["é", "b", "c"], group=NAMES)
    lines = [json.dumps({"name": name}) for name in NAMES]
    (tmp_path / "groups.jsonl").write_text("\n".join(lines))
    return ["allocate", tmp_path / "curves.jsonl", "--groups", tmp_path / "groups.jsonl", "--budget", 2000]


def on_terminal(width, *arguments):
    """The exit code, and what a terminal of that width gets."""
    mother, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(width)}
    command = [sys.executable, "-m", "clear_alloc", *map(str, arguments)]
    with subprocess.Popen(command, stdout=child, stderr=subprocess.STDOUT, env=environment) as process:
        os.close(child)
        shown = b""
        while chunk := _read(mother):
            shown += chunk
    return process.returncode, shown.decode()


def _read(handle):
    try:
        return os.read(handle, 65536)
    except OSError:  # how Linux says that the other end is closed
        return b""


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_names_in_brackets_are_shown_as_they_are(tmp_path, grouped, width):
    code, shown = on_terminal(width, *grouped, "-o", tmp_path / "caps[1].jsonl")
    assert code == 0
    plain = STYLE.sub("", shown)
    for name in ("[/red]", "team[eu]", r"\x1b[31mred\x9b", "caps[1].jsonl"):
        assert name in plain
    assert ("━" in shown) == (width >= 80)  # else a table would not fit
    assert all(letter.isprintable() or letter in "\r\n" for letter in plain)


@given(TEXTS, TEXTS)
def test_no_text_of_others_steers_the_terminal(first, second):
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        show.show_table("groups", ("group", "spent"), [(first, "1"), (second, "20")])
        show.show_text(first)
        show.show_json({first: second})
    text = stream.getvalue()
    assert text.replace("\n", "").isprintable()
    assert text.count("\n") == 4 + 1 + first.count("\n") + 3
    assert json.loads(text[text.rindex("{\n") :]) == {first: second}


def test_json_keeps_letters_and_escapes_what_is_none():
    shown = show.as_json({"é\u202e": ["\x9b", "\ud800", "\U000e0001", "漢字"]})
    assert "é" in shown
    assert "漢字" in shown
    for escape in (r"\u202e", r"\u009b", r"\ud800", r"\udb40\udc01"):
        assert escape in shown
    shown.encode()


def test_columns_are_aligned_by_what_letters_take(capsys):
    show.show_table("t", ("name", "n"), [("漢字", "1"), ("ab", "22")])
    assert capsys.readouterr().out == "t\nname   n\n漢字   1\nab    22\n"


def test_numbers_that_json_does_not_have_become_null(capsys):
    show.show_json({"a": [1.5, float("nan")], "b": {"c": float("-inf")}, "d": "ä"})
    assert (
        capsys.readouterr().out
        == '{\n  "a": [\n    1.5,\n    null\n  ],\n  "b": {\n    "c": null\n  },\n  "d": "ä"\n}\n'
    )
