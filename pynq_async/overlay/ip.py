"""What a driver is given of its IP, and what every driver can do."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, SupportsIndex

import numpy as np
import numpy.typing as npt

from ..board.device import RemoteDevice
from ..board.interrupts import InterruptPin
from ..board.mmio import MMIO, WordOrder
from ..errors import InvalidArgument, NotInDesign
from .registers import Owner, RegisterMap


@dataclass(frozen=True, slots=True)
class IpDescription:
    """One IP of a design on one board, as its driver is given it.

    Attributes:
        board: the board.
        name: its full path in the block design: `video/axi_vdma`.
        type: vendor, library, name and version: `xilinx.com:ip:axi_vdma:6.3`; `BRAM` and the like for a memory.
        mmio: its registers, or the memory itself; refuses access once another design is loaded.
        parameters: what it was configured with, all text.
        registers: by name, as `ip_dict` has them.
        interrupts: its interrupt pins by their name.
        gpio: its pins at the processing system's GPIO, as `ip_dict` has them.
        read_actions: by register, the bit fields that change when they are read.
        setups: held while a driver of the same overlay is set up, one after another.
    """

    board: RemoteDevice
    name: str
    type: str
    mmio: MMIO
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    registers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    interrupts: Mapping[str, InterruptPin] = field(default_factory=dict, repr=False)
    gpio: Mapping[str, Any] = field(default_factory=dict, repr=False)
    read_actions: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    setups: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)


# The drivers that are being set up by the running task or one of its parents: their own accesses do not wait for it.
_SETTING_UP: ContextVar[tuple["DefaultIP", ...]] = ContextVar("setting_up", default=())


class DefaultIP:
    """An IP without a driver of its own, and the base of all drivers.

    A driver names the types of IP that it is for in `bindto`, with their version or without, and is passed to
    `Overlay.load(..., drivers=[...])`. Making one does no I/O. `_setup` is awaited once, before the first access.

        class Adder(DefaultIP):
            bindto = ("xilinx.com:hls:add",)

            async def _setup(self) -> None:
                await self.write(0x00, 0)

            async def add(self, a: int, b: int) -> int:
                await self.write(0x10, a)
                await self.write(0x18, b)
                return await self.read(0x20)

    Attributes:
        description: what the driver was given.
        board: the board it is on.
        name: its full path in the block design.
        mmio: the window of its registers; using it directly does not wait for `_setup`.
    """

    bindto: ClassVar[Sequence[str]] = ()

    def __init__(self, description: IpDescription) -> None:
        if not isinstance(description, IpDescription):
            raise InvalidArgument(
                f"{type(self).__name__} is made by Overlay.load(..., drivers=[{type(self).__name__}])"
            )

        self.description = description
        self.board = description.board
        self.name = description.name
        self.mmio = description.mmio
        self.register_map = RegisterMap(
            Owner(self.board.name, self.name, self, description.read_actions), description.registers
        )
        self._is_set_up = type(self)._setup is DefaultIP._setup  # noqa: SLF001 - nothing to do
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} ({self.type}) at {self.mmio.base:#x} of {self.board.name}>"

    @property
    def type(self) -> str:
        """Vendor, library, name and version."""
        return self.description.type

    @property
    def parameters(self) -> Mapping[str, str]:
        """What the IP was configured with, all text."""
        return self.description.parameters

    @property
    def interrupts(self) -> Mapping[str, InterruptPin]:
        """The IP's interrupt pins by name; each is an attribute as well."""
        return self.description.interrupts

    def __getattr__(self, name: str) -> InterruptPin:
        description: IpDescription | None = self.__dict__.get("description")

        if description is not None and name in description.interrupts:
            return description.interrupts[name]

        if description is None or name.startswith("_"):
            raise AttributeError(name)

        there = f"; its interrupt pins are {', '.join(description.interrupts)}" if description.interrupts else ""
        raise NotInDesign(
            description.board.name, f"{description.name} ({type(self).__name__}) has no attribute {name!r}{there}"
        )

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.description.interrupts})

    async def read(self, offset: int = 0, length: int = 4, word_order: WordOrder = "little") -> int:
        """Read the register at byte `offset`; as `MMIO.read`."""
        await self._ready()
        return await self.mmio.read(offset, length, word_order)

    async def write(
        self,
        offset: int,
        data: SupportsIndex | bytes | bytearray | memoryview,
        *,
        length: Literal[4, 8] = 4,
        word_order: WordOrder = "little",
    ) -> None:
        """Write the register at byte `offset`; as `MMIO.write`."""
        await self._ready()
        await self.mmio.write(offset, data, length=length, word_order=word_order)

    async def update(self, offset: int, mask: int, value: int) -> int:
        """Replace some bits of a register; as `MMIO.update`."""
        await self._ready()
        return await self.mmio.update(offset, mask, value)

    async def read_block(self, offset: int, count: int) -> npt.NDArray[np.uint32]:
        """Read `count` registers; as `MMIO.read_block`."""
        await self._ready()
        return await self.mmio.read_block(offset, count)

    async def write_block(
        self, offset: int, words: Iterable[int] | npt.NDArray[np.integer] | bytes, *, ordered: bool = True
    ) -> None:
        """Write registers one after another; as `MMIO.write_block`."""
        await self._ready()
        await self.mmio.write_block(offset, words, ordered=ordered)

    async def wait_for(self, offset: int, mask: int, value: int, timeout: float) -> int:
        """Poll a register until its bits under `mask` equal `value`; as `MMIO.wait_for`."""
        await self._ready()
        return await self.mmio.wait_for(offset, mask, value, timeout)

    async def _setup(self) -> None:
        """Bring the IP into the state the driver counts on; for subclasses. If it raises, the next use tries again."""

    def _done(self) -> bool:
        return self._is_set_up

    async def _ready(self) -> None:
        if self._done() or self in _SETTING_UP.get():
            return

        # Drivers may use each other in `_setup`: one at a time begins, and sets up on its way those that it uses.
        first = contextlib.nullcontext() if _SETTING_UP.get() else self.description.setups

        async with first, self._turn:
            if not self._done():  # somebody else may have done it while we waited
                await self._set_up()

    async def _set_up(self) -> None:
        mark = _SETTING_UP.set((*_SETTING_UP.get(), self))

        try:
            await self._setup()
            self._is_set_up = True
        except Exception as error:
            error.add_note(f"{self.board.name}: while {type(self).__name__} was set up for {self.name}")
            raise
        finally:
            _SETTING_UP.reset(mark)
