"""The order of the house: a module imports only from rooms above its own, and importing the package stays cheap."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys

import pytest
from support.package_tree import INSIDE, MODULES, PACKAGE, imported_modules, name_of, room_of

import clear_alloc as ca
from clear_alloc.market.terms import AllocateKwargs, AllocateOptions

# A package imports only from those before it, at any depth; names on one line are neighbours, which don't import
# each other. What a dictionary holds is the order inside that package; a list without one: no circles.
STACK = [
    ["errors"],
    ["support"],
    ["columns"],
    ["curves"],
    ["market", "fit"],
    [
        {
            "solver": [
                ["dual"],
                ["pricing"],
                ["primal"],
                ["repair", "chance"],
                ["splits", "split_bounds"],
                ["solve"],
                ["expected"],
            ]
        }
    ],
    ["allocation"],
    ["policies", "groups", "online"],
    ["schema"],
    ["selection", "predict"],
    ["files", "ledger"],
    ["importers", "serving", "distributed"],
    ["plots"],
    ["cli"],
]
PLANNED = {"online", "predict", "ledger", "serving", "distributed"}
DEFERRED = {("clear_alloc.cli.entry", "clear_alloc.cli.commands")}  # a missing extra must give a sentence
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


def floors_of(stack, inside="clear_alloc"):
    """The floor of each name in its package: {package: {name: floor}}, of the packages inside too."""
    floors = {inside: {}}
    for floor, line in enumerate(stack):
        for entry in line:
            for name, own in entry.items() if isinstance(entry, dict) else [(entry, None)]:
                floors[inside][name] = floor
                if own is not None:
                    floors.update(floors_of(own, f"{inside}.{name}"))
    return floors


FLOORS = floors_of(STACK)


def broken_order(own, other):
    """The package in whose order a module may not import another, if there is one."""
    one, two = own.split("."), other.split(".")
    depth = next((k for k, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    package = ".".join(one[:depth])
    if depth == len(one) or depth == len(two) or package not in FLOORS:
        return None
    floors = FLOORS[package]
    below = floors.get(two[depth], 99) < floors.get(one[depth], -1)
    return None if below else package


@pytest.mark.parametrize("path", INSIDE, ids=name_of)
def test_a_module_imports_only_from_above(path):
    own = name_of(path)
    for other, deferred in imported_modules(path):
        package = broken_order(own, other)
        assert package is None, f"{own} imports {other}, which is not before it in {package}"
        assert not deferred or (own, other) in DEFERRED, f"{own} hides its import of {other} in a function"


def test_the_order_names_what_is_there_and_what_is_planned():
    for package, floors in FLOORS.items():
        folder = PACKAGE.joinpath(*package.split(".")[1:])
        there = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
        there -= {"__init__", "__main__"}
        planned = PLANNED if package == "clear_alloc" else set()
        assert set(floors) - planned == there
        assert not there & planned


def test_only_three_files_stand_beside_the_packages():
    assert {path.stem for path in PACKAGE.glob("*.py")} <= {"__init__", "__main__", "errors"}


def test_no_package_has_a_circle_inside():
    needs = {name_of(path): {other for other, deferred in imported_modules(path) if not deferred} for path in MODULES}
    while free := [name for name, others in needs.items() if not others - {name} & set(needs)]:
        for name in free:
            del needs[name]
        needs = {name: others - set(free) for name, others in needs.items()}
    assert not needs, f"a circle among {sorted(needs)}"


@pytest.mark.parametrize(
    ("own", "other", "package"),
    [
        ("clear_alloc.market.market", "clear_alloc.solver.dual", "clear_alloc"),
        ("clear_alloc.market.market", "clear_alloc.fit.rollouts", "clear_alloc"),
        ("clear_alloc.solver.pricing.clearing", "clear_alloc.solver.primal.rounding", "clear_alloc.solver"),
        ("clear_alloc.solver.primal.rounding", "clear_alloc.solver.pricing.clearing", None),
        ("clear_alloc.groups.nested", "clear_alloc.groups.tree", None),
    ],
)
def test_the_order_is_read_at_any_depth(own, other, package):
    assert broken_order(own, other) == package


@pytest.mark.parametrize("path", INSIDE, ids=name_of)
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", INSIDE, ids=name_of)
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
    "first",
    ["clear_alloc", "clear_alloc.fit.models.lognormal_em", "clear_alloc.policies.frontier", "clear_alloc.cli"],
)
def test_a_room_never_hides_the_function_of_its_name(first):
    code = (
        f"import {first}, types, clear_alloc as ca; "
        "assert all(not isinstance(getattr(ca, name), types.ModuleType) for name in ca.__all__), first; "
        "assert [name for name in dir(ca) if not name.startswith('__')] == ca.__all__; "
        "from clear_alloc.fit import fit; assert fit is ca.fit"
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
    assert of_allocate == set(AllocateOptions.__dataclass_fields__) == set(AllocateKwargs.__annotations__)
