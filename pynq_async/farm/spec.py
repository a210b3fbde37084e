"""What a farm is told of one board before it is opened."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ..board.device import RemoteDevice
from ..config import Address, Limits, Timeouts, Tls
from ..errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class BoardSpec:
    """A board of a farm: its name, where it is, what it is good for, and what differs from the rest of the farm.

        BoardSpec("bench-left", Address.parse("192.168.2.99"), tags=frozenset({"camera"}))

    Attributes:
        name: unique in the farm; stands in every error.
        address: where its board server listens.
        tags: words that leases may ask for.
        tls, timeouts, limits: of this board; those of the farm unless told.
    """

    name: str
    address: Address
    tags: frozenset[str] = frozenset()
    tls: Tls | None = None
    timeouts: Timeouts | None = None
    limits: Limits | None = None

    def device(self, timeouts: Timeouts | None, limits: Limits | None, tls: Tls | None) -> RemoteDevice:
        """The board, not open yet; `timeouts`, `limits` and `tls` are those of the farm."""
        return RemoteDevice(
            self.address,
            name=self.name,
            timeouts=self.timeouts or timeouts,
            limits=self.limits or limits,
            tls=self.tls or tls,
        )


Boards: TypeAlias = str | Address | BoardSpec | Iterable[str | Address | BoardSpec] | Mapping[str, str | Address]


def board_specs(boards: Boards) -> dict[str, BoardSpec]:
    """The boards by name; raises `InvalidArgument` when there is none, or two have one name."""
    specs: dict[str, BoardSpec] = {}

    for spec in _each(boards):
        if spec.name in specs:
            raise InvalidArgument(f"the farm has two boards called {spec.name}")

        specs[spec.name] = spec

    if not specs:
        raise InvalidArgument("a farm has at least one board")

    return specs


def _each(boards: Boards) -> Iterable[BoardSpec]:
    if isinstance(boards, Mapping):
        return [BoardSpec(name, _address(address)) for name, address in boards.items()]

    several = [boards] if isinstance(boards, str | Address | BoardSpec) else boards
    return [board if isinstance(board, BoardSpec) else _unnamed(_address(board)) for board in several]


def _unnamed(address: Address) -> BoardSpec:
    return BoardSpec(str(address), address)


def _address(address: str | Address) -> Address:
    return Address.parse(address) if isinstance(address, str) else address
