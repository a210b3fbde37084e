"""The kernel of PYNQ-HelloWorld's image resizer, for simulated boards."""

import numpy as np
import numpy.typing as npt

from .ip import KernelCall

Image = npt.NDArray[np.uint8]
Places = npt.NDArray[np.intp]

_BITS = 8  # of the fraction of a position
_ONE = 1 << _BITS


def resize(image: Image, rows: int, cols: int) -> Image:
    """Scale an image of shape (rows, cols, channels), bilinearly and in integers: the same bytes on any machine."""
    upper, lower, down = _between(image.shape[0], rows)
    left, right, across = _between(image.shape[1], cols)
    down, across = down[:, None, None], across[:, None]

    # 8 bits and 8 of a fraction fit 16, and 8 more of the other fraction 32.
    def lines(chosen: Places) -> npt.NDArray[np.uint16]:
        source = image.take(chosen, 0)
        wide = source.take(left, 1) * (_ONE - across)
        wide += source.take(right, 1) * across
        return wide

    scaled = lines(upper) * (_ONE - down).astype(np.uint32)
    scaled += lines(lower) * down.astype(np.uint32)
    scaled += 1 << 2 * _BITS - 1
    scaled >>= 2 * _BITS
    return scaled.astype(np.uint8)


def resize_accel(call: KernelCall) -> None:
    """Carry out `resize_accel_0` of `resizer.hwh`: an RGB image in at `src`, another size out at `dst`.

    `pynq-async sim --design resizer.hwh --kernel resize_accel_0=pynq_async.sim.resizer:resize_accel`
    """
    size = call.arguments
    image = np.frombuffer(call.receive("src"), np.uint8).reshape(size["src_rows"], size["src_cols"], 3)
    call.send("dst", resize(image, size["dst_rows"], size["dst_cols"]).tobytes())


def _between(source: int, target: int) -> tuple[Places, Places, npt.NDArray[np.uint16]]:
    """For each of `target` pixels the two of `source` around its centre, and how far it is from the first."""
    centres = (2 * np.arange(target) + 1) * source - target
    places = np.clip(centres * _ONE // (2 * target), 0, (source - 1) * _ONE)
    first = places >> _BITS
    return first, np.minimum(first + 1, source - 1), (places & _ONE - 1).astype(np.uint16)
