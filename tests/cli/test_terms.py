"""The command line: accounting, levels, money, a price in place of a budget, groups."""

from __future__ import annotations

import json

import numpy as np
import pytest

import clear_alloc as ca
from clear_alloc import files
from clear_alloc.allocation.result import Reason
from clear_alloc.cli import main
from clear_alloc.groups import Group, allocate_groups

CURVES = ca.concatenate([
    ca.LognormalArrival([300, 900, 4000], 0.5, [0.9, 0.7, 0.8]),
    ca.Menu([[200, 800]], [[0.3, 0.6]], expected=[[120, 300]], deviation=[[40, 90]]),
])  # fmt: skip
IDS = ("a", "b", "c", "d")
GROUPS = [Group("team", budget=1500.0), Group("chat", "team", guarantee=300.0), Group("batch", budget=900.0)]
GROUP_OF = ("chat", "team", "batch", None)


@pytest.fixture
def curves(tmp_path):
    path = tmp_path / "curves.jsonl"
    files.write_curves(path, CURVES, IDS)
    return str(path)


@pytest.fixture
def grouped(tmp_path):
    path = tmp_path / "grouped.csv"
    files.write_curves(path, CURVES, IDS, group=GROUP_OF)
    (tmp_path / "groups.csv").write_text("name,parent,budget,guarantee\nteam,,1500,\nchat,team,,300\nbatch,,900,\n")
    return [str(path), "--groups", str(tmp_path / "groups.csv")]


