"""The style of the house that can be counted: short functions, plain names, short sentences."""

from __future__ import annotations

import ast
import re
import statistics

import pytest
from support.package_tree import MODULES, name_of

LONGEST_BODY, MEDIAN_BODY, LONGEST_SENTENCE = 40, 5, 25  # lines, lines, words
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# Names that gave way to the field's words; those that are good words elsewhere are not here.
OLD_NAMES = re.compile(
    r"""judged_\w+ | Plan | Grant | Solved | Bound | grant_of | floors_of | spent_of | charges_of | values_of |
    leftovers_spent | falling_root | root_near | nearly_spent | near_error | jumps | jump_prices | sure | idle |
    Crowd | lucky | _largest | _best_buys | falls_short | with_one_between | convex_worth | Box | Item |
    _sacrifice | _exchange | _give | _take | settled | held_within | _refilled | quick_margin | margin_within |
    _room | deviations | roughly | certified | SmoothSide | MenuSide | of_both | of_smooth | within_means | Limits
    | Terms | TermsGiven | Names | picked | repeated | nonzero_anywhere | stationary | hazard_falls_from |
    unfinished | joined_across | Pool | _improved | _posterior | _leap | Stopped | SLIP | Asked | HeldOut | aside
    | Refusals | Unfit""",
    re.VERBOSE,
)
# Docstrings whose sentences are still too long, by their place; a mended one has to leave the list.
LONG_SENTENCES = {
    "fit.cross_validation",
    "fit.fitting.fit",
    "fit.models.lognormal_em",
    "fit.models.lognormal_em.stopped_evidence",
    "fit.models.paper_histogram",
    "importers.inspect_ai.from_inspect",
    "importers.lm_eval.from_lm_eval",
    "importers.openai_batch.from_openai_batch",
}


def named_nodes():
    """Each module, class and function of the package with its dotted name."""
    for path in MODULES:
        waiting = [(name_of(path).removeprefix("clear_alloc."), ast.parse(path.read_text()))]
        while waiting:
            name, node = waiting.pop()
            if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS)):
                yield name, node
            waiting += [
                (f"{name}.{inner.name}" if hasattr(inner, "name") and inner.name else name, inner)
                for inner in ast.iter_child_nodes(node)
            ]


NODES = list(named_nodes())
DOCSTRINGS = {name: text for name, node in NODES if (text := ast.get_docstring(node))}


def body_lines(function):
    """Lines of a function from its first statement to its last, the docstring not counted."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def sentences(docstring):
    """The sentences of a docstring, without examples, the lines under headings, and what an argument is called."""
    for paragraph in docstring.split("Examples\n---")[0].split("\n\n"):
        lines = [line for line in paragraph.splitlines() if not re.match(r"\s*(>>>|-+$)", line)]
        yield from re.split(r"(?<=[.!?;:])\s|\n(?=\w+(?:, \w+)* : )", "\n".join(lines))


def identifiers(tree):
    """Every name that a module defines or uses."""
    for node in ast.walk(tree):
        found = (getattr(node, key, None) for key in ("id", "attr", "name", "arg", "asname"))
        yield from (name for name in found if isinstance(name, str))


def test_functions_fit_on_a_screen():
    bodies = {name: body_lines(node) for name, node in NODES if isinstance(node, FUNCTIONS)}
    assert not {name: lines for name, lines in bodies.items() if lines > LONGEST_BODY}
    assert statistics.median(bodies.values()) <= MEDIAN_BODY


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_name_that_gave_way_comes_back(path):
    found = set(identifiers(ast.parse(path.read_text())))
    assert not {name for name in found if OLD_NAMES.fullmatch(name)}


@pytest.mark.parametrize(
    ("found", "known"),
    [
        ({name for name, text in DOCSTRINGS.items() if text.startswith("The same")}, set()),
        (
            {
                name
                for name, text in DOCSTRINGS.items()
                if not re.search(r"\._[a-z]", name)
                and any(len(sentence.split()) > LONGEST_SENTENCE for sentence in sentences(text))
            },
            LONG_SENTENCES,
        ),
    ],
    ids=["no docstring begins with The same", "public sentences are short"],
)
def test_docstrings_are_plain(found, known):
    assert not found - known, "say what is returned, in sentences of at most 25 words"
    assert not known - found, "these are mended or gone: take them off their list"


def test_the_counting_sees_what_it_should():
    code = 'def f():\n    """Doc.\n\n    More.\n    """\n    a = (\n        1\n    )\n    return a\n'
    assert body_lines(ast.parse(code).body[0]) == 4
    assert body_lines(ast.parse('def f():\n    """Doc."""').body[0]) == 0
    text = "One two. Three; four:\nfive.\n\na, b : six\nc : seven\n\nExamples\n--------\n>>> eight\n"
    assert list(sentences(text)) == ["One two.", "Three;", "four:", "five.", "a, b :", "six", "c :", "seven", ""]
    used = set(identifiers(ast.parse("from a import Plan as x\ny.z = f(k=1)")))
    assert used == {"Plan", "x", "y", "z", "f", "k"}
    assert OLD_NAMES.fullmatch("judged_price")
    assert not OLD_NAMES.fullmatch("Planner")
