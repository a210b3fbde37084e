"""`/api/boards/{board}/program` and `design`: bitstreams into boards, and what is in them then."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from ...concurrency import in_a_thread
from ..access import BoardName, Reader, Service, User
from ..design_view import Design, as_json
from ..designs import Order
from ..json_route import JsonRoute
from ..known import check_known
from ..problems import RESPONSES

router = APIRouter(prefix="/api/boards/{board}", tags=["boards"], route_class=JsonRoute, responses=RESPONSES)


class ProgramRequest(BaseModel):
    """What a board is to be programmed with, and how."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {"bitstream": "3vO2uAa0Yq1mXw7c"},
                {"bitstream": "9vq0jW1zPa7Tn2Lc", "partial": True, "region": "filter", "verify": "full"},
            ]
        },
    )

    bitstream: str = Field(description="The id of an uploaded bitstream.")
    partial: StrictBool = Field(False, description="Reconfigure a region only.")
    region: str | None = Field(
        None, description="The hierarchy of the design that is the region; its IP are then those of the bitstream."
    )
    verify: Literal["marker", "full"] = Field(
        "marker", description="How the upload is checked: `full` reads the whole bitstream back from the board."
    )
    clocks: StrictBool = Field(True, description="Whether to set the clocks of the fabric as the design wants them.")
    download: StrictBool = Field(
        True, description="False takes what is in the fabric already, if it is this bitstream."
    )


class Programmed(BaseModel):
    """What a board has been programmed with."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "base.bit",
                "digest": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
                "uploaded_bytes": 4045564,
                "ip": 20,
            }
        }
    )

    name: str
    digest: str = Field(description="SHA-256 of the payload.")
    uploaded_bytes: int = Field(description="What had to be sent; 0 when the board had it already.")
    ip: int = Field(description="How many IP of its design have registers; 0 without a description.")


@router.post("/program")
async def program(board: BoardName, wanted: ProgramRequest, service: Service, caller: User) -> Programmed:
    """Program a board of yours; answers when its fabric operates. Progress is told by `/api/events`.

    Once begun it is carried to its end, whether or not anybody waits for the answer.
    """
    service.check_running()
    lease = service.leases.of_board(board, caller)
    order = Order(
        service.bitstreams.find(wanted.bitstream),
        wanted.partial,
        wanted.region,
        wanted.verify,
        wanted.clocks,
        wanted.download,
    )
    done = await service.designs.program(lease, board, order)
    return Programmed(name=done.name, digest=done.digest, uploaded_bytes=done.uploaded_bytes, ip=done.ip)


@router.get("/design", response_model=Design)
async def get_design_of_board(board: BoardName, service: Service, caller: Reader) -> Response:
    """What the service has programmed a board with, the IP of its regions included."""
    check_known(service.farm, board)
    design = service.designs.now(board)
    return Response(await in_a_thread(lambda: as_json(design)), media_type="application/json")
