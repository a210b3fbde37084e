"""The clocks of the processing system: the CPU's own, and those that it gives to the programmable logic."""

import math
import warnings
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial

from ..bitstream import Design, PlClock
from ..concurrency import for_each
from ..errors import Misuse, NotSupported, OutOfRange
from ..hardware.clocks import CLOCK_TREES, ClockControl, Pll
from ..hardware.registers import Field
from ..wire.channel import Connection
from .files import Files
from .mmio import MMIO
from .windows import PAGE, Windows


class Clocks:
    """The CPU clock and PL clocks 0 to 3 of one board; frequencies in MHz.

    `reference_mhz` is the board's crystal: what its device tree says, else the design that was downloaded, else the
    frequency most boards have.

        await board.clocks.cpu_mhz()                # 650.0
        await board.clocks.set_pl_clk(0, 142.857)   # the nearest there is: 142.857...
    """

    def __init__(self, connection: Connection, windows: Windows, files: Files, family: str) -> None:
        self._connection = connection
        self._windows = windows
        self._files = files
        self._tree = CLOCK_TREES[family]
        self.reference_mhz = self._tree.reference_mhz
        self._crystal_mhz: float | None = None  # None: not asked yet; 0.0: the device tree does not say

    async def cpu_mhz(self) -> float:
        """The frequency of the application processors in MHz, from the registers; 0.0 when their PLL is not set up."""
        return await self._mhz(self._tree.cpu)

    async def get_pl_clk(self, index: int) -> float:
        """The frequency of a PL clock in MHz, from the registers; 0.0 when its PLL is not set up."""
        return await self._mhz(self._clock(index))

    async def set_pl_clk(self, index: int, mhz: float) -> float:
        """Set a PL clock as near to `mhz` as its divisors allow; returns the frequency it has now.

        Warns (`RuntimeWarning`) when that is more than 1 percent off. Raises `NotSupported` when the PLL that feeds the
        clock is not set up, since its frequency is then unknown.
        """
        clock = self._clock(index)

        if not mhz > 0:
            raise OutOfRange(self._connection.board, f"a clock of {mhz} MHz makes no sense")

        ((word, source),) = await self._read([clock])

        if not source:
            raise NotSupported(self._connection.board, f"the PLL that feeds PL clock {index} is not set up")

        divisors = self._divisors(index, word, source, mhz)
        await self._write([(clock, word, divisors)])
        return source / math.prod(divisors)

    async def set_divisors(self, index: int, *divisors: int) -> None:
        """Set a PL clock's divisors as they are; Versal has one, the other families two."""
        clock = self._clock(index)

        if len(divisors) != len(clock.divisors):
            raise Misuse(self._connection.board, f"PL clock {index} has {len(clock.divisors)} divisors")

        for field, divisor in zip(clock.divisors, divisors, strict=True):
            if not 0 < divisor < 1 << field.width:
                raise OutOfRange(self._connection.board, f"{divisor} is no divisor of {field.width} bits")

        word = await self._block(clock.base).read(clock.source.offset)
        await self._write([(clock, word, divisors)])

    async def apply(self, design: Design) -> None:
        """Set the clocks that a design uses, and leave those alone that it does not.

        Takes three round trips for any number of clocks, two when they are right already.
        """
        wanted = {
            index: clock for index, clock in design.pl_clocks().items() if clock.enabled and index < len(self._tree.pl)
        }

        controls = [self._tree.pl[index] for index in wanted]
        reference = next((clock.reference_mhz for clock in wanted.values()), None)
        state = await self._read(controls, reference)
        await self._write(
            (control, word, self._wanted_divisors(clock, word, source))
            for control, clock, (word, source) in zip(controls, wanted.values(), state, strict=True)
        )

    def _wanted_divisors(self, clock: PlClock, word: int, source: float) -> Sequence[int]:
        if clock.mhz and source:
            return self._divisors(clock.index, word, source, clock.mhz)

        # The source is unknown: what the tools computed is the best there is.
        fields = self._tree.pl[clock.index].divisors
        divisors = [divisor for divisor in (clock.divisor0, clock.divisor1) if divisor]
        return divisors[: len(fields)] if len(divisors) >= len(fields) else _divisors_in(fields, word)

    def _divisors(self, index: int, word: int, source: float, mhz: float) -> Sequence[int]:
        """The divisors that come nearest to `mhz`; those that are set already when none come nearer."""
        fields = self._tree.pl[index].divisors
        divisors = min(
            (_divisors_in(fields, word), _nearest(source / mhz, fields)),
            key=lambda divisors: abs((math.prod(divisors) or math.inf) - source / mhz),
        )
        achieved = source / math.prod(divisors)

        if abs(achieved - mhz) > 0.01 * mhz:
            warnings.warn(
                f"{self._connection.board}: PL clock {index} is {achieved:.6g} MHz, the nearest to {mhz:g}",
                RuntimeWarning,
                stacklevel=3,
            )

        return divisors

    async def _mhz(self, clock: ClockControl) -> float:
        ((word, source),) = await self._read([clock])
        divisor = math.prod(_divisors_in(clock.divisors, word))
        return source / divisor if divisor else 0.0

    async def _read(
        self, clocks: Sequence[ClockControl], reference_mhz: float | None = None
    ) -> list[tuple[int, float]]:
        """Each clock's control word and the frequency of what feeds it (0.0: unknown), in two round trips."""
        words: dict[tuple[int, int], int] = {}
        first: list[Callable[[], Awaitable[None]]] = [
            partial(self._load, words, [_register(clock) for clock in clocks]),
            self._ask_for_crystal,
        ]
        await for_each(first, lambda work: work(), width=2)
        self.reference_mhz = self._crystal_mhz or reference_mhz or self.reference_mhz
        controls = [words[_register(clock)] for clock in clocks]
        plls = [clock.sources.get(clock.source.of(word)) for clock, word in zip(clocks, controls, strict=True)]
        await self._load(words, [register for pll in plls if pll is not None for register in _registers(pll)])
        sources = [self._pll_mhz(pll, words) if pll is not None else 0.0 for pll in plls]
        return list(zip(controls, sources, strict=True))

    async def _ask_for_crystal(self) -> None:
        if self._crystal_mhz is not None:
            return

        found: list[float] = []

        async def read(path: str) -> None:
            if len(content := await self._files.read_if_there(path) or b"") == 4:
                found.append(int.from_bytes(content, "big") / 1e6)

        await for_each(self._tree.reference_files, read, width=len(self._tree.reference_files))
        self._crystal_mhz = max(found, default=0.0)

    def _pll_mhz(self, pll: Pll, words: Mapping[tuple[int, int], int]) -> float:
        word = words[pll.base, pll.feedback.offset]
        divider = 1 << pll.divide.of(word) if pll.divide is not None else 1

        if pll.extra is not None:
            divider *= pll.extra.of(words[pll.base, pll.extra.offset]) or 1

        return self.reference_mhz * pll.feedback.of(word) / divider

    async def _load(self, words: dict[tuple[int, int], int], registers: Iterable[tuple[int, int]]) -> None:
        """Read the registers at these bases and offsets into `words`, each once and all at the same time."""

        async def read(register: tuple[int, int]) -> None:
            base, offset = register
            words[register] = await self._block(base).read(offset)

        distinct = set(registers)
        await for_each(distinct, read, width=len(distinct))

    async def _write(self, clocks: Iterable[tuple[ClockControl, int, Sequence[int]]]) -> None:
        """Enable PL clocks and set their divisors, where their control words say otherwise."""
        words = {}

        for clock, word, divisors in clocks:
            wanted = word if clock.enable is None else clock.enable.put(word, 1)

            for field, divisor in zip(clock.divisors, divisors, strict=True):
                wanted = field.put(wanted, divisor)

            if wanted != word:
                words[clock.source.offset] = wanted

        if words:
            await self._block(self._tree.pl[0].base).write_many(words, ordered=False)

    def _clock(self, index: int) -> ClockControl:
        if not 0 <= index < len(self._tree.pl):
            raise OutOfRange(self._connection.board, f"PL clocks are numbered 0 to {len(self._tree.pl) - 1}")

        return self._tree.pl[index]

    def _block(self, base: int) -> MMIO:
        return MMIO(self._connection, self._windows, base, PAGE, lasting=True)


def _register(clock: ClockControl) -> tuple[int, int]:
    return clock.base, clock.source.offset


def _registers(pll: Pll) -> list[tuple[int, int]]:
    return [(pll.base, field.offset) for field in (pll.feedback, pll.extra) if field is not None]


def _divisors_in(fields: Sequence[Field], word: int) -> tuple[int, ...]:
    return tuple(field.of(word) for field in fields)


def _nearest(ratio: float, fields: Sequence[Field]) -> tuple[int, ...]:
    """The divisors whose product is nearest to `ratio`."""
    largest = (1 << fields[0].width) - 1
    seconds = range(1, 2 if len(fields) == 1 else largest + 1)
    pairs = [(min(max(round(ratio / second), 1), largest), second) for second in seconds]
    return min(pairs, key=lambda pair: abs(math.prod(pair) - ratio))[: len(fields)]
