"""A simulated board from plain values, as a command line, a marker of a test or another process gives them."""

from collections.abc import Mapping, Sequence
from inspect import signature
from os import PathLike
from types import MappingProxyType
from typing import Any

from ..errors import InvalidArgument
from .board import SimBoard
from .fabric import SimDesign
from .known_designs import read_designs
from .options import Hazards

MODELS = MappingProxyType({"zynq7000": "Pynq-Z2", "zynqmp": "ZCU104", "versal": "VCK190"})


async def make_board(
    *,
    model: str | None = None,
    family: str | None = None,
    designs: Sequence[str | PathLike[str] | SimDesign] = (),
    kernels: Mapping[str, str] | None = None,
    release: str = "4.0",
    cma_bytes: int = 128 * 2**20,
    firmware_bytes: int = 64 * 2**20,
    seed: int = 0,
    interrupt: bool = False,
    model_cache: bool = False,
    hazards: str = "",
    latency: float = 0.0,
    bandwidth: float | None = None,
    program_seconds: float = 0.0,
    drift: bool = False,
) -> SimBoard:
    """Make a board that nobody looks into; the arguments are those of `python -m pynq_async.sim`.

    `designs` may be files or designs that were read before; `kernels` belong to the files. A `model` of None fits the
    family, an empty one is left out.
    """
    files = [each for each in designs if not isinstance(each, SimDesign)]
    known = [each for each in designs if isinstance(each, SimDesign)]
    known += await read_designs(files, kernels)

    if model is None:
        model = MODELS.get(family or next((each.design.family for each in known if each.design.family), "zynq7000"))

    board = SimBoard(
        model=model or None,
        family=family,
        release=release,
        cma_bytes=cma_bytes,
        firmware_bytes=firmware_bytes,
        designs=known,
        hazards=Hazards.parse(hazards),
        seed=seed,
        interrupt=interrupt,
        model_cache=model_cache,
        digests=False,
        drift=drift,
    )
    board.faults.latency = latency
    board.faults.bandwidth = bandwidth
    board.faults.program_seconds = program_seconds
    return board


def check_options(options: Mapping[str, Any]) -> None:
    """Raise `InvalidArgument` for an option that `make_board` does not have."""
    names = list(signature(make_board).parameters)

    if unknown := [name for name in options if name not in names]:
        raise InvalidArgument(
            f"{', '.join(map(repr, unknown))}: simulated boards have no such option; there are {', '.join(names)}"
        )
