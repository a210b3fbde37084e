"""What an overlay costs on a board with round trips of 1 ms: loading it, streaming through a DMA, a block RAM.

    python benchmarks/overlays.py

The boards are simulated, in processes of their own; ratios are of runs that take turns.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median

import numpy as np

from pynq_async import Bitstream, Design, Overlay, RemoteDevice, load_design
from pynq_async.bitstream import synthetic_bitstream
from pynq_async.sim import spawn

ROUND_TRIP = 0.001
