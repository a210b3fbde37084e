"""The jobs of a service, which its owner has written in a module of their own."""

import importlib
import os
import sys
from typing import TYPE_CHECKING

from ..errors import InvalidArgument

if TYPE_CHECKING:
    from ..service import Jobs


def load_jobs(where: str) -> "Jobs":
    """Import what is written as `module:name`, also from the current folder; raises `InvalidArgument`."""
    from ..service import Jobs

    module, _, name = where.partition(":")

    if not module or not name:
        raise InvalidArgument(f"--jobs {where}: write MODULE:NAME")

    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)

    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as problem:
        raise InvalidArgument(f"--jobs {where} cannot be imported: {problem}") from problem

    if not isinstance(found, Jobs):
        raise InvalidArgument(f"--jobs {where} is no pynq_async.service.Jobs but {type(found).__name__}")

    return found
