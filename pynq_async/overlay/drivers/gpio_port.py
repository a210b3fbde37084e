"""The registers of one channel of an AXI GPIO."""

import asyncio
from typing import Literal, TypeAlias

from ...errors import Misuse
from ...hardware import axi_gpio as regs
from ..ip import DefaultIP

Direction: TypeAlias = Literal["in", "out", "inout"]


class Port:
    """What is written to a channel, and which way its wires go.

    What outputs hold is kept here and is not read before each write: the data register shows the pins of inputs, so
    that a read-modify-write would make them what those wires are driven to later; and it would cost a call more.

    Attributes:
        name: of the channel, as it stands in errors.
        width: number of wires.
        all: the mask of all of them.
        inputs: mask of the wires that are inputs and nothing else.
        outputs: mask of the wires that are outputs and nothing else; the rest follow their use.
    """

    def __init__(self, ip: DefaultIP, number: int) -> None:
        self.ip = ip
        self.board = ip.board.name
        self.number = number
        self.name = f"{ip.name}.channel{number}"
        self.width = parameter(ip, regs.WIDTH[number], 32)
        self.all = (1 << self.width) - 1
        self.inputs = self.all if parameter(ip, regs.ALL_INPUTS[number], 0) else 0
        self.outputs = self.all if parameter(ip, regs.ALL_OUTPUTS[number], 0) and not self.inputs else 0
        self._fixed = bool(self.inputs or self.outputs)
        self._default = parameter(ip, regs.DATA_DEFAULT[number], 0) & self.all
        self._driven: int | None = None  # what the outputs hold, once it is known
        self._tri: int | None = None  # likewise the tri-state register
        self._turn = asyncio.Lock()

    @property
    def direction(self) -> Direction:
        """Which way all wires go; `inout` when they differ or follow their use."""
        return "in" if self.inputs == self.all else "out" if self.outputs == self.all else "inout"

    async def read(self, mask: int) -> int:
        """Read the data register, with the wires under `mask` as inputs unless they are outputs."""
        await self.listen(mask)
        return await self.ip.read(regs.DATA[self.number]) & self.all

    async def listen(self, mask: int) -> None:
        """Make inputs of the wires under `mask` that follow their use."""
        if following := mask & ~self.inputs & ~self.outputs:
            async with self._turn:
                await self._set_tri(following, following)

    async def write(self, mask: int, value: int) -> None:
        """Drive the wires under `mask`; raises `Misuse` if one of them is an input."""
        self._check_outputs(mask)

        async with self._turn:
            await self._drive(mask, value)

    async def toggle(self, mask: int) -> None:
        """Drive the wires under `mask` to the opposite of what they are driven to."""
        self._check_outputs(mask)

        async with self._turn:
            await self._drive(mask, ~await self._outputs() & mask)

    async def setdirection(self, mask: int, direction: Direction) -> None:
        """Make the wires under `mask` inputs, outputs, or what their use makes them."""
        if direction not in ("in", "out", "inout"):
            raise Misuse(self.board, f"a direction is 'in', 'out' or 'inout', not {direction!r}")

        if self._fixed:
            if direction != self.direction:
                raise Misuse(
                    self.board, f"{self.name} is all {self.direction}puts in this design: it cannot be {direction!r}"
                )

            return

        async with self._turn:
            if direction != "inout":
                await self._set_tri(mask, mask if direction == "in" else 0)

            self.inputs = self.inputs | mask if direction == "in" else self.inputs & ~mask
            self.outputs = self.outputs | mask if direction == "out" else self.outputs & ~mask

    async def tristates(self) -> int:
        """Which wires are inputs now."""
        if self._fixed:
            return self.inputs

        if self._tri is None:
            self._tri = await self.ip.read(regs.TRI[self.number]) & self.all

        return self._tri

    def _check_outputs(self, mask: int) -> None:
        if mask & self.inputs:
            why = "it is all inputs in this design" if self._fixed else "the wires are inputs; see setdirection"
            raise Misuse(self.board, f"{self.name} cannot be written: {why}")

    async def _drive(self, mask: int, value: int) -> None:
        word = value if mask == self.all else await self._outputs() & ~mask | value
        self._driven = None  # unknown, should the write fail
        await self.ip.write(regs.DATA[self.number], word)
        self._driven = word

        # Only now, or the wires would show for a moment what was written before.
        if following := mask & ~self.outputs:
            await self._set_tri(following, 0)

    async def _outputs(self) -> int:
        if self._driven is None:
            inputs = 0 if self.outputs == self.all else await self.tristates()
            driven = await self.ip.read(regs.DATA[self.number]) & self.all
            self._driven = driven & ~inputs | self._default & inputs

        return self._driven

    async def _set_tri(self, mask: int, value: int) -> None:
        before = value if mask == self.all and self._tri is None else await self.tristates()
        word = before & ~mask | value

        if word != self._tri:
            self._tri = None
            await self.ip.write(regs.TRI[self.number], word)
            self._tri = word


def parameter(ip: DefaultIP, name: str, default: int) -> int:
    """A number that the IP was configured with."""
    return int(ip.parameters[name], 0) if name in ip.parameters else default
