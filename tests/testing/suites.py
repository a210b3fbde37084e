"""Test suites of users: how they find the plugin, and their settings."""

import os
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
INI = """
[pytest]
asyncio_mode = {mode}
asyncio_default_fixture_loop_scope = function
filterwarnings = error
addopts = -p no:cacheprovider -p no:timeout --strict-markers
"""


def declare_plugin(site: Path) -> str:
    """Make a folder that declares the plugin as an installed package does, and return a PYTHONPATH with it.

    The package may be installed from a source that did not have the entry point yet; where it has, the second one of
    that name does nothing.
    """
    info = site / "pynq_async_under_test-0.dist-info"
    info.mkdir(parents=True)
    plugins = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    lines = [f"{name} = {where}" for name, where in plugins.items()]
    (info / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines, ""]))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pynq-async-under-test\nVersion: 0\n")
    return os.pathsep.join(map(str, (site, ROOT, *sys.path)))
