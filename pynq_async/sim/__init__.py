"""Simulated boards: PYNQ's server with its quirks, without hardware."""

from .board import SimBoard
from .bus import Hook
from .counters import Counters, ProgramEvent
from .faults import FaultPlan
from .filesystem import FileSystem
from .link import Link
from .memory import Memory
from .options import Hazards
from .process import BoardAddress, spawn
from .server import serve

__all__ = [
    "BoardAddress",
    "Counters",
    "FaultPlan",
    "FileSystem",
    "Hazards",
    "Hook",
    "Link",
    "Memory",
    "ProgramEvent",
    "SimBoard",
    "serve",
    "spawn",
]
