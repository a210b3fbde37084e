"""The overlays that PYNQ ships, where they are at hand."""

import asyncio
import time
from collections.abc import Awaitable
from pathlib import Path
from xml.etree import ElementTree

from pynq_async.bitstream import load_bitstream, load_design
from pynq_async.bitstream.interrupts import read_interrupts


async def measured(work: Awaitable[object]) -> tuple[float, float]:
    """The processor seconds that `work` took in this process, and for how many of them it held the loop at worst.

    A 10 ms ticker is late by what holds the loop and by what else runs on the host; the former uses this process's
    time as long.
    """
    held = [0.0]

    async def tick() -> None:
        while True:
            due, used = time.perf_counter() + 0.01, time.process_time()
            await asyncio.sleep(0.01)
            held.append(min(time.perf_counter() - due, time.process_time() - used))

    async with asyncio.TaskGroup() as group:
        ticker = group.create_task(tick())
        start = time.process_time()
        await work
        used = time.process_time() - start
        ticker.cancel()

    return used, max(held)


async def test_real_design_is_the_same_from_the_cache_and_for_the_family_of_its_bitstream(overlay: Path) -> None:
    bitstream = await load_bitstream(overlay / "base.bit")
    first = await load_design(bitstream)
    second = await load_design(overlay / "base.hwh")

    assert first == second
    assert bitstream.family == second.family
    assert bitstream.header is not None
    assert (bitstream.header.design, bitstream.partial) == ("base_wrapper", False)
    assert all(isinstance(gpio["pins"], set) for gpio in second.gpio_dict.values())
    assert list(second.clock_dict) == [0, 1, 2, 3]
    assert all(clock.mhz for clock in second.pl_clocks().values())


async def test_real_design_is_loaded_without_holding_the_event_loop(overlay: Path) -> None:
    _, held = await measured(load_design(overlay / "base.hwh"))
    assert held < 0.05

    used, held = await measured(load_design(overlay / "base.hwh"))
    assert held < 0.05
    assert used < 0.05


async def test_real_bitstream_is_loaded_without_holding_the_event_loop(overlay: Path) -> None:
    _, held = await measured(load_bitstream(overlay / "base.bit"))

    assert held < 0.05


async def test_interrupts_of_a_real_design_are_those_of_pynqmetadata(overlay: Path) -> None:
    design = await load_design(overlay / "base.hwh")
    assert design.family is not None

    controllers, pins = read_interrupts(
        ElementTree.parse(overlay / "base.hwh").getroot(), design.ps_name, design.family
    )

    # Were an entry another, or one more, there would be a difference: what pynqmetadata has is never replaced.
    assert (controllers, pins) == (design.interrupt_controllers, design.interrupt_pins)
    assert (len(controllers), len(pins)) == (1, {"pynq-z2-base": 30, "zcu104-base": 18}[overlay.name])
    assert not any(entry["fullpath"] != name for name, entry in design.ip_dict.items() if "fullpath" in entry)
