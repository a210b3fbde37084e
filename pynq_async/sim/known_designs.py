"""Designs for a simulated board, from files, with kernels named on a command line."""

import importlib
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path

from ..bitstream import load_bitstream, load_design
from ..errors import InvalidArgument
from .fabric import SimDesign
from .ip import Kernel


async def read_designs(
    paths: Iterable[str | PathLike[str]], kernels: Mapping[str, str] | None = None
) -> list[SimDesign]:
    """Read the designs that a board is to know.

    Args:
        paths: hardware descriptions (`.hwh`), which stand for any bitstream, or bitstreams with their descriptions
            beside or inside them, which stand for themselves.
        kernels: Python functions, `module:function`, by the full path of the HLS kernel that carries them out.

    Raises:
        BitstreamError: a file that cannot be read, or that has no description (`DesignError`).
        InvalidArgument: a function that cannot be found, or an IP that none of the designs has.
    """
    functions = {ip: find_function(where) for ip, where in (kernels or {}).items()}
    designs = []

    for path in paths:
        if Path(path).suffix.lower() == ".hwh":
            design, digest = await load_design(path), None
        else:
            bitstream = await load_bitstream(path)
            design, digest = await load_design(bitstream), bitstream.digest

        own = {ip: function for ip, function in functions.items() if ip in design.ip}
        designs.append(SimDesign(design, digest=digest, kernels=own))

    for ip in functions:
        if not any(ip in each.kernels for each in designs):
            names = sorted({name for each in designs for name in each.design.ip})
            raise InvalidArgument(f"{ip!r}: no design has this IP for a kernel; there are {', '.join(names) or 'none'}")

    return designs


def find_function(where: str) -> Kernel:
    """Import what is written as `module:function`; raises `InvalidArgument`."""
    module, _, name = where.partition(":")

    if not module or not name:
        raise InvalidArgument(f"{where!r} is no function; write module:function")

    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as problem:
        raise InvalidArgument(f"{where!r} cannot be imported: {problem}") from problem

    if not callable(found):
        raise InvalidArgument(f"{where!r} is no function but {type(found).__name__}")

    function: Kernel = found
    return function


def kernel_option(text: str) -> tuple[str, str]:
    """Split `IP=module:function`; raises `InvalidArgument`."""
    ip, _, where = text.partition("=")

    if not ip or ":" not in where:
        raise InvalidArgument(f"{text!r} is no kernel; write IP=module:function")

    return ip, where
