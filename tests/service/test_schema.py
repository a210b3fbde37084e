"""The service against its own description: whatever is sent, it answers as OpenAPI says, and never fails.

Needs schemathesis, which is as heavy as all other tools together: `nox -s api`.
"""

import importlib.util
import os
import sys
from pathlib import Path

import anyio
import pytest

from pynq_async import RemoteDevice
from pynq_async.service import Jobs, ServiceOptions

from ..designs import design, ip, memory, register
from ..farm.farms import several
from .services import Running, running
from .test_programming import program
from .uploads import upload_design

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
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 413, 415, 422, 503, 507]

[dictionaries]
boards.values = ["a", "b"]
seconds.values = [30, 50]  # what is leased for a moment is rightly not there the next
ip.values = ["mixer", "lines"]
registers.values = ["CTRL", "WIDE"]
jobs.values = ["look"]

[parameters]
"path.board" = { dictionary = "boards", probability = 0.8 }
"path.name" = { dictionary = "boards", probability = 0.8 }
"path.lease" = { dictionary = "leases", probability = 0.8 }
"path.buffer" = { dictionary = "buffers", probability = 0.8 }
"path.bitstream" = { dictionary = "bitstreams", probability = 0.8 }
"path.job" = { dictionary = "jobs", probability = 0.8 }
"query.ip" = { dictionary = "ip", probability = 0.8 }
"query.register" = { dictionary = "registers", probability = 0.8 }
"body.name" = { dictionary = "boards", probability = 0.8 }
"body.seconds" = { dictionary = "seconds" }
"body.bitstream" = { dictionary = "bitstreams", probability = 0.8 }
"""
TESTS = Path(__file__).parents[1]


JOBS = Jobs()


@JOBS.job()
async def look(board: RemoteDevice, path: str = "/") -> dict[str, bool]:
    """Whether a file is there."""
    return {"there": await board.exists_file(path)}


DESIGN = design(
    {
        "mixer": ip(
            "acme.com:user:mixer:1.0",
            0x43C0_0000,
            0x1000,
            registers={
                "CTRL": register(0, EN=(0, 1), MODE=(4, 2)),
                "WIDE": {"address_offset": 16, "size": 64, "access": "read-write", "fields": {}},
            },
        )
    },
    memories={"lines": memory(0x4200_0000, 0x1000)},
)


@pytest.mark.timeout(300)
async def test_the_service_is_as_it_describes_itself(tmp_path: Path) -> None:
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "tests.service.schema_checks", "PYTHONPATH": str(TESTS.parent)}

    async with running(*several(2), served=True, options=OPTIONS, jobs=JOBS) as it:
        config = tmp_path / "schemathesis.toml"
        config.write_text(CONFIG + "".join(f"[dictionaries.{each}]\nvalues = {ids}\n" for each, ids in await used(it)))
        command = [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", f"{it.url}/openapi.json",
            "--header", f"Authorization: {it.alice.headers['authorization']}",
            "--checks", "all", "--max-examples", "8",
            "--exclude-path", "/api/events",  # it never ends
        ]  # fmt: skip
        done = await anyio.run_process(command, check=False, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


async def used(it: Running) -> list[tuple[str, list[str]]]:
    """Have alice use a board; gives the ids of what there is then."""
    lease = await it.lease("a")
    bitstreams = [(await upload_design(it, DESIGN, seed))["id"] for seed in range(2)]
    await program(it, {"id": bitstreams[0]})
    answers = [await it.alice.post("/api/boards/a/buffers", json={"shape": [4], "dtype": "u4"}) for _ in range(2)]
    return [("leases", [lease]), ("bitstreams", bitstreams), ("buffers", [answer.json()["id"] for answer in answers])]
