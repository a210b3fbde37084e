import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from pynq_async import DefaultHierarchy, DefaultIP, Overlay
from pynq_async.bitstream import parse_bitstream, shipped_description, synthetic_bitstream
from pynq_async.errors import (
    DesignError,
    DesignReplaced,
    InvalidArgument,
    Misuse,
    NotInDesign,
    NotLoaded,
    OutOfRange,
    StaleHandle,
)
from pynq_async.overlay import IpDescription, RegisterValue
from tests.boards import begun, simulated

from ..designs import design, firmware, ip, memory, register

ADDER, LEDS = 0x43C0_0000, 0x4120_0000
WORD = {
    "CTRL": register(0, START=(0, 1), MODE=(4, 3), READY=(8, 1, "read-only")),
    "KICK": register(4, "write-only", GO=(0, 1)),
}
DESIGN = design(
    {
        "adder": ip("acme.com:user:adder:1.0", ADDER, registers=WORD),
        "video/in/leds": ip("acme.com:user:leds:2.0", LEDS),
        "read": ip("acme.com:user:odd:1.0", 0x4300_0000),
    },
    memories={"video/lines": memory(0x4000_0000)},
)


async def test_ip_hierarchies_and_memories_are_attributes() -> None:
    async with simulated() as (sim, board):
        overlay = await Overlay.load(board, firmware(), design=DESIGN)
        assert type(overlay.adder) is DefaultIP
        assert overlay.video["in"].leds.name == "video/in/leds"
        assert overlay["video/in/leds"] is overlay.video["in"].leds
        assert isinstance(overlay.video, DefaultHierarchy)
        assert overlay["read"].mmio.base == 0x4300_0000
        assert overlay.ip_dict.keys() == DESIGN.ip_dict.keys()
        assert {"adder", "video", "ip_dict"} <= set(dir(overlay))
        assert "in" not in dir(overlay.video)

        calls = sim.counters.calls.total()
        assert "adder: DefaultIP (acme.com:user:adder:1.0) at 0x43c00000" in repr(overlay)
        assert "in/ (DefaultHierarchy)" in repr(overlay.video)
        assert repr(overlay.adder) and repr(overlay.adder.register_map) and repr(overlay.adder.register_map.CTRL.MODE)
        assert sim.counters.calls.total() == calls

        await overlay.adder.write(0x10, 7)
        assert await overlay.adder.read(0x10) == sim.memory.load(ADDER + 0x10) == 7


async def test_what_a_design_does_not_have_is_said() -> None:
    async with simulated() as (_, board):
        overlay = await Overlay.load(board, firmware(), design=DESIGN)

        with pytest.raises(NotInDesign, match=r"no 'addr'; there are adder, read, video"):
            _ = overlay.addr

        with pytest.raises(NotInDesign, match=r"has no 'video/out'; there are video/lines, video/in"):
            _ = overlay["video/out"]

        with pytest.raises(NotInDesign, match="adder .* has no attribute 'start'"):
            overlay.adder.start  # noqa: B018

        assert not hasattr(overlay, "addr")

        with pytest.raises(NotInDesign, match="no register 'CTL'; there are CTRL, KICK"):
            overlay.adder.register_map.CTL  # noqa: B018

        with pytest.raises(NotInDesign, match="no field 'MOD'; there are START, MODE, READY"):
            overlay.adder.register_map.CTRL.MOD  # noqa: B018


async def test_registers_and_fields_by_name() -> None:
    async with simulated() as (sim, board):
        overlay = await Overlay.load(board, firmware(), design=DESIGN)
        control = overlay.adder.register_map.CTRL
        sim.memory.store(ADDER, 0x8000_0121)
        value = await control.read()
        assert value == 0x8000_0121
        assert (value.START, value.MODE, value["READY"]) == (1, 2, 1)
        assert value.fields() == {"START": 1, "MODE": 2, "READY": 1}
        assert "MODE=2" in repr(value)

        await control.MODE.write(5)
        assert sim.memory.load(ADDER) == 0x8000_0151
        assert await control.MODE.read() == 5

        writes = sim.counters.calls["mmio.write"]
        await control.write(START=0, MODE=7)
        assert sim.memory.load(ADDER) == 0x8000_0170
        assert sim.counters.calls["mmio.write"] == writes + 1

        await control.write(3)
        assert sim.memory.load(ADDER) == 3
        await overlay.adder.register_map.KICK.GO.write(1)
        assert sim.memory.load(ADDER + 4) == 1
        assert list(await overlay.adder.register_map.read()) == ["CTRL"]


