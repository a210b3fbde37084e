"""Fixtures that lend boards to tests: simulated ones, or real ones with `--pynq-board` or `--pynq-inventory`.

::

    async def test_a_register_keeps_its_value(pynq_board):
        async with RemoteDevice(pynq_board) as board:
            ...

The fixtures are synchronous and give what a `RemoteDevice` or a `BoardFarm` is made of: a `BoardSpec`, which as text is
the board's address, and which carries name, tags, TLS, timeouts and limits of an inventory. So they serve
pytest-asyncio and anyio's plugin in all their modes, and tests that call `asyncio.run`. pytest loads this file in every
run: what it needs is imported when a board is asked for.
"""

import os
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from .config import BoardSpec
    from .testing.process import BoardProcess

_PATIENCE = 300.0
_ANSWER = 60.0


_REAL = pytest.StashKey["dict[str, BoardSpec]"]()


class BoardFactory(Protocol):
    """What the fixture `pynq_boards` gives."""

    def __call__(self, count: int | None = 1, **options: Any) -> "list[BoardSpec]":
        """Lend `count` more boards to this test.

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
        help="use this real board, host or host:port, or its name in the inventory; may be repeated",
    )
    group.addoption(
        "--pynq-inventory",
        metavar="FILE",
        dest="pynq_inventory",
        help="use the real boards of this inventory (TOML), or those of it named with --pynq-board",
    )
    group.addoption(
        "--pynq-tag",
        action="append",
        default=[],
        metavar="TAG",
        dest="pynq_tag",
        help="only boards of the inventory with this tag; may be repeated",
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
        "family, model and tags.",
    )

    config.stash[_REAL] = _real_boards(config)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say which real boards are used."""
    real = config.stash[_REAL]
    return f"pynq-async: real boards {', '.join(real)}" if real else None


def _real_boards(config: pytest.Config) -> "dict[str, BoardSpec]":
    """The boards of the options by name, none when the tests run on simulated ones."""
    inventory, boards, tags = map(config.getoption, ("pynq_inventory", "pynq_board", "pynq_tag"))

    if not (inventory or boards or tags):
        return {}

    if tags and not inventory:
        raise pytest.UsageError("--pynq-tag needs --pynq-inventory")

    from .config import Address, BoardSpec
    from .errors import PynqError

    option = "--pynq-inventory" if inventory else "--pynq-board"

    try:
        if inventory:
            from .farm.inventory import load_inventory

            specs = load_inventory(config.invocation_params.dir / inventory, names=boards or None, tags=tags)
        else:
            specs = tuple(BoardSpec(str(address), address) for address in map(Address.parse, boards))
    except PynqError as error:
        raise pytest.UsageError(f"{option}: {error}") from None

    return {spec.name: spec for spec in specs}


@pytest.fixture(scope="session")
def _pynq_process(pytestconfig: pytest.Config) -> Iterator["BoardProcess"]:
    from .testing.process import BoardProcess

    process = BoardProcess([*pytestconfig.stash[_REAL].values()])
    yield process
    process.close()


@pytest.fixture
def pynq_boards(request: pytest.FixtureRequest, _pynq_process: "BoardProcess") -> Iterator[BoardFactory]:
    """Lends more boards as the test asks for them, such as two of a family."""
    loan = _Loan(_pynq_process, request)
    yield loan.lend
    loan.end()


@pytest.fixture
def pynq_board(pynq_boards: BoardFactory) -> "BoardSpec":
    """A board that only this test uses; a buffer that is left on it fails the test."""
    return pynq_boards()[0]


@pytest.fixture
def pynq_farm(pynq_boards: BoardFactory) -> "list[BoardSpec]":
    """All real boards that fit, or four simulated ones."""
    return pynq_boards(None)


class _Loan:
    """The boards that one test has."""

    def __init__(self, process: "BoardProcess", request: pytest.FixtureRequest) -> None:
        self._process = process
        self._request = request
        self._names: list[str] = []
        self._real = request.config.stash[_REAL]

    def lend(self, count: int | None = 1, **options: Any) -> "list[BoardSpec]":
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

        if tags := merged.pop("tags", ()):
            merged["tags"] = sorted({tags} if isinstance(tags, str) else tags)

        answer = self._ask("lend", timeout=patience + _ANSWER, count=count, options=merged, patience=patience)

        if "missing" in answer:
            pytest.skip(f"real boards: {answer['missing']}")

        if "refused" in answer:
            pytest.fail(answer["refused"], pytrace=False)

        from .config import Address, BoardSpec

        self._names += answer["boards"]

        if self._real:
            return [replace(self._real[name], locked=True) for name in answer["boards"]]

        return [BoardSpec(name, Address.parse(name), frozenset(merged.get("tags", ()))) for name in answer["boards"]]

    def end(self) -> None:
        """Give all boards back; what was left on them fails the test."""
        if not self._names:
            return

        found = self._ask("take back", timeout=_ANSWER, names=self._names)

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
