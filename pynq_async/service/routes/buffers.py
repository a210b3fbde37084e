"""`/api/boards/{board}/buffers`: contiguous memory of a board, as bytes or as numpy's files."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from ..access import BoardName, Service, User
from ..buffers import BufferResponse, LeasedBuffer, allocate, find
from ..json_route import JsonRoute
from ..npy import BYTES, NPY, RAW
from ..problems import RESPONSES

_PLACE: dict[str, Any] = {"prefix": "/api/boards/{board}/buffers", "tags": ["buffers"], "responses": RESPONSES}
_DATA = {RAW: {"schema": BYTES}, NPY: {"schema": BYTES}}
_SENT: dict[str, Any] = {"requestBody": {"required": True, "content": _DATA}}

router = APIRouter(route_class=JsonRoute, **_PLACE)
data = APIRouter(**_PLACE)
BufferId = Annotated[str, Path(description="The id of a buffer.")]
Extent = Annotated[int, Field(ge=1, le=1 << 40)]


class BufferRequest(BaseModel):
    """What is to be allocated."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"example": {"shape": [1080, 1920, 3], "dtype": "u1"}}
    )

    shape: list[Extent] = Field(min_length=1, max_length=32)
    dtype: str = Field(
        "u4", pattern=r"^[<>=|]?[A-Za-z?][A-Za-z0-9]{0,15}$", description="As numpy has it, such as u1 or <f4."
    )
    cacheable: StrictBool = Field(True, description="Whether the board's processor caches it.")


class Buffer(BaseModel):
    """A buffer of yours."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "Yx2bq0dLr5Q",
                "board": "z2-a",
                "shape": [1080, 1920, 3],
                "dtype": "|u1",
                "bytes": 6220800,
                "physical_address": 377487360,
            }
        }
    )

    id: str
    board: str
    shape: list[int]
    dtype: str
    bytes: int
    physical_address: int = Field(description="Where the hardware finds it.")


@router.post("", status_code=201)
async def allocate_buffer(
    board: BoardName, wanted: BufferRequest, request: Request, response: Response, service: Service, caller: User
) -> Buffer:
    """Allocate memory of a board; it is freed when the lease ends."""
    service.check_running()
    lease = service.leases.of_board(board, caller)
    most = service.options.buffer_bytes
    buffer = await allocate(lease, board, wanted.shape, wanted.dtype, cacheable=wanted.cacheable, most=most)
    response.headers["Location"] = f"{request.url.path.rstrip('/')}/{buffer.id}"
    return _shown(buffer)


@router.get("")
async def list_buffers(board: BoardName, service: Service, caller: User) -> list[Buffer]:
    """The buffers that you have on a board."""
    lease = service.leases.of_board(board, caller)
    return [_shown(buffer) for buffer in lease.buffers.values() if buffer.board == board]


@router.get("/{buffer}")
async def get_buffer(board: BoardName, buffer: BufferId, service: Service, caller: User) -> Buffer:
    """A buffer of yours."""
    return _shown(find(service.leases.of_board(board, caller), board, buffer))


@router.delete("/{buffer}", status_code=204)
async def free_buffer(board: BoardName, buffer: BufferId, service: Service, caller: User) -> None:
    """Free a buffer."""
    lease = service.leases.of_board(board, caller)
    found = find(lease, board, buffer)

    async with lease.use(board):
        del lease.buffers[buffer]
        await found.free()


@data.put("/{buffer}/data", status_code=204, openapi_extra=_SENT)
async def write_buffer(board: BoardName, buffer: BufferId, request: Request, service: Service, caller: User) -> None:
    """Write a buffer: plain bytes, exactly as many as it has, or an array in numpy's format of its shape and dtype.

    The board has them when this answers. As long as not all have come, the board keeps what it had.
    """
    service.check_running()
    found = find(service.leases.of_board(board, caller), board, buffer)
    await found.write(request, service.options.stall)


@data.get(
    "/{buffer}/data",
    response_class=Response,
    responses={200: {"description": "What the board has in the buffer now.", "content": _DATA}},
)
async def read_buffer(
    board: BoardName, buffer: BufferId, request: Request, service: Service, caller: User
) -> BufferResponse:
    """Read a buffer: as plain bytes, or in numpy's format when `Accept` has `application/x-npy`."""
    service.check_running()
    found = find(service.leases.of_board(board, caller), board, buffer)
    return BufferResponse(found, service.options.stall, npy=NPY in request.headers.get("accept", ""))


def _shown(buffer: LeasedBuffer) -> Buffer:
    return Buffer(
        id=buffer.id,
        board=buffer.board,
        shape=list(buffer.array.shape),
        dtype=buffer.array.dtype.str,
        bytes=buffer.array.nbytes,
        physical_address=buffer.array.physical_address,
    )
