"""The boards that a farm is made of, in whatever form they are given."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from ..board.device import RemoteDevice
from ..config import Address, BoardSpec, Limits, Timeouts, Tls
from ..errors import InvalidArgument

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


def device(spec: BoardSpec, timeouts: Timeouts | None, limits: Limits | None, tls: Tls | None) -> RemoteDevice:
    """A board of a farm, not open yet; `timeouts`, `limits` and `tls` are those of the farm."""
    return RemoteDevice(spec, timeouts=spec.timeouts or timeouts, limits=spec.limits or limits, tls=spec.tls or tls)


def _each(boards: Boards) -> Iterable[BoardSpec]:
    if isinstance(boards, Mapping):
        return [BoardSpec(name, _address(address)) for name, address in boards.items()]

    several = [boards] if isinstance(boards, str | Address | BoardSpec) else boards

    if not isinstance(several, Iterable):
        raise _wrong(boards)

    return [board if isinstance(board, BoardSpec) else _unnamed(_address(board)) for board in several]


def _unnamed(address: Address) -> BoardSpec:
    return BoardSpec(str(address), address)


def _address(address: str | Address) -> Address:
    if isinstance(address, Address):
        return address

    if not isinstance(address, str):
        raise _wrong(address)

    return Address.parse(address)


def _wrong(given: object) -> InvalidArgument:
    return InvalidArgument(f"a farm is made of addresses or BoardSpecs, not {given!r}")
