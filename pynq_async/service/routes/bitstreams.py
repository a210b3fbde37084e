"""`/api/bitstreams`: what may be loaded into boards."""

import re
from contextlib import aclosing
from typing import Annotated, Any, LiteralString

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from ...bitstream.files import DESCRIPTION_LIMIT
from ...concurrency import in_a_thread
from ..access import Reader, Service, User
from ..bitstreams import StoredBitstream, suffix_of
from ..departure import while_there
from ..design_view import Design, as_json
from ..problems import RESPONSES, Refusal
from ..service import FarmService
from ..storage import StoredFile
from ..streaming import pieces

router = APIRouter(prefix="/api/bitstreams", tags=["bitstreams"], responses=RESPONSES)

BitstreamId = Annotated[str, Path(description="The id of a bitstream.")]
_PLAIN = r"^\w[\w .+()-]*\."
_BITSTREAM = _PLAIN + "(bit|bin|pdi|xsa|BIT|BIN|PDI|XSA)$"
_DESCRIPTION = _PLAIN + "(hwh|HWH)$"


def _called(pattern: str, words: LiteralString) -> BeforeValidator:
    """Say in words what a name must be; the pattern itself is for the description of the service."""

    def check(name: object) -> object:
        if isinstance(name, str) and re.search(pattern, name) is None:
            raise PydanticCustomError("name", words)

        return name

    return BeforeValidator(check)


BitstreamName = Annotated[
    str,
    StringConstraints(max_length=100, pattern=_BITSTREAM),
    _called(
        _BITSTREAM,
        "it must be a plain file name that ends in .bit, .bin, .xsa or .pdi, without folders; "
        "a .hwh goes to PUT /api/bitstreams/.../description",
    ),
    Query(description="What the file is called, without a folder; its suffix says what it is.", examples=["base.bit"]),
]
DescriptionName = Annotated[
    str,
    StringConstraints(max_length=100, pattern=_DESCRIPTION),
    _called(_DESCRIPTION, "it must be a plain file name that ends in .hwh, without folders"),
    Query(description="What the file is called.", examples=["base.hwh"]),
]
_RAW: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class Bitstream(BaseModel):
    """A bitstream that was uploaded; it stays until it is deleted or the service ends."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "3vO2uAa0Yq1mXw7c",
                "name": "base.bit",
                "bytes": 4045672,
                "digest": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
                "part": "7z020clg400",
                "family": "zynq7000",
                "partial": False,
                "owner": "alice",
                "since": 1.8e9,
                "described": True,
            }
        }
    )

    id: str
    name: str
    bytes: int = Field(description="Length of the file.")
    digest: str = Field(description="SHA-256 of its payload, as boards tell it.")
    part: str = Field(description="Device and package, empty where the file does not tell.")
    family: str | None = Field(description="zynq7000, zynqmp or versal; None where the file does not tell.")
    partial: bool | None = Field(description="Whether it is of a region only; None where the file does not tell.")
    owner: str = Field(description="Who uploaded it.")
    since: float = Field(description="When, in seconds since 1970.")
    described: bool = Field(description="Whether it has a hardware description.")


@router.post("", status_code=201, openapi_extra=_RAW)
async def upload_bitstream(
    name: BitstreamName, request: Request, response: Response, service: Service, caller: User
) -> Bitstream:
    """Upload a .bit, .bin, .pdi or .xsa file as the body; it is kept if it is one."""
    file = await _received(request, service, suffix_of(name), service.options.upload_bytes)
    stored = await while_there(request, service.bitstreams.add(file, name, caller.name))
    response.headers["Location"] = f"{request.scope.get('root_path', '')}/api/bitstreams/{stored.id}"
    return _shown(stored)


@router.get("")
async def list_bitstreams(service: Service, caller: Reader) -> list[Bitstream]:
    """All bitstreams, by the time of their upload."""
    return [_shown(stored) for stored in service.bitstreams]


@router.get("/{bitstream}")
async def get_bitstream(bitstream: BitstreamId, service: Service, caller: Reader) -> Bitstream:
    """One bitstream."""
    return _shown(service.bitstreams.find(bitstream))


@router.get("/{bitstream}/design", response_model=Design)
async def get_design_of_bitstream(bitstream: BitstreamId, service: Service, caller: Reader) -> Response:
    """What the description of a bitstream says."""
    stored = service.bitstreams.find(bitstream)
    design = await stored.design()

    if design is None:
        raise Refusal(404, "no-design", f"{stored.about.name} has no description (PUT /api/bitstreams/.../description)")

    return Response(await in_a_thread(lambda: as_json(design)), media_type="application/json")


@router.put("/{bitstream}/description", openapi_extra=_RAW)
async def upload_description(
    bitstream: BitstreamId, name: DescriptionName, request: Request, service: Service, caller: User
) -> Bitstream:
    """Upload the .hwh file of a bitstream of yours as the body; it is kept if it can be understood."""
    stored = service.bitstreams.find_own(bitstream, caller)

    with stored.in_use():
        most = min(service.options.upload_bytes, DESCRIPTION_LIMIT)
        file = await _received(request, service, suffix_of(name), most)
        await while_there(request, service.bitstreams.describe(stored, file, name))

    return _shown(stored)


@router.delete("/{bitstream}", status_code=204)
async def delete_bitstream(bitstream: BitstreamId, service: Service, caller: User) -> None:
    """Delete a bitstream of yours; boards that run it go on."""
    await service.bitstreams.delete(service.bitstreams.find_own(bitstream, caller))


async def _received(request: Request, service: FarmService, suffix: str, most: int) -> StoredFile:
    """The body of a request as a file; one that says it is too long is not read at all."""
    service.check_running()
    length = request.headers.get("content-length", "")
    expected = int(length) if length.isdecimal() else 0

    if expected > most:
        raise Refusal(413, "too-large", f"this may have at most {most} bytes")

    async with aclosing(pieces(request, most=most, stall=service.options.stall)) as body:
        return await service.storage.receive(body, suffix, expected)


def _shown(stored: StoredBitstream) -> Bitstream:
    about = stored.about
    return Bitstream(
        id=stored.id,
        name=about.name,
        bytes=stored.file.bytes,
        digest=about.digest,
        part=about.part,
        family=about.family,
        partial=about.partial,
        owner=stored.owner,
        since=stored.since,
        described=stored.description is not None,
    )
