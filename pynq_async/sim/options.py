"""What a simulated board is made of and which destructive behaviours it shows: frozen values, chosen once."""

from ast import literal_eval
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from ..errors import InvalidArgument

PAGE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazards:
    """The switches of what the real server does to a careless client.

    Everything is counted in `board.counters` whether its switch is on or not; a switch adds the damage.

    Attributes:
        crash_on_race: the server dies when two calls overlap on one of its unlocked tables (H1).
        race_window: seconds a call stays inside the table it searches or changes; 0 is one turn of the loop. None
            is half a millisecond for a change and one turn for a search, so that register access stays fast.
        duplicate_window_ids: two overlapping `get_mmio` calls are given the same id (H2).
        reorder: register writes in flight together are applied in a shuffled order (H5).
        reorder_window: seconds by which a shuffled write may be late.
        crash_on_use_after_free: the server dies when a stream touches a buffer freed under it (H4).
        crash_out_of_range: the server dies on a register access further than `far` bytes outside its window (H13).
        far: how many bytes outside its window an access still hits a neighbour.
        crash_on_long_name: a firmware name of 255 bytes or more takes the whole board down (H38).
        hang_unprogrammed: touching programmable logic that holds no design hangs the board (H18).
        hang_when_exhausted: without file descriptors, calls over new connections are never answered (H12).
        always_operating: the FPGA manager says `operating` whatever happened (H37).
        descriptor_limit: file descriptors of the server process; every register window takes one for ever (H12).
        stream_limit: more open streams than this and the server dies of memory; None is no limit (H8).
        restart_delay: seconds until a server that died is back.
        fatal_bus_errors: touching what is not there, on a board that knows its designs, ends the server; otherwise it
            is an error of the call.
        manager_polls: reads of a shutdown manager before it answers 0x0F; None is never.
    """

    crash_on_race: bool = False
    race_window: float | None = None
    duplicate_window_ids: bool = True
    reorder: bool = False
    reorder_window: float = 0.002
    crash_on_use_after_free: bool = False
    crash_out_of_range: bool = False
    far: int = 1 << 20
    crash_on_long_name: bool = False
    hang_unprogrammed: bool = False
    hang_when_exhausted: bool = False
    always_operating: bool = False
    descriptor_limit: int = 1024
    stream_limit: int | None = None
    restart_delay: float = 0.05
    fatal_bus_errors: bool = True
    manager_polls: int | None = 0

    @classmethod
    def parse(cls, text: str) -> "Hazards":
        """Read switches as on a command line: `crash_on_race,race_window=0.002`; raises `InvalidArgument`."""
        chosen: dict[str, Any] = {}

        for part in filter(None, text.split(",")):
            name, _, value = part.partition("=")

            try:
                chosen[name] = literal_eval(value) if value else True
            except (ValueError, SyntaxError):
                raise InvalidArgument(f"{part!r}: {value!r} is no value; write a number, True, False or None") from None

        try:
            return cls(**chosen)
        except TypeError:
            names = [known.name for known in fields(cls)]
            raise InvalidArgument(f"{text!r} names an unknown hazard; there are {', '.join(names)}") from None


@dataclass(frozen=True, slots=True)
class GpioChip:
    """A GPIO controller of the processing system as Linux numbers it."""

    label: str
    base: int
    pins: int


@dataclass(frozen=True, slots=True)
class Family:
    """What differs between the families of devices, as far as the board server shows it."""

    name: str
    version: str
    compatible: str
    manager: str
    contiguous_base: int
    contiguous_limit: int
    gpio: tuple[GpioChip, ...]
    logic: tuple[range, ...]

    def in_logic(self, address: int) -> bool:
        """Whether a physical address belongs to the programmable logic."""
        return any(address in part for part in self.logic)


# Address maps: UG585 table 4-1, UG1085 table 10-1, AM011 "address maps". GPIO pin counts: UG585 ch. 14, UG1085 ch. 27.
_ARM64 = "(oe-user@oe-host) (aarch64-xilinx-linux-gcc (GCC) 12.2.0, GNU ld 2.39) #1 SMP"
FAMILIES = MappingProxyType(
    {
        family.name: family
        for family in (
            Family(
                "zynq7000",
                "Linux version 5.15.19-xilinx-v2022.1 (oe-user@oe-host) "
                "(arm-xilinx-linux-gnueabi-gcc (GCC) 11.2.0, GNU ld 2.37) #1 SMP PREEMPT armv7l\n",
                "xlnx,zynq-7000",
                "Xilinx Zynq FPGA Manager",
                0x1000_0000,
                0x4000_0000,
                (GpioChip("zynq_gpio", 906, 118),),
                (range(0x4000_0000, 0xC000_0000),),
            ),
            Family(
                "zynqmp",
                f"Linux version 6.6.10-xilinx-v2024.1 {_ARM64}\n",
                "xlnx,zynqmp",
                "Xilinx ZynqMP FPGA Manager",
                0x3000_0000,
                0x7FF0_0000,
                (GpioChip("zynqmp_gpio", 338, 174),),
                (
                    range(0x8000_0000, 0xC000_0000),
                    range(0x4_0000_0000, 0x6_0000_0000),
                    range(0x10_0000_0000, 0x80_0000_0000),
                ),
            ),
            Family(
                "versal",
                f"Linux version 6.6.10-xilinx-v2024.1 {_ARM64}\n",
                "xlnx,versal",
                "Xilinx Versal FPGA Manager",
                0x3000_0000,
                0x7FF0_0000,
                (GpioChip("versal_gpio", 454, 58), GpioChip("pmc_gpio", 338, 116)),
                (
                    range(0xA400_0000, 0xC000_0000),
                    range(0x4_0000_0000, 0x6_0000_0000),
                    range(0x201_0000_0000, 0x400_0000_0000),
                ),
            ),
        )
    }
)


def family(name: str) -> Family:
    """Look a family up by its name; raises `InvalidArgument` with the names there are."""
    try:
        return FAMILIES[name]
    except KeyError:
        raise InvalidArgument(f"{name!r} is no family of devices; there are {', '.join(FAMILIES)}") from None
