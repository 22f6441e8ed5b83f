"""A file is replaced in one step: nothing is ever half-written, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.tables import ROW, per_format, write_rows

import clear_alloc as ca
from clear_alloc import files
from clear_alloc.cli import main
from clear_alloc.files import atomic, writing


def left_behind(folder):
    return [path.name for path in folder.iterdir() if path.name.endswith(".tmp")]


class Crash(BaseException):
    """As an interrupt: not an Exception."""


@per_format
def test_a_crash_while_writing_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"c.{suffix}"
    write_rows(path, [ROW])
    before = path.read_bytes()

    def half(stream, _):
        stream.write(b"half of the new content")
        raise Crash

    for name in ("_write_json_lines", "_write_csv", "_write_parquet"):
        monkeypatch.setattr(writing, name, half)
    with pytest.raises(Crash):
        write_rows(path, [{**ROW, "id": "b"}])
    assert path.read_bytes() == before
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failing_disk_leaves_the_old_file(tmp_path, monkeypatch, call):
    path = tmp_path / "c.jsonl"
    path.write_text("old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), fail)
    with pytest.raises(OSError, match="No space left"):
        write_rows(path, [ROW])
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert left_behind(tmp_path) == []


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with atomic.replacing(path) as stream:
        stream.write(b"new")
        stream.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_content_is_on_disk_before_it_takes_the_name(tmp_path, monkeypatch):
    path, calls = tmp_path / "x.txt", []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append("sync"), sync(handle))[1])
    monkeypatch.setattr(Path, "replace", lambda a, b: (calls.append("replace"), replace(a, b))[1])
    with atomic.replacing(path) as stream:
        stream.write(b"new")
    assert calls == ["sync", "replace", "sync"]


def test_an_existing_file_keeps_its_mode_and_a_new_one_follows_the_umask(tmp_path):
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.touch()
    old.chmod(0o640)
    mask = os.umask(0o027)
    try:
        write_rows(old, [ROW])
        write_rows(new, [ROW])
    finally:
        os.umask(mask)
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert stat.S_IMODE(new.stat().st_mode) == 0o640
    old.chmod(0o600)
    write_rows(old, [ROW])
    assert stat.S_IMODE(old.stat().st_mode) == 0o600


def test_a_link_keeps_pointing_where_it_did(tmp_path):
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.touch()
    link.symlink_to(real)
    write_rows(link, [ROW])
    assert link.is_symlink()
    assert files.read_curves(real).ids == ("a",)


def test_a_directory_or_a_device_is_not_replaced(tmp_path):
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (folder, tmp_path / "pipe.csv"):
        with pytest.raises(ca.InvalidArgument, match="allowed: a regular file or a name not in use"):
            write_rows(path, [ROW])
    assert folder.is_dir()


def abandoned(folder, name=".clear-alloc-4194305-0123456789abcdef.tmp"):
    path = folder / name
    path.write_text("half")
    return path


def test_what_a_dead_writer_left_goes_with_the_next_write_and_nothing_else_does(tmp_path):
    others = [abandoned(tmp_path, name) for name in (".clear-alloc-notes.tmp", "clear-alloc-1-0123456789abcdef.tmp")]
    folder = tmp_path / ".clear-alloc-1-0123456789abcdef.tmp"
    folder.mkdir()
    link = tmp_path / ".clear-alloc-2-0123456789abcdef.tmp"
    link.symlink_to(others[0])
    gone = [abandoned(tmp_path), abandoned(tmp_path, f".clear-alloc-{os.getpid()}-0123456789abcdef.tmp")]
    write_rows(tmp_path / "c.csv", [ROW])
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in [*others, folder, link])
    assert files.read_curves(tmp_path / "c.csv").ids == ("a",)


def test_a_living_writer_keeps_its_file(tmp_path):
    with atomic.replacing(tmp_path / "slow.txt") as stream:
        stream.write(b"slow")
        write_rows(tmp_path / "quick.csv", [ROW])
        assert len(left_behind(tmp_path)) == 1
    assert (tmp_path / "slow.txt").read_bytes() == b"slow"
    assert left_behind(tmp_path) == []


def test_a_file_that_is_taken_before_its_lock_is_made_anew(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    lock, taken = fcntl.flock, []

    def late(handle, how):
        if how == fcntl.LOCK_EX and not taken:
            (path,) = tmp_path.glob(".clear-alloc-*.tmp")
            path.unlink()
            taken.append(path)
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with atomic.replacing(tmp_path / "x.txt") as stream:
        stream.write(b"whole")
    assert len(taken) == 1
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x.txt", b"whole")]


WRITERS = """
import os, signal, sys, time
from clear_alloc.files.atomic import replacing
path, kill, left = sys.argv[1], int(sys.argv[2]), 0
for k in range(60):
    writer = os.fork()
    while not writer:
        for letter in (b"a", b"b"):
            with replacing(path) as stream:
                stream.write(letter * 300_000)
    time.sleep(0.0007 * k)
    os.kill(writer, kill)
    os.waitpid(writer, 0)
    left += sum(name.endswith(".tmp") for name in os.listdir(os.path.dirname(path)))
    if os.path.exists(path):
        with open(path, "rb") as stream:
            assert stream.read() in (b"a" * 300_000, b"b" * 300_000)
