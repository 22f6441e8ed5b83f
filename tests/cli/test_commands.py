"""The command line: exit codes, one sentence on stderr, nothing but JSON on stdout with --json."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import clear_alloc as ca
from clear_alloc import files
from clear_alloc.cli import main

CURVES = ca.concatenate([
    ca.ShiftedSurge([100, 400, 6000], [80, 200, 900], [0.9, 0.8, 0.7]),
    ca.LognormalArrival([200, 900], 0.5, [0.9, 0.5]),
])  # fmt: skip
IDS = ["a", "b", "c", "d", "e"]
ROLLOUTS = {
    "query_id": ["a"] * 4 + ["b"] * 4,
    "tokens": [90, 100, 110, 120, 900, 1000, 1200, 1500],
    "correct": [1, 1, 1, 0, 1, 0, 1, 0],
}


@pytest.fixture
def curves(tmp_path):
    path = tmp_path / "curves.jsonl"
    files.write_curves(path, CURVES, IDS)
    return str(path)


@pytest.fixture
def rollouts(tmp_path):
    path = tmp_path / "rollouts.csv"
    files.write_rollouts(path, ROLLOUTS)
    return str(path)


def fails(capsys, *arguments):
    """The one sentence on stderr of a command that ends with 2."""
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("clear-alloc: ")
    assert err.count("\n") == 1
    return err.strip()


def run(*arguments, **options):
    command = [sys.executable, "-m", "clear_alloc", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_from_rollouts_to_caps_in_every_format(tmp_path, capsys, rollouts, suffix):
    fitted, caps = tmp_path / f"curves.{suffix}", tmp_path / f"caps.{suffix}"
    assert main(["fit", rollouts, "-o", str(fitted)]) == 0
    assert main(["allocate", str(fitted), "--budget", "500", "-o", str(caps)]) == 0
    out = capsys.readouterr().out
    assert f"2 curves written to {fitted}" in out
    assert f"caps written to {caps}" in out
    direct = ca.fit(ROLLOUTS)
    assert files.read_curves(fitted).curves.to_records() == direct.curves.to_records()
    found = files.read_caps(caps)
    assert found["query_id"].tolist() == ["a", "b"]
    np.testing.assert_array_equal(found["tokens"], ca.allocate(direct.curves, 500).tokens)


def test_fit_in_json_is_the_report(tmp_path, capsys, rollouts):
    path = tmp_path / "c.jsonl"
    assert main(["fit", rollouts, "-o", str(path), "--family", "cumulative_surge", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["family"], shown["curves"]) == ("cumulative_surge", str(path))
    assert [query["id"] for query in shown["queries"]] == ["a", "b"]
    assert {r["family"] for r in files.read_curves(path).curves.to_records()} == {"cumulative_surge"}


def test_weights_in_rollouts_reach_the_curves(tmp_path, capsys):
    path, out = tmp_path / "r.jsonl", tmp_path / "c.jsonl"
    files.write_rollouts(path, {**ROLLOUTS, "weight": [3.0] * 4 + [0.5] * 4})
    assert main(["fit", str(path), "-o", str(out)]) == 0
    assert files.read_curves(out).curves.weight.tolist() == [3.0, 0.5]


def test_allocate_in_json_is_the_result(capsys, curves):
    assert main(["allocate", curves, "--budget", "1200", "--json"]) == 0
    out, err = capsys.readouterr()
    result = ca.allocate(CURVES, 1200, ids=IDS)
    told = {**result.to_dict(), "unit": "token", "charges": result.tokens.tolist()}
    assert json.loads(out) == json.loads(json.dumps(told))
    assert err == ""


def test_allocate_as_text(capsys, curves):
    assert main(["allocate", curves, "--budget", "1200"]) == 0
    out = capsys.readouterr().out
    result = ca.allocate(CURVES, 1200)
    lines = {line.split()[0]: line.split() for line in out.splitlines()}
    assert lines["budget"][1:3] == ["1,200", "tokens"]
    assert lines["funded"][1:5] == [str(result.funded.sum()), "of", "5", "queries"]
    assert lines["price"][1:3] == [f"{result.price:.4g}", "value/token"]
    assert "caps not written: name a file with -o, or use --json" in out


def test_limits_of_rows_and_options_hold_together(tmp_path, capsys):
    path = tmp_path / "c.csv"
    nan = float("nan")
    files.write_curves(path, CURVES, IDS, np.array([nan, nan, 7, nan, nan]), np.array([50, nan, nan, nan, nan]))
    assert (
        main(["allocate", str(path), "--budget", "5000", "--min-tokens", "3", "--max-tokens", "300", "--json"]) == 0
    )
    shown = json.loads(capsys.readouterr().out)
    floors, ceilings = [3, 3, 7, 3, 3], [50, 300, 300, 300, 300]
    assert shown["tokens"] == ca.allocate(CURVES, 5000, min_tokens=floors, max_tokens=ceilings).tokens.tolist()


def test_frontier_in_every_shape(tmp_path, capsys, curves):
    table = tmp_path / "frontier.csv"
    assert main(["frontier", curves, "--budgets", "500,5000", "-o", str(table), "--json"]) == 0
    points = json.loads(capsys.readouterr().out)["points"]
    assert [point["budget"] for point in points] == [500, 5000]
    assert points[0]["utility"] == ca.allocate(CURVES, 500).utility
    assert table.read_text().splitlines()[0] == "budget,spent,utility,upper_bound,gap,price,funded_share"
    assert len(table.read_text().splitlines()) == 3
    assert main(["frontier", curves, "--points", "5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "frontier of 5 queries"
    assert lines[1].split("  ")[0] == "budget (tokens)"
    assert len(lines) == 2 + 5
    assert lines[-1].split()[-2] == "100.0%"


def test_frontier_passes_its_limits_on(capsys, curves):
    options = ["--budgets", "900", "--max-tokens", "40", "--min-tokens", "2", "--json"]
    assert main(["frontier", curves, *options]) == 0
    point = json.loads(capsys.readouterr().out)["points"][0]
    assert point["spent"] == ca.allocate(CURVES, 900, min_tokens=2, max_tokens=40).spent


def test_zero_queries_are_no_error(tmp_path, capsys):
    path = tmp_path / "c.jsonl"
    path.touch()
    assert main(["allocate", str(path), "--budget", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tokens"] == []
    assert main(["frontier", str(path)]) == 0


def test_version_and_help(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"clear-alloc {version('clear-alloc')}\n"
    assert main([]) == 0
    assert "allocate" in capsys.readouterr().out
    assert main(["allocate", "--help"]) == 0
    assert "--max-tokens" in capsys.readouterr().out


def test_bad_input_is_one_sentence_and_2(tmp_path, capsys, curves):
    out = tmp_path / "out.jsonl"
    cases = {
        ("allocate", curves): "--budget is None; allowed: one of --budget and --price; ",
        ("allocate", curves, "--budget", "many"): "--budget",
        ("allocate", curves, "--budget", "-4", "-o", out): "budget is -4.0; allowed: a finite number of tokens, >= 0",
        ("allocate", curves, "--budget", "nan", "-o", out): "budget is nan",
        (
            "allocate",
            curves,
            "--budget",
            "4",
            "--min-tokens",
            "3",
        ): "min_tokens sum to 15 tokens but the budget is 4;",
        ("allocate", curves, "--budget", "4", "--max-tokens", "-1"): "max_tokens[0] is -1.0",
        (
            "allocate",
            curves,
            "--budget",
            "4",
            "--accounting",
            "expected",
        ): "accounting='expected' needs to know how",
        ("allocate", curves, "--budget", "4", "--accounting", "free"): "accounting is 'free'",
        ("allocate", curves, "--budget", "4", "-o", tmp_path / "x.txt"): "x.txt is '.txt'; allowed: .jsonl, ",
        ("allocate", curves, "--budget", "4", "-o", tmp_path / "no/caps.csv"): "No such file or directory",
        ("allocate", tmp_path / "no.csv", "--budget", "4"): "no.csv: No such file or directory",
        ("allocate", tmp_path / "two\nlines.csv", "--budget", "4"): "two lines.csv: No such file or directory",
        ("allocate", tmp_path / "no.txt", "--budget", "4"): "no.txt is '.txt'",
        (
            "frontier",
            curves,
            "--budgets",
            "10,many",
        ): "--budgets is '10,many'; allowed: numbers of tokens with commas",
        ("frontier", curves, "--points", "1"): "points is 1; allowed: at least 2",
        ("fit", curves, "-o", out): "curves.jsonl, row 1: query_id is missing",
        ("forecast", curves): "No such command 'forecast'",
        ("allocate", curves, "--budgte", "4"): "--budgte",
    }
    for arguments, sentence in cases.items():
        assert sentence in fails(capsys, *arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.jsonl"]


def test_an_unknown_family_is_one_sentence(tmp_path, capsys, rollouts):
    message = fails(capsys, "fit", rollouts, "-o", tmp_path / "c.csv", "--family", "menu")
    assert message.startswith("clear-alloc: family is 'menu'; allowed: one of lognormal")


@pytest.mark.slow
def test_the_python_module_is_the_command_and_its_streams_are_pure(tmp_path, curves):
    good = run("allocate", curves, "--budget", "900", "-o", tmp_path / "caps.csv", "--json")
    assert (good.returncode, good.stderr) == (0, "")
    assert json.loads(good.stdout)["budget"] == 900
    (tmp_path / "bad.csv").write_text("id,family,median,spread,solvability\na,lognormal,0,1,1\n")
    bad = run("allocate", tmp_path / "bad.csv", "--budget", "900", "-o", tmp_path / "caps.csv", "--json")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith(f"clear-alloc: {tmp_path / 'bad.csv'}, row 1: median is 0; allowed: ")
    assert bad.stderr.count("\n") == 1
    assert len(files.read_caps(tmp_path / "caps.csv")["tokens"]) == 5


def test_the_installed_command_exists(curves):
    command = Path(sys.executable).with_name("clear-alloc")
    if not command.exists():
        pytest.skip("the package is not installed in this environment")
    done = subprocess.run([command, "frontier", curves, "--json"], capture_output=True, text=True, check=True)
    assert len(json.loads(done.stdout)["points"]) > 2


@pytest.mark.slow
def test_a_terminal_gets_a_drawn_table(curves):
    mother, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    command = [sys.executable, "-m", "clear_alloc", "frontier", curves]
    with subprocess.Popen(command, stdout=child, stderr=subprocess.PIPE, env=environment) as process:
        os.close(child)
        drawn = b""
        while chunk := _read(mother):
            drawn += chunk
        assert process.stderr.read() == b""  # not a terminal: no progress bar
    assert process.returncode == 0
    text = drawn.decode()
    assert "━" in text
    assert "frontier of 5 queries" in text


@pytest.mark.slow
def test_a_terminal_on_stderr_gets_progress_and_stdout_stays_pure(curves):
    mother, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    command = [sys.executable, "-m", "clear_alloc", "frontier", curves, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=child, env=environment) as process:
        os.close(child)
        out = process.stdout.read()
        shown = b""
        while chunk := _read(mother):
            shown += chunk
    assert len(json.loads(out)["points"]) > 2
    assert b"allocating" in shown


def _read(handle):
    try:
        return os.read(handle, 65536)
    except OSError:  # how Linux says that the other end is closed
        return b""


def test_the_library_itself_stays_light():
    code = (
        "import sys, clear_alloc, clear_alloc.schema, clear_alloc.files, clear_alloc.plots, clear_alloc.cli;"
        "print(sorted({'typer', 'rich', 'pyarrow', 'matplotlib', 'pandas', 'cvxpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
