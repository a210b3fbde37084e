"""Every example runs as it stands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .testing.suites import PLUGIN

EXAMPLES = Path(__file__).parents[1] / "examples"


def _run(*command: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYNQ_REMOTE_DEVICES"}
    done = subprocess.run(
        [sys.executable, "-W", "error", *command],
        capture_output=True,
        text=True,
        timeout=50,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    "path", sorted(set(EXAMPLES.glob("*.py")) - set(EXAMPLES.glob("test_*.py"))), ids=lambda path: path.name
)
def test_an_example_runs_as_it_stands(path: Path) -> None:
    if "dask" in path.name:
        pytest.importorskip("distributed", reason="Dask is not installed; pip install 'pynq-async[dask]'")

    assert _run(str(path))


@pytest.mark.parametrize(
    ("name", "passed"), [("test_with_a_simulated_board.py", 3), ("test_that_borrows_a_board.py", 4)]
)
def test_an_example_of_a_test_suite_passes(name: str, passed: int) -> None:
    said = _run("-m", "pytest", "-q", *PLUGIN.split(), "-p", "no:cacheprovider", str(EXAMPLES / name))
    assert f"{passed} passed" in said
