"""How a bit field of a register is written down."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """Bits `low` to `low + width - 1` of the 32-bit register at `offset`."""

    offset: int
    low: int
    width: int

    @property
    def mask(self) -> int:
        """The field's bits, in place."""
        return ((1 << self.width) - 1) << self.low

    def of(self, word: int) -> int:
        """The field's value in a register word."""
        return (word & self.mask) >> self.low

    def put(self, word: int, value: int) -> int:
        """The register word with this field replaced; `ValueError` when the value does not fit."""
        if not 0 <= value < 1 << self.width:
            raise ValueError(f"{value} does not fit into {self.width} bits")

        return word & ~self.mask | value << self.low
