"""What a run of a job is given as the body of a request, and what it gives back."""

import types
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

import numpy as np
import numpy.typing as npt
import pydantic_core

from .npy import NPY, RAW, Filling, header, slices, unpacked
from .problems import Refusal

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Payload:
    """A parameter of a job that comes as a body: bytes, or a numpy array.

    Attributes:
        name: the parameter.
        optional: whether it may be left out.
        is_array: whether it is an array, in numpy's format.
        elements: the kind of elements that an array must have; any when None.
    """

    name: str
    optional: bool
    is_array: bool
    elements: type[np.generic] | None = None

    @classmethod
    def of(cls, name: str, hint: Any, *, optional: bool) -> "Payload | None":
        """The payload that a parameter with such an annotation is; None when it is none."""
        if get_origin(hint) is Annotated:
            hint = get_args(hint)[0]

        if get_origin(hint) in (Union, types.UnionType):
            hint = next((each for each in get_args(hint) if each is not type(None)), hint)

        # On Python 3.12 and later, NDArray of a recent numpy is an alias by a `type` statement (PEP 695).
        if (alias := getattr(get_origin(hint) or hint, "__value__", None)) is not None:
            hint = alias[get_args(hint)] if get_args(hint) else alias

        if hint is bytes:
            return cls(name, optional, is_array=False)

        if np.ndarray not in (hint, get_origin(hint)):
            return None

        elements = next(iter(get_args((get_args(hint) or (Any, Any))[1])), None)
        known = isinstance(elements, type) and issubclass(elements, np.generic)
        return cls(name, optional, is_array=True, elements=elements if known else None)

    @property
    def media_type(self) -> str:
        """What it is sent as."""
        return NPY if self.is_array else RAW

    async def received(self, stream: AsyncIterator[bytes], most: int) -> bytes | npt.NDArray[Any]:
        """Take it in as it comes; raises `Refusal` when it is something else, or has more than `most` bytes."""
        if not self.is_array:
            return b"".join([piece async for piece in stream])

        said, first = await unpacked(stream)

        if self.elements is not None and not np.issubdtype(said.dtype, self.elements):
            wanted = f"{self.name} is an array of {self.elements.__name__}"
            raise Refusal(422, "wrong-array", f"{wanted}, the file has {said}")

        if said.nbytes > most:
            raise Refusal(413, "too-large", f"{self.name} may have at most {most} bytes, not {said.nbytes}")

        try:
            array = np.empty(said.shape, said.dtype)
        except (ValueError, MemoryError) as error:
            raise Refusal(422, "not-npy", f"an array of {said} cannot be ({error})") from None

        filling = Filling(array)
        filling.add(first)

        async for piece in stream:
            filling.add(piece)

        filling.check_full()
        return array


@dataclass(frozen=True, slots=True)
class Result:
    """What a job returned, as it is sent."""

    media_type: str
    head: bytes
    content: npt.NDArray[Any]

    @classmethod
    def of(cls, value: object) -> "Result":
        """The result of a value, a copy of it; raises `TypeError` or `ValueError` for what cannot be sent."""
        if isinstance(value, np.ndarray):
            if value.dtype.hasobject:
                raise TypeError(f"an array of {value.dtype} cannot be sent")

            array = np.array(value, order="C", subok=False)  # the job may use the memory again
            return cls(NPY, header(array), array)

        if isinstance(value, bytes | bytearray | memoryview):
            return cls(RAW, b"", np.frombuffer(bytes(value), np.uint8))

        text = pydantic_core.to_json(value, inf_nan_mode="null", fallback=_plain)
        return cls(JSON, b"", np.frombuffer(text, np.uint8))

    @property
    def nbytes(self) -> int:
        """How many bytes are sent."""
        return len(self.head) + self.content.nbytes

    def pieces(self) -> Iterator[bytes]:
        """What is sent."""
        if self.head:
            yield self.head

        yield from slices(self.content)


def _plain(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()

    raise TypeError(f"{type(value).__name__} cannot be said in JSON")
