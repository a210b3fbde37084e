"""The function behind the resizer of the demo."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynq_async.sim.resizer import resize

sizes = st.tuples(st.integers(1, 20), st.integers(1, 20))


@given(sizes, sizes, st.integers(0, 2**32 - 1))
def test_an_image_is_scaled_between_its_own_colours(
    source: tuple[int, int], target: tuple[int, int], seed: int
) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (*source, 3), np.uint8)
    scaled = resize(image, *target)
    assert scaled.shape == (*target, 3)
    assert scaled.dtype == np.uint8
    assert (scaled.min(axis=(0, 1)) >= image.min(axis=(0, 1))).all()
    assert (scaled.max(axis=(0, 1)) <= image.max(axis=(0, 1))).all()
    assert np.array_equal(resize(image, *source), image)
    assert np.array_equal(resize(image[::-1, ::-1], *source), image[::-1, ::-1])


@pytest.mark.parametrize(("count", "ramp"), [(4, [32, 96, 160, 224]), (2, [64, 192]), (1, [128])])
def test_every_pixel_is_at_its_place(count: int, ramp: list[int]) -> None:
    image = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    assert resize(image, 1, count)[0, :, 0].tolist() == ramp
    assert resize(image.swapaxes(0, 1), count, 1)[:, 0, 0].tolist() == ramp


def test_between_two_pixels_lie_their_means() -> None:
    image = np.array([[[0], [100]]], np.uint8)
    assert resize(image, 1, 4)[0, :, 0].tolist() == [0, 25, 75, 100]
