"""Interrupt pins, by polling and through the board's service, against the simulated interrupt controller."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import grpc
import pytest

from pynq_async import Limits, RemoteDevice, Timeouts
from pynq_async.bitstream import load_design
from pynq_async.board import interrupt_service
from pynq_async.errors import (
    BoardError,
    BoardRebooted,
    ConnectionLost,
    DeadlineExceeded,
    DesignReplaced,
    NotOpen,
    NotSupported,
    OutcomeUnknown,
    OutOfRange,
    ServerError,
)
from pynq_async.hardware import axi_intc as intc
from pynq_async.sim import Hazards, SimBoard
from pynq_async.sim.bus import BusError
from pynq_async.wire import messages as m

from ..bitstream.conftest import OVERLAYS
from ..boards import begun, simulated
from ..sim.designs import bitstream, design, ip

OUTER, INNER, SOURCES = 0x4180_0000, 0x4181_0000, 0x4280_0000
EDGES = {"C_NUM_INTR_INPUTS": "4", "C_KIND_OF_INTR": "0xfffffff2"}  # input 1 captures edges; 0, 2 and 3 are levels
PINS = {
    "level/done": ("outer", 0),
    "edge/done": ("outer", 1),
    "concat/In1": ("outer", 1),
    "other/done": ("outer", 2),
    "deep/done": ("inner", 3),
    "deep_edge/done": ("inner", 1),
    "direct/done": ("", 0),
}
DESIGN = design(
    {
        "outer": ip("axi_intc", OUTER, parameters=EDGES),
        "inner": ip("axi_intc", INNER, parameters=EDGES),
        **{
            pin.split("/")[0]: ip("acme.com:user:source:1.0", SOURCES + 0x1_0000 * number)
            for number, pin in enumerate(PINS)
            if not pin.startswith("concat")
        },
    },
    interrupt_controllers={
        "outer": {"parent": "", "index": 0, "raw_irq": 61},
        "inner": {"parent": "outer", "index": 3},
    },
    interrupt_pins={
        pin: {"controller": controller, "index": index, "fullpath": pin} | ({} if controller else {"raw_irq": 62})
        for pin, (controller, index) in PINS.items()
    },
)
WAIT, REGISTER, RELEASE = "interrupt.wait_for_interrupt", "interrupt.register_interrupt", "interrupt.release_interrupt"


class Bench:
    """A board with the design loaded, and its pins."""

    def __init__(self, sim: SimBoard, board: RemoteDevice, *, service: bool) -> None:
        self.sim = sim
        self.board = board
        self.service = service
        self.pins = board.interrupts.of(DESIGN)

    def drive(self, pin: str, *levels: bool) -> None:
        """Set the level of a pin, on the board."""
        path, port = pin.split("/")

        for level in levels:
            self.sim.ip[path].site.line(port)(level)

    def pulse(self, pin: str) -> None:
        """Let a pin be active for an instant."""
        self.drive(pin, True, False)

    async def waited(self, rounds: int = 2) -> None:
        """Wait until those who wait have asked the board, and once more."""
        method = WAIT if self.service else "mmio.read"
        await begun(self.sim, method, self.sim.counters.calls[method] + rounds)

    @property
    def calls(self) -> int:
        """How many calls the board has seen."""
        return sum(self.sim.counters.calls.values())

    def count(self, method: str) -> int:
        """How many calls of a method the board has seen."""
        return self.sim.counters.calls[method]


@asynccontextmanager
async def bench(*, service: bool = False, known: bool = True, **options: Any) -> AsyncIterator[Bench]:
    """A simulated board with the design loaded."""
    async with simulated(designs=[DESIGN] if known else [], interrupt=service, **options) as (sim, board):
        await board.download(bitstream())
        yield Bench(sim, board, service=service)


def accesses(sim: SimBoard, register: int, controller: int = OUTER) -> list[int]:
    """Note what is written to a register, or each read of it; the server reads twice."""
    seen: list[int] = []

    def note(_: int, word: int) -> int:
        seen.append(word)
        return word

    (sim.on_write if register in (intc.IAR, intc.MER, intc.IER, intc.SIE) else sim.on_read)(controller + register, note)
    return seen


@pytest.fixture(autouse=True)
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a test need not wait for long until the service has been asked once more."""
    monkeypatch.setattr(interrupt_service, "_SLICE", 0.03)


