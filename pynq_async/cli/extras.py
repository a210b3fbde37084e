"""What is not installed unless it is asked for."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import InvalidArgument

_SERVICE = ("fastapi", "pydantic", "starlette", "uvicorn")


@contextmanager
def service_extra() -> Iterator[None]:
    """Import what the service needs in the block; raises `InvalidArgument` where it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _SERVICE:
            raise

        raise InvalidArgument(f"{error.name} is missing; install pynq-async[service] to have the service") from None
