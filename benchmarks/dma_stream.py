"""Frames through a DMA loopback: as a stream, against one after another.

    python benchmarks/dma_stream.py

The simulated board answers every call after 1 ms. Prints the figure with its target.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median

import numpy as np
import numpy.typing as npt

from pynq_async import Overlay, RemoteDevice
from pynq_async.overlay.drivers import DMA
from pynq_async.sim import SimBoard, serve
