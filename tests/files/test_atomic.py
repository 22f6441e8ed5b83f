"""A file is replaced in one step: nothing is ever half-written, and nothing is left behind."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from support.tables import ROW, per_format, write_rows

import clear_alloc as ca
from clear_alloc import files
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
