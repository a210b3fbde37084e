"""Which driver an IP, a memory or a hierarchy gets."""

import inspect
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from ..bitstream import Design
from ..errors import InvalidArgument
from .drivers import DRIVERS, HlsKernel
from .hierarchy import DefaultHierarchy
from .ip import DefaultIP, IpDescription

Driver = type[DefaultIP] | type[DefaultHierarchy]


class Binding:
    """The drivers of one overlay: those passed to it first, then the ones of this package."""

    def __init__(self, drivers: Driver | Iterable[Driver] = ()) -> None:
        given = self.drivers = [drivers] if isinstance(drivers, type) else list(drivers)

        for driver in given:
            if not (isinstance(driver, type) and issubclass(driver, DefaultIP | DefaultHierarchy)):
                raise InvalidArgument(
                    f"{driver!r} is no driver: it must be a subclass of DefaultIP or DefaultHierarchy"
                )

        self._own = bind(driver for driver in given if issubclass(driver, DefaultIP))
        self._hierarchies = [driver for driver in given if issubclass(driver, DefaultHierarchy)]

    def check(self, design: Design) -> None:
        """Raise `InvalidArgument` when a hierarchy is wanted by two drivers."""
        for description in design.hierarchy_dict.values():
            self.hierarchy(description)

    def ip(self, description: IpDescription) -> DefaultIP:
        """Make the driver of an IP or memory; the exact version first, then any version."""
        kind = description.type
        plain = kind.rpartition(":")[0]

        for table in (self._own, DRIVERS):
            for name in (kind, plain):
                if name in table:
                    return _made(table[name], description)

        return HlsKernel(description) if HlsKernel.fits(description) else DefaultIP(description)

    def hierarchy(self, description: Mapping[str, Any]) -> type[DefaultHierarchy]:
        """The class for a hierarchy; raises `InvalidArgument` when two of the drivers want it."""
        wanting = [driver for driver in self._hierarchies if driver.checkhierarchy(description)]

        if len(wanting) > 1:
            names = " and ".join(driver.__name__ for driver in wanting)
            raise InvalidArgument(f"{names} both accept the hierarchy {description.get('fullpath')}; pass only one")

        return wanting[0] if wanting else DefaultHierarchy


def _made(driver: type[DefaultIP], description: IpDescription) -> DefaultIP:
    try:
        ip = driver(description)
    except Exception as error:
        error.add_note(f"{description.board.name}: while {driver.__name__} was made for {description.name}")
        raise

    if "description" not in vars(ip):
        raise InvalidArgument(f"{driver.__name__}.__init__ must call super().__init__(description)")

    return ip


def bind(drivers: Iterable[type[DefaultIP]]) -> Mapping[str, type[DefaultIP]]:
    """Drivers by the types of IP they are for; raises `InvalidArgument` for none, or for two of one type."""
    table: dict[str, type[DefaultIP]] = {}

    for driver in drivers:
        if isinstance(driver.bindto, str) or not driver.bindto:
            raise InvalidArgument(f"{driver.__name__}.bindto must list the types of IP it is for")

        if not inspect.iscoroutinefunction(driver._setup):  # noqa: SLF001 - a subclass may have replaced it
            raise InvalidArgument(f"{driver.__name__}._setup must be an 'async def'")

        for kind in driver.bindto:
            if not isinstance(kind, str):
                raise InvalidArgument(
                    f"{driver.__name__}.bindto: {kind!r} is no type of IP, such as 'acme.com:user:fft'"
                )

            if kind in table and table[kind] is not driver:
                raise InvalidArgument(f"{kind} is bound twice: to {table[kind].__name__} and to {driver.__name__}")

            table[kind] = driver

    return MappingProxyType(table)
