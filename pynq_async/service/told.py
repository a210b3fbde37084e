"""What happens in a farm, in the words of the event stream."""

from typing import Any

from ..farm import (
    BoardJoined,
    BoardLeased,
    BoardLoaded,
    BoardLost,
    BoardNotLoaded,
    BoardProgress,
    BoardReturned,
    FarmEvent,
)


def told(event: FarmEvent) -> tuple[str, dict[str, Any]]:
    """The kind and the data of an event."""
    data: dict[str, Any] = {"board": event.board, "time": event.time}

    match event:
        case BoardJoined():
            return "joined", data | {"again": event.again}
        case BoardLost():
            return "lost", data | {"reason": event.reason}
        case BoardLeased():
            return "leased", data | {"by": event.by}
        case BoardReturned():
            return "returned", data | {"forgotten": list(event.forgotten)}
        case BoardProgress():
            step = event.progress
            return "progress", data | {"stage": step.stage, "done": step.done, "total": step.total}
        case BoardLoaded():
            return "loaded", data | {"name": event.loaded.name, "digest": event.loaded.digest}
        case BoardNotLoaded():
            return "not_loaded", data | {"reason": event.reason}
        case _:
            return "event", data
