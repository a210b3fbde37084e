"""Every example runs as it stands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
    assert _run(str(path))


def test_the_example_of_a_test_suite_passes() -> None:
    assert "3 passed" in _run(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLES / "test_with_a_simulated_board.py")
    )
