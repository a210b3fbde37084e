"""Every example runs as it stands."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .testing.suites import PLUGIN

EXAMPLES = Path(__file__).parents[1] / "examples"


def _run(cache: Path, *command: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYNQ_REMOTE_DEVICES"}
    done = subprocess.run(
        [sys.executable, "-W", "error", *command],
        capture_output=True,
        text=True,
        timeout=50,
        env={**environment, "PYNQ_ASYNC_CACHE": str(cache)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def printed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Path, Future[str]]]:
    """What each example prints; two run at a time."""
    tests = [item for item in request.session.items if isinstance(item, pytest.Function)]
    wanted = [item for item in tests if item.function is test_an_example_runs_as_it_stands]
    paths: list[Any] = [item.callspec.params["path"] for item in wanted]
    cache = tmp_path_factory.mktemp("cache")

    with ThreadPoolExecutor(2) as threads:
        yield {path: threads.submit(_run, cache, str(path)) for path in paths}


@pytest.mark.parametrize(
    "path", sorted(set(EXAMPLES.glob("*.py")) - set(EXAMPLES.glob("test_*.py"))), ids=lambda path: path.name
)
def test_an_example_runs_as_it_stands(path: Path, printed: dict[Path, Future[str]]) -> None:
    assert printed[path].result()


@pytest.mark.parametrize(
    ("name", "passed"), [("test_with_a_simulated_board.py", 3), ("test_that_borrows_a_board.py", 4)]
)
def test_an_example_of_a_test_suite_passes(name: str, passed: int, tmp_path: Path) -> None:
    said = _run(tmp_path, "-m", "pytest", "-q", *PLUGIN.split(), "-p", "no:cacheprovider", str(EXAMPLES / name))
    assert f"{passed} passed" in said