@pytest.fixture(params=[False, True], ids=["polled", "service"])
async def here(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """The same by polling and through the service."""
    async with bench(service=request.param) as made:
        yield made


@pytest.fixture
async def polled() -> AsyncIterator[Bench]:
    async with bench() as made:
        yield made


@pytest.fixture
async def served() -> AsyncIterator[Bench]:
    async with bench(service=True) as made:
        yield made


# What both ways have in common.


@pytest.mark.parametrize("name", ["level/done", "edge/done", "deep/done", "deep_edge/done"])
async def test_an_interrupt_ends_the_wait(here: Bench, name: str) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(here.pins[name].wait())
        await here.waited()
        assert not waiting.done()
        here.pulse(name)

    assert repr(here.pins[name]) == f"<InterruptPin {here.board.name} {name}>"


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
        first = group.create_task(_outcome(here.pins["level/done"].wait(0.1 if leaving == "timed out" else 10)))
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
        impatient = [group.create_task(_outcome(pin.wait(timeout=0.01 * number))) for number in range(1, 6)]
        patient = group.create_task(pin.wait())
        await asyncio.wait(impatient)
        assert all(isinstance(task.result(), DeadlineExceeded) for task in impatient)
        await here.waited()
        here.pulse("level/done")
        await patient


async def test_the_one_who_takes_over_may_be_cancelled_in_the_same_moment(here: Bench) -> None:
    pin = here.pins["level/done"]

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_outcome(pin.wait())) for _ in range(4)]
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
        waiting = group.create_task(_outcome(here.pins["deep/done"].wait()))
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
        waiting = [group.create_task(_outcome(here.pins["level/done"].wait())) for _ in range(3)]
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
        going = [group.create_task(_outcome(pins["level/done"].wait())) for _ in range(2)]
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


async def test_closing_the_board_ends_waits_with_a_sentence(here: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(_outcome(here.pins[name].wait())) for name in ("edge/done", "deep/done")]
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
            outcomes = await asyncio.gather(*(_outcome(here.pins["level/done"].wait(2)) for _ in range(3)))
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


# Polling.


async def test_a_level_that_ended_before_the_wait_is_not_reported(polled: Bench) -> None:
    await polled.board.mmio(OUTER, intc.SIZE).write(intc.MER, intc.HARDWARE_ENABLE)
    polled.pulse("level/done")
    assert polled.sim.ip["outer"].status & 1, "it is latched"

    with pytest.raises(DeadlineExceeded):
        await polled.pins["level/done"].wait(timeout=0.02)


async def test_an_edge_that_came_before_the_wait_counts_once(polled: Bench) -> None:
    await polled.pins["edge/done"].listen()
    polled.pulse("edge/done")
    polled.pulse("edge/done")
    await polled.pins["edge/done"].wait()

    with pytest.raises(DeadlineExceeded):
        await polled.pins["edge/done"].wait(timeout=0.02)


async def test_a_pulse_is_not_lost_to_one_who_begins_to_wait_after_it(polled: Bench) -> None:
    """Who joins must not clear what the others have not seen yet."""
    polled.sim.faults.latency = 0.02

    async with asyncio.TaskGroup() as group:
        first = group.create_task(polled.pins["level/done"].wait(5))
        await polled.waited(4)
        polled.pulse("level/done")
        group.create_task(_outcome(polled.pins["level/done"].wait(0.2)))
        await first


async def test_an_edge_that_follows_from_an_event_is_not_wiped_out(polled: Bench) -> None:
    """The acknowledgement must have been carried out when the waiter goes on."""
    pin = polled.pins["edge/done"]
    polled.sim.faults.delay("mmio.write", 0.01)

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(pin.wait())
        await polled.waited(4)
        polled.pulse("edge/done")
        await waiting
        polled.pulse("edge/done")
        await pin.wait(1)


@pytest.mark.parametrize("after", [False, True])
async def test_an_edge_is_kept_when_its_acknowledgement_is_cut_off(polled: Bench, after: bool) -> None:
    pin = polled.pins["edge/done"]

    await pin.listen()
    polled.pulse("edge/done")
    polled.sim.faults.drop("mmio.write", after=after)
    await pin.wait()

    with pytest.raises(DeadlineExceeded):
        await pin.wait(timeout=0.02)


