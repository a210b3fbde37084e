"""`--pynq-board`: tests on real boards, for which simulated ones stand in."""

import contextlib
import socket
import time

import pytest

from pynq_async.config import Address
from pynq_async.farm.host_lock import HostLock

from .suites import PLUGIN

pytest_plugins = ["pytester"]

USE = """
import asyncio
import pytest
from pynq_async import RemoteDevice

kept = []

async def use(address, *, leave=False):
    board = await RemoteDevice(address)
    buffer = await board.allocate(8192, "u1")

    if leave:
        kept.append((board, buffer))
    else:
        await board.aclose()
"""


def test_a_real_board_is_used_and_named_in_the_header(suite: pytest.Pytester, address: str) -> None:
    suite.makepyfile(
        USE
        + """
@pytest.mark.pynq_sim(family="zynqmp", latency=1.0)
def test_it(pynq_board, record_property):
    record_property("address", pynq_board)
    print(pynq_board)
    asyncio.run(use(pynq_board))

def test_farm(pynq_farm, pynq_boards):
    assert len(pynq_farm) == 1
"""
    )
    result = suite.runpytest_inprocess("--pynq-board", address, "--pynq-board", address, "-rP")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines([f"pynq-async: real boards {address}", address])


def test_tests_that_no_board_fits_are_skipped_at_once(suite: pytest.Pytester, address: str) -> None:
    suite.makepyfile(
        """
        import pytest

        @pytest.mark.pynq_sim(family="versal")
        def test_family(pynq_board): pass

        @pytest.mark.pynq_sim(family="versal")
        def test_no_farm(pynq_farm): pass

        def test_count(pynq_boards): pynq_boards(2)

        def test_held(pynq_board, pynq_boards): pynq_boards()
        """
    )
    result = suite.runpytest_inprocess("--pynq-board", address, "-rs")
    result.assert_outcomes(skipped=4)
    result.stdout.fnmatch_lines_random(
        [
            "*real boards: 1 board wanted of family versal, 0 given",
            "*real boards: 2 boards wanted, 1 given",
            "*real boards: this test holds 1 of 1 boards already",
        ]
    )


def test_memory_that_is_missing_afterwards_is_a_warning_which_can_be_made_an_error(
    suite: pytest.Pytester, address: str
) -> None:
    suite.makepyfile(
        USE
        + """
def test_warns(pynq_board):
    asyncio.run(use(pynq_board, leave=True))

@pytest.mark.filterwarnings("error::pynq_async.pytest_plugin.BufferLeft")
def test_fails(pynq_board):
    asyncio.run(use(pynq_board, leave=True))

def test_is_clean(pynq_board):
    asyncio.run(use(pynq_board))
"""
    )
    suite.makeini(f"[pytest]\naddopts = {PLUGIN} -p no:cacheprovider\n")
    result = suite.runpytest_subprocess("--pynq-board", address)
    result.assert_outcomes(passed=3, warnings=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_fails*"])
    result.stdout.fnmatch_lines(["*BufferLeft: *8192 bytes less of contiguous memory are free than before the test; *"])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_board_that_another_process_uses_is_waited_for(suite: pytest.Pytester, address: str, host: str) -> None:
    lock = HostLock(Address.parse(address).target)
    address = address.replace("127.0.0.1", host)
    assert lock.take()
    suite.makepyfile("def test_it(pynq_board): pass\n")

    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(lock.release)
        result = suite.runpytest_inprocess("--pynq-board", address, "--pynq-wait", "0.1")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"{address}: in use by another process of this host, and not free within 0.1 s"])
    suite.runpytest_inprocess("--pynq-board", address).assert_outcomes(passed=1)


def test_an_address_that_cannot_be_right_is_refused_at_the_start(suite: pytest.Pytester) -> None:
    result = suite.runpytest_subprocess("--pynq-board", "board:port")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --pynq-board: 'board:port': 'port' is no port number"])


def test_a_board_that_does_not_answer_fails_the_test_and_gives_the_lock_back(suite: pytest.Pytester) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        suite.makepyfile("def test_it(pynq_board): pass\n\ndef test_again(pynq_board): pass\n")
        result = suite.runpytest_inprocess("--pynq-board", address, "--pynq-wait", "0.2")

    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines([f"{address}: *"])
    result.stdout.no_fnmatch_line("*in use*")


def test_a_board_that_has_never_answered_is_asked_once(suite: pytest.Pytester) -> None:
    suite.makepyfile("import pytest\n@pytest.mark.parametrize('n', range(5))\ndef test_it(pynq_board, n): pass\n")

    with socket.socket() as mute:  # takes connections, says nothing
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        begun = time.monotonic()
        suite.runpytest_inprocess("--pynq-board", address, "--pynq-wait", "1").assert_outcomes(errors=5)

    assert time.monotonic() - begun < 4


def test_a_board_that_does_not_answer_is_passed_over_if_another_one_will_do(
    suite: pytest.Pytester, address: str
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{closed.getsockname()[1]}"
        suite.makepyfile(
            f"""
            import pytest

            def test_any(pynq_board):
                assert str(pynq_board) == "{address}"

            @pytest.mark.pynq_sim(family="zynqmp")
            def test_of_a_family(pynq_board):
                assert str(pynq_board) == "{address}"

            def test_both(pynq_boards):
                pynq_boards(2)

            def test_all(pynq_farm): pass
            """
        )
        result = suite.runpytest_inprocess("--pynq-board", dead, "--pynq-board", address, "--pynq-wait", "0.2")

    result.assert_outcomes(passed=2, failed=1, errors=1)
    result.stdout.fnmatch_lines([f"{dead}: *"])
