"""Interrupt pins: what holds by polling and through the board's service alike."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import anyio
import grpc
import pytest

from pynq_async import Timeouts
from pynq_async.bitstream import load_design
from pynq_async.board import interrupt_service
from pynq_async.errors import (
    BoardError,
    BoardRebooted,
    ConnectionLost,
    DeadlineExceeded,
    DesignReplaced,
    NotOpen,
    OutcomeUnknown,
    ServerError,
    SimulationError,
)

from ..bitstream.conftest import OVERLAYS
from ..boards import begun, simulated
from ..sim.designs import bitstream
from .interrupt_bench import DESIGN, PINS, REGISTER, WAIT, Bench, bench, outcome


@pytest.fixture(autouse=True)
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a test need not wait for long until the service has been asked once more."""
    monkeypatch.setattr(interrupt_service, "_SLICE", 0.03)


@pytest.fixture(params=[False, True], ids=["polled", "service"])
async def here(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """The same by polling and through the service."""
    async with bench(service=request.param) as made:
        yield made


@pytest.mark.parametrize("name", ["level/done", "edge/done", "deep/done", "deep_edge/done"])
async def test_an_interrupt_ends_the_wait(here: Bench, name: str) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(here.pins[name].wait())
        await here.waited()
        assert not waiting.done()
        here.pulse(name)

    assert repr(here.pins[name]) == f"<InterruptPin {here.board.name} {name}>"


@pytest.mark.parametrize("name", ["level/done", "edge/done", "deep/done", "deep_edge/done"])
async def test_the_simulated_board_raises_an_interrupt_by_its_name(here: Bench, name: str) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(here.pins[name].wait())
        await here.waited()
        assert here.sim.raise_interrupt(name) == 1

    assert waiting.done()

    with pytest.raises(DeadlineExceeded):
        await here.pins[name].wait(timeout=0.05)


async def test_a_raised_edge_is_kept_for_who_listened(here: Bench) -> None:
    pin = here.pins["edge/done"]
    await pin.listen()
    here.sim.raise_interrupt("edge/done")
    await pin.wait()


async def test_a_level_that_is_up_stays_up_when_it_is_raised(here: Bench) -> None:
    here.drive("level/done", True)
    here.sim.raise_interrupt("level/done")
    await here.pins["level/done"].wait()
    await here.pins["level/done"].wait()


async def test_an_interrupt_that_the_design_does_not_have_cannot_be_raised(here: Bench) -> None:
    with pytest.raises(SimulationError, match="has no interrupt 'edge/dnoe'; it has concat/In1, deep/done"):
        here.sim.raise_interrupt("edge/dnoe")


async def test_a_level_that_is_active_ends_every_wait_until_it_is_cleared(here: Bench) -> None:
    pin = here.pins["level/done"]
    here.drive("level/done", True)
    await pin.wait()
    await pin.wait()
    here.drive("level/done", False)

    with pytest.raises(DeadlineExceeded):
        await pin.wait(timeout=0.01)


async def test_a_pin_that_stays_quiet_is_a_deadline_that_names_board_and_pin(here: Bench) -> None:
    with pytest.raises(DeadlineExceeded, match=rf"^{here.board.name}: level/done: no interrupt in 0.01 s"):
        await here.pins["level/done"].wait(timeout=0.01)

    with pytest.raises(DeadlineExceeded):
        await here.pins["level/done"].wait(timeout=0)

    here.drive("level/done", True)
    await here.pins["level/done"].wait()


async def test_other_pins_do_not_end_the_wait(here: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(here.pins["level/done"].wait())
        await here.waited()
        here.pulse("other/done")
        here.pulse("deep/done")
        await here.waited()
        assert not waiting.done()
        here.pulse("level/done")


@pytest.mark.parametrize("name", ["level/done", "edge/done"])
async def test_an_event_wakes_all_who_wait_then_and_nobody_later(here: Bench, name: str) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(here.pins[name].wait())

        await here.waited()
        here.pulse(name)

    with pytest.raises(DeadlineExceeded):
        await here.pins[name].wait(timeout=0.01)


async def test_two_names_of_one_input_are_woken_together(here: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(here.pins["edge/done"].wait())
        group.create_task(here.pins["concat/In1"].wait())
        await here.waited(4)
        here.pulse("edge/done")


@pytest.mark.parametrize("leaving", ["cancelled", "timed out", "done"])
async def test_when_the_one_who_asks_the_board_leaves_another_goes_on(here: Bench, leaving: str) -> None:
    """Invariant of `Turns`: while anyone waits, one of those who wait is at work, or has been woken to begin."""
    same = leaving != "done"
    other = "level/done" if same else "other/done"

    async with asyncio.TaskGroup() as group:
        first = group.create_task(outcome(here.pins["level/done"].wait(0.1 if leaving == "timed out" else 10)))
        await here.waited()
        rest = [group.create_task(here.pins[other].wait()) for _ in range(3)]
        await here.waited()

        if leaving == "cancelled":
            first.cancel()
        elif leaving == "done":
            here.pulse("level/done")

        await asyncio.wait({first})
        await here.waited()
        assert not any(task.done() for task in rest)
        here.pulse(other)


async def test_all_who_ask_the_board_in_turn_may_leave(here: Bench) -> None:
    pin = here.pins["level/done"]

    async with asyncio.TaskGroup() as group:
        impatient = [group.create_task(outcome(pin.wait(timeout=0.01 * number))) for number in range(1, 6)]
        patient = group.create_task(pin.wait())
        await asyncio.wait(impatient)
        assert all(isinstance(task.result(), DeadlineExceeded) for task in impatient)
        await here.waited()
        here.pulse("level/done")
        await patient


async def test_the_one_who_takes_over_may_be_cancelled_in_the_same_moment(here: Bench) -> None:
    pin = here.pins["level/done"]

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(outcome(pin.wait())) for _ in range(4)]
        await here.waited()
        tasks[0].cancel()
        await asyncio.wait({tasks[0]})
        tasks[1].cancel()
        tasks[2].cancel()
        await asyncio.wait({tasks[1], tasks[2]})
        await here.waited()
        here.pulse("level/done")
        await tasks[3]


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
async def test_a_cancelled_wait_leaves_nothing_and_the_next_works(here: Bench, times: int) -> None:
    here.sim.faults.latency = 0.01
    pin = here.pins["deep_edge/done"]

    for turns in (0, 1, 3, 10, 30, 100):
        task = asyncio.ensure_future(pin.wait())

        for _ in range(turns):
            await asyncio.sleep(0)

        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)

        await asyncio.wait({task})
        assert task.cancelled()

    here.sim.faults.clear()

    async with asyncio.TaskGroup() as group:
        group.create_task(pin.wait())
        await here.waited()
        here.pulse("deep_edge/done")


async def test_anyio_scopes_work_around_a_wait(here: Bench) -> None:
    with anyio.move_on_after(0.02) as scope:
        await here.pins["level/done"].wait()

    assert scope.cancelled_caught

    with pytest.raises(TimeoutError):
        with anyio.fail_after(0.02):
            await here.pins["edge/done"].wait(None)

    here.drive("level/done", True)
    await here.pins["level/done"].wait()


async def test_events_count_once_the_pin_is_listened_to(here: Bench) -> None:
    pins = [here.pins[name] for name in ("edge/done", "deep_edge/done")]

    async with asyncio.TaskGroup() as group:
        for pin in pins * 3:
            group.create_task(pin.listen())

    before = here.calls

    for pin in pins:
        await pin.listen()

    assert here.calls == before, "it is asked for once"
    assert here.count("mmio.read") + here.count(REGISTER) == 2

    for pin in pins:
        here.pulse(pin.name)
        await pin.wait()

    await here.sim.restart()
    await here.board.exists_file("/proc/version")  # the restart has been noticed
    await pins[0].listen()
    here.pulse(pins[0].name)
    await pins[0].wait()


async def test_listening_ends_in_time_or_with_an_error(here: Bench) -> None:
    for fault in (grpc.StatusCode.UNKNOWN, None):
        for method in ("mmio.read", REGISTER):
            if fault is None:
                here.sim.faults.delay(method, 0.2)
            else:
                here.sim.faults.fail(method, fault)

        with pytest.raises(ServerError if fault else DeadlineExceeded):
            await here.pins["edge/done"].listen(0.05)

    here.sim.faults.clear()
    await here.pins["edge/done"].listen()


async def test_nothing_is_asked_while_nobody_waits(here: Bench) -> None:
    here.drive("level/done", True)
    await here.pins["level/done"].wait()
    before = here.calls
    await asyncio.sleep(0.1)
    assert here.calls == before


async def test_looking_at_pins_does_no_io(here: Bench) -> None:
    before = here.calls
    assert sorted(here.board.interrupts.of(DESIGN)) == sorted(PINS)
    assert here.board.name in repr(here.board.interrupts)
    assert here.calls == before


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

    await here.board.download(bitstream())

    with pytest.raises(BoardRebooted):
        await here.pins["level/done"].wait()

    here.drive("level/done", True)
    await here.board.interrupts.of(DESIGN)["level/done"].wait()


async def test_a_design_that_is_loaded_again_needs_nothing_more(here: Bench) -> None:
    here.drive("level/done", True)
    await here.pins["level/done"].wait()
    await here.board.download(bitstream())

    async with asyncio.TaskGroup() as group:
        group.create_task(here.pins["level/done"].wait())
        await here.waited()
        here.pulse("level/done")


async def test_a_download_does_not_end_a_wait_by_itself(here: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(here.pins["edge/done"].wait())
        await here.waited()
        await here.board.download(bitstream())
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
    await here.board.download(bitstream())

    with pytest.raises(DeadlineExceeded):
        await pin.wait(0.1)

    here.pulse("edge/done")
    await pin.wait()


async def test_a_design_that_is_loaded_again_is_listened_to_again(here: Bench) -> None:
    pin = here.pins["edge/done"]
    await pin.listen()
    await here.board.download(bitstream())
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
                    faults.latency = 0.05
                case "dropped":
                    faults.drop("*", times=2)
                case "dropped after":
                    faults.drop("*", after=True, times=2)
                case "failed":
                    faults.fail("*", grpc.StatusCode.UNKNOWN, times=2)
                case _:
                    faults.delay("mmio.read", 0.5)
                    faults.delay(WAIT, 0.8)

            here.drive("level/done", True)
            outcomes = await asyncio.gather(*(outcome(here.pins["level/done"].wait(2)) for _ in range(3)))
            assert all(outcome is None or isinstance(outcome, BoardError) for outcome in outcomes)
            assert fault != "delayed" or outcomes == [None] * 3
            faults.clear()
            await here.pins["level/done"].wait()


async def test_a_real_design_has_its_pins() -> None:
    path = OVERLAYS / "pynq-z2-base" / "base.hwh"

    if not path.exists():
        pytest.skip(f"no real overlay at {path.parent}")

    real = await load_design(path)

    async with simulated(designs=[real]) as (sim, board):
        await board.download(bitstream())
        pins = board.interrupts.of(real)
        assert pins.keys() == real.interrupt_pins.keys()
        line = sim.ip["btns_gpio"].site.line("ip2intc_irpt")

        async with asyncio.TaskGroup() as group:
            group.create_task(pins["btns_gpio/ip2intc_irpt"].wait())
            group.create_task(pins["concat_interrupts/In5"].wait())
            await begun(sim, "mmio.read", 3)
            line(True)

        line(False)
        line(True)
        await pins["btns_gpio/ip2intc_irpt"].wait()  # an edge counts even if it came before


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
@pytest.mark.parametrize("leading", [True, False], ids=["asking", "waiting for another"])
async def test_an_event_is_kept_wherever_its_only_waiter_is_cancelled(here: Bench, leading: bool, times: int) -> None:
    pin = here.pins["edge/done"]

    async with asyncio.TaskGroup() as group:
        other = None if leading else group.create_task(here.pins["other/done"].wait())
        await pin.listen()

        for turns in itertools.count(1):
            here.pulse("edge/done")
            task = asyncio.ensure_future(outcome(pin.wait()))

            for _ in range(turns):
                await asyncio.sleep(0)

            if task.done():
                break

            for _ in range(times):
                task.cancel()
                await asyncio.sleep(0)

            await asyncio.wait({task})

            if task.cancelled():
                await pin.wait(1)

        assert turns > 10

        if other is not None:
            here.pulse("other/done")
