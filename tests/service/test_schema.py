"""The service against its own description: whatever is sent, it answers as OpenAPI says, and never fails.

Needs schemathesis, which is as heavy as all other tools together: `nox -s api`.
"""

import importlib.util
import os
import sys
from pathlib import Path

import anyio
import pytest

from pynq_async.service import ServiceOptions

from ..farm.farms import several
from .services import running

pytestmark = pytest.mark.skipif(importlib.util.find_spec("schemathesis") is None, reason="needs schemathesis")

# No client is told to come back, and none waits long.
OPTIONS = ServiceOptions(requests=1e6, burst=10**6, longest_wait=0.01, longest_lease=60)

# A description cannot say which boards are free, or what is in a design; `schema_checks.py` looks at such answers.
CONFIG = """
[generation]
deterministic = true

[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503, 507]

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 413, 422, 503, 507]

[dictionaries.boards]
values = ["a", "b"]

[dictionaries.seconds]
values = [30, 50]

[parameters]
"path.board" = { dictionary = "boards", probability = 0.7 }
"path.name" = { dictionary = "boards", probability = 0.7 }
"path.lease" = { dictionary = "leases", probability = 0.7 }
"body.name" = { dictionary = "boards", probability = 0.7 }
"body.seconds" = { dictionary = "seconds" }  # what is leased for a moment is rightly not there the next
"""
TESTS = Path(__file__).parents[1]


@pytest.mark.timeout(300)
async def test_the_service_is_as_it_describes_itself(tmp_path: Path) -> None:
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "tests.service.schema_checks", "PYTHONPATH": str(TESTS.parent)}

    async with running(*several(2), served=True, options=OPTIONS) as it:
        lease = await it.lease("a", it.root)
        config = tmp_path / "schemathesis.toml"
        config.write_text(f"{CONFIG}\n[dictionaries.leases]\nvalues = ['{lease}']\n")
        command = [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", f"{it.url}/openapi.json",
            "--header", f"Authorization: {it.root.headers['authorization']}",
            "--checks", "all", "--max-examples", "10",
            "--exclude-path", "/api/events",  # it never ends
        ]  # fmt: skip
        done = await anyio.run_process(command, check=False, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
