import os
from pathlib import Path

import pytest

OVERLAYS = Path(os.environ.get("PYNQ_ASYNC_OVERLAYS") or Path(__file__).parents[3] / "shared" / "overlays")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, so that the user's is never touched."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("PYNQ_ASYNC_CACHE", str(folder))
    return folder


@pytest.fixture(params=["pynq-z2-base", "zcu104-base"])
def overlay(request: pytest.FixtureRequest) -> Path:
    """The folder of a real overlay, with `base.bit` and `base.hwh`."""
    folder = OVERLAYS / str(request.param)

    if not (folder / "base.hwh").exists():
        pytest.skip(f"no real overlay at {folder}; set PYNQ_ASYNC_OVERLAYS to a folder that holds them")

    return folder
