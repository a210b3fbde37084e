"""A part of a design: its IP, memories and hierarchies by name."""

from collections.abc import Iterator, Mapping
from keyword import iskeyword
from typing import Any, TypeAlias, Union

from ..board.device import RemoteDevice
from ..errors import Misuse, NotInDesign
from .ip import DefaultIP

Member: TypeAlias = Union[DefaultIP, "DefaultHierarchy"]


class DefaultHierarchy:
    """A hierarchy of a design, and the base of drivers for one.

    A driver overrides `checkhierarchy` and is passed to `Overlay.load(..., drivers=[...])`; it is made for every
    hierarchy that its check accepts. No I/O happens in looking anything up.

        class TraceAnalyzer(DefaultHierarchy):
            @staticmethod
            def checkhierarchy(description: Mapping[str, Any]) -> bool:
                return "axi_dma_0" in description["ip"] and "trace_cntrl_64_0" in description["ip"]

            async def capture(self, buffer: Buffer) -> None:
                await self.axi_dma_0.recvchannel.transfer(buffer)

    Attributes:
        description: what the design says of it, as `hierarchy_dict` has it.
        board: the board it is on.
        name: its full path, empty for the whole design.
        members: what is in it by name; each that is an identifier is an attribute as well.
    """

    def __init__(
        self, board: RemoteDevice, name: str, description: Mapping[str, Any], members: dict[str, Member]
    ) -> None:
        self.board = board
        self.name = name
        self.description = description
        self.members = members

    @staticmethod
    def checkhierarchy(description: Mapping[str, Any]) -> bool:
        """Whether this class is for a hierarchy with these `ip`, `memories` and `hierarchies`."""
        return False

    def __repr__(self) -> str:
        lines = (f"\n  {line}" for line in _lines(self.members))
        return (
            f"<{type(self).__name__} {self.name or 'of'} {'on ' if self.name else ''}{self.board.name}{''.join(lines)}>"
        )

    def __getitem__(self, path: str) -> Any:
        """The member at a path: `overlay["video/axi_vdma"]`."""
        if not isinstance(path, str):
            raise Misuse(self.board.name, f"{self._shown()} is indexed by names, not by {path!r}")

        here: Any = self

        for part in path.split("/"):
            members = here.members if isinstance(here, DefaultHierarchy) else {}

            if part not in members:
                where = f"{here.name}/" if here.name else ""
                there = f"; there are {', '.join(where + name for name in members)}" if members else ""
                raise NotInDesign(self.board.name, f"{self._shown()} has no {path!r}{there}")

            here = members[part]

        return here

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in (members := self.__dict__.get("members", {})):
            if name.startswith("__") or "board" not in self.__dict__:
                raise AttributeError(name)

            there = f"; there are {', '.join(members)}" if members else ""
            raise NotInDesign(self.board.name, f"{self._shown()} has no {name!r}{there}")

        return members[name]

    def __dir__(self) -> list[str]:
        return sorted(
            {*super().__dir__(), *(name for name in self.members if name.isidentifier() and not iskeyword(name))}
        )

    def _shown(self) -> str:
        return f"the hierarchy {self.name}" if self.name else "the design"


def _lines(members: Mapping[str, Member]) -> Iterator[str]:
    for name, member in members.items():
        if isinstance(member, DefaultHierarchy):
            yield f"{name}/ ({type(member).__name__})"
            yield from (f"  {line}" for line in _lines(member.members))
        else:
            yield f"{name}: {type(member).__name__} ({member.type}) at {member.mmio.base:#x}"
