"""Pictures through the resizer of several boards, each on whichever board is free, checked and written as files."""

import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..bitstream import Bitstream, Design
from ..board.buffer import Buffer
from ..board.device import RemoteDevice
from ..concurrency import in_a_thread
from ..errors import InvalidArgument, PynqError
from ..farm import BoardFarm
from ..overlay import Overlay
from ..progress import Progress, ProgressCallback
from ..sim.resizer import Image, resize
from .output import sentence
from .pictures import Picture
from .png import write_png

STAGES = {"upload": "bitstream", "images": "share of images"}


@dataclass(slots=True)
class Report:
    """What one board did: pictures, the bytes of them there and back, and in how many seconds."""

    images: int = 0
    nbytes: int = 0
    seconds: float = 0.0
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Resized:
    """One picture that came back."""

    picture: Picture
    board: str
    file: Path
    same: bool


class Resizer:
    """Resizes pictures until there are none left; one that a board fails in goes to another.

    Attributes:
        reports: what each board did, by name.
        results: the pictures that came back, as they came.
    """

    def __init__(self, farm: BoardFarm, pictures: list[Picture], output: Path, progress: ProgressCallback) -> None:
        self.reports = {name: Report() for name in farm}
        self.results: list[Resized] = []
        self._farm = farm
        self._pictures = pictures
        self._waiting = deque(pictures)
        self._output = output
        self._progress = progress

    @property
    def missing(self) -> int:
        """How many pictures did not come back."""
        return len(self._pictures) - len(self.results)

    async def run(self, bitstream: Bitstream, design: Design) -> None:
        """Have all boards work at once."""

        async def work(board: RemoteDevice) -> None:
            overlay = await Overlay.load(board, bitstream, design=design, progress=self._loading)
            await self._resize_on(overlay, self.reports[board.name])

        for name, error in (await self._farm.run(work, check=False)).failures.items():
            if not isinstance(error, PynqError):
                raise error

            self.reports[name].problem = sentence(error, board=name)

    def _loading(self, step: Progress) -> None:
        # The board has work to do after the download is done.
        self._progress(Progress(step.board, "upload", 1, 1) if step.stage == "done" else step)

    async def _resize_on(self, overlay: Overlay, report: Report) -> None:
        board = overlay.board
        room_out = max(picture.source_bytes for picture in self._pictures)
        room_back = max(picture.result_bytes for picture in self._pictures)

        async with board.allocate(room_out, "u1") as source, board.allocate(room_back, "u1") as result:
            while self._waiting:
                picture = self._waiting.popleft()

                try:
                    image = await in_a_thread(picture.paint)
                    begun = time.perf_counter()
                    small = await self._resized(overlay, picture, image, source, result)
                    report.seconds += time.perf_counter() - begun
                    file = self._output / f"{picture.number + 1:02}-{picture.name}.png"
                    same = await in_a_thread(partial(_check_and_write, image, small, file))
                except BaseException:
                    self._waiting.append(picture)
                    raise

                report.images += 1
                report.nbytes += picture.source_bytes + picture.result_bytes
                self.results.append(Resized(picture, board.name, file, same))
                self._progress(Progress(board.name, "images", report.images, len(self._pictures)))

    @staticmethod
    async def _resized(overlay: Overlay, picture: Picture, image: Image, source: Buffer, result: Buffer) -> Image:
        """The program of PYNQ-HelloWorld: a picture out by DMA, through the kernel, and back by DMA."""
        dma, kernel = overlay.axi_dma_0, overlay.resize_accel_0
        source[: image.size] = image.ravel()
        await dma.recvchannel.transfer(result, nbytes=picture.result_bytes)
        await kernel.start(picture.rows, picture.cols, picture.to_rows, picture.to_cols)
        await dma.sendchannel.transfer(source, nbytes=picture.source_bytes)
        await dma.sendchannel.wait()
        await dma.recvchannel.wait()
        small: Image = np.array(result[: picture.result_bytes]).reshape(picture.to_rows, picture.to_cols, 3)
        return small


def make_folder(path: Path) -> None:
    """Make a folder for pictures; raises `InvalidArgument` where that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None


def _check_and_write(image: Image, small: Image, file: Path) -> bool:
    """Whether the board made of an image what the host makes of it; what the board made is written."""
    try:
        write_png(file, small)
    except OSError as error:
        raise _unwritable(file, error) from None

    return np.array_equal(small, resize(image, *small.shape[:2]))


def _unwritable(path: Path, error: OSError) -> InvalidArgument:
    return InvalidArgument(f"{path} cannot be written ({error.strerror}); choose another --output")
