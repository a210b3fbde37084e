"""Registers and bit fields by the names that a hardware description gives them, awaitable one by one."""

import operator
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, Protocol, SupportsIndex

from ..concurrency import for_each
from ..errors import Misuse, NotInDesign, OutOfRange
from ..hardware.registers import Field

_WIDTH = 16  # registers read at once by `RegisterMap.read`
_READ_ONLY, _WRITE_ONLY = "read-only", "write-only"


class Access(Protocol):
    """What reads and writes the registers of one IP."""

    async def read(self, offset: int = 0, length: int = 4) -> int:
        """Read 4 or 8 bytes."""

    async def write(self, offset: int, data: SupportsIndex, *, length: Literal[4, 8] = 4) -> None:
        """Write 4 or 8 bytes."""

    async def update(self, offset: int, mask: int, value: int) -> int:
        """Replace the bits under `mask`; returns the word written."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose registers they are: `str` of it stands in errors."""

    board: str
    name: str
    access: Access
    read_actions: Mapping[str, Collection[str]] = field(default_factory=dict)


class RegisterValue(int):
    """What a register held: an integer, with its bit fields as attributes.

    ::

        status = await ip.register_map.CTRL.read()
        if status.AP_DONE: ...
        status["AP_IDLE"], status[7], status[3:0], status & 0xF, status.fields()
    """

    _register: str
    _fields: Mapping[str, Field]
    _changing: Collection[str]

    def __new__(
        cls,
        word: int,
        register: str = "",
        fields: Mapping[str, Field] | None = None,
        changing: Collection[str] = (),
    ) -> "RegisterValue":
        """A word read from `register`, with its `fields`, some of which were `changing` by being read."""
        self = super().__new__(cls, word)
        self._register = register
        self._fields = fields or {}
        self._changing = changing
        return self

    def __getitem__(self, name: str | int | slice) -> int:
        """A field by name, one bit by number, or the bits from one to another, both included."""
        if isinstance(name, int):
            return (int(self) >> name) & 1

        if isinstance(name, slice):
            low, high = sorted((int(name.start), int(name.stop)))
            return (int(self) >> low) & ((1 << (high - low + 1)) - 1)

        try:
            return self._field(name)
        except KeyError:
            raise LookupError(f"{self._register} has no field {name!r}; {_there_are(self._fields)}") from None

    def __getattr__(self, name: str) -> int:
        try:
            return self._field(name)
        except KeyError:
            raise AttributeError(f"{self._register} has no field {name!r}; {_there_are(self._fields)}") from None

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._fields})

    def _field(self, name: str) -> int:
        value = self._fields[name].of(self)

        if name in self._changing:
            warnings.warn(
                f"{self._register}.{name} changes when it is read, and the board server reads a register twice: the "
                "value cannot be trusted",
                RuntimeWarning,
                stacklevel=3,
            )

        return value

    def fields(self) -> dict[str, int]:
        """Every field's value by name, from the lowest bit up."""
        return {name: field.of(self) for name, field in self._fields.items()}

    def __repr__(self) -> str:
        shown = [f"{name}={value}" for name, value in self.fields().items() if not name.startswith("RESERVED")]
        return f"<{self._register} {self:#010x}{': ' if shown else ''}{', '.join(shown)}>"


class _Awaited:
    """What PYNQ reads when it is looked at and writes when it is assigned to, and we do not: says so."""

    def _board(self) -> str:
        raise NotImplementedError

    def _no_value(self, *_: object) -> NoReturn:
        raise Misuse(self._board(), f"{self} has no value before it is read: use 'await ....read()'")

    def _no_assignment(self, name: str) -> NoReturn:
        raise Misuse(self._board(), f"{self}.{name} is not written by assignment: use 'await ....{name}.write(value)'")

    def __eq__(self, other: object) -> bool:
        return self._no_value() if isinstance(other, int) else self is other

    __bool__ = __int__ = __index__ = __and__ = __or__ = __lt__ = __gt__ = _no_value
    __hash__ = object.__hash__


class BitField(_Awaited):
    """Some bits of one register: `await ip.register_map.CTRL.AP_START.write(1)`."""

    def __init__(self, register: "Register", name: str, bits: Field, access: str, description: str) -> None:
        self.name = name
        self.bits = bits
        self.access = access
        self.description = description
        self._register = register

    def __str__(self) -> str:
        return f"{self._register}.{self.name}"

    def _board(self) -> str:
        return self._register._board()  # noqa: SLF001 - the same idea

    def __repr__(self) -> str:
        last = self.bits.low + self.bits.width - 1
        return f"<BitField {self._register.name}.{self.name}, bits {last}:{self.bits.low}, {self.access}>"

    async def read(self) -> int:
        """Read the register and take the field out of it; warns of one that changes when it is read."""
        return (await self._register.read())[self.name]

    async def write(self, value: int) -> None:
        """Write the field and leave the others as they are: one read-modify-write."""
        await self._register.write(**{self.name: value})


