"""`/api/events`: what happens, as server-sent events."""

from fastapi import APIRouter, Response

from ..access import Reader, Service
from ..boards import boards
from ..feed import written
from ..problems import RESPONSES
from ..streaming import GuardedStream

router = APIRouter(prefix="/api/events", tags=["events"], responses=RESPONSES)


@router.get(
    "",
    response_class=Response,
    responses={
        200: {"description": "A stream of events.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    },
)
async def watch(service: Service, caller: Reader) -> GuardedStream:
    """What happens from now on, without an end.

    The first event, `boards`, says how everything is: a list as of `GET /api/boards`. Then come `joined`, `lost`,
    `leased`, `returned`, `progress`, `loaded`, `not_loaded`, `run` and, now and then, `samples`. The data of each is a
    JSON object, with `time` and mostly `board`. A client that does not keep up is disconnected and should ask again.
    """

    def first() -> bytes:
        return written("boards", {"boards": [board.model_dump(mode="json") for board in boards(service)]})

    stream = service.feed.watch(first, lambda: not service.tokens.expired(caller))
    return GuardedStream(stream, service.options.stall, media_type="text/event-stream")
