"""Streams that are closed, full, gone, or of another encoding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import clear_alloc as ca
from clear_alloc import files


@pytest.fixture
def curves(tmp_path):
    path = tmp_path / "curves.jsonl"
    files.write_curves(path, ca.LognormalArrival([300, 900], 0.5, [0.9, 0.7]), ["é", "漢"])
    return path


def shell(line, **environment):
    command = line.replace("clear-alloc", f"{sys.executable} -m clear_alloc")
    env = {**os.environ, **environment}
    return subprocess.run(["bash", "-c", command], capture_output=True, check=False, env=env)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252"])
def test_json_is_utf8_whatever_stdout_is(curves, encoding):
    done = shell(f"clear-alloc allocate {curves} --budget 900 --json", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout.decode("utf-8"))["ids"] == ["é", "漢"]


def test_text_that_stdout_can_not_encode_is_escaped(curves):
    named = curves.with_name("é漢.jsonl")
    done = shell(f"clear-alloc allocate {curves} --budget 900 -o {named}", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\xe9\u6f22.jsonl" in done.stdout
    assert named.exists()


@pytest.mark.parametrize("buffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("rest", ["allocate {} --budget 9", "frontier {} --json", "--help", "--version"])
def test_a_closed_stdout_is_quiet(curves, rest, buffered):
    done = shell(f"clear-alloc {rest.format(curves)} >&-", PYTHONUNBUFFERED=buffered)
    assert (done.returncode, done.stderr) == (0, b"")


def test_closed_streams_never_become_the_output_file(curves, tmp_path):
    done = shell(f"clear-alloc allocate {curves} --budget 900 -o {tmp_path}/caps.jsonl >&- 2>&-")
    assert done.returncode == 0
    assert len(files.read_caps(tmp_path / "caps.jsonl")["tokens"]) == 2
    assert shell(f"clear-alloc allocate {tmp_path}/none.jsonl --budget 9 2>&-").stdout == b""


@pytest.mark.parametrize("buffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_a_reader_that_leaves_is_quiet(curves, buffered):
    line = f"clear-alloc frontier {curves} --json | head -1; exit ${{PIPESTATUS[0]}}"
    done = shell(line, PYTHONUNBUFFERED=buffered)
    assert done.returncode in (0, 1)
    assert (done.stdout, done.stderr) == (b"{\n", b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
@pytest.mark.parametrize("buffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_a_full_disk_is_one_sentence_that_names_stdout(curves, buffered):
    done = shell(f"clear-alloc allocate {curves} --budget 900 > /dev/full", PYTHONUNBUFFERED=buffered)
    assert (done.returncode, done.stderr) == (2, b"clear-alloc: stdout: No space left on device\n")
