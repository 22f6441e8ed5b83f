"""Hostile logs of Inspect AI end in one short sentence, soon and in little memory."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import pytest

pytest.importorskip("inspect_ai", reason="inspect-ai is not installed")

from support.inspect_logs import log, sample, save, usage

import clear_alloc as ca
from clear_alloc import importers

pytestmark = pytest.mark.filterwarnings("ignore")
per_format = pytest.mark.parametrize("suffix", [".json", ".eval"])
DEEP = {"objects": '{"a":' * 100_000 + "1" + "}" * 100_000, "lists": "[" * 100_000 + "]" * 100_000}
ZSTD = 93
BOMB_READER = """
import resource, sys
import inspect_ai.log
from clear_alloc import importers
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))
try:
    importers.from_inspect(sys.argv[1])
except ValueError as error:
    print(str(error)[-90:])
"""


def plain():
    return log([sample("q1", usage(100))])


def refused(path):
    """The one sentence, the same with skipping."""
    with pytest.raises(ca.InvalidArgument, match="is 'not a log'; allowed: a log of Inspect AI") as caught:
        importers.from_inspect(path)
    with pytest.raises(ca.InvalidArgument, match="is 'not a log'"):
        importers.from_inspect(path, skip_bad_rows=True)
    assert len(str(caught.value)) < 600
    return str(caught.value)


def poisoned(path, old, new):
    """A log in which one text is replaced, in the header or in the sample."""
    content = plain()
    if path.suffix == ".json":
        path.write_text(json.dumps(content).replace(old, new, 1))
        return path
    save(path, content)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name).decode().replace(old, new, 1) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path


@per_format
@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("place", ['"metadata": {}', '"model_args": {}'])
def test_deep_nesting_is_refused(tmp_path, suffix, kind, place):
    path = poisoned(tmp_path / f"x{suffix}", place, place.replace("{}", DEEP[kind]))
    assert "it is nested too deep" in refused(path)


@per_format
@pytest.mark.parametrize("place", ['"model_usage": {', '"model_args": {'])
def test_a_key_that_stands_twice_is_refused(tmp_path, suffix, place):
    path = poisoned(tmp_path / f"x{suffix}", place, '"epoch": 1, "epoch": 2, ' + place)
    assert "the key 'epoch' stands twice" in refused(path)


@per_format
def test_text_that_is_not_utf8_or_holds_nul_is_refused(tmp_path, suffix):
    path = poisoned(tmp_path / f"x{suffix}", '"metadata": {}', '"metadata": {"a": "\0"}')
    assert "Invalid control character" in refused(path)
    if suffix == ".json":
        path.write_bytes(path.read_bytes().replace(b"\0", b"\xff"))
        assert "can't decode byte 0xff" in refused(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, ZSTD])
@pytest.mark.parametrize("member", ["header", "summaries", "samples/q1_epoch_1"])
def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path, method, member):
    text = '{"a":' + " " * (8 << 20) + "1}"
    path = save(tmp_path / "x.eval", plain(), method, **{member: text})
    assert "it unpacks to more than 100 times its size" in refused(path)


def test_many_members_that_unpack_to_far_more_together_are_refused(tmp_path):
    members = {f"samples/{k}": " " * (3 << 20) + "1" for k in range(30)}
    path = save(tmp_path / "x.eval", plain(), **members)
    assert "it unpacks to more than 100 times its size" in refused(path)


@pytest.mark.slow
def test_a_bomb_takes_little_memory(tmp_path):
    pytest.importorskip("zipfile_zstd")
    path = tmp_path / "x.eval"
    with zipfile.ZipFile(path, "w", ZSTD) as archive, archive.open("header.json", "w") as stream:
        for _ in range(1500):
            stream.write(b" " * (1 << 20))
    done = subprocess.run([sys.executable, "-c", BOMB_READER, str(path)], capture_output=True, text=True, check=False)
    assert "it unpacks to more than 100 times its size" in done.stdout, done.stderr[-500:]


def test_a_log_that_repeats_itself_is_read(tmp_path):
    long = sample("q1", usage(100)) | {"metadata": {"transcript": "the same words again and again, " * 50_000}}
    assert importers.from_inspect(save(tmp_path / "x.eval", log([long])))["tokens"].tolist() == [100]
