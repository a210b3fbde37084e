"""AXI4-Stream Switch."""

import asyncio
import operator
from collections.abc import Mapping
from typing import SupportsIndex

from ...errors import Misuse, NotInDesign, OutOfRange
from ...hardware.axis_switch import CONTROL, DISABLED, MI_MUX, MOST, SOURCE, UPDATE, mux
from ..ip import DefaultIP, IpDescription


class StreamSwitch(DefaultIP):
    """An AXI4-Stream Switch whose routes are set by registers (PG085).

        switch = overlay.axis_switch_0
        await switch.set_routing({0: 1, 2: 0})    # output 0 takes input 1, output 2 input 0, the others nothing
        await switch.select(1, 2)                 # and output 1 takes input 2
        print(await switch.routing())             # {0: 1, 1: 2, 2: 0}

    An input feeds one output. Setting a route resets the switch for some 16 cycles: what is inside it then is lost, so
    change routes while no data flows.

    Attributes:
        max_slots: number of outputs (`NUM_MI`).
        inputs: number of inputs (`NUM_SI`).
    """

    bindto = ("xilinx.com:ip:axis_switch",)

    def __init__(self, description: IpDescription) -> None:
        super().__init__(description)
        self.max_slots = int(self.parameters.get("NUM_MI", MOST))
        self.inputs = int(self.parameters.get("NUM_SI", MOST))
        self._change = asyncio.Lock()

    async def routing(self) -> dict[int, int]:
        """Read the input of every output that has one.

        What the registers say, which is what the switch does unless somebody wrote them without committing.
        """
        words = await self.read_block(MI_MUX, self.max_slots)
        return {mi: int(word) & SOURCE for mi, word in enumerate(words) if not int(word) & DISABLED}

    async def set_routing(self, routes: Mapping[int, int]) -> None:
        """Set all routes at once: `routes` has the input of each output; the others are disabled.

        Raises `OutOfRange`, `NotInDesign` for a route that the design leaves out, or `Misuse` for an input that two
        outputs would take, before anything is sent.
        """
        checked: dict[int, int] = {}

        for output, source in routes.items():
            mi, si = self._route(output, source)

            if mi in checked:
                raise Misuse(self.board.name, f"{self.name}: output {mi} is given twice")

            checked[mi] = si

        self._check_inputs(checked)

        async with self._change:
            await self.write_block(MI_MUX, [checked.get(mi, DISABLED) for mi in range(self.max_slots)])
            await self.write(CONTROL, UPDATE)

    async def select(self, mi: SupportsIndex, si: SupportsIndex) -> None:
        """Let output `mi` take input `si` and leave the other outputs as they are; raises as `set_routing`."""
        mi, si = self._route(mi, si)

        async with self._change:
            self._check_inputs(await self.routing() | {mi: si})
            await self.write(mux(mi), si)
            await self.write(CONTROL, UPDATE)

    async def default(self) -> None:
        """Connect each output with the input of its number; outputs beyond the inputs are disabled."""
        await self.set_routing({slot: slot for slot in range(min(self.max_slots, self.inputs))})

    async def disable(self, mi: SupportsIndex | None = None) -> None:
        """Disable one output, or all of them."""
        if mi is None:
            await self.set_routing({})
            return

        output = self._port(mi, self.max_slots, "output")

        async with self._change:
            await self.write(mux(output), DISABLED)
            await self.write(CONTROL, UPDATE)

    def _route(self, mi: SupportsIndex, si: SupportsIndex) -> tuple[int, int]:
        output = self._port(mi, self.max_slots, "output")
        source = self._port(si, self.inputs, "input")

        if self.parameters.get(f"M{output:02}_S{source:02}_CONNECTIVITY", "1") == "0":
            raise NotInDesign(self.board.name, f"{self.name}: the design connects no input {source} to output {output}")

        return output, source

    def _port(self, number: SupportsIndex, count: int, what: str) -> int:
        try:
            port = operator.index(number)
        except TypeError:
            raise Misuse(self.board.name, f"{self.name}: {number!r} is no number of an {what}") from None

        if not 0 <= port < count:
            raise OutOfRange(self.board.name, f"{self.name} has {what}s 0 to {count - 1}, not {port}")

        return port

    def _check_inputs(self, routes: Mapping[int, int]) -> None:
        """Raise when two outputs take one input: the hardware would disable the higher one without a word."""
        users: dict[int, int] = {}

        for mi, si in sorted(routes.items()):
            if si in users:
                raise Misuse(
                    self.board.name,
                    f"{self.name}: outputs {users[si]} and {mi} cannot both take input {si}; disable one of them first",
                )

            users[si] = mi
