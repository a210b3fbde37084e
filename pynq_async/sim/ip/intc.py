"""The AXI interrupt controller (PG099)."""

from ...hardware import axi_intc as intc
from .model import IpModel
from .site import Site


class IntcModel(IpModel):
    """Latches what its inputs raise until it is acknowledged, and raises its output while something enabled is latched.

    As in PG099: a level that is still active after its acknowledgement is latched again at once, an edge is latched as
    the input rises. Inputs count while HIE is set, which nothing but reprogramming takes back. Before that, software
    may write ISR to try interrupts out; the bits above the inputs (C_NUM_SW_INTR) are always software's.
    """

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        inputs = _number(site, intc.NUMBER_OF_INPUTS, intc.INPUTS)
        software = _number(site, intc.NUMBER_OF_SOFTWARE_INTERRUPTS, 0)
        self.status = 0
        self.enabled = 0
        self.master = 0
        self._inputs = (1 << inputs) - 1
        self._all = (1 << min(inputs + software, intc.INPUTS)) - 1
        self._edges = _number(site, intc.KIND_OF_INPUTS, 0)
        self._levels = 0
        self._output = site.line("irq")

    @property
    def pending(self) -> int:
        """What is latched and enabled, as in IPR."""
        return self.status & self.enabled

    def load(self, offset: int) -> int:
        """Give a register; IAR, SIE and CIE read as 0."""
        match offset:
            case intc.ISR:
                return self.status
            case intc.IPR:
                return self.pending
            case intc.IER:
                return self.enabled
            case intc.IVR:
                return (self.pending & -self.pending).bit_length() - 1 if self.pending else intc.NOTHING_PENDING
            case intc.MER:
                return self.master
            case intc.IAR | intc.SIE | intc.CIE:
                return 0
            case _:
                return super().load(offset)

    def store(self, offset: int, word: int) -> None:
        """Take a register."""
        match offset:
            case intc.ISR:
                writable = self._all & ~self._inputs if self._listening else self._all
                self.status = self.status & ~writable | word & writable
            case intc.IER:
                self.enabled = word & self._all
            case intc.IAR:
                self.status &= ~word
            case intc.SIE:
                self.enabled |= word & self._all
            case intc.CIE:
                self.enabled &= ~word
            case intc.MER:
                self.master = word & intc.MASTER_ENABLE | (word | self.master) & intc.HARDWARE_ENABLE
            case intc.IPR | intc.IVR:
                pass
            case _:
                super().store(offset, word)

        self._settle()

    def interrupt(self, index: int, level: bool) -> None:
        """Take the level of an input."""
        bit = 1 << index & self._inputs

        if level and self._listening:
            self.status |= bit & self._edges & ~self._levels

        self._levels = self._levels | bit if level else self._levels & ~bit
        self._settle()

    @property
    def _listening(self) -> bool:
        return bool(self.master & intc.HARDWARE_ENABLE)

    def _settle(self) -> None:
        if self._listening:
            self.status |= self._levels & ~self._edges

        self._output(bool(self.master & intc.MASTER_ENABLE and self.pending))


def _number(site: Site, parameter: str, default: int) -> int:
    return int(site.parameters.get(parameter, str(default)), 0)
