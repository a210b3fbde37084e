"""Fixtures that lend boards to tests: simulated ones, or real ones with `--pynq-board ADDRESS`.

::

    async def test_a_register_keeps_its_value(pynq_board):
        async with RemoteDevice(pynq_board) as board:
            ...

The fixtures are synchronous and give addresses: so they serve pytest-asyncio and anyio's plugin in all their modes, and
tests that call `asyncio.run`. pytest loads this file in every run: what it needs is imported when a board is asked for.
"""

import os
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from .testing.process import BoardProcess

_PATIENCE = 300.0
_ANSWER = 60.0


class BoardFactory(Protocol):
    """What the fixture `pynq_boards` gives."""

    def __call__(self, count: int | None = 1, **options: Any) -> list[str]:
        """Lend `count` more boards to this test and return their addresses.

        `options` are those of the marker `pynq_sim`, and go before it. With real boards None is all that fit; simulated
        ones are then four. Where there are not enough real ones, the test is skipped. A real board that another process
        uses is waited for, and the event loop, if one runs, waits too.
        """


class BufferLeft(UserWarning):
    """A real board has less contiguous memory free than before the test: a buffer may have been left on it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("pynq-async", "boards that run PYNQ (pynq-async)")
    group.addoption(
        "--pynq-board",
        action="append",
        default=[],
        metavar="ADDRESS",
        dest="pynq_board",
        help="use this real board, host or host:port, in place of simulated ones; may be repeated",
    )
    group.addoption(
        "--pynq-wait",
        type=float,
        default=_PATIENCE,
        metavar="SECONDS",
        dest="pynq_wait",
        help="how long a test waits for a board that another process of this host uses (default: %(default)s)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Describe the marker and check the addresses."""
    config.addinivalue_line(
        "markers",
        "pynq_sim(**options): how the test's simulated boards are made: family, model, designs (files), kernels, "
        "release, latency, bandwidth and what else `python -m pynq_async.sim --help` lists; real boards are chosen by "
        "family and model.",
    )

    if given := config.getoption("pynq_board"):
        from .config import Address
        from .errors import InvalidArgument

        try:
            config.option.pynq_board = list(dict.fromkeys(str(Address.parse(each)) for each in given))
        except InvalidArgument as error:
            raise pytest.UsageError(f"--pynq-board: {error}") from None


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say which real boards are used."""
    given = config.getoption("pynq_board")
    return f"pynq-async: real boards {', '.join(given)}" if given else None


@pytest.fixture(scope="session")
def _pynq_process(pytestconfig: pytest.Config) -> Iterator["BoardProcess"]:
    from .testing.process import BoardProcess

    process = BoardProcess(pytestconfig.getoption("pynq_board"))
    yield process
    process.close()


@pytest.fixture
def pynq_boards(request: pytest.FixtureRequest, _pynq_process: "BoardProcess") -> Iterator[BoardFactory]:
    """Lends more boards as the test asks for them, such as two of a family."""
    loan = _Loan(_pynq_process, request)
    yield loan.lend
    loan.end()


@pytest.fixture
def pynq_board(pynq_boards: BoardFactory) -> str:
    """The address of a board that only this test uses; a buffer that is left on it fails the test."""
    return pynq_boards()[0]


@pytest.fixture
def pynq_farm(pynq_boards: BoardFactory) -> list[str]:
    """The addresses of all real boards that fit, or of four simulated ones."""
    return pynq_boards(None)


class _Loan:
    """The boards that one test has."""

    def __init__(self, process: "BoardProcess", request: pytest.FixtureRequest) -> None:
        self._process = process
        self._request = request
        self._addresses: list[str] = []

    def lend(self, count: int | None = 1, **options: Any) -> list[str]:
        """As `BoardFactory`."""
        if count is not None and count < 1:
            pytest.fail(f"{count} boards cannot be lent", pytrace=False)

        marked = [mark.kwargs for mark in self._request.node.iter_markers("pynq_sim")]
        merged = {name: value for each in [*reversed(marked), options] for name, value in each.items()}
        patience: float = self._request.config.getoption("pynq_wait")

        if "designs" in merged:
            given = merged["designs"]
            paths = [given] if isinstance(given, str | os.PathLike) else given
            merged["designs"] = [os.path.join(self._request.path.parent, path) for path in paths]

        answer = self._ask("lend", timeout=patience + _ANSWER, count=count, options=merged, patience=patience)

        if "missing" in answer:
            pytest.skip(f"--pynq-board: {answer['missing']}")

        if "refused" in answer:
            pytest.fail(answer["refused"], pytrace=False)

        lent: list[str] = answer["boards"]
        self._addresses += lent
        return lent

    def end(self) -> None:
        """Give all boards back; what was left on them fails the test."""
        if not self._addresses:
            return

        found = self._ask("take back", timeout=_ANSWER, addresses=self._addresses)

        for doubt in found["doubts"]:
            warnings.warn(BufferLeft(doubt), stacklevel=1)

        if found["problems"]:
            pytest.fail("\n".join(found["problems"]), pytrace=False)

    def _ask(self, what: str, **values: Any) -> Any:
        from .errors import PynqError

        try:
            return self._process.ask(what, **values)
        except PynqError as error:
            problem = str(error)

        pytest.fail(problem, pytrace=False)
