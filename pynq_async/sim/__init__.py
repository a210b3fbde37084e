"""Simulated boards: PYNQ's server with its quirks, without hardware."""

from .board import SimBoard
from .bus import Hook
from .counters import Counters, ProgramEvent
from .fabric import SimDesign
from .faults import FaultPlan
from .filesystem import FileSystem
from .ip import MODELS, HlsModel, IicDevice, IicMemory, IpModel, KernelCall, Site, Stream
from .link import Link
from .memory import Memory
from .options import Hazards
from .process import BoardAddress, spawn
from .server import serve

__all__ = [
    "MODELS",
    "BoardAddress",
    "Counters",
    "FaultPlan",
    "FileSystem",
    "Hazards",
    "HlsModel",
    "Hook",
    "IicDevice",
    "IicMemory",
    "IpModel",
    "KernelCall",
    "Link",
    "Memory",
    "ProgramEvent",
    "SimBoard",
    "SimDesign",
    "Site",
    "Stream",
    "serve",
    "spawn",
]
