"""What the service says about boards."""

from dataclasses import asdict
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..farm import BoardStatistics
from .known import check_known
from .service import FarmService

State = Literal["free", "leased", "absent", "elsewhere"]


class Board(BaseModel):
    """A board of the farm, as it is now."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "z2-a",
                "address": "192.168.2.99",
                "model": "Pynq-Z2",
                "family": "zynq7000",
                "tags": ["camera"],
                "state": "leased",
                "since": 1.8e9,
                "holder": "alice",
                "reason": "",
                "design": "base.bit",
                "digest": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
                "partials": [],
                "sent": 4045650,
                "received": 512,
                "temperature": 46.9,
            }
        }
    )

    name: str
    address: str
    model: str | None = Field(description="None as long as the board has not answered.")
    family: str | None = Field(description="zynq7000, zynqmp or versal.")
    tags: list[str]
    state: State = Field(
        description="`absent` does not answer; `elsewhere` is held by another process of the service's host."
    )
    since: float = Field(description="When that began, in seconds since 1970.")
    holder: str | None = Field(description="Whose it is now.")
    reason: str = Field(description="Why it is absent; empty when it is not.")
    design: str | None = Field(description="The bitstream in its fabric, as far as the service knows.")
    digest: str | None = Field(description="SHA-256 of that bitstream's payload.")
    partials: list[str] = Field(description="Partial bitstreams loaded since.")
    sent: int = Field(description="Bytes sent to it.")
    received: int = Field(description="Bytes received from it.")
    temperature: float | None = Field(description="Of the die in degrees Celsius, when last seen.")


def board(service: FarmService, name: str) -> Board:
    """A board by name; raises `Refusal` for an unknown one."""
    check_known(service.farm, name)
    return _shown(service, service.farm.statistics().boards[name])


def boards(service: FarmService) -> list[Board]:
    """All boards, those that do not answer included, by name."""
    figures = service.farm.statistics().boards
    return [_shown(service, figures[name]) for name in sorted(figures)]


def _shown(service: FarmService, figures: BoardStatistics) -> Board:
    return Board.model_validate({**asdict(figures), "temperature": service.temperatures.get(figures.name)})
