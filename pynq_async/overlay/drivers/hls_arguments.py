"""What is passed to a kernel, as words for its argument registers."""

import operator
from collections.abc import Iterable, Mapping
from inspect import Parameter, Signature
from keyword import iskeyword

import numpy as np

from ...board.buffer import Buffer
from ...board.device import RemoteDevice
from ...errors import Misuse, OutOfRange
from ...hardware.hls import Argument

Word = tuple[int, int]  # offset, value


def signature(arguments: Iterable[Argument]) -> Signature:
    """The arguments as Python shows a function's; one that is a keyword of Python ends in an underscore here."""
    names = [argument.name + "_" * iskeyword(argument.name) for argument in arguments]
    return Signature([Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names])


def bind(
    board: RemoteDevice,
    kernel: str,
    arguments: Iterable[Argument],
    positional: tuple[object, ...],
    named: Mapping[str, object],
) -> tuple[list[Word], list[Buffer]]:
    """The register words for these values, and the buffers among them.

    Raises `Misuse` for a value that is missing, unknown or of no use to a kernel, `OutOfRange` for one that does not
    fit, and what `Buffer` raises for one that was freed or is another board's.
    """
    arguments = list(arguments)

    try:
        values = signature(arguments).bind(*positional, **named).args
    except TypeError as error:
        # Python names an unknown argument only when none is missing.
        unknown = [
            name for name in named if name not in signature(arguments).parameters and repr(name) not in str(error)
        ]
        more = f", and there is no argument {', '.join(map(repr, unknown))}" if unknown else ""
        raise Misuse(board.name, f"{kernel}{signature(arguments)}: {error}{more}") from None

    words: list[Word] = []

    for argument, value in zip(arguments, values, strict=True):
        bits = _bits(board, f"{kernel}: {argument.name}", argument.width, value)
        words += [(offset, bits >> 32 * index & 0xFFFF_FFFF) for index, offset in enumerate(argument.offsets)]

    return words, [value for value in values if isinstance(value, Buffer)]


def _bits(board: RemoteDevice, what: str, width: int, value: object) -> int:
    """A value as the unsigned integer of `width` bits that the register gets."""
    if isinstance(value, Buffer):
        board.check_buffer(value)
        return _fitting(board, what, width, value.physical_address)

    if isinstance(value, np.floating):
        if 8 * value.itemsize != width:
            raise OutOfRange(board.name, f"{what} has {width} bits, not the {8 * value.itemsize} of {value.dtype}")

        return int(value.view(f"u{value.itemsize}"))

    if isinstance(value, float):
        raise Misuse(
            board.name, f"{what} cannot be a plain float; pass numpy.float32({value}) or numpy.float64({value})"
        )

    if isinstance(value, np.bool_):
        value = bool(value)

    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise Misuse(
            board.name, f"{what} is a number, or a buffer that was allocated on the board, not {type(value).__name__}"
        ) from None

    return _fitting(board, what, width, number)


def _fitting(board: RemoteDevice, what: str, width: int, number: int) -> int:
    if not -(1 << width - 1) <= number < 1 << width:
        raise OutOfRange(board.name, f"{what} has {width} bits, and {number:#x} does not fit")

    return number % (1 << width)
