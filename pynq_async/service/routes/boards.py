"""`/api/boards`: what the farm has."""

from fastapi import APIRouter

from ..access import BoardName, Reader, Service
from ..boards import Board, board, boards
from ..json_route import JsonRoute
from ..problems import RESPONSES

router = APIRouter(prefix="/api/boards", tags=["boards"], route_class=JsonRoute, responses=RESPONSES)


@router.get("")
async def list_boards(service: Service, caller: Reader) -> list[Board]:
    """All boards and their state, those that do not answer included."""
    return boards(service)


@router.get("/{name}")
async def get_board(name: BoardName, service: Service, caller: Reader) -> Board:
    """One board."""
    return board(service, name)
