"""`/api/boards/{board}/registers` and `mmio`: the registers and memories of the design in a board."""

from typing import Annotated, Literal

from annotated_types import Ge
from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt
from pydantic_core import PydanticCustomError

from .. import registers as named
from ..access import BoardName, Service, User
from ..json_route import JsonRoute
from ..problems import RESPONSES, Refusal

router = APIRouter(prefix="/api/boards/{board}", tags=["registers"], route_class=JsonRoute, responses=RESPONSES)

IpPath = Annotated[
    str, Query(description="The full path of an IP or a memory of the design.", examples=["video/axi_vdma"])
]


def _to_number(text: object) -> object:
    """An offset as people write it: 64, or 0x40."""
    try:
        return int(text, 16 if text.lower().startswith("0x") else 10) if isinstance(text, str) else text
    except ValueError:
        raise PydanticCustomError("offset", "it must be a number such as 64 or 0x40") from None


Offset = Annotated[
    int,
    Ge(0),
    BeforeValidator(_to_number),
    Query(description="In bytes from its beginning, a multiple of 4; hexadecimal with 0x in front."),
]
Length = Annotated[Literal[4, 8], BeforeValidator(int), Query(description="In bytes.")]


class RegisterValue(BaseModel):
    """What a register held."""

    name: str
    offset: int
    value: int
    fields: dict[str, int] = Field(description="From the lowest bit up.")


class RegisterValues(BaseModel):
    """What registers of one IP held."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "ip": "video/axi_vdma",
                "registers": [{"name": "PARK_PTR_REG", "offset": 40, "value": 1, "fields": {"RdFrmPtrRef": 1}}],
            }
        }
    )

    ip: str
    registers: list[RegisterValue]


class RegisterWrite(BaseModel):
    """Either the whole word or some fields, which leaves the others as they are."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"value": 5}, {"fields": {"RS": 1}}]})

    value: StrictInt | None = Field(None, description="The whole word; a negative one is written as two's complement.")
    fields: dict[str, StrictInt] = Field({}, description="Values by the name of the field.")


class RegisterWritten(BaseModel):
    """The word that was written."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"ip": "leds_gpio", "register": "GPIO_DATA", "offset": 0, "value": 5}}
    )

    ip: str
    register_name: str = Field(alias="register")
    offset: int
    value: int


class WordWrite(BaseModel):
    """A word for a place in an IP or a memory."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"value": 5}})

    value: StrictInt = Field(description="A negative one is written as two's complement.")


class Word(BaseModel):
    """A word in an IP or a memory."""

    model_config = ConfigDict(json_schema_extra={"example": {"ip": "leds_gpio", "offset": 0, "length": 4, "value": 5}})

    ip: str
    offset: int
    length: Literal[4, 8]
    value: int


@router.get("/registers")
async def read_registers(
    board: BoardName,
    ip: IpPath,
    service: Service,
    caller: User,
    register: Annotated[list[str], Query(description="Names of registers.")] = [],  # noqa: B006 - as FastAPI has it
) -> RegisterValues:
    """Read registers of an IP by name: all that can be read, but for those that change by it, unless some are named."""
    async with service.leases.of_board(board, caller).use(board):
        values = await named.read(service.designs.of(board), ip, register)

    return RegisterValues(
        ip=ip,
        registers=[
            RegisterValue(name=one.name, offset=one.offset, value=value, fields=value.fields()) for one, value in values
        ],
    )


@router.put("/registers")
async def write_register(
    board: BoardName,
    ip: IpPath,
    register: Annotated[str, Query(description="The name of the register.")],
    wanted: RegisterWrite,
    service: Service,
    caller: User,
) -> RegisterWritten:
    """Write a register, or some of its fields in one read-modify-write."""
    if (wanted.value is None) == (not wanted.fields):
        raise Refusal(422, "invalid-argument", "write a register either as one value or by its fields")

    async with service.leases.of_board(board, caller).use(board):
        found, word = await named.write(service.designs.of(board), ip, register, wanted.value, wanted.fields)

    return RegisterWritten(ip=ip, register=found.name, offset=found.offset, value=word)


@router.get("/mmio")
async def read_word(
    board: BoardName, ip: IpPath, offset: Offset, service: Service, caller: User, length: Length = 4
) -> Word:
    """Read a word of an IP or a memory by its offset; 8 bytes are two reads of 4, the lower one first."""
    async with service.leases.of_board(board, caller).use(board):
        value = await named.window(service.designs.of(board), ip).read(offset, length)

    return Word(ip=ip, offset=offset, length=length, value=value)


@router.put("/mmio")
async def write_word(
    board: BoardName,
    ip: IpPath,
    offset: Offset,
    wanted: WordWrite,
    service: Service,
    caller: User,
    length: Length = 4,
) -> Word:
    """Write a word of an IP or a memory by its offset; 8 bytes are two writes of 4, the lower one first."""
    async with service.leases.of_board(board, caller).use(board):
        await named.window(service.designs.of(board), ip).write(offset, wanted.value, length=length)

    return Word(ip=ip, offset=offset, length=length, value=wanted.value & ((1 << 8 * length) - 1))