async def test_an_edge_is_kept_when_its_only_waiter_is_cancelled_during_the_acknowledgement(polled: Bench) -> None:
    pin = polled.pins["edge/done"]

    await pin.listen()
    polled.pulse("edge/done")
    polled.sim.faults.delay("mmio.write", 0.05)
    writes = polled.count("mmio.write")
    task = asyncio.ensure_future(pin.wait())
    await begun(polled.sim, "mmio.write", writes + 1)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    polled.sim.faults.clear()
    assert not polled.sim.ip["outer"].status, "it was acknowledged all the same"
    await pin.wait(1)


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
@pytest.mark.parametrize("leading", [True, False], ids=["asking", "waiting for another"])
async def test_an_event_is_kept_wherever_its_only_waiter_is_cancelled(here: Bench, leading: bool, times: int) -> None:
    pin = here.pins["edge/done"]

    async with asyncio.TaskGroup() as group:
        other = None if leading else group.create_task(here.pins["other/done"].wait())
        await pin.listen()

        for turns in itertools.count(1):
            here.pulse("edge/done")
            task = asyncio.ensure_future(_outcome(pin.wait()))

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


async def test_one_look_a_controller_serves_all_pins(polled: Bench) -> None:
    outer, inner = accesses(polled.sim, intc.ISR, OUTER), accesses(polled.sim, intc.ISR, INNER)

    async with asyncio.TaskGroup() as group:
        names = [name for name in PINS if not name.startswith("direct")]
        tasks = [group.create_task(_outcome(polled.pins[name].wait(0.1))) for name in names * 5]
        await asyncio.wait(tasks)

    assert all(isinstance(task.result(), DeadlineExceeded) for task in tasks)
    assert 3 < len(outer) / 2 < 20
    assert abs(len(outer) - len(inner)) <= 2


async def test_polls_are_fast_at_first_and_slower_later(polled: Bench) -> None:
    polls = accesses(polled.sim, intc.ISR)

    with pytest.raises(DeadlineExceeded):
        await polled.pins["level/done"].wait(0.4)

    assert len(polls) / 2 < 6 + 0.4 / 0.05 + 3

    async with asyncio.TaskGroup() as group:
        group.create_task(polled.pins["level/done"].wait())
        await polled.waited(8)
        start = asyncio.get_running_loop().time()
        polled.drive("other/done", True)
        await polled.pins["other/done"].wait()
        assert asyncio.get_running_loop().time() - start < 0.04, "a new waiter is looked after at once"
        polled.pulse("level/done")


async def test_the_controller_is_set_up_once_and_no_interrupt_is_enabled(polled: Bench) -> None:
    enables, master = accesses(polled.sim, intc.IER), accesses(polled.sim, intc.MER)
    single = accesses(polled.sim, intc.SIE)
    polled.drive("level/done", True)

    for _ in range(3):
        await polled.pins["level/done"].wait()

    assert master == [intc.MASTER_ENABLE | intc.HARDWARE_ENABLE]
    assert not enables
    assert not single
    await polled.sim.restart()
    await polled.pins["level/done"].wait()
    assert len(master) == 1, "it is set up already"
    await polled.board.download(bitstream())
    polled.drive("level/done", True)
    await polled.pins["level/done"].wait()
    assert len(master) == 2, "programming resets it"


