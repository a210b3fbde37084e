"""The clocks that the processing system gives to the programmable logic."""

import warnings

from ..bitstream import Design, PlClock
from ..errors import Misuse, NotSupported, OutOfRange
from ..hardware.clocks import CLOCK_TREES, PlClockControl, Pll
from ..wire.channel import Connection
from .mmio import MMIO
from .windows import Windows


class Clocks:
    """PL clocks 0 to 3 of one board; frequencies in MHz.

    `reference_mhz` is the board's crystal; a download takes it from the design's description.
    """

    def __init__(self, connection: Connection, windows: Windows, family: str) -> None:
        self._connection = connection
        self._windows = windows
        self._tree = CLOCK_TREES[family]
        self.reference_mhz = self._tree.reference_mhz

    async def get_pl_clk(self, index: int) -> float:
        """The frequency of a PL clock in MHz, from the registers; 0.0 when its PLL is not set up."""
        clock = self._clock(index)
        block = self._block(self._tree.base)
        word = await block.read(clock.source.offset)
        source = await self._source_mhz(clock, word)
        divisor = 1

        for field in clock.divisors:
            divisor *= field.of(word)

        return source / divisor if divisor else 0.0

    async def set_pl_clk(self, index: int, mhz: float) -> float:
        """Set a PL clock as near to `mhz` as its divisors allow; returns the frequency it has now.

        Warns (`RuntimeWarning`) when that is more than 1 percent off. Raises `NotSupported` when the PLL that feeds the
        clock is not set up, since its frequency is then unknown.
        """
        clock = self._clock(index)

        if not mhz > 0:
            raise OutOfRange(self._connection.board, f"a clock of {mhz} MHz makes no sense")

        word = await self._block(self._tree.base).read(clock.source.offset)
        source = await self._source_mhz(clock, word)

        if not source:
            raise NotSupported(self._connection.board, f"the PLL that feeds PL clock {index} is not set up")

        divisors = _nearest(source / mhz, clock)
        await self._set(clock, word, divisors)
        product = divisors[0] * (divisors[1] if len(divisors) > 1 else 1)

        if abs(source / product - mhz) > 0.01 * mhz:
            warnings.warn(
                f"{self._connection.board}: PL clock {index} is {source / product:.6g} MHz, the nearest to {mhz:g}",
                RuntimeWarning,
                stacklevel=2,
            )

        return source / product

    async def set_divisors(self, index: int, *divisors: int) -> None:
        """Set a PL clock's divisors as they are; Versal has one, the other families two."""
        clock = self._clock(index)
        word = await self._block(self._tree.base).read(clock.source.offset)

        if len(divisors) != len(clock.divisors):
            raise Misuse(self._connection.board, f"PL clock {index} has {len(clock.divisors)} divisors")

        for field, divisor in zip(clock.divisors, divisors, strict=True):
            if not 0 < divisor < 1 << field.width:
                raise OutOfRange(self._connection.board, f"{divisor} is no divisor of {field.width} bits")

        await self._set(clock, word, divisors)

    async def apply(self, design: Design) -> None:
        """Set the clocks that a design uses, and leave those alone that it does not."""
        for index, clock in design.pl_clocks().items():
            if clock.enabled and index < len(self._tree.clocks):
                self.reference_mhz = clock.reference_mhz or self._tree.reference_mhz
                await self._apply(index, clock)

    async def _apply(self, index: int, clock: PlClock) -> None:
        if clock.mhz:
            try:
                await self.set_pl_clk(index, clock.mhz)
            except NotSupported:
                pass  # the source is unknown: what the tools computed is the best there is
            else:
                return

        divisors = [divisor for divisor in (clock.divisor0, clock.divisor1) if divisor]
        wanted = len(self._tree.clocks[index].divisors)

        if len(divisors) >= wanted:
            await self.set_divisors(index, *divisors[:wanted])

    async def _source_mhz(self, clock: PlClockControl, word: int) -> float:
        pll = self._tree.sources.get(clock.source.of(word))
        return await self._pll_mhz(pll) if pll is not None else 0.0

    async def _pll_mhz(self, pll: Pll) -> float:
        block = self._block(pll.base)
        word = await block.read(pll.feedback.offset)
        divider = 1 << pll.divide.of(word) if pll.divide is not None else 1

        if pll.extra is not None:
            divider *= pll.extra.of(await block.read(pll.extra.offset)) or 1

        return self.reference_mhz * pll.feedback.of(word) / divider

    async def _set(self, clock: PlClockControl, word: int, divisors: tuple[int, ...]) -> None:
        wanted = word

        for field, divisor in zip(clock.divisors, divisors, strict=True):
            wanted = field.put(wanted, divisor)

        if clock.enable is not None:
            wanted = clock.enable.put(wanted, 1)

        if wanted != word:
            await self._block(self._tree.base).write(clock.source.offset, wanted)

    def _clock(self, index: int) -> PlClockControl:
        if not 0 <= index < len(self._tree.clocks):
            raise OutOfRange(self._connection.board, f"PL clocks are numbered 0 to {len(self._tree.clocks) - 1}")

        return self._tree.clocks[index]

    def _block(self, base: int) -> MMIO:
        return MMIO(self._connection, self._windows, base, self._tree.length, lasting=True)


def _nearest(ratio: float, clock: PlClockControl) -> tuple[int, ...]:
    """The divisors whose product is nearest to `ratio`."""
    largest = (1 << clock.divisors[0].width) - 1

    if len(clock.divisors) == 1:
        return (min(max(round(ratio), 1), largest),)

    pairs = ((first, second) for second in range(1, largest + 1) for first in range(1, largest + 1))
    return min(pairs, key=lambda pair: abs(pair[0] * pair[1] - ratio))
