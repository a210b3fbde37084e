"""What answers in the address range of an IP."""

from .site import Site


class IpModel:
    """A simulated IP. As it stands it remembers what is written, as a file of registers; models of real IP override it.

    Everything happens at once, inside the load or store; what takes time goes through `site.later`.

    ::

        class Counter(IpModel):
            def load(self, offset: int) -> int:
                return self.site.memory.load(0x1000_0000) if offset == 0 else super().load(offset)

        SimBoard(designs=[SimDesign(design, models={"acme.com:user:counter": Counter})])

    Attributes:
        site: where it stands in the design, and its ways to the outside.
        words: what was written, by offset.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.words: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.site.name} at {self.site.base:#x}>"

    def load(self, offset: int) -> int:
        """Give the 32-bit word at a byte offset; a client's read loads twice (H10)."""
        return self.words.get(offset, 0)

    def store(self, offset: int, word: int) -> None:
        """Take a 32-bit word at a byte offset."""
        self.words[offset] = word

    def interrupt(self, index: int, level: bool) -> None:
        """Take the level of an interrupt input; only interrupt controllers have some."""
