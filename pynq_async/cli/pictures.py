"""Pictures made of formulas, the same each time, for the demo to resize."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.floating[Any]]

_GOLDEN = 0.618  # of a turn from one to the next: no two colours are alike
_SIZES = ((720, 1280), (600, 800), (540, 960), (480, 640))
_STEPS = 32
_BARS = ((235, 235, 235), (235, 235, 16), (16, 235, 235), (16, 235, 16), (235, 16, 235), (235, 16, 16), (16, 16, 235))


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture that the demo sends through a board.

    Attributes:
        number: from 0 on.
        name: of the motif.
        rows, cols: the size it has.
        to_rows, to_cols: the size it shall have.
    """

    number: int
    name: str
    rows: int
    cols: int
    to_rows: int
    to_cols: int

    @classmethod
    def numbered(cls, number: int) -> "Picture":
        """The picture of this number; motif, colours and size change from one to the next."""
        names = tuple(_MOTIFS)
        rows, cols = _SIZES[(number + number // len(names)) % len(_SIZES)]
        return cls(number, names[number % len(names)], rows, cols, rows // 2, cols // 2)

    @property
    def source_bytes(self) -> int:
        """Size of the picture in RGB."""
        return self.rows * self.cols * 3

    @property
    def result_bytes(self) -> int:
        """Size of the resized picture in RGB."""
        return self.to_rows * self.to_cols * 3

    def paint(self) -> Image:
        """Make the picture, of shape (rows, cols, 3)."""
        y, x = np.mgrid[0 : self.rows, 0 : self.cols].astype(np.float32)
        y = (y - self.rows / 2) / self.rows  # 1 from top to bottom, 0 in the middle
        x = (x - self.cols / 2) / self.rows
        return _MOTIFS[self.name](x, y, self.number * _GOLDEN % 1)


def _test_card(x: Plane, y: Plane, turn: float) -> Image:
    """Colour bars, a grid and a circle."""
    across = (x - x.min()) / np.ptp(x)
    image: Image = np.array(_BARS, np.uint8)[(across * len(_BARS)).astype(int).clip(0, len(_BARS) - 1)]
    lower = y > 0.25
    image[lower] = (16 + across[lower] * 219).astype(np.uint8)[:, None]
    pixel = 1 / x.shape[0]
    radius = np.hypot(x, y)
    lines = ((x + 0.05) % 0.1 < pixel) | ((y + 0.05) % 0.1 < pixel) | (abs(radius - 0.45) < pixel)
    image[lines] = 16
    dial = (radius < 0.2) & (np.arctan2(y, x) % (np.pi / 8) < np.pi / 16)
    image[radius < 0.2] = 235
    image[dial] = _rgb(np.array([turn]))
    return image


def _rings(x: Plane, y: Plane, turn: float) -> Image:
    """Rings that become finer from the middle outwards: what a resizer cannot show becomes a pattern of its own."""
    return _shaded(_rgb(np.hypot(x, y) + turn), 0.5 + 0.5 * np.cos(220 * (x * x + y * y)))


def _gradient(x: Plane, y: Plane, turn: float) -> Image:
    """All hues around the middle, paler towards it."""
    hue = np.arctan2(y, x) / (2 * np.pi) + turn
    pale = np.clip(1.4 * np.hypot(x, y), 0, 1)[..., None]
    return np.asarray(255 - pale * (255 - _rgb(hue).astype(np.float32)), np.uint8)


def _fractal(x: Plane, y: Plane, turn: float) -> Image:
    """The Julia set of a number on a circle."""
    z = (2.4 * (x + 1j * y)).astype(np.complex64)
    c = np.complex64(0.7885 * np.exp(2j * np.pi * (0.37 + 0.12 * turn)))
    steps = np.zeros(x.shape, np.float32)
    inside = np.ones(x.shape, bool)

    for _ in range(_STEPS):
        inside &= z.real**2 + z.imag**2 < 16
        steps += inside
        z = np.where(inside, z * z + c, 0)

    return _shaded(_rgb(steps / _STEPS + turn), np.sqrt(steps / _STEPS))


def _hills(x: Plane, y: Plane, turn: float) -> Image:
    """A sun and hills, one behind the other."""
    sky = np.clip(y + 0.5, 0, 1)[..., None]
    image = (1 - sky) * (40, 60, 130) + sky * (255, 170, 90)
    image[np.hypot(x - 0.35 * np.cos(6 * turn), y + 0.12) < 0.11] = (255, 235, 170)

    for row in range(5):
        crest = 0.05 + 0.09 * row + 0.05 * np.sin((5 - row) * x * 3 + 7 * row + 6 * turn) + 0.02 * np.sin(23 * x + row)
        image[y > crest] = np.array((95, 80, 120)) * (1 - 0.17 * row) + (0, 12 * row, 0)

    return np.asarray(image, np.uint8)


def _weave(x: Plane, y: Plane, turn: float) -> Image:
    """Waves across each other on a chessboard."""
    wave = np.sin(9 * x + 6 * turn) + np.sin(11 * y - 4 * turn) + np.sin(7 * (x + y)) + np.sin(25 * np.hypot(x, y))
    board = (np.floor(8 * x) + np.floor(8 * y)) % 2
    return _shaded(_rgb(wave / 8 + turn), 0.75 + 0.25 * board)


def _rgb(hue: Plane) -> Image:
    """The full colour of each hue; a hue and the next whole number are the same red."""
    away = abs((hue[..., None] + np.array([0, 2 / 3, 1 / 3], np.float32)) % 1 - np.float32(0.5))
    return np.asarray(255 * np.clip(6 * away - 1, 0, 1), np.uint8)


def _shaded(image: Image, light: Plane) -> Image:
    return (image * light[..., None].astype(np.float32)).astype(np.uint8)


_MOTIFS: dict[str, Callable[[Plane, Plane, float], Image]] = {
    "test-card": _test_card,
    "hills": _hills,
    "rings": _rings,
    "gradient": _gradient,
    "fractal": _fractal,
    "weave": _weave,
}
