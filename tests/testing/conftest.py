"""A test suite of a user, to be run by pytest inside pytest, and a board for it."""

import os
import sys
from collections.abc import Iterator

import pytest

from pynq_async.testing.process import BoardProcess

from .suites import INI


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty suite with the plugin, pytest-asyncio in strict mode and warnings as errors."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    pytester.makeini(INI + "strict")
    return pytester


@pytest.fixture(scope="module")
def lender() -> Iterator[BoardProcess]:
    """A process that serves simulated boards."""
    process = BoardProcess()
    yield process
    process.close()


@pytest.fixture
def address(lender: BoardProcess) -> Iterator[str]:
    """A simulated board in another process, to be taken for a real one: a ZCU104."""
    (lent,) = lender.ask("lend", timeout=30, count=1, options={"family": "zynqmp"}, patience=0)["boards"]
    yield lent
    lender.ask("take back", timeout=30, names=[lent])
