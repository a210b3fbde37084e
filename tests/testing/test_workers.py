"""pytest-xdist: the workers of one run share its real boards, and each has simulated ones of its own."""

from collections.abc import Iterator

import pytest

from pynq_async.testing.process import BoardProcess

from .suites import PLAIN_INI

pytest_plugins = ["pytester"]
pytest.importorskip("xdist")

HOLD = """
import contextlib
import os
import pathlib
import time
import pytest

HERE = pathlib.Path(__file__).parent

@contextlib.contextmanager
def alone(*boards):
    marks = [HERE / f"{board.name.replace(':', '_')}.used" for board in boards]

    for mark in marks:
        mark.touch(exist_ok=False)

    yield

    for mark in marks:
        mark.unlink()
"""


@pytest.fixture
def suite(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty suite without other plugins, which each of three processes would have to import."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    suite.makeini(PLAIN_INI.replace("addopts =", "addopts = -p xdist"))
    return suite


@pytest.fixture
def addresses(lender: BoardProcess) -> Iterator[list[str]]:
    """Two simulated boards in another process, to be taken for real ones, as options."""
    lent = lender.ask("lend", timeout=30, count=2, options={}, patience=0)["boards"]
    yield [option for address in lent for option in ("--pynq-board", address)]
    lender.ask("take back", timeout=30, names=lent)


def test_no_two_workers_have_a_board_at_once_and_all_get_theirs(suite: pytest.Pytester, addresses: list[str]) -> None:
    suite.makepyfile(
        HOLD
        + """
@pytest.mark.parametrize("count", [1, 2] * 5)
def test_it(pynq_boards, count):
    with alone(*pynq_boards(count)):
        time.sleep(0.01)

def test_farm(pynq_farm):
    with alone(*pynq_farm):
        assert len(pynq_farm) == 2
"""
    )
    suite.runpytest_subprocess("-n2", *addresses, "--pynq-wait", "30").assert_outcomes(passed=11)


def test_who_wants_one_board_again_and_again_does_not_go_past_who_wants_all(
    suite: pytest.Pytester, addresses: list[str]
) -> None:
    suite.makepyfile(
        test_one=HOLD
        + """
@pytest.mark.parametrize("number", range(100))
def test_one(pynq_board, number):
    (HERE / "begun").touch()

    if not (HERE / "done").exists():
        assert number < 99
        time.sleep(0.04)
""",
        test_all=HOLD
        + """
@pytest.fixture
def others():
    while not (HERE / "begun").exists():
        time.sleep(0.01)

def test_all(others, pynq_farm):
    (HERE / "done").touch()
""",
    )
    result = suite.runpytest_subprocess("-n2", "--dist=loadfile", *addresses)
    result.assert_outcomes(passed=101)


def test_two_tests_that_each_want_what_the_other_holds_are_told(suite: pytest.Pytester, addresses: list[str]) -> None:
    suite.makepyfile(
        HOLD
        + """
@pytest.mark.parametrize("me, other", ["ab", "ba"])
def test_it(pynq_board, pynq_boards, me, other):
    (HERE / me).touch()

    while not (HERE / other).exists():
        time.sleep(0.01)

    pynq_boards()
"""
    )
    result = suite.runpytest_subprocess("-n2", *addresses, "--pynq-wait", "2")
    assert result.parseoutcomes().get("failed", 0) >= 1
    result.stdout.fnmatch_lines(["*not free within 2 s; ask for all 2 at once, as this test holds 1 while it waits"])


def test_each_worker_has_simulated_boards_of_its_own(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        import asyncio
        import pytest
        from pynq_async import BoardFarm

        @pytest.mark.parametrize("number", range(6))
        def test_it(pynq_farm, number):
            async def use():
                async with BoardFarm(pynq_farm, exclusive=True) as farm:
                    assert len(farm) == 4

            asyncio.run(use())
        """
    )
    suite.runpytest_subprocess("-n2").assert_outcomes(passed=6)