async def test_registers_refuse_what_cannot_be_right_before_anything_is_sent() -> None:
    async with simulated() as (sim, board):
        overlay = await Overlay.load(board, firmware(), design=DESIGN)
        registers = overlay.adder.register_map
        calls = sim.counters.calls.total()

        with pytest.raises(Misuse, match=r"adder.KICK is write-only"):
            await registers.KICK.read()

        with pytest.raises(Misuse, match=r"adder.CTRL.READY is read-only"):
            await registers.CTRL.READY.write(1)

        with pytest.raises(OutOfRange, match=r"MODE: 8 does not fit into 3 bits"):
            await registers.CTRL.write(START=1, MODE=8)

        with pytest.raises(OutOfRange, match=r"adder.CTRL: 4294967296 does not fit into 32 bits$"):
            await registers.CTRL.write(1 << 32)

        with pytest.raises(Misuse, match="hold integers or bytes, not str"):
            await registers.CTRL.write("1")

        with pytest.raises(Misuse, match="either as one value or by its fields"):
            await registers.CTRL.write()

        assert sim.counters.calls.total() == calls


class Adder(DefaultIP):
    bindto = ("acme.com:user:adder",)
    setups = 0

    async def _setup(self) -> None:
        self.setups += 1
        assert await self.read(0) == 0
        await self.register_map.CTRL.MODE.write(1)

    async def add(self, a: int, b: int) -> int:
        await self.write(0x10, a)
        await self.write(0x18, b)
        return await self.read(0x10) + await self.read(0x18)


class Video(DefaultHierarchy):
    @staticmethod
    def checkhierarchy(description: object) -> bool:
        assert isinstance(description, dict)
        return "lines" in description["memories"]


async def test_own_drivers_are_bound_and_set_up_once_before_first_use() -> None:
    async with simulated() as (sim, board):
        overlay = await Overlay.load(board, firmware(), design=DESIGN, drivers=[Adder, Video])
        adder = overlay.adder
        assert isinstance(adder, Adder) and type(overlay.video) is Video
        assert adder.setups == sim.counters.calls["mmio.read"] == 0
        assert await adder.add(3, 4) == 7
        assert await adder.add(5, 6) == 11
        assert adder.setups == 1
        assert sim.memory.load(ADDER) == 0x10


async def test_drivers_that_cannot_be_bound_are_refused_before_anything_is_sent() -> None:
    class Second(DefaultIP):
        bindto = ("acme.com:user:adder",)

    class Nothing(DefaultIP):
        pass

    async with simulated() as (sim, board):
        calls = sim.counters.calls.total()

        for drivers, words in (
            ([Adder, Second], "bound twice: to Adder and to Second"),
            ([Nothing], "must list the types"),
            ([int], "is no driver"),
        ):
            with pytest.raises(InvalidArgument, match=words):
                await Overlay.load(board, firmware(), design=DESIGN, drivers=drivers)  # type: ignore[arg-type]

        with pytest.raises(DesignError, match="without a hardware description"):
            await Overlay.load(board, firmware())

        assert sim.counters.calls.total() == calls


async def test_the_ip_of_a_design_that_was_replaced_is_refused() -> None:
    async with simulated() as (_, board):
        first = await Overlay.load(board, firmware(1), design=DESIGN)
        assert await first.is_loaded()
        second = await Overlay.load(board, firmware(2), design=DESIGN)

        with pytest.raises(DesignReplaced, match=r"design1.bit was loaded before the fabric was last programmed"):
            await first.adder.read(0)

        assert not await first.is_loaded()
        assert await second.is_loaded()
        await second.adder.read(0)


async def test_a_design_is_refused_after_a_reboot() -> None:
    async with simulated() as (sim, board):
        overlay = await Overlay.load(board, firmware(1), design=DESIGN)
        await overlay.adder.write(0x10, 1)
        await sim.reboot()

        with pytest.raises(StaleHandle):
            await overlay.adder.read(0)

        assert not await overlay.is_loaded()


async def test_binding_to_what_is_loaded_sends_nothing_to_the_fabric() -> None:
    async with simulated() as (sim, board):
        await Overlay.load(board, firmware(1), design=DESIGN)
        overlay = await Overlay.load(board, firmware(1), design=DESIGN, download=False)
        assert len(sim.counters.programmed) == 1
        await overlay.adder.read(0)

        with pytest.raises(NotLoaded, match=r"design1.bit is loaded, not design2.bit"):
            await Overlay.load(board, firmware(2), design=DESIGN, download=False)


INTERRUPTS = design(
    {
        "video/sync": ip("acme.com:user:sync:1.0", ADDER, interrupts={"frame": ("intc", 2)}),
        "intc": ip("xilinx.com:ip:axi_intc:4.1", 0x4180_0000),
    }
)


async def test_interrupt_pins_are_attributes_of_their_ip() -> None:
    async with simulated(designs=[INTERRUPTS]) as (sim, board):
        overlay = await Overlay.load(board, firmware(1), design=INTERRUPTS)
        sync = overlay.video.sync
        assert "frame" in dir(sync)
        assert overlay.interrupts["video/sync/frame"] is sync.frame

        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(sync.frame.wait(timeout=5))
            await begun(sim, "mmio.read", 2)
            sim.ip["video/sync"].site.line("frame")(True)

        assert waiting.done()
        await Overlay.load(board, firmware(2), design=INTERRUPTS)

        with pytest.raises(DesignReplaced, match=r"design1.bit was loaded before the fabric was last programmed"):
            await sync.frame.wait(timeout=5)


