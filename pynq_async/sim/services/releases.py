"""Which services the board server of a release offers."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from ...errors import InvalidArgument
from ..dispatch import Handler, Service
from .buffers import BufferService
from .device import DeviceService
from .gpio import GpioService
from .health import health_handlers
from .interrupts import InterruptService
from .mmio import MmioService
from .reflection import reflection_handlers

if TYPE_CHECKING:
    from ..board import SimBoard

_SERVICES: dict[str, Callable[["SimBoard"], Service]] = {
    "remote_device": DeviceService,
    "mmio": MmioService,
    "buffer": BufferService,
    "gpio": GpioService,
    "interrupt": InterruptService,
}
_RELEASES = {"3.1": ("remote_device", "mmio", "buffer"), "4.0": ("remote_device", "mmio", "buffer", "gpio")}


def check_release(release: str) -> None:
    """Raise `InvalidArgument` for a release that there is not."""
    if release not in _RELEASES:
        raise InvalidArgument(f"{release!r} is no release of the board server; there are {', '.join(_RELEASES)}")


def offered(release: str, services: Collection[str] | None, *, interrupt: bool) -> set[str]:
    """The packages that are served: those of the release, or of `services`; with `interrupt`, that one too."""
    found = {*(_RELEASES[release] if services is None else services), *(["interrupt"] if interrupt else [])}

    if unknown := found - _SERVICES.keys():
        raise InvalidArgument(f"{', '.join(sorted(unknown))}: no such service; there are {', '.join(_SERVICES)}")

    return found


def make_handlers(board: "SimBoard", services: Collection[str]) -> list[Handler]:
    """Make the handlers of these packages, and of what every server has beside them."""
    made: list[Handler] = []

    for name, service in _SERVICES.items():
        if name in services:
            made += service(board).handlers()

    made += health_handlers()
    return made + reflection_handlers(sorted({handler.method.service for handler in made}))