class Register(_Awaited):
    """One register of an IP; no I/O but in `read` and `write`.

    ::

        control = ip.register_map.MM2S_DMACR
        value = await control.read()                    # an integer with named fields
        await control.write(0x1)                        # the whole word
        await control.write(RS=1, IOC_IrqEn=0)          # one read-modify-write for several fields

    Attributes:
        name: as the description calls it.
        offset: in bytes from the IP's first register.
        access: `read-write`, `read-only` or `write-only`.
        description: what the description says it is for.
    """

    def __init__(self, owner: Owner, name: str, entry: Mapping[str, Any]) -> None:
        self.name = name
        self.offset = int(entry["address_offset"])
        self.access = str(entry.get("access") or "read-write")
        self.description = str(entry.get("description") or "")
        self._owner = owner
        self._length: Literal[4, 8] = 8 if int(entry.get("size") or 32) > 32 else 4
        self._entries: Mapping[str, Mapping[str, Any]] = entry.get("fields") or {}
        places = {
            field: Field(self.offset, int(described["bit_offset"]), int(described["bit_width"]))
            for field, described in self._entries.items()
        }
        self._fields: dict[str, Field] = dict(sorted(places.items(), key=lambda place: place[1].low))

    def __repr__(self) -> str:
        return f"<Register {self} at {self.offset:#x}, {self.access}>"

    def __str__(self) -> str:
        return f"{self._owner.name}.{self.name}"

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._fields})

    def __setattr__(self, name: str, value: object) -> None:
        if name in self.__dict__.get("_fields", ()):
            self._no_assignment(name)

        super().__setattr__(name, value)

    def _board(self) -> str:
        return self._owner.board

    def __getitem__(self, name: str) -> BitField:
        if not isinstance(name, str):
            raise Misuse(
                self._owner.board, f"{self}: bits are taken from a value: 'await ....read()', then shift and mask"
            )

        bits = self._bits(name)
        entry = self._entries[name]
        access = str(entry.get("access") or self.access)
        return BitField(self, name, bits, access, str(entry.get("description") or ""))

    def __getattr__(self, name: str) -> BitField:
        if name.startswith("_"):
            raise AttributeError(name)

        return self[name]

    async def read(self) -> RegisterValue:
        """Read the register; raises `Misuse` when it is write-only.

        The board server loads a register twice for one read: a field that changes when it is read cannot be trusted,
        and gives a `RuntimeWarning` when it is looked at.
        """
        if self.access == _WRITE_ONLY:
            raise Misuse(self._owner.board, f"{self} is write-only")

        word = await self._owner.access.read(self.offset, self._length)
        return RegisterValue(word, str(self), self._fields, self._owner.read_actions.get(self.name, ()))

    async def write(self, value: SupportsIndex | None = None, /, **fields: int) -> None:
        """Write the whole register, or some of its fields in one read-modify-write.

        The other fields of a write-only register, which cannot be read first, are written as zero. Raises `Misuse` for
        a read-only register or field, `OutOfRange` for a value that does not fit, before anything is sent.
        """
        if self.access == _READ_ONLY:
            raise Misuse(self._owner.board, f"{self} is read-only")

        if (value is None) != bool(fields):
            raise Misuse(self._owner.board, f"write {self} either as one value or by its fields")

        if value is not None:
            width = 8 * self._length

            if isinstance(value, int) and not -(1 << width - 1) <= value < 1 << width:
                raise OutOfRange(self._owner.board, f"{self}: {value} does not fit into {width} bits")

            await self._owner.access.write(self.offset, value, length=self._length)
            return

        mask = word = 0

        for name, part in fields.items():
            bits: Field = self._bits(name)

            if self._entries[name].get("access") == _READ_ONLY:
                raise Misuse(self._owner.board, f"{self}.{name} is read-only")

            try:
                word = bits.put(word, operator.index(part))
            except TypeError:
                raise Misuse(self._owner.board, f"{self}.{name} takes an integer, not {part!r}") from None
            except ValueError as error:
                raise OutOfRange(self._owner.board, f"{self}.{name}: {error}") from None

            mask |= bits.mask

        if self.access == _WRITE_ONLY:
            await self._owner.access.write(self.offset, word)
        else:
            await self._owner.access.update(self.offset, mask, word)

    def _bits(self, name: str) -> Field:
        try:
            return self._fields[name]
        except KeyError:
            raise NotInDesign(self._owner.board, f"{self} has no field {name!r}; {_there_are(self._fields)}") from None


class RegisterMap(Mapping[str, Register]):
    """The registers of one IP by name; looking one up does no I/O."""

    def __init__(self, owner: Owner, entries: Mapping[str, Mapping[str, Any]]) -> None:
        self._owner = owner
        self._registers = {name: Register(owner, name, entry) for name, entry in entries.items()}

    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("_"):
            raise Misuse(
                self._owner.board,
                f"{self._owner.name}.{name} is not written by assignment: use 'await register_map.{name}.write(value)'",
            )

        super().__setattr__(name, value)

    def __repr__(self) -> str:
        lines = (f"\n  {one.offset:#06x} {name}" for name, one in self._registers.items())
        return f"<RegisterMap {self._owner.name}{''.join(lines)}>"

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._registers})

    def __len__(self) -> int:
        return len(self._registers)

    def __iter__(self) -> Iterator[str]:
        return iter(self._registers)

    def __getitem__(self, name: str) -> Register:
        try:
            return self._registers[name]
        except KeyError:
            raise NotInDesign(
                self._owner.board, f"{self._owner.name} has no register {name!r}; {_there_are(self._registers)}"
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._registers

    def __getattr__(self, name: str) -> Register:
        if name.startswith("_"):
            raise AttributeError(name)

        return self[name]

    async def read(self) -> dict[str, RegisterValue]:
        """Read every register that can be read, many at a time; mind those that change when they are read."""
        values: dict[str, RegisterValue] = {}
        readable = [register for register in self._registers.values() if register.access != _WRITE_ONLY]

        async def read(register: Register) -> None:
            values[register.name] = await register.read()

        await for_each(readable, read, width=min(len(readable), _WIDTH))
        return {register.name: values[register.name] for register in readable}


def _there_are(names: Mapping[str, object]) -> str:
    return f"there are {', '.join(names)}" if names else "its description names none"
