"""HAZARDS.md has a row for every hazard, and every row a test or a reason."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "HAZARDS.md"
NUMBERS = range(1, 54)
_ROW = re.compile(r"^\| H(\d+) \|(.*)\|$", re.MULTILINE)
_REASON = re.compile(r"(cannot be defended|not used): \w.{20,}", re.IGNORECASE)


@cache
def functions() -> frozenset[str]:
    """The names of all test functions of this folder, and of the drivers' tests."""
    folders = (HERE, HERE.parent / "overlay" / "drivers")
    trees = [ast.parse(path.read_text("utf-8")) for folder in folders for path in folder.glob("test_*.py")]
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for tree in trees for node in tree.body if isinstance(node, kinds))


@cache
def rows() -> dict[int, str]:
    return {int(number): row for number, row in _ROW.findall(DOCUMENT.read_text("utf-8"))}


def test_every_hazard_has_one_row_in_order() -> None:
    found = [int(number) for number, _ in _ROW.findall(DOCUMENT.read_text("utf-8"))]
    assert found == list(NUMBERS)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_row_names_its_test_or_says_why_there_is_nothing_to_be_done(number: int) -> None:
    row = rows()[number]
    cells = [cell.strip() for cell in row.split("|")]
    assert len(cells) == 3
    assert all(cells)
    named = re.findall(r"`(test_\w+)`", row)
    assert set(named) <= functions(), set(named) - functions()
    assert named or _REASON.search(row)
    assert all(name.startswith(f"test_h{number:02}_") for name in named)


def test_every_test_of_a_hazard_is_in_its_row() -> None:
    for name in functions():
        if (match := re.match(r"test_h(\d\d)_", name)) and not name.endswith("_without_defence"):
            assert f"`{name}`" in rows()[int(match[1])], name
