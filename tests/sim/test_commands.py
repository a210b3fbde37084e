"""What is done to a simulated board by lines of text."""

import asyncio

import pytest

from pynq_async import Overlay
from pynq_async.errors import SimulationError
from pynq_async.sim import SimBoard
from pynq_async.sim.commands import carry_out

from ..boards import begun, simulated
from ..designs import design, firmware, ip

BUTTONS = {"C_ALL_INPUTS": 1, "C_GPIO_WIDTH": 4}
KNOWN = design(
    {
        "io/btns": ip("xilinx.com:ip:axi_gpio:2.0", 0x4120_0000, parameters=BUTTONS),
        "mixer": ip("acme.com:user:mixer:1.0", 0x43C0_0000, interrupts={"overflow": ("intc", 0)}),
        "intc": ip("xilinx.com:ip:axi_intc:4.1", 0x4180_0000),
    }
)


async def test_a_button_is_pressed_and_an_interrupt_raised() -> None:
    async with simulated(designs=KNOWN) as (sim, board):
        overlay = await Overlay.load(board, firmware(), design=KNOWN, clocks=False)
        carry_out(sim, "set io/btns 1 0b0101\r")
        carry_out(sim, " ")
        assert await overlay.io.btns.channel1.read() == 5

        async with asyncio.TaskGroup() as group:
            group.create_task(overlay.mixer.overflow.wait())
            await begun(sim, "mmio.read", sim.counters.calls["mmio.read"] + 2)
            carry_out(sim, "raise mixer/overflow")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("press io/btns", "'press io/btns' is no command; write set IP CHANNEL VALUE, or raise IP/PIN"),
        ("set io/btns 1", "is no command"),
        ("set btns 1 1", "has no IP 'btns' now; there is intc, io/btns, mixer"),
        ("set mixer 1 1", "mixer is no AXI GPIO but acme.com:user:mixer:1.0"),
        ("set io/btns 1 on", "'on' is no number"),
        ("set io/btns 3 1", "channel 3"),
        ("set io/btns 1 16", "0x10 does not fit the 4 wires"),
        ("raise mixer/done", "no interrupt 'mixer/done'; it has mixer/overflow"),
    ],
)
async def test_a_command_that_cannot_be_right_says_so(line: str, words: str) -> None:
    async with simulated(designs=KNOWN) as (sim, board):
        await board.download(firmware(), clocks=False)

        with pytest.raises(SimulationError, match=words):
            carry_out(sim, line)


def test_nothing_can_be_raised_before_a_design_is_programmed() -> None:
    with pytest.raises(SimulationError, match="no interrupt 'mixer/overflow' can be raised: no design that has one"):
        carry_out(SimBoard(designs=KNOWN), "raise mixer/overflow")
