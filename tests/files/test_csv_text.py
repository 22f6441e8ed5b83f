"""CSV: what cells spell, and text that is no CSV."""

from __future__ import annotations

import time

import pytest

import clear_alloc as ca
from clear_alloc import files


def test_a_menu_in_csv_is_a_json_list_in_a_cell(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text('id,family,costs,values,median,spread,solvability\na,menu,"[0, 300]","[0.2, 0.5]",,,\n'
                    "b,lognormal,,,800,0.4,0.7\n")  # fmt: skip
    assert files.read_curves(path).curves.to_records() == [
        {"family": "menu", "costs": [0.0, 300.0], "values": [0.2, 0.5], "weight": 1.0},
        {"family": "lognormal", "median": 800.0, "spread": 0.4, "solvability": 0.7, "weight": 1.0},
    ]
    path.write_text('id,family,costs,values\na,menu,0;300,"[0.2, 0.5]"\n')
    with pytest.raises(ca.BadRow, match="row 1: costs is '0;300'; allowed: a list"):
        files.read_curves(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("query_id,tokens,correct\na,3,1\nb,4\n", "row 2: it has 2 cells; allowed: 3, as the header"),
        ("query_id,tokens,correct,tokens\na,3,1,3\n", "is 'tokens'; allowed: each name once"),
        ("query_id,tokens,correct\na,3,1\n\nb,x,0\n", "row 3: tokens is 'x'; allowed: a whole number"),
        ("query_id,tokens,correct\na,1_000,1\n", "row 1: tokens is '1_000'"),
        ("query_id,tokens,correct\na,nan,1\n", "row 1: tokens is nan"),
        ("query_id,tokens,correct\na,true,1\n", "row 1: tokens is True"),
        ("query_id,tokens,correct\n,3,1\n", "row 1: query_id is missing"),
        ('query_id,tokens,correct\n"a,3,1\n', "can't be read as CSV"),
        ("query_id;tokens;correct\na;3;1\n", "add or rename a column to 'query_id'"),
    ],
)
def test_broken_csv_is_refused(tmp_path, text, message):
    path = tmp_path / "r.csv"
    path.write_text(text)
    with pytest.raises((ca.BadRow, ca.InvalidArgument)) as caught:
        files.read_rollouts(path)
    assert message in str(caught.value)


def test_csv_that_is_not_utf8_is_refused(tmp_path):
    path = tmp_path / "r.csv"
    path.write_bytes("query_id,tokens,correct\nä,3,1\n".encode("latin-1"))
    with pytest.raises(ca.BadRow, match="can't be read as CSV in UTF-8"):
        files.read_rollouts(path)


HEADER = "query_id,tokens,correct"


@pytest.mark.parametrize("letters", [500_000, 10_000_000])
@pytest.mark.parametrize("columns", [None, {"cap": "limit"}], ids=["plain", "mapped"])
def test_long_fields_that_are_not_ours_are_read(tmp_path, letters, columns):
    (tmp_path / "r.csv").write_text(f"{HEADER},text,limit\na,5,1,{'x' * letters},\n")
    assert files.read_rollouts(tmp_path / "r.csv", columns=columns)["tokens"].tolist() == [5]


@pytest.mark.slow
def test_a_quote_that_never_ends_is_refused_before_it_fills_the_memory(tmp_path):
    (tmp_path / "r.csv").write_text(f'{HEADER}\na,5,1\n"b,5,1\n' + "c,5,1\n" * 4_000_000)
    with pytest.raises(ca.BadRow, match=r"row 2: the text can't be read as CSV in UTF-8 \(field larger than"):
        files.read_rollouts(tmp_path / "r.csv")


def test_long_fields_of_ours_are_not_echoed_whole(tmp_path):
    for cells in (f"{'q' * 10**7},x,1", f"a,{'9' * 10**7},1"):
        (tmp_path / "r.csv").write_text(f"{HEADER}\n{cells}\n")
        with pytest.raises(ca.BadRow, match="row 1: tokens is '") as caught:
            files.read_rollouts(tmp_path / "r.csv")
        assert len(str(caught.value)) < 500


@pytest.mark.parametrize("columns", [None, {"cap": "c1"}], ids=["plain", "mapped"])
def test_many_columns_take_seconds(tmp_path, columns):
    n = 100_000
    names, empty = ",".join(f"c{k}" for k in range(n)), "," * (n - 1)
    (tmp_path / "r.csv").write_text(f"{HEADER},{names}\na,300,1,{empty}\na,301,1,{empty}\n")
    start = time.process_time()
    assert files.read_rollouts(tmp_path / "r.csv", columns=columns)["tokens"].tolist() == [300, 301]
    assert time.process_time() - start < 8  # 95 s where each name was counted in the whole header
    (tmp_path / "r.csv").write_text(f"{names}\n{empty}\n")
    with pytest.raises(ca.InvalidArgument) as caught:
        files.read_rollouts(tmp_path / "r.csv", columns=columns)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("bad", [b"\xff", b"\0"])
def test_the_row_that_is_no_text_is_named(tmp_path, bad):
    (tmp_path / "r.csv").write_bytes(f"{HEADER}\n".encode() + b"\xc3\xa4,5,1\n" * 5_000 + b"a" + bad + b",5,1\n")
    with pytest.raises(ca.BadRow, match=r"row 5001: .*(a byte is not UTF-8|it holds NUL)"):
        files.read_rollouts(tmp_path / "r.csv", skip_bad_rows=True)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_text_of_another_width_is_refused(tmp_path, encoding):
    (tmp_path / "r.csv").write_bytes(f"{HEADER}\na,5,1\n".encode(encoding))
    with pytest.raises(ca.BadRow, match="row 1: the text can't be read as CSV in UTF-8"):
        files.read_rollouts(tmp_path / "r.csv")


def test_deep_lists_in_cells_and_keys_that_stand_twice_stay_text(tmp_path):
    for text in ("[" * 100_000, '"[{""a"": 1, ""a"": 2}]"'):
        (tmp_path / "c.csv").write_text(f"id,family,costs,values\na,menu,{text},1\n")
        with pytest.raises(ca.BadRow, match=r"row 1: costs is '\["):
            files.read_curves(tmp_path / "c.csv")
