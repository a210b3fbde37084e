"""Many boards at once."""

from ..config import BoardSpec
from .barrier import Barrier
from .events import (
    BoardJoined,
    BoardLeased,
    BoardLoaded,
    BoardLost,
    BoardNotLoaded,
    BoardProgress,
    BoardReturned,
    Events,
    FarmEvent,
)
from .farm import BoardFarm
from .health import Health
from .inventory import INVENTORY_SCHEMA, load_inventory
from .jobs import MapResult
from .lease import Lease
from .maps import FarmMap
from .results import Results
from .statistics import BoardStatistics, FarmStatistics

__all__ = [
    "INVENTORY_SCHEMA",
    "Barrier",
    "BoardFarm",
    "BoardJoined",
    "BoardLeased",
    "BoardLoaded",
    "BoardLost",
    "BoardNotLoaded",
    "BoardProgress",
    "BoardReturned",
    "BoardSpec",
    "BoardStatistics",
    "Events",
    "FarmEvent",
    "FarmMap",
    "FarmStatistics",
    "Health",
    "Lease",
    "MapResult",
    "Results",
    "load_inventory",
]
