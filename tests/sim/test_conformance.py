"""The simulated board answers the recorded script as the real 3.1 server did."""

import asyncio
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from pynq_async.sim import SimBoard, serve

ROOT = Path(__file__).parents[2]
RECORDING = Path(os.environ.get("PYNQ_ASYNC_CONFORMANCE", ROOT.parent / "shared" / "conformance"))

pytestmark = [
    pytest.mark.skipif(
        not (RECORDING / "record_behaviour.py").is_file(),
        reason="the recording is not there; PYNQ_ASYNC_CONFORMANCE may point to it",
    ),
    pytest.mark.skipif(importlib.util.find_spec("grpc_tools") is None, reason="grpcio-tools is not installed"),
]


async def test_every_recorded_step_is_answered_the_same(tmp_path: Path) -> None:
    answered = tmp_path / "answered.json"

    async with serve(SimBoard(release="3.1", plain_sysfs=True)) as address:
        script = await asyncio.create_subprocess_exec(
            sys.executable, str(RECORDING / "record_behaviour.py"), address, str(ROOT / "protos"), str(answered)
        )
        assert await script.wait() == 0

    got = [_comparable(step) for step in json.loads(answered.read_text())]
    want = [_comparable(step) for step in json.loads((RECORDING / "board-server-3.1.json").read_text())]
    assert len(got) == len(want) >= 81

    for mine, recorded in zip(got, want, strict=True):
        assert mine == recorded


def _comparable(step: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the recording's README says may differ: the text of details, and the sign of data."""
    plain = {name: value for name, value in step.items() if name != "details"}
    response = plain.get("response")

    if isinstance(response, dict) and isinstance(response.get("data"), int):
        plain["response"] = {**response, "data": response["data"] % 2**32}

    return plain
