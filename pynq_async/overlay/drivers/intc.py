"""AXI interrupt controller."""

from collections.abc import Iterable

from ...errors import Misuse, OutOfRange
from ...hardware import axi_intc as regs
from ..ip import DefaultIP


class AxiIntc(DefaultIP):
    """AXI INTC (PG099): which inputs have raised an interrupt, and which of them reach the processor.

    To wait for an interrupt use the pin of the IP that raises it, `await overlay.btns_gpio.ip2intc_irpt.wait()`: it
    looks after the controller. This driver is for looking at one, and for programs that handle it themselves.

        intc = overlay.axi_intc_0
        await intc.start()
        if 3 in await intc.raised():
            await intc.acknowledge(3)

    An enabled input raises the controller's interrupt at the board's own kernel, if that has a driver for it.
    """

    bindto = ("xilinx.com:ip:axi_intc",)

    @property
    def inputs(self) -> int:
        """How many inputs it has (C_NUM_INTR_INPUTS)."""
        return int(self.parameters.get(regs.NUMBER_OF_INPUTS, str(regs.INPUTS)), 0)

    def is_edge(self, index: int) -> bool:
        """Whether an input captures edges, which stay until acknowledged, instead of a level (C_KIND_OF_INTR)."""
        return bool(int(self.parameters.get(regs.KIND_OF_INPUTS, "0"), 0) & self._bit(index))

    async def start(self) -> None:
        """Let the inputs raise interrupts and the output follow (MER.HIE, MER.ME); HIE stays set until a reset."""
        await self.write(regs.MER, regs.MASTER_ENABLE | regs.HARDWARE_ENABLE)

    async def stop(self) -> None:
        """Keep the output low (MER.ME); inputs are still captured."""
        await self.write(regs.MER, regs.HARDWARE_ENABLE)

    async def raised(self) -> frozenset[int]:
        """The inputs that have raised an interrupt, enabled or not (ISR)."""
        return _inputs(await self.read(regs.ISR))

    async def pending(self) -> frozenset[int]:
        """The inputs that have raised an interrupt and are enabled (IPR)."""
        return _inputs(await self.read(regs.IPR))

    async def enabled(self) -> frozenset[int]:
        """The inputs that are enabled (IER)."""
        return _inputs(await self.read(regs.IER))

    async def enable(self, *inputs: int) -> None:
        """Enable inputs, leaving the others (SIE); raises `OutOfRange` for one that it does not have."""
        await self.write(regs.SIE, self._bits(inputs))

    async def disable(self, *inputs: int) -> None:
        """Disable inputs, leaving the others (CIE)."""
        await self.write(regs.CIE, self._bits(inputs))

    async def acknowledge(self, *inputs: int) -> None:
        """Clear inputs (IAR); a level that is still active raises its interrupt again at once."""
        await self.write(regs.IAR, self._bits(inputs))

    def _bits(self, inputs: Iterable[int]) -> int:
        word = 0

        for index in inputs:
            word |= self._bit(index)

        if not word:
            raise Misuse(self.board.name, f"{self.name}: name at least one input")

        return word

    def _bit(self, index: int) -> int:
        if not 0 <= index < self.inputs:
            raise OutOfRange(self.board.name, f"{self.name} has inputs 0 to {self.inputs - 1}, not {index}")

        return 1 << index


def _inputs(word: int) -> frozenset[int]:
    return frozenset(index for index in range(regs.INPUTS) if word >> index & 1)
