"""Interrupt pins of one board, waited for through several RemoteDevices."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pynq_async import RemoteDevice
from pynq_async.board.interrupts import InterruptPin
from pynq_async.errors import BoardError, BoardRebooted, DeadlineExceeded, NotOpen, ServerError
from pynq_async.hardware import axi_intc as intc
from pynq_async.sim import Hazards
from pynq_async.sim.bus import BusError

from ..boards import begun
from ..designs import firmware
from .interrupt_bench import DESIGN, OUTER, Bench, bench, outcome

Pins = Mapping[str, InterruptPin]


@asynccontextmanager
async def two(*, service: bool = False, **options: Any) -> AsyncIterator[tuple[Bench, RemoteDevice, Pins]]:
    """A board, and a second RemoteDevice of it with its pins."""
    async with bench(service=service, **options) as made, RemoteDevice(made.sim.address, name="other") as other:
        yield made, other, other.interrupts.of(DESIGN)


@pytest.mark.parametrize("pin", ["edge/done", "level/done", "deep_edge/done"])
@pytest.mark.parametrize("service", [False, True])
async def test_an_event_reaches_those_who_wait_through_another_device(service: bool, pin: str) -> None:
    async with two(service=service) as (made, _, others):
        for known in (made.pins[pin], others[pin]):
            await known.listen()

        for _ in range(3):
            async with asyncio.TaskGroup() as group:
                waits = [group.create_task(outcome(known.wait(2))) for known in (made.pins[pin], others[pin])]
                await made.waited(4)
                made.pulse(pin)

            assert [task.result() for task in waits] == [None, None]


async def test_one_look_serves_both_devices_and_an_edge_counts_once() -> None:
    async with two() as (made, _, others):
        pin = made.pins["edge/done"]
        await pin.listen()
        looks = 0

        def count(_: int, word: int) -> int:
            nonlocal looks
            looks += 1
            return word

        made.sim.on_read(OUTER + intc.ISR, count)

        began = time.monotonic()

        async with asyncio.TaskGroup() as group:
            waits = [group.create_task(known["edge/done"].wait(5)) for known in (made.pins, others, made.pins)]
            await asyncio.sleep(0.2)
            made.pulse("edge/done")

        assert all(task.done() for task in waits)
        assert looks / 2 < 1 + 6 + (time.monotonic() - began) / 0.05 + 2

        for known in (made.pins, others):
            with pytest.raises(DeadlineExceeded):
                await known["edge/done"].wait(0.02)


async def test_an_edge_whose_only_waiter_is_cancelled_is_kept_for_the_other_device() -> None:
    async with two() as (made, _, others):
        await made.pins["edge/done"].listen()
        made.pulse("edge/done")
        made.sim.faults.delay("mmio.write", 0.05)
        writes = made.count("mmio.write")
        task = asyncio.ensure_future(made.pins["edge/done"].wait())
        await begun(made.sim, "mmio.write", writes + 1)
        task.cancel()
        await asyncio.wait({task})
        made.sim.faults.clear()
        await others["edge/done"].wait(1)


@pytest.mark.parametrize("slow", ["", "mmio.read", "mmio.write"])
async def test_who_waits_goes_on_when_the_device_of_the_one_who_asks_is_closed(slow: str) -> None:
    async with bench() as made:
        async with RemoteDevice(made.sim.address, name="other") as other, asyncio.TaskGroup() as group:
            theirs = group.create_task(outcome(other.interrupts.of(DESIGN)["edge/done"].wait(5)))
            await made.waited()
            ours = group.create_task(made.pins["edge/done"].wait(5))
            await made.waited()

            if slow:
                made.sim.faults.delay(slow, 0.05)
                calls = made.count(slow)

                if slow == "mmio.write":
                    made.pulse("edge/done")

                await begun(made.sim, slow, calls + 1)

            await other.aclose()
            made.sim.faults.clear()
            made.pulse("edge/done")
            await ours

        error = theirs.result()
        assert isinstance(error, NotOpen) and re.match("other: the board was closed while", str(error))


async def test_every_error_names_the_device_that_was_waited_through() -> None:
    async with two(hazards=Hazards(fatal_bus_errors=False)) as (made, _, others), asyncio.TaskGroup() as group:
        tasks = {
            name: group.create_task(outcome(pins["level/done"].wait(5)))
            for name, pins in ((made.board.name, made.pins), ("other", others))
        }
        await made.waited(4)

        def fault(address: int, _: int) -> int:
            raise BusError(address, "a fault")

        made.sim.on_read(OUTER + intc.ISR, fault)

        for name, task in tasks.items():
            error = await task
            assert isinstance(error, ServerError) and str(error).startswith(f"{name}: ")


async def test_after_a_reboot_both_devices_are_told_and_new_pins_work_on_both() -> None:
    async with two() as (made, other, others):
        async with asyncio.TaskGroup() as group:
            tasks = {
                name: group.create_task(outcome(pins["edge/done"].wait(5)))
                for name, pins in ((made.board.name, made.pins), ("other", others))
            }
            await made.waited(4)
            await made.sim.reboot()

        for name, task in tasks.items():
            error = task.result()
            assert isinstance(error, BoardRebooted) and str(error).startswith(f"{name}: ")

        await made.board.download(firmware())
        pins = [board.interrupts.of(DESIGN)["edge/done"] for board in (made.board, other)]

        async with asyncio.TaskGroup() as group:
            waits = [group.create_task(outcome(pin.wait(5))) for pin in pins]
            await made.waited(6)
            made.pulse("edge/done")

        assert [task.result() for task in waits] == [None, None]


@pytest.mark.parametrize("fault", ["lost before", "lost after", "restart", "delay"])
async def test_under_faults_both_are_woken_or_told(fault: str) -> None:
    async with two() as (made, _, others), asyncio.TaskGroup() as group:
        for known in (made.pins, others):
            await known["edge/done"].listen()

        waits = [group.create_task(outcome(known["edge/done"].wait(5))) for known in (made.pins, others)]
        await made.waited(4)

        if fault == "restart":
            await made.sim.restart()
        elif fault == "delay":
            made.sim.faults.delay("*", 0.01)
        else:
            made.sim.faults.drop("mmio.read", after=fault == "lost after")
            made.sim.faults.drop("mmio.write", after=fault == "lost after")

        made.pulse("edge/done")
        errors = [await wait for wait in waits]
        assert all(error is None or isinstance(error, BoardError) for error in errors)
        made.sim.faults.clear()

        for known in (made.pins, others):
            made.pulse("edge/done")
            await known["edge/done"].wait(2)


async def test_an_edge_that_was_kept_outlives_the_reconfiguration_of_another_region() -> None:
    async with bench() as made:
        await kept(made)
        await made.board.download(firmware(partial=True), partial=True)
        await made.pins["edge/done"].wait(1)


async def test_an_edge_that_was_kept_is_forgotten_when_its_controller_is_reconfigured() -> None:
    async with bench() as made:
        await kept(made)
        await made.board.download(firmware(partial=True), partial=True)
        made.sim.ip["outer"].store(intc.MER, 0)

        with pytest.raises(DeadlineExceeded):
            await made.pins["edge/done"].wait(0.02)


async def kept(made: Bench) -> None:
    """Have an edge acknowledged whose only waiter is cancelled meanwhile."""
    pin = made.pins["edge/done"]
    await pin.listen()
    made.pulse("edge/done")
    made.sim.faults.delay("mmio.write", 0.03)
    writes = made.count("mmio.write")
    task = asyncio.ensure_future(pin.wait())
    await begun(made.sim, "mmio.write", writes + 1)
    task.cancel()
    await asyncio.wait({task})
    made.sim.faults.clear()
    assert not made.sim.ip["outer"].status, "it was acknowledged all the same"
