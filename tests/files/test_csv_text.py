"""CSV: what cells spell, and text that is no CSV."""

from __future__ import annotations

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
