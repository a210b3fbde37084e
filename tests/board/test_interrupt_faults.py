"""Waits for interrupts while the board fails, restarts, is programmed anew or closed."""

import asyncio

import grpc
import pytest

from pynq_async import Timeouts
from pynq_async.errors import (
    BoardError,
    BoardRebooted,
    ConnectionLost,
    DeadlineExceeded,
    DesignReplaced,
    NotOpen,
    OutcomeUnknown,
)

from ..boards import begun
from ..designs import firmware
from .interrupt_bench import DESIGN, WAIT, Bench, bench, outcome

pytestmark = pytest.mark.usefixtures("short_slices")


async def test_waits_survive_a_restart_of_the_server_or_say_so(here: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(outcome(here.pins["deep/done"].wait()))
        await here.waited()
        await here.sim.restart()

        if here.service:
            assert isinstance(await waiting, OutcomeUnknown), "the answer that was cut off may have been an event"
        else:
            await here.waited()
            here.pulse("deep/done")
            assert await waiting is None

    async with asyncio.TaskGroup() as group:
        group.create_task(here.pins["deep/done"].wait())
        await here.waited()
        here.pulse("deep/done")


async def test_after_a_reboot_old_pins_say_so_and_new_ones_work(here: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(outcome(here.pins["level/done"].wait())) for _ in range(3)]
        await here.waited()
        await here.sim.reboot()

        for task in waiting:
            assert isinstance(await task, BoardRebooted | ConnectionLost)

    with pytest.raises(BoardRebooted):
        await here.pins["level/done"].wait()

    await here.board.download(firmware())

    with pytest.raises(BoardRebooted):
        await here.pins["level/done"].wait()

    here.drive("level/done", True)
    await here.board.interrupts.of(DESIGN)["level/done"].wait()


async def test_a_design_that_is_loaded_again_needs_nothing_more(here: Bench) -> None:
    here.drive("level/done", True)
    await here.pins["level/done"].wait()
    await here.board.download(firmware())

    async with asyncio.TaskGroup() as group:
        group.create_task(here.pins["level/done"].wait())
        await here.waited()
        here.pulse("level/done")


async def test_a_download_does_not_end_a_wait_by_itself(here: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(here.pins["edge/done"].wait())
        await here.waited()
        await here.board.download(firmware())
        await here.waited()
        here.pulse("edge/done")


async def test_each_access_is_preceded_by_the_check_of_those_it_is_for(here: Bench) -> None:
    replaced = ""

    def check(pin: str) -> None:
        if pin == replaced:
            raise DesignReplaced(here.board.name, f"{pin} is gone")

    pins = here.board.interrupts.of(DESIGN, check)

    async with asyncio.TaskGroup() as group:
        going = [group.create_task(outcome(pins["level/done"].wait())) for _ in range(2)]
        staying = group.create_task(pins["other/done"].wait())
        await here.waited(4)
        replaced = "level/done"

        for task in going:
            assert isinstance(await task, DesignReplaced)

        before = here.calls

        with pytest.raises(DesignReplaced):
            await pins["level/done"].wait()

        await here.waited()
        assert not staying.done()
        here.pulse("other/done")

    before = here.calls

    with pytest.raises(DesignReplaced):
        await pins["level/done"].wait()

    assert here.calls == before, "nothing is sent"


async def test_a_board_that_does_not_answer_is_said_to_be_silent_and_not_the_pin() -> None:
    for service, method in ((False, "mmio.read"), (True, WAIT)):
        async with bench(service=service, timeouts=Timeouts(call=0.05, grace=0.01)) as here:
            await here.pins["edge/done"].listen()
            here.sim.faults.delay(method, 0.3)

            with pytest.raises(DeadlineExceeded, match=f"{method}: no answer"):
                await here.pins["edge/done"].wait(5)

            here.sim.faults.clear()


async def test_what_was_kept_for_the_next_is_forgotten_with_the_design(here: Bench) -> None:
    pin = here.pins["edge/done"]
    await pin.listen()
    here.pulse("edge/done")
    method = WAIT if here.service else "mmio.write"
    here.sim.faults.delay(method, 0.02)
    before = here.count(method)
    task = asyncio.ensure_future(pin.wait())
    await begun(here.sim, method, before + 1)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    here.sim.faults.clear()
    await here.board.download(firmware())

    with pytest.raises(DeadlineExceeded):
        await pin.wait(0.1)

    here.pulse("edge/done")
    await pin.wait()


async def test_a_design_that_is_loaded_again_is_listened_to_again(here: Bench) -> None:
    pin = here.pins["edge/done"]
    await pin.listen()
    await here.board.download(firmware())
    await pin.listen()
    here.pulse("edge/done")
    await pin.wait()


async def test_no_wait_begins_while_the_board_is_closed(here: Bench) -> None:
    async def wait_again() -> None:
        for name in ("edge/done", "deep/done"):
            with pytest.raises(NotOpen, match="was closed while|is closed"):
                await here.pins[name].wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(wait_again())
        await here.waited()
        await here.board.aclose()

    assert not here.sim.process.interrupts


async def test_closing_the_board_ends_waits_with_a_sentence(here: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(outcome(here.pins[name].wait())) for name in ("edge/done", "deep/done")]
        await here.waited()
        await here.board.aclose()

        for task in waiting:
            assert isinstance(await task, NotOpen)

    with pytest.raises(NotOpen):
        await here.pins["edge/done"].wait()

    assert not here.sim.process.interrupts


@pytest.mark.parametrize("fault", ["delayed", "dropped", "dropped after", "failed", "late beyond the deadline"])
async def test_under_faults_a_wait_ends_well_or_with_an_error_of_ours(fault: str) -> None:
    for service in (False, True):
        async with bench(service=service, timeouts=Timeouts(call=0.2)) as here:
            faults = here.sim.faults

            match fault:
                case "delayed":
                    faults.latency = 0.02
                case "dropped":
                    faults.drop("*", times=2)
                case "dropped after":
                    faults.drop("*", after=True, times=2)
                case "failed":
                    faults.fail("*", grpc.StatusCode.UNKNOWN, times=2)
                case _:
                    faults.delay("mmio.read", 0.3)
                    faults.delay(WAIT, 0.3)

            here.drive("level/done", True)
            outcomes = await asyncio.gather(*(outcome(here.pins["level/done"].wait(2)) for _ in range(3)))
            assert all(outcome is None or isinstance(outcome, BoardError) for outcome in outcomes)
            assert fault != "delayed" or outcomes == [None] * 3
            faults.clear()
            await here.pins["level/done"].wait()
