"""Fixtures for the tests of drivers."""

import pytest


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A DMA that has something under way is not given long to halt."""
    monkeypatch.setattr("pynq_async.overlay.drivers.dma_engine._HALT", 0.001)