print(left)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL], ids=lambda kill: kill.name)
def test_writers_that_are_killed_leave_whole_files_and_nothing_after_the_next_run(tmp_path, kill):
    path = tmp_path / "x.txt"
    words = [sys.executable, "-c", WRITERS, str(path), str(int(kill))]
    shown = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    assert int(shown.stdout) > 0, "no writer was killed while it wrote"
    with atomic.replacing(path) as stream:
        stream.write(b"last")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x.txt", b"last")]


def test_a_missing_directory_is_named_and_not_the_temporary_file(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(OSError, match=r"o such file|ot a directory") as caught:
            write_rows(folder / "c.csv", [ROW])
        assert caught.value.filename == str(folder)
        assert ".tmp" not in str(caught.value)


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_rows(tmp_path / "c.csv", [ROW])
    assert (caught.value.filename, caught.value.errno) == (str(tmp_path / "c.csv"), 28)


def test_an_error_about_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, atomic.replacing(tmp_path / "x.txt"):
        (tmp_path / "source").read_bytes()
    assert caught.value.filename == str(tmp_path / "source")
    assert list(tmp_path.iterdir()) == []


def test_an_output_is_no_input(tmp_path):
    path, link = tmp_path / "c.csv", tmp_path / "link.csv"
    path.touch()
    link.symlink_to(path)
    for same in (path, link, tmp_path / "." / ".." / tmp_path.name / "c.csv"):
        with pytest.raises(ca.InvalidArgument, match=r"--output is .*; allowed: another file than curves; choose"):
            atomic.check_output("--output", same, groups=None, curves=path)
    atomic.check_output("--output", tmp_path / "caps.csv", groups=None, curves=path)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["allocate", "in.jsonl", "--budget", "900", "-o", "in.jsonl"], "curves"),
        (["allocate", "in.jsonl", "--budget", "900", "--groups", "g.csv", "-o", "g.csv"], "groups"),
        (["frontier", "in.jsonl", "-o", "in.jsonl"], "curves"),
        (["fit", "in.jsonl", "-o", "in.jsonl"], "rollouts"),
        (["fit", "in.jsonl", "-o", "c.jsonl", "--report", "in.json"], None),
        (["fit", "in.jsonl", "-o", "c.jsonl", "--scores", "c.jsonl", "--importer", "openai-batch"], "scores"),
        (["fit", "x.json", "-o", "c.jsonl", "--report", "x.json", "--importer", "inspect"], "rollouts"),
    ],
)
def test_commands_refuse_to_write_over_what_they_read(tmp_path, monkeypatch, capsys, words, name):
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "in.jsonl", [ROW])
    before = (tmp_path / "in.jsonl").read_bytes()
    assert main(words) == 2
    said = capsys.readouterr().err
    assert (f"allowed: another file than {name}; choose another name" in said) is (name is not None), said
    assert (tmp_path / "in.jsonl").read_bytes() == before