async def test_registers_used_as_in_pynq_say_what_to_write_instead() -> None:
    async with simulated() as (sim, board):
        overlay = await Overlay.load(board, firmware(), design=DESIGN)
        registers = overlay.adder.register_map
        calls = sim.counters.calls.total()

        assigns: list[Callable[[], object]] = [
            lambda: setattr(registers, "CTRL", 1),
            lambda: setattr(registers.CTRL, "START", 1),
            lambda: setattr(registers, "NOPE", 1),
        ]

        for assign in assigns:
            with pytest.raises(Misuse, match=r"is not written by assignment: use 'await .*write\(value\)'"):
                assign()

        looks: list[Callable[[], object]] = [
            lambda: bool(registers.CTRL.START),
            lambda: registers.CTRL == 4,
            lambda: cast("Any", registers.CTRL) & 4,
            lambda: int(cast("Any", registers.CTRL)),
        ]

        for look in looks:
            with pytest.raises(Misuse, match=r"has no value before it is read: use 'await .*read\(\)'"):
                look()

        with pytest.raises(Misuse, match="bits are taken from a value"):
            cast("Any", registers.CTRL)[0]

        assert registers.CTRL == registers.CTRL
        assert sim.counters.calls.total() == calls
        value = RegisterValue(0b1011_0000)
        assert (value[7], value[6], value[7:4], value[4:7]) == (1, 0, 0b1011, 0b1011)


async def test_an_overlay_made_as_in_pynq_says_what_to_write_instead() -> None:
    async with simulated() as (sim, board):
        calls = sim.counters.calls.total()

        untyped: Any = Overlay

        for given in (("x.bit",), (board, "x.bit")):
            with pytest.raises(InvalidArgument, match=r"loaded by 'await Overlay.load\(board, path\)'"):
                untyped(*given)

        with pytest.raises(InvalidArgument, match="onto an open board"):
            await Overlay.load("x.bit", board)  # type: ignore[arg-type]

        with pytest.raises(InvalidArgument, match="design is a parsed description"):
            await Overlay.load(board, firmware(), design="x.hwh")  # type: ignore[arg-type]

        assert sim.counters.calls.total() == calls


async def test_drivers_that_are_written_wrongly_are_named() -> None:
    class Forgetful(DefaultIP):
        bindto = ("acme.com:user:adder",)

        def __init__(self, description: IpDescription) -> None:
            pass

    class Broken(DefaultIP):
        bindto = ("acme.com:user:adder",)

        def __init__(self, description: IpDescription) -> None:
            super().__init__(description)
            raise RuntimeError("no")

    class Late(DefaultIP):
        bindto = ("acme.com:user:adder",)

        async def _setup(self) -> None:
            raise RuntimeError("not now")

    class Plain(DefaultIP):
        bindto = ("acme.com:user:adder",)

        def _setup(self) -> None:  # type: ignore[override]
            pass

    class Number(DefaultIP):
        bindto = cast("Any", (3,))

    async with simulated() as (_, board):
        for driver, words in (
            (Forgetful, r"must call super\(\).__init__"),
            (Plain, "Plain._setup must be an 'async def'"),
            (Number, "3 is no type of IP"),
        ):
            with pytest.raises(InvalidArgument, match=words):
                await Overlay.load(board, firmware(), design=DESIGN, drivers=driver)

        with pytest.raises(RuntimeError) as caught:
            await Overlay.load(board, firmware(), design=DESIGN, drivers=Broken)

        assert caught.value.__notes__ == [f"{board.name}: while Broken was made for adder"]
        overlay = await Overlay.load(board, firmware(), design=DESIGN, drivers=Late)

        for _ in range(2):
            with pytest.raises(RuntimeError, match="not now") as caught:
                await overlay.adder.read()

            assert caught.value.__notes__ == [f"{board.name}: while Late was set up for adder"]


async def test_a_field_that_changes_when_it_is_read_warns_when_it_is_looked_at() -> None:
    bitstream = parse_bitstream("r.bit", synthetic_bitstream(), description=shipped_description("resizer"))

    async with simulated() as (_, board):
        overlay = await Overlay.load(board, bitstream)
        control = overlay.resize_accel_0.register_map.CTRL
        value = await control.read()
        assert value.AP_IDLE == 0 and repr(value)

        with pytest.warns(RuntimeWarning, match=r"resize_accel_0.CTRL.AP_DONE changes when it is read"):
            assert value.AP_DONE == value["AP_DONE"] == 0

        with pytest.warns(RuntimeWarning, match="changes when it is read"):
            await control.AP_DONE.read()
