"""`pynq-async demo` without anything: images through the resizer of simulated boards."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from pynq_async import BoardFarm
from pynq_async.bitstream import load_design, parse_bitstream, shipped_description, synthetic_bitstream
from pynq_async.cli.pictures import Picture
from pynq_async.cli.resizer import Resizer
from pynq_async.progress import Progress
from pynq_async.sim import KernelCall, SimBoard, SimDesign, serve
from pynq_async.sim.resizer import resize, resize_accel

from ..boards import assert_clean
from .command import pynq_async
from .conftest import Here
from .pngs import read_png

BITSTREAM = parse_bitstream("resizer.bit", synthetic_bitstream(), description=shipped_description("resizer"))


async def test_demo_without_anything(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "pictures"
    ended = await pynq_async("demo", "--boards", 2, "--images", 5, "--output", folder)

    assert ended.code == 0
    assert ended.err == "Starting 2 simulated boards (Pynq-Z2) with an image resizer ...\n"
    rows = [line for line in ended.out.splitlines() if line.startswith("sim-")]
    assert len(rows) == 2
    assert all("resizer.bit" in row and "✓" in row for row in rows)
    assert "5 images on 2 boards" in ended.out
    assert f"Look at them: {folder}" in ended.out
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == [
        "01-test-card.png",
        "02-hills.png",
        "03-rings.png",
        "04-gradient.png",
        "05-fractal.png",
    ]

    for number, file in enumerate(files):
        picture = Picture.numbered(number)
        assert np.array_equal(read_png(file), resize(picture.paint(), picture.to_rows, picture.to_cols))


def test_demo_for_machines(here: Here, tmp_path: Path) -> None:
    ended = here("demo", "--boards", 2, "--images", 3, "--output", tmp_path, "--json")

    assert ended.code == 0
    assert not ended.err
    values = ended.values
    assert values["verified"] and values["simulated"]
    assert values["output"] == str(tmp_path)
    assert sum(board["images"] for board in values["boards"].values()) == 3
    assert [image["file"] for image in values["images"]] == ["01-test-card.png", "02-hills.png", "03-rings.png"]
    assert all(image["verified"] and (tmp_path / image["file"]).exists() for image in values["images"])
    assert values["images"][0]["from"] == [720, 1280] and values["images"][0]["to"] == [360, 640]


def test_options_that_do_not_go_together_are_refused(here: Here, bitfile: Path, tmp_path: Path) -> None:
    for arguments, words in (
        (("--size", 4), "--size is for a --bitstream or an --address"),
        (("--images", 4, "--bitstream", bitfile), "--images: with a --bitstream or an --address no images are resized"),
        (("--output", tmp_path, "--images", 4, "--address", "board"), "--images and --output: with"),
    ):
        ended = here("demo", *arguments)
        assert ended.code == 2
        assert words in ended.err


def test_a_folder_that_cannot_be_made_is_one_sentence(here: Here, bitfile: Path) -> None:
    ended = here("demo", "--output", bitfile / "pictures")
    assert ended.code == 1
    assert "cannot be written (Not a directory); choose another --output" in ended.only_error


def wrong(call: KernelCall) -> None:
    """A kernel that is off by one in the last pixel."""
    size = call.arguments
    image = np.frombuffer(call.receive("src"), np.uint8).reshape(size["src_rows"], size["src_cols"], 3)
    small = resize(image, size["dst_rows"], size["dst_cols"])
    small[-1, -1, -1] ^= 1
    call.send("dst", small.tobytes())


def after(ready: Callable[[], bool], kernel: Callable[[KernelCall], None]) -> Callable[[KernelCall], Iterator[float]]:
    """A kernel that is busy until something is so."""

    def run(call: KernelCall) -> Iterator[float]:
        while not ready():
            yield 0.001

        kernel(call)

    return run


@asynccontextmanager
async def boards(*kernels: Callable[[KernelCall], Any]) -> AsyncIterator[tuple[list[SimBoard], BoardFarm]]:
    """A farm of simulated boards in this process, one for each kernel."""
    design = await load_design(BITSTREAM)
    sims = [SimBoard(designs=[SimDesign(design, kernels={"resize_accel_0": kernel})]) for kernel in kernels]

    async with AsyncExitStack() as stack:
        addresses = [await stack.enter_async_context(serve(sim)) for sim in sims]
        names = [f"sim-{number}" for number in range(1, len(sims) + 1)]
        yield sims, await stack.enter_async_context(BoardFarm(dict(zip(names, addresses, strict=True))))

    for sim in sims:
        assert_clean(sim)


def ignore(_: Progress) -> None:
    pass


async def test_an_image_that_differs_is_found(tmp_path: Path) -> None:
    def both_run() -> bool:
        return all(sim.ip and sim.ip["resize_accel_0"].started for sim in sims)

    async with boards(after(both_run, resize_accel), after(both_run, wrong)) as (sims, farm):
        resizer = Resizer(farm, [Picture.numbered(number) for number in (3, 3, 6, 6)], tmp_path, ignore)
        await resizer.run(BITSTREAM, await load_design(BITSTREAM))

    assert resizer.missing == 0
    assert {result.board for result in resizer.results} == {"sim-1", "sim-2"}
    assert all(result.same == (result.board == "sim-1") for result in resizer.results)


async def test_the_image_of_a_board_that_fails_goes_to_another(tmp_path: Path) -> None:
    steps: list[Progress] = []

    def other_has_failed() -> bool:
        return sims[1].counters.calls["buffer.write"] > 0

    async with boards(after(other_has_failed, resize_accel), resize_accel) as (sims, farm):
        sims[1].faults.fail("buffer.write", grpc.StatusCode.UNKNOWN, "out of order")
        resizer = Resizer(farm, [Picture.numbered(number) for number in (3, 3, 3)], tmp_path, steps.append)
        await resizer.run(BITSTREAM, await load_design(BITSTREAM))

    assert resizer.missing == 0
    assert "out of order" in (resizer.reports["sim-2"].problem or "")
    assert resizer.reports["sim-1"].images == 3
    assert (steps[-1].board, steps[-1].stage, steps[-1].done, steps[-1].total) == ("sim-1", "images", 3, 3)


async def test_images_that_no_board_could_resize_are_missing(tmp_path: Path) -> None:
    async with boards(resize_accel) as (sims, farm):
        sims[0].faults.fail("buffer.write", grpc.StatusCode.UNKNOWN, "out of order")
        resizer = Resizer(farm, [Picture.numbered(3)] * 2, tmp_path, ignore)
        await resizer.run(BITSTREAM, await load_design(BITSTREAM))

    assert resizer.missing == 2


async def test_a_demo_that_is_cancelled_leaves_nothing_on_the_boards(tmp_path: Path) -> None:
    async with boards(resize_accel, resize_accel) as (_, farm):
        resizer = Resizer(farm, [Picture.numbered(3)] * 50, tmp_path, ignore)

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await resizer.run(BITSTREAM, await load_design(BITSTREAM))

        assert resizer.missing > 0
