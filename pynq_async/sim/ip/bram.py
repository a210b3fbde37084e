"""Memory in the programmable logic."""

from .model import IpModel


class BramModel(IpModel):
    """A memory behind its controller (PG078): the bytes of the board's physical memory at these addresses.

    What the processor stores and what other masters, such as a DMA, write is thus the same.
    """

    def load(self, offset: int) -> int:
        """Give the word at an offset."""
        return self.site.memory.load(self.site.base + offset)

    def store(self, offset: int, word: int) -> None:
        """Put a word at an offset."""
        self.site.memory.store(self.site.base + offset, word)