def shown(capsys, *arguments):
    """The JSON on stdout of a command that succeeds."""
    assert main([*map(str, arguments), "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def told(capsys, *arguments):
    """The lines on stdout of a command that succeeds."""
    assert main([*map(str, arguments)]) == 0
    return capsys.readouterr().out.splitlines()


def fails(capsys, *arguments):
    """The one sentence on stderr of a command that ends with 2."""
    assert main([*map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err.removeprefix("clear-alloc: ").strip()


def cells(lines):
    """The rows of a table by their first column."""
    return {line.split("  ")[0]: line.split() for line in lines}


TERMS = [
    (["--accounting", "expected"], {"accounting": "expected"}),
    (["--accounting", "expected", "--overrun", "0.3"], {"accounting": "expected", "overrun": 0.3}),
    (["--levels", "0,256,1024"], {"levels": {0, 256, 1024}}),
    (["--levels", "0, 720-730"], {"levels": {0, (720, 730)}}),
    (["--levels", "0,720-"], {"levels": {0, (720, None)}}),
    (["--levels", "150-800"], {"levels": {(150, 800)}}),
    (["--fallback", "64"], {"fallback": 64}),
    (["--rate", "0.8"], {"rate": 0.8}),
    (["--call", "250"], {"call": 250.0}),
    (["--rate", "0.5", "--call", "50", "--fallback", "9"], {"rate": 0.5, "call": 50.0, "fallback": 9}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("options", "terms"), TERMS, ids=lambda part: " ".join(part) if type(part) is list else "")
def test_every_term_reaches_the_allocation_and_the_frontier(capsys, curves, options, terms):
    result = ca.allocate(CURVES, 1500, **terms)
    found = shown(capsys, "allocate", curves, "--budget", 1500, *options)
    assert found["tokens"] == result.tokens.tolist()
    assert (found["spent"], found["utility"], found["margin"]) == (result.spent, result.utility, result.margin)
    assert found["charges"] == result.charges.tolist()
    assert found["unit"] == result.unit
    (point,) = shown(capsys, "frontier", curves, "--budgets", 1500, *options)["points"]
    assert (point["spent"], point["utility"]) == (result.spent, result.utility)
    plain = ca.allocate(CURVES, 1500)
    assert (result.tokens.tolist(), result.spent) != (plain.tokens.tolist(), plain.spent)


def test_a_price_takes_the_place_of_a_budget(capsys, curves):
    result = ca.allocate(CURVES, price=3e-4)
    found = shown(capsys, "allocate", curves, "--price", 3e-4)
    assert (found["tokens"], found["price"], found["status"]) == (result.tokens.tolist(), 3e-4, "priced")
    lines = cells(told(capsys, "allocate", curves, "--price", 3e-4))
    assert "budget" not in lines
    assert lines["spent"][1:] == [f"{result.spent:,.0f}", "tokens"]
    assert fails(capsys, "allocate", curves).startswith("--budget is None; allowed: one of --budget and --price; ")
    both = fails(capsys, "allocate", curves, "--budget", 5, "--price", 1)
    assert both == "--price is 1.0; allowed: one of --budget and --price; leave one of them out"


def test_a_guess_of_the_price_reaches_the_allocation_and_changes_nothing(capsys, curves):
    found = shown(capsys, "allocate", curves, "--budget", 1500, "--start", 1e-4)
    assert found["tokens"] == ca.allocate(CURVES, 1500).tokens.tolist()
    assert fails(capsys, "allocate", curves, "--budget", 1500, "--start", -1).startswith("start is -1.0")


def test_expected_accounting_shows_its_margin(capsys, curves):
    result = ca.allocate(CURVES, 1500, accounting="expected")
    lines = cells(told(capsys, "allocate", curves, "--budget", 1500, "--accounting", "expected"))
    assert lines["expected spend"][2:] == [f"{result.spent:,.6g}", "tokens"]
    assert lines["deviation"][1:] == [f"{result.deviation:,.6g}", "tokens"]
    assert lines["margin"][1:] == [f"{result.margin:,.6g}", "tokens"]
    assert result.margin > 0
    plain = cells(told(capsys, "allocate", curves, "--budget", 1500))
    assert not {"expected spend", "deviation", "margin"} & plain.keys()


def test_money_is_shown_in_budget_units(capsys, curves):
    result = ca.allocate(CURVES, 1.5, rate=0.001)
    lines = told(capsys, "allocate", curves, "--budget", 1.5, "--rate", 0.001)
    rows = cells(lines)
    assert rows["budget"][1:] == ["1.5", "budget", "units"]
    assert rows["spent"][1:] == [f"{result.spent:,.6g}", "budget", "units"]
    assert rows["price"][1:] == [f"{result.price:.4g}", "value/budget", "unit"]
    assert not any("token" in cell for row in rows.values() for cell in row[1:3])
    lines = told(capsys, "frontier", curves, "--budgets", "0.5,1.5", "--budget", 1, "--call", 0.1, "--rate", 0.001)
    assert lines[1].startswith("budget (budget units)  utility (value)  price (value/budget unit)")
    assert lines[-1].startswith("20 % more than 1 budget units (1.2) would raise the utility from ")
    for own in (["--call", 0.1], ["--rate", 0.001]):
        assert told(capsys, "frontier", curves, "--budgets", 900, *own)[1].startswith("budget (budget units)")
    assert told(capsys, "frontier", curves, "--budgets", 900)[1].startswith("budget (tokens)")


def test_why_queries_are_not_funded_is_counted(capsys, curves):
    result = ca.allocate(CURVES, 900)
    counts = {reason: result.reasons.count(reason) for reason in Reason}
    lines = told(capsys, "allocate", curves, "--budget", 900)
    expected = [
        f"{counts[reason]} not funded, {reason.name.lower().replace('_', ' ')}: {reason.value}"
        for reason in Reason
        if counts[reason] and reason is not Reason.FUNDED
    ]
    assert [line for line in lines if "not funded" in line] == expected
    assert len(expected) >= 2
    everybody = told(capsys, "allocate", curves, "--budget", 10**6)
    assert not any("not funded" in line for line in everybody)


def test_what_rows_and_options_both_give_is_refused_by_name(tmp_path, capsys):
    path = tmp_path / "c.csv"
    terms = {"levels": [(0, 512), None, None, None], "rate": [1.0, 2.0, 3.0, 4.0], "call": [0.0, 1.0, 2.0, 3.0]}
    files.write_curves(path, CURVES, IDS, **terms, fallback=np.array([5.0, np.nan, np.nan, np.nan]))
    for option, value in (("levels", "0,9"), ("rate", "2"), ("call", "2")):
        for command in ("allocate", "frontier"):
            sentence = fails(capsys, command, path, "--budget", 900, f"--{option}", value)
            assert sentence.startswith(f"{option} is ")
            assert sentence.endswith(f"column {option}; give {option} once, for all queries or in the rows")
    found = shown(capsys, "allocate", path, "--budget", 900, "--fallback", 3)
    own = {**terms, "levels": [[0, 512], None, None, None]}
    direct = ca.allocate(CURVES, 900, **own, fallback=[5, 3, 3, 3])
    assert (found["tokens"], found["unit"]) == (direct.tokens.tolist(), "unit")


def test_bad_terms_are_one_sentence_and_2(tmp_path, capsys, curves):
    cases = {
        ("--levels", "0,many"): "--levels is '0,many'; allowed: whole tokens with commas, as 0,1024,4096, or 0 and a",
        ("--levels", ""): "--levels is ''; allowed",
        ("--levels", "0,1.5"): "--levels is '0,1.5'; allowed",
        ("--levels", "-5"): "--levels is '-5'; allowed",
        ("--levels", "0,1-2-3"): "--levels is '0,1-2-3'; allowed",
        ("--levels", "0,٣"): "--levels is '0,٣'; allowed",
        ("--levels", "0," + "9" * 17): "allowed: whole tokens",
        ("--levels", "0," + "9" * 16): "levels is 9999999999999999; allowed: whole caps",
        ("--levels", "0,9-5"): "levels is (9, 5); allowed: low <= high",
        ("--levels", "0,5,7-9"): "single caps beside a range",
        ("--fallback", "-1"): "fallback[0] is -1.0; allowed: 0 to 2**53 tokens",
        ("--fallback", "1.5"): "'--fallback'",
        ("--rate", "0"): "rate[0] is 0.0; allowed: 1e-15 to 2**53 budget units",
        ("--rate", "nan"): "rate[0] is nan",
        ("--call", "-1"): "call[0] is -1.0; allowed: 0, or 1e-15 to 2**53 budget units",
        ("--overrun", "0.1"): "--overrun is 0.1; allowed: absent with reserved accounting",
        ("--overrun", "0.6", "--accounting", "expected"): "overrun is 0.6; allowed: a probability above 0",
        ("--min-tokens", "-1"): "min_tokens[0] is -1.0",
    }
    for options, sentence in cases.items():
        assert sentence in fails(capsys, "allocate", curves, "--budget", 900, "-o", tmp_path / "caps.csv", *options)
        assert sentence in fails(capsys, "frontier", curves, "-o", tmp_path / "caps.csv", *options)
    assert fails(capsys, "allocate", curves, "--price", -1).startswith("price is -1.0; allowed: ")
    assert "--price" in fails(capsys, "frontier", curves, "--price", 1)
    assert "--groups" in fails(capsys, "frontier", curves, "--groups", "g.csv")
    assert fails(capsys, "frontier", curves, "--budget", -1, "-o", tmp_path / "f.csv").startswith("budget is -1.")
    assert [path.name for path in tmp_path.iterdir()] == ["curves.jsonl"]


def test_groups_are_allocated_and_shown(tmp_path, capsys, grouped):
    direct = allocate_groups(CURVES, 2000, GROUPS, GROUP_OF, ids=IDS)
    found = shown(capsys, "allocate", *grouped, "--budget", 2000, "-o", tmp_path / "caps.csv")
    assert found["tokens"] == direct.tokens.tolist()
    assert found["groups"] == json.loads(json.dumps(direct.to_dict()["groups"]))
    assert found["charges"] == direct.allocation.charges.tolist()
    assert files.read_caps(tmp_path / "caps.csv")["tokens"].tolist() == direct.tokens.tolist()
    lines = told(capsys, "allocate", *grouped, "--budget", 2000)
    assert lines[0] == "groups (tokens, value, value/token)"
    header = "group parent budget guarantee spent utility funded price marginal"
    assert lines[1].split() == header.split()
    for line, group in zip(lines[2:5], direct.groups, strict=True):
        assert line.split() == [
            group.name, group.parent or "-", "-" if group.budget is None else f"{group.budget:,.0f}",
            f"{group.guarantee:,.0f}", f"{group.spent:,.0f}", f"{group.utility:,.6g}",
            f"{group.funded}", "of", f"{group.queries}", f"{group.price:.4g}", f"{group.marginal:.4g}",
        ]  # fmt: skip
    assert lines[5] == "allocation"
    assert direct["chat"].parent == "team"
    assert direct["batch"].budget == 900.0


@pytest.mark.slow
def test_groups_take_the_same_terms(capsys, grouped):
    terms = {"accounting": "expected", "overrun": 0.4, "rate": 0.5, "fallback": 8, "max_tokens": 700, "ids": IDS}
    options = ["--accounting", "expected", "--overrun", 0.4, "--rate", 0.5, "--fallback", 8, "--max-tokens", 700]
    found = shown(capsys, "allocate", *grouped, "--budget", 900, *options)
    direct = allocate_groups(CURVES, 900, GROUPS, GROUP_OF, **terms)
    assert (found["tokens"], found["unit"]) == (direct.tokens.tolist(), "unit")
    title = told(capsys, "allocate", *grouped, "--budget", 900, *options)[0]
    assert title == "groups (budget units, value, value/budget unit)"


def test_groups_that_do_not_fit_are_one_sentence(tmp_path, capsys, curves, grouped):
    path, _, groups = grouped
    sentence = fails(capsys, "allocate", curves, "--budget", 900, "--groups", groups)
    assert sentence.startswith(f"--groups is {groups!r}"[:40])
    assert sentence.endswith("curves whose rows have the column group; add the column, or leave --groups out")
    for option in ("--price", "--start"):
        pool = [] if option == "--price" else ["--budget", 5]
        sentence = fails(capsys, "allocate", *grouped, *pool, option, 1)
        assert sentence == f"{option} is 1.0; allowed: absent beside --groups; leave {option} or --groups out"
    (tmp_path / "g.csv").write_text("name,parent\nteam,\nchat,nobody\nbatch,\n")
    assert "nobody" in fails(capsys, "allocate", path, "--budget", 900, "--groups", tmp_path / "g.csv")
    (tmp_path / "g.csv").write_text("name,budget\nteam,\nchat,-3\n")
    sentence = fails(
        capsys, "allocate", path, "--budget", 900, "--groups", tmp_path / "g.csv", "-o", tmp_path / "c.csv"
    )
    assert sentence.startswith(f"{tmp_path / 'g.csv'}, row 2: budget is -3.0; allowed: budget units")
    (tmp_path / "g.csv").write_text("name\nteam\n")
    assert "chat" in fails(capsys, "allocate", path, "--budget", 900, "--groups", tmp_path / "g.csv")
    assert not (tmp_path / "c.csv").exists()


def test_no_queries_and_groups_are_no_error(tmp_path, capsys, grouped):
    (tmp_path / "none.jsonl").touch()
    found = shown(capsys, "allocate", tmp_path / "none.jsonl", "--budget", 900, *grouped[1:])
    assert (found["tokens"], [group["spent"] for group in found["groups"]]) == ([], [0.0] * 3)


def test_the_frontier_says_what_a_fifth_more_would_buy(capsys, curves):
    now, more = (ca.allocate(CURVES, budget) for budget in (1000, 1200))
    line = told(capsys, "frontier", curves, "--points", 3, "--budget", 1000)[-1]
    assert line == (
        f"20 % more than 1,000 tokens (1,200) would raise the utility from {now.utility:.6g} to {more.utility:.6g} "
        f"and the share funded from {now.funded.mean():.1%} to {more.funded.mean():.1%}."
    )
    found = shown(capsys, "frontier", curves, "--budgets", "500", "--budget", 1000)
    assert [point["budget"] for point in found["points"]] == [500]
    assert [(point["budget"], point["utility"]) for point in found["more"]] == [
        (1000, now.utility), (1200, more.utility)
    ]  # fmt: skip
    enough = told(capsys, "frontier", curves, "--points", 3, "--budget", 10**6)[-1]
    assert enough.startswith("20 % more than 1,000,000 tokens (1,200,000) would buy nothing: the utility stays ")
    assert "more" not in shown(capsys, "frontier", curves, "--budgets", "500")


def test_caps_say_why_and_what_they_are_charged(tmp_path, capsys, curves):
    path = tmp_path / "caps.jsonl"
    assert main(["allocate", curves, "--budget", "1", "--rate", "0.001", "-o", str(path)]) == 0
    result = ca.allocate(CURVES, 1, rate=0.001)
    found = files.read_caps(path)
    assert found["reason"].tolist() == [reason.name.lower() for reason in result.reasons]
    assert found["charge"].tolist() == result.charges.tolist()
    assert f"caps written to {path}" in capsys.readouterr().out
