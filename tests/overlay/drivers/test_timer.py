"""AXI timer: the driver against the simulated IP, by polling and by interrupt."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import grpc
import pytest

from pynq_async import Design, Overlay
from pynq_async.board import interrupt_service
from pynq_async.errors import BoardError, DeadlineExceeded, Misuse, NotInDesign, OutOfRange
from pynq_async.hardware import axi_timer as regs
from pynq_async.sim import SimBoard
from tests.boards import settled, simulated
from tests.overlay.designs import design, firmware, ip
from tests.test_cancellation import at_every_place

if TYPE_CHECKING:
    from pynq_async.overlay import AxiTimer
    from pynq_async.sim.ip import TimerModel

BASE, LEVELS, EDGES = 0x4280_0000, 0x4180_0000, 0x4181_0000
FREQUENCY = 1_000_000
WIRED_TO = {"polled": None, "levels": "levels", "edges": "edges", "service": "edges"}


def only(parameters: dict[str, object], wired_to: str | None) -> Design:
    """A design with one AXI timer, its interrupt wired to a controller, the processor (`""`) or nothing."""
    return design(
        {
            "timer": ip(
                "xilinx.com:ip:axi_timer:2.0",
                BASE,
                parameters={"FREQ_HZ": FREQUENCY, **parameters},
                interrupts={} if wired_to is None else {"interrupt": (wired_to, 3)},
            ),
            "levels": ip("xilinx.com:ip:axi_intc:4.1", LEVELS),
            "edges": ip("xilinx.com:ip:axi_intc:4.1", EDGES, parameters={"C_KIND_OF_INTR": "0xffffffff"}),
        }
    )


@pytest.fixture(autouse=True)
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a test need not wait for long until the board's service has been asked once more."""
    monkeypatch.setattr(interrupt_service, "_SLICE", 0.03)


class Bench:
    """A board with one AXI timer, whose time stands still until it is let pass."""

    def __init__(self, sim: SimBoard, overlay: Overlay) -> None:
        self.sim = sim
        self.overlay = overlay
        self.timer: AxiTimer = overlay.timer
        self.model: TimerModel = sim.ip["timer"]
        self.model.clock = lambda: 0.0

    @property
    def calls(self) -> int:
        """How many register accesses the board has seen."""
        return self.sim.counters.calls["mmio.read"] + self.sim.counters.calls["mmio.write"]

    async def waited(self, rounds: int = 2) -> None:
        """Let whoever waits ask the board again."""
        enough = self._asked + rounds

        async with asyncio.timeout(5):
            while self._asked < enough:
                await asyncio.sleep(0.001)

    @property
    def _asked(self) -> int:
        calls = self.sim.counters.calls
        return calls["mmio.read"] + calls["interrupt.wait_for_interrupt"]


@asynccontextmanager
async def bench(wired_to: str | None = None, *, service: bool = False, **parameters: Any) -> AsyncIterator[Bench]:
    """A board with one AXI timer."""
    known = only(parameters, wired_to)

    async with simulated(designs=[known], interrupt=service) as (sim, board):
        yield Bench(sim, await Overlay.load(board, firmware(), design=known))


