"""The order of the house: a module imports only from rooms above its own, and importing the package stays cheap."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import clear_alloc as ca
from clear_alloc.problem import Terms, TermsGiven

PACKAGE = Path(ca.__file__).parent
# Top to bottom. Rooms on one line are neighbours: they may not import each other.
ORDER = [
    ["errors"],
    ["extras"],
    ["blocks", "later"],
    ["curves"],
    ["fit", "roots"],
    ["folds", "limits", "tariff"],
    ["options", "smooth"],
    ["market"],
    ["crowd"],
    ["price"],
    ["whole"],
    ["plan"],
    ["between", "combine", "core", "dynamic", "quick", "sums"],
    ["overrun"],
    ["simple", "names"],
    ["problem", "export"],
    ["result"],
    ["solve"],
    ["allocate"],
    ["groups"],
    ["baselines", "held_out"],
    ["choose"],
    ["frontier"],
    ["schema"],
    ["files"],
    ["importers"],
    ["plots"],
    ["cli"],
]
PLANNED = ["online", "ledger", "serving", "predict"]
FLOOR = {room: floor for floor, rooms in enumerate(ORDER) for room in rooms}
DEFERRED = {("cli", "cli")}  # typer is an extra: its absence must give a sentence, not a traceback
HEAVY = [
    "cvxpy",
    "scipy.optimize",
    "matplotlib",
    "typer",
    "rich",
    "pyarrow",
    "pandas",
    "polars",
    "narwhals",
    "pytest",
    "hypothesis",
]
MODULES = sorted(PACKAGE.rglob("*.py"))
INSIDE = [path for path in MODULES if path not in (PACKAGE / "__init__.py", PACKAGE / "__main__.py")]


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(tree):
    """Rooms that a module imports, each with whether the import is deferred into a function."""
    top = set(tree.body) | {node for guard in tree.body if isinstance(guard, ast.If) for node in guard.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [node.module]
            if node.module == "clear_alloc":
                names = [f"clear_alloc.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "clear_alloc":
                yield parts[1] if len(parts) > 1 else "clear_alloc", node not in top


@pytest.mark.parametrize("path", INSIDE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_above(path):
    own = room_of(path)
    assert own in FLOOR, f"give {own} a place in the order"
    for room, deferred in imported_rooms(ast.parse(path.read_text())):
        assert room in FLOOR, f"{own} imports {room}"
        assert room == own or FLOOR[room] < FLOOR[own], f"{own} imports {room}, which is not above it"
        assert not deferred or (own, room) in DEFERRED, f"{own} hides its import of {room} in a function"


def test_the_order_names_only_what_is_there_or_planned():
    there = {room_of(path) for path in INSIDE}
    assert set(FLOOR) == there
    assert not there & set(PLANNED)


@pytest.mark.parametrize("path", INSIDE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_rooms_with_several_modules_have_no_cycles():
    for room in (path for path in PACKAGE.iterdir() if (path / "__init__.py").exists()):
        needs = {
            module.stem: {
                node.module.rpartition(".")[2]
                for node in ast.walk(ast.parse(module.read_text()))
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"clear_alloc.{room.name}.")
            }
            for module in room.glob("*.py")
        }
        while free := [name for name, others in needs.items() if not others & set(needs)]:
            for name in free:
                del needs[name]
        assert not needs, f"{room.name} has a cycle among {sorted(needs)}"


@pytest.mark.parametrize("path", INSIDE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_heavy_libraries_are_imported_by_name_in_their_rooms_only(path):
    allowed = {"cli": {"typer", "rich"}, "plots": {"matplotlib"}}.get(room_of(path), set())
    for node in ast.parse(path.read_text()).body:
        names = (
            [a.name for a in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", None) or ""]
        )
        assert not {name.split(".")[0] for name in names} & (set(HEAVY) - allowed)


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, clear_alloc; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    shown = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    loaded = set(shown.stdout.split())
    assert "numpy" in loaded
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize(
    "first", ["clear_alloc", "clear_alloc.fit.lengths", "clear_alloc.frontier", "clear_alloc.cli"]
)
def test_a_room_never_hides_the_function_of_its_name(first):
    code = (
        f"import {first}, types, clear_alloc as ca; "
        "assert all(not isinstance(getattr(ca, name), types.ModuleType) for name in ca.__all__), first; "
        "assert set(ca.__all__) <= set(dir(ca)); from clear_alloc.fit import fit; assert fit is ca.fit"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_serving_code_does_not_load_what_it_seldom_needs():
    code = (
        "import sys, clear_alloc as ca; ca.allocate(ca.ShiftedSurge(10, 5, 0.5), 20); "
        "assert not {'pydantic', 'clear_alloc.fit', 'clear_alloc.groups'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_a_name_that_is_not_there_is_an_ordinary_error():
    with pytest.raises(AttributeError, match="no attribute 'allocat'"):
        _ = ca.allocat


@pytest.mark.parametrize("name", ca.__all__)
def test_every_public_name_is_there_and_documented(name):
    thing = getattr(ca, name)
    assert thing.__doc__
    assert len(thing.__doc__) > 15
    assert thing.__doc__ != getattr(type(thing), "__doc__", None)


def test_the_public_names_are_sorted_and_complete():
    assert sorted(ca.__all__) == list(ca.__all__)
    assert len(set(ca.__all__)) == len(ca.__all__)
    public = {name for name in vars(ca) if not name.startswith("_")}
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
    assert public - rooms <= set(ca.__all__)


def test_the_terms_are_the_same_wherever_they_are_listed():
    of_allocate = set(inspect.signature(ca.allocate).parameters) - {"curves", "budget", "price", "start"}
    assert of_allocate == set(Terms._fields) == set(TermsGiven.__annotations__)
