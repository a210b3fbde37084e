"""The pictures of the demo, and their files."""

from pathlib import Path

import numpy as np
import pytest

from pynq_async.cli.pictures import Picture
from pynq_async.cli.png import write_png

from .pngs import read_png


def test_pictures_are_of_every_kind_and_the_same_each_time() -> None:
    pictures = [Picture.numbered(number) for number in range(24)]
    assert len({(picture.name, picture.rows) for picture in pictures}) == 24
    first = pictures[0].paint()
    assert np.array_equal(first, Picture.numbered(0).paint())
    assert not np.array_equal(Picture.numbered(3).paint(), Picture.numbered(3 + 24).paint())


@pytest.mark.parametrize("number", range(6))
def test_a_picture_has_colours_and_the_size_it_says(number: int) -> None:
    picture = Picture.numbered(number)
    image = picture.paint()
    assert image.shape == (picture.rows, picture.cols, 3)
    assert image.dtype == np.uint8
    assert image.nbytes == picture.source_bytes
    assert image.std(axis=(0, 1)).min() > 20
    assert picture.source_bytes % 4 == picture.result_bytes % 4 == 0, "a DMA without realignment needs whole words"


def test_what_is_written_as_png_is_read_back(tmp_path: Path) -> None:
    for shape in ((1, 1, 3), (7, 5, 3), (64, 100, 3)):
        image = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
        write_png(tmp_path / "image.png", image)
        assert np.array_equal(read_png(tmp_path / "image.png"), image)
