"""The model of the shutdown manager."""

import pytest

from pynq_async.sim import Hazards

from ...boards import simulated
from ...designs import design, firmware, ip

BASE = 0x4100_0000


@pytest.mark.parametrize("kind", ["dfx_axi_shutdown_manager", "pr_axi_shutdown_manager"])
@pytest.mark.parametrize(("polls", "answers"), [(0, [0xF, 0xF]), (4, [0, 0, 0xF]), (None, [0, 0, 0])])
async def test_traffic_is_quiet_when_it_is_asked_to_be(kind: str, polls: int | None, answers: list[int]) -> None:
    known = design({"pr_0": ip(f"xilinx.com:ip:{kind}:1.0", BASE)})

    async with simulated(designs=[known], hazards=Hazards(manager_polls=polls)) as (sim, board):
        await board.download(firmware())
        window = board.mmio(BASE, 4096)
        assert await window.read(0) == 0
        await window.write(0, 1)
        assert sim.ip["pr_0"].asked
        assert [await window.read(0) for _ in answers] == answers, "each read loads twice"
        await window.write(0, 0)
        assert await window.read(0) == 0
        await window.write(8, 3)
        assert await window.read(8) == 3