async def test_two_controllers_are_looked_at_together(polled: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(polled.pins["level/done"].wait())
        group.create_task(polled.pins["deep/done"].wait())
        await polled.waited(6)
        polled.sim.faults.latency = 0.01
        polled.sim.counters.unary_peak = 0
        await polled.waited(4)
        polled.pulse("level/done")
        polled.pulse("deep/done")

    assert polled.sim.counters.unary_peak == 2


async def test_an_error_ends_every_wait_for_its_controller_and_no_other() -> None:
    async with bench(hazards=Hazards(fatal_bus_errors=False)) as polled, asyncio.TaskGroup() as group:
        inner = [group.create_task(_outcome(polled.pins["deep/done"].wait())) for _ in range(3)]
        outer = [group.create_task(polled.pins["level/done"].wait()) for _ in range(3)]
        await polled.waited(6)

        def fault(address: int, _: int) -> int:
            raise BusError(address)

        stop = polled.sim.on_read(INNER + intc.ISR, fault)

        for task in inner:
            assert isinstance(await task, ServerError)

        stop()
        await polled.waited()
        polled.pulse("level/done")

    assert all(task.result() is None for task in outer)


async def test_pins_wired_straight_to_the_processing_system_are_not_supported(polled: Bench) -> None:
    before = polled.calls

    for attempt in (polled.pins["direct/done"].wait(), polled.pins["direct/done"].listen()):
        with pytest.raises(NotSupported, match="direct/done: it is wired straight to the processing system"):
            await attempt

    assert polled.calls == before


async def test_a_pin_without_a_place_is_not_supported() -> None:
    odd = design(
        {"outer": ip("axi_intc", OUTER)},
        interrupt_pins={
            "a/x": {"controller": "elsewhere", "index": 0, "fullpath": "a/x"},
            "a/y": {"controller": "outer", "index": 127, "fullpath": "a/y"},
        },
    )

    async with simulated() as (_, board):
        for pin in board.interrupts.of(odd).values():
            with pytest.raises(NotSupported, match="does not say where on its controller"):
                await pin.wait()

        for index in (-1, 32):
            with pytest.raises(OutOfRange):
                board.interrupts.pin("a", OUTER, index)


# The service.


async def test_pins_wired_straight_to_the_processing_system_work_through_the_service(served: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(served.pins["direct/done"].wait())
        await served.waited()
        served.pulse("direct/done")


async def test_a_pin_is_registered_once_and_released_with_the_board(served: Bench) -> None:
    for name in ("level/done", "direct/done"):
        served.drive(name, True)

        for _ in range(3):
            await served.pins[name].wait()

    assert served.count(REGISTER) == 2
    assert {(i.pin_name, i.pin_index, i.raw_irq) for i in served.sim.process.interrupts.values()} == {
        ("level/done", 0, 61),
        ("direct/done", 0, 62),
    }
    await served.sim.restart()
    await served.pins["level/done"].wait()
    assert served.count(REGISTER) == 3
    await served.board.download(bitstream())
    served.drive("level/done", True)
    await served.pins["level/done"].wait()
    assert served.count(REGISTER) == 4
    assert len(served.sim.process.interrupts) == 1
    await served.board.aclose()
    assert not served.sim.process.interrupts


async def test_a_pin_of_a_cascade_is_registered_with_its_controller_and_the_processors_number(served: Bench) -> None:
    served.drive("deep/done", True)
    await served.pins["deep/done"].wait()
    (interrupt,) = served.sim.process.interrupts.values()
    assert (interrupt.pin_index, interrupt.raw_irq, interrupt.controller) == (3, 61, INNER)


async def test_a_cancelled_waiters_event_is_kept_for_the_next(served: Bench) -> None:
    pin = served.pins["level/done"]
    task = asyncio.ensure_future(pin.wait())
    await served.waited()
    served.pulse("level/done")
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert not next(iter(served.sim.process.interrupts.values())).pending.is_set()
    await pin.wait(1)


async def test_waits_do_not_hold_up_registers() -> None:
    async with bench(service=True, limits=Limits(calls=2)) as here:
        window = here.board.mmio(SOURCES, 4)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(here.pins[name].wait()) for name in PINS]
            await here.waited(6)
            start = asyncio.get_running_loop().time()

            for value in range(10):
                await window.write(0, value)

            assert asyncio.get_running_loop().time() - start < 0.15

            for name in PINS:
                if not name.startswith("concat"):
                    here.pulse(name)

            await asyncio.wait(tasks)


async def test_what_the_service_says_is_wrong_is_an_error_and_the_pin_is_registered_again(served: Bench) -> None:
    pin = served.pins["level/done"]
    served.sim.faults.answer(WAIT, m.WaitResponse(status=m.WaitResponse.ERROR))

    with pytest.raises(ServerError, match="level/done"):
        await pin.wait()

    served.sim.process.interrupts.clear()
    served.drive("level/done", True)
    await pin.wait()
    served.sim.process.interrupts.clear()

    with pytest.raises(ServerError, match="not found"):
        await pin.wait()

    await pin.wait()


async def test_a_lost_answer_ends_every_wait_for_its_pin_and_no_other(served: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        served.sim.faults.drop(WAIT, after=True)
        tasks = [group.create_task(_outcome(served.pins["level/done"].wait())) for _ in range(3)]

        for task in tasks:
            assert isinstance(await task, OutcomeUnknown)

        served.drive("level/done", True)
        await served.pins["level/done"].wait()


async def test_a_frozen_board_does_not_hold_up_a_cancelled_wait_or_closing() -> None:
    async with bench(service=True, timeouts=Timeouts(call=0.3)) as here:
        task = asyncio.ensure_future(here.pins["level/done"].wait())
        await here.waited()
        await here.sim.freeze()
        await asyncio.sleep(0.25)
        task.cancel()
        await asyncio.wait({task}, timeout=1)
        assert task.cancelled()

        with pytest.raises(DeadlineExceeded, match="level/done: no interrupt"):
            await here.pins["level/done"].wait(0.05)

        await here.board.aclose()
        await here.sim.thaw()


async def _outcome(wait: Awaitable[None]) -> BaseException | None:
    try:
        await wait
    except BoardError as error:
        return error

    return None
