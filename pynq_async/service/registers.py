"""Registers of a design by name, and its memory by offset; what drivers do with them is left alone."""

from collections.abc import Iterable
from typing import Literal, SupportsIndex

from ..board.mmio import MMIO
from ..concurrency import for_each
from ..errors import NotInDesign
from ..overlay import DefaultIP, Overlay
from ..overlay.registers import Owner, Register, RegisterMap, RegisterValue

_WIDTH = 16  # registers read at once


class _Noted:
    """Access to the registers of an IP that knows the word it has written last."""

    def __init__(self, mmio: MMIO) -> None:
        self.read = mmio.read
        self.word = 0
        self._mmio = mmio

    async def write(self, offset: int, data: SupportsIndex, *, length: Literal[4, 8] = 4) -> None:
        await self._mmio.write(offset, data, length=length)
        self.word = int(data) & ((1 << 8 * length) - 1)

    async def update(self, offset: int, mask: int, value: int) -> int:
        self.word = await self._mmio.update(offset, mask, value)
        return self.word


def window(overlay: Overlay, path: str) -> MMIO:
    """The registers of an IP, or a memory, by its full path; raises `NotInDesign`."""
    return _driver(overlay, path).mmio


async def read(overlay: Overlay, path: str, names: Iterable[str] = ()) -> list[tuple[Register, RegisterValue]]:
    """Read registers of an IP: those that are named, else all that can be read and do not change by it."""
    driver = _driver(overlay, path)
    registers, changing = _registers(driver, driver.mmio), driver.description.read_actions
    chosen = [registers[name] for name in dict.fromkeys(names)] or [
        register for register in registers.values() if register.access != "write-only" and register.name not in changing
    ]
    values: dict[str, RegisterValue] = {}

    async def load(register: Register) -> None:
        values[register.name] = await register.read()

    if len(chosen) == 1:
        await load(chosen[0])
    else:
        await for_each(chosen, load, width=min(len(chosen), _WIDTH))

    return [(register, values[register.name]) for register in chosen]


async def write(
    overlay: Overlay, path: str, name: str, value: int | None, fields: dict[str, int]
) -> tuple[Register, int]:
    """Write a register as a whole or some of its fields; returns it and the word written."""
    driver = _driver(overlay, path)
    noted = _Noted(driver.mmio)
    register = _registers(driver, noted)[name]

    if value is not None:
        await register.write(value)
    else:
        await register.write(**fields)

    return register, noted.word


def _driver(overlay: Overlay, path: str) -> DefaultIP:
    found = overlay[path]

    if not isinstance(found, DefaultIP):
        raise NotInDesign(overlay.board.name, f"{path} is a hierarchy; its IP are {path}/{', '.join(found.members)}")

    return found


def _registers(driver: DefaultIP, access: MMIO | _Noted) -> RegisterMap:
    description = driver.description
    owner = Owner(driver.board.name, driver.name, access, description.read_actions)
    return RegisterMap(owner, description.registers)
