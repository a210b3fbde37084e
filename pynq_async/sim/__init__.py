"""Simulated boards: PYNQ's server with its quirks, without hardware."""

from .board import SimBoard
from .bus import Hook
from .counters import Counters, ProgramEvent
from .faults import FaultPlan
from .filesystem import FileSystem
from .memory import Memory
from .options import Hazards
from .server import serve

__all__ = [
    "Counters",
    "FaultPlan",
    "FileSystem",
    "Hazards",
    "Hook",
    "Memory",
    "ProgramEvent",
    "SimBoard",
    "serve",
]