@pytest.fixture(params=["polled", "levels", "service"])
async def here(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """A timer that is waited for in all ways there are."""
    async with bench(WIRED_TO[request.param], service=request.param == "service") as made:
        yield made


async def test_once(here: Bench) -> None:
    timer = here.timer.timer0
    calls = here.calls
    await timer.start(0.5)
    assert here.calls == calls + 3
    assert await timer.value() == 499_998
    here.model.advance(0.4)
    assert await timer.value() == 99_998

    async with asyncio.TaskGroup() as group:
        wait = group.create_task(timer.wait(timeout=5))
        await here.waited()
        assert not wait.done()
        here.model.advance(0.2)

    here.model.advance(10)

    with pytest.raises(DeadlineExceeded, match=r"timer.timer0 did not expire in 0.05 s; was it started\?"):
        await timer.wait(timeout=0.05)


async def test_again_and_again(here: Bench) -> None:
    timer = here.timer.timer1
    await timer.start(ticks=100, repeat=True)

    for _ in range(3):
        async with asyncio.TaskGroup() as group:
            group.create_task(timer.wait(timeout=5))
            await here.waited()
            here.model.advance(100 / FREQUENCY)

    here.model.advance(950 / FREQUENCY)
    assert await timer.value() == 48
    await timer.wait(timeout=1)
    await timer.stop()
    here.model.advance(1)
    assert await timer.value() == 48

    with pytest.raises(DeadlineExceeded):
        await timer.wait(timeout=0.02)


async def test_what_expired_before_is_not_waited_for(here: Bench) -> None:
    timer = here.timer.timer0
    await timer.start(ticks=10)
    here.model.advance(1)
    calls = here.calls
    await timer.wait(timeout=1)
    assert here.calls == calls + 2
    await timer.start(ticks=10)
    here.model.advance(1)
    await timer.start(ticks=10)

    with pytest.raises(DeadlineExceeded):
        await timer.wait(timeout=0.02)


@pytest.mark.parametrize("way", WIRED_TO)
async def test_an_expiry_right_after_the_look_is_not_missed(way: str) -> None:
    async with bench(WIRED_TO[way], service=way == "service") as here:
        loads = 0

        def pass_time(_: int, word: int) -> int:
            nonlocal loads
            loads += 1

            if loads in (2, 6):  # each read loads twice
                here.model.advance(1)

            return word

        await here.timer.timer0.start(ticks=10, repeat=True)
        here.sim.on_read(BASE + regs.TCSR0, pass_time)
        await here.timer.timer0.wait(timeout=5)
        await here.timer.timer0.wait(timeout=5)


async def test_both_are_waited_for_by_many(here: Bench) -> None:
    timer = here.timer
    done: list[int] = []

    async def wait(number: int, waiting: Callable[[], Awaitable[None]]) -> None:
        await waiting()
        done.append(number)

    await timer.timer0.start(0.1)
    await timer.timer1.start(0.2)

    async with asyncio.TaskGroup() as group:
        group.create_task(wait(0, lambda: timer.timer0.wait(timeout=5)))
        await here.waited()
        group.create_task(wait(1, lambda: timer.timer1.wait(timeout=5)))
        group.create_task(wait(1, lambda: timer.timer1.wait(timeout=5)))
        await here.waited()
        here.model.advance(0.3)

    assert sorted(done) == [0, 1, 1]


async def test_an_expiry_nobody_waits_for_does_not_hide_the_others(here: Bench) -> None:
    timer = here.timer
    await timer.timer0.start(0.1, repeat=True)
    await timer.timer1.start(0.25, repeat=True)

    for _ in range(2):
        async with asyncio.TaskGroup() as group:
            group.create_task(timer.timer0.wait(timeout=5))
            await here.waited()
            here.model.advance(0.1)

    for _ in range(2):
        async with asyncio.TaskGroup() as group:
            group.create_task(timer.timer1.wait(timeout=5))
            await here.waited()
            here.model.advance(0.25)

    await timer.timer0.wait(timeout=1)


async def test_counting_up_and_capturing(here: Bench) -> None:
    timer = here.timer.timer0
    await timer.start()
    here.model.advance(1234.5 / FREQUENCY)
    assert await timer.value() == 1234
    await timer.capture()
    here.model.advance(100.5 / FREQUENCY)

    async with asyncio.TaskGroup() as group:
        group.create_task(timer.wait(timeout=5))
        await here.waited()
        here.model.capture(0)

    here.model.advance(100 / FREQUENCY)
    here.model.capture(0)
    assert await timer.captured() == 100
    await timer.capture(overwrite=True)
    here.model.capture(0)
    here.model.advance(50 / FREQUENCY)
    here.model.capture(0)
    assert await timer.captured() == 50


async def test_pwm() -> None:
    async with bench() as here:
        calls = here.calls
        await here.timer.pwm(period=20e-3, duty=0.075)
        assert here.model.pwm() == pytest.approx((20e-3, 1.5e-3))
        assert here.calls == calls + 6
        await here.timer.pwm(period=20e-3, duty=0.1)
        assert here.model.pwm() == pytest.approx((20e-3, 2e-3))
        assert here.calls == calls + 8, "it runs on"
        await here.timer.timer0.start(1)
        assert here.model.pwm() is None
        await here.timer.pwm(period=1e-3, duty=0.5)
        assert here.model.pwm() == pytest.approx((1e-3, 0.5e-3))
        await here.timer.stop()
        assert here.model.pwm() is None


async def test_what_cannot_be_right_is_refused_before_anything_is_sent() -> None:
    async with bench(C_COUNT_WIDTH=16) as here:
        timer = here.timer
        calls = here.sim.counters.calls.total()
        refused: list[tuple[Callable[[], Awaitable[object]], type[BoardError], str]] = [
            (lambda: timer.timer0.start(0.1, ticks=5), Misuse, "timer.timer0: give the time in seconds or in ticks"),
            (lambda: timer.timer0.start(ticks=1), OutOfRange, r"2 to 65537 ticks \(0.0655 s\) can be counted, not 1"),
            (lambda: timer.timer0.start(0.1), OutOfRange, "can be counted, not 100000"),
            (lambda: timer.timer0.start(-1), OutOfRange, "not -1000000"),
            (lambda: timer.pwm(1, 0.5), OutOfRange, "timer: the period: 2 to 65537 ticks"),
            (lambda: timer.pwm(0.01, 0), OutOfRange, "timer: the high time: 2 to"),
            (lambda: timer.pwm(0.01, 1), OutOfRange, "the output cannot be high for the whole period"),
        ]

        for act, error, words in refused:
            with pytest.raises(error, match=words):
                await act()

        timer.frequency = None

        with pytest.raises(Misuse, match="how fast the clock of timer is: set its `frequency`, or give ticks"):
            await timer.timer0.start(0.01)

        assert here.sim.counters.calls.total() == calls
        await timer.timer0.start(ticks=65537)
        timer.frequency = 2e6
        await timer.timer0.start(0.01)
        assert await timer.timer0.value() == 19_998


@pytest.mark.parametrize("parameters", [{"C_ONE_TIMER_ONLY": 1}, {"C_GEN0_ASSERT": 0}])
async def test_a_timer_that_lacks_what_pwm_needs(parameters: dict[str, Any]) -> None:
    async with bench(**parameters) as here:
        with pytest.raises(Misuse, match="timer lacks what PWM needs in this design"):
            await here.timer.pwm(1e-3, 0.5)

        if "C_ONE_TIMER_ONLY" in parameters:
            with pytest.raises(NotInDesign, match="timer has one timer only in this design"):
                _ = here.timer.timer1

        await here.timer.stop()


async def test_a_timer_that_runs_already_can_be_waited_for(here: Bench) -> None:
    await here.timer.timer0.start(0.1, repeat=True)
    again = await Overlay.load(here.overlay.board, here.overlay.bitstream, design=here.overlay.design, download=False)

    for _ in range(2):
        async with asyncio.TaskGroup() as group:
            group.create_task(again.timer.timer0.wait(timeout=5))
            await here.waited()
            here.model.advance(0.1)


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
async def test_a_wait_that_is_cancelled_anywhere_leaves_nothing(here: Bench, times: int) -> None:
    timer = here.timer.timer0

    loads = 0

    def pass_time(_: int, word: int) -> int:
        nonlocal loads
        loads += 1

        if loads == 2:  # at the end of the first look, which does not see it
            here.model.advance(20)

        return word

    async def use() -> None:
        nonlocal loads
        loads = 0
        await timer.start(10)
        await timer.wait(timeout=5)

    async def still_works() -> None:
        await timer.start(1)
        here.model.advance(2)
        await timer.wait(timeout=5)

    here.sim.on_read(BASE + regs.TCSR0, pass_time)
    assert await at_every_place(use, times, still_works) > 5


@pytest.mark.parametrize("method", ["mmio.read", "mmio.write"])
async def test_lost_calls_are_typed_errors_and_slow_ones_are_waited_for(here: Bench, method: str) -> None:
    faults, timer = here.sim.faults, here.timer.timer0
    faults.delay(method, 0.01)
    lost: tuple[Callable[[], None], ...] = (
        lambda: faults.drop(method, after=True),
        lambda: faults.fail(method, grpc.StatusCode.INTERNAL, times=3),
    )

    for lose in lost:
        lose()

        with pytest.raises(BoardError):
            await timer.start(1)
            await timer.wait(timeout=0.2)

        await settled(here.sim)
        faults.clear()
        faults.delay(method, 0.01)

    await timer.start(1)

    async with asyncio.TaskGroup() as group:
        group.create_task(timer.wait(timeout=5))
        await here.waited(1)
        here.model.advance(2)


async def test_where_the_board_cannot_wait_for_the_pin_it_is_polled() -> None:
    async with bench(wired_to="") as here, asyncio.TaskGroup() as group:
        await here.timer.timer0.start(1)
        group.create_task(here.timer.timer0.wait(timeout=5))
        await here.waited()
        here.model.advance(2)


async def test_no_time_at_all_is_one_look(here: Bench) -> None:
    timer = here.timer.timer0
    await timer.start(ticks=10)
    here.model.advance(1)
    await timer.wait(0)

    with pytest.raises(DeadlineExceeded):
        await timer.wait(0)


async def test_a_wait_may_be_for_ever_and_its_time_is_a_number_otherwise(here: Bench) -> None:
    await here.timer.timer0.start(ticks=10)
    here.model.advance(1)
    await here.timer.timer0.wait(None)

    with pytest.raises(Misuse, match="a timeout is a number of seconds, not 'soon'"):
        await here.timer.timer0.wait(cast("Any", "soon"))
