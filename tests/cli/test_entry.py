"""How a command ends: its exit code, and one sentence on stderr instead of a traceback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import clear_alloc as ca
from clear_alloc import files
from clear_alloc.cli import commands, entry, main


@pytest.fixture
def curves(tmp_path):
    path = tmp_path / "curves.jsonl"
    files.write_curves(path, ca.LognormalArrival([200, 900], 0.5, [0.9, 0.5]), ["a", "b"])
    return str(path)


def test_a_sentence_on_stderr_is_one_line_of_bounded_length(capsys):
    assert main(["allocate", "\x1b[31m\u202e" + "x" * 10**6, "--budget", "9"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("clear-alloc: ")
    assert len(err) < 2100
    assert err.rstrip("\n").isprintable()
    assert main(["\x1b[2J"]) == 2
    assert capsys.readouterr().err.rstrip("\n").isprintable()


@pytest.mark.parametrize("buffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_a_reader_that_left_is_no_traceback(buffered):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "clear_alloc", "--version"]
    environment = {**os.environ, "PYTHONUNBUFFERED": buffered}
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("where", ["allocate", "write_caps"])
def test_an_interrupt_is_130_and_changes_no_file(tmp_path, capsys, monkeypatch, curves, where):
    caps = tmp_path / "caps.csv"
    caps.write_text("old")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, where, interrupted)
    assert main(["allocate", curves, "--budget", "9", "-o", str(caps)]) == 130
    out, err = capsys.readouterr()
    assert (out, err) == ("", "clear-alloc: interrupted; no file was changed\n")
    assert caps.read_text() == "old"


def test_a_broken_promise_is_1_and_not_the_caller_s_fault(capsys, monkeypatch, curves):
    def broken(*_, **__):
        raise ca.AuditFailed("caps sum to at most 9 tokens", "they sum to 10")

    monkeypatch.setattr(commands, "allocate", broken)
    assert main(["allocate", curves, "--budget", "9"]) == 1
    assert capsys.readouterr().err.startswith("clear-alloc: audit: caps sum to at most 9 tokens, but they sum to 10")


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_the_install_command_is_said(capsys, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(["--version"]) == 2
    assert (
        capsys.readouterr()
        .err.strip()
        .endswith(f"needs {missing}, which is not installed; run: pip install 'clear-alloc[cli]'")
    )


def test_without_the_extra_the_command_still_starts():
    code = "import sys; sys.modules['typer'] = None; from clear_alloc.cli import main; sys.exit(main(['--version']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'clear-alloc[cli]'" in done.stderr


def test_usage_errors_are_known_with_typer_s_own_click_and_without(monkeypatch):
    import typer

    assert issubclass(typer.BadParameter, entry._usage_error(typer))

    class Old:
        """A typer that still leans on click."""

    class Click:
        ClickException = ValueError

    monkeypatch.setitem(sys.modules, "click", Click)
    assert entry._usage_error(Old) is ValueError
