"""Frames through an AXI DMA and back, with the transfers of one overlapping the synchronisation of the others."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ...board.device import RemoteDevice
from ...concurrency import deadline, for_each, to_the_end
from ...errors import BoardError, Misuse
from .dma_channel import TIMEOUT, DmaChannel

if TYPE_CHECKING:
    from ...board.buffer import Buffer

Frames: TypeAlias = Iterable[npt.ArrayLike] | AsyncIterable[npt.ArrayLike]
Extents: TypeAlias = int | Sequence[int]

_END = object()
_DRAIN = 0.1  # what is in flight is given this time to end by itself


class DmaStream:
    """A pipeline over both channels of a DMA; made by `DMA.stream`, entered with `async with`.

    Each frame goes out as a packet, and a packet comes back for it. While one frame is in the hardware, the next is
    synchronised to the board and the last result from it. Do not use the channels otherwise meanwhile.

        async with dma.stream((480, 640), "u1") as stream:
            async for result in stream.process(frames):
                ...
    """

    def __init__(
        self,
        board: RemoteDevice,
        send: DmaChannel,
        receive: DmaChannel,
        frame: tuple[Extents, npt.DTypeLike],
        result: tuple[Extents, npt.DTypeLike],
        depth: int,
    ) -> None:
        if depth < 2:
            raise Misuse(board.name, f"{send}: a stream needs 2 buffers a direction or more, not {depth}")

        self.board = board
        self.depth = depth
        self._pipe = _Pipe(board, send, receive, depth)
        self._shapes = frame, result

    async def __aenter__(self) -> "DmaStream":
        await self._pipe.open(*self._shapes)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await to_the_end(self._pipe.close())

    def process(self, frames: Frames, *, timeout: float = TIMEOUT) -> AsyncIterator[npt.NDArray[Any]]:
        """Send frames, and give the results in their order, each an array of its own.

        Reads `depth` frames ahead of the results; frames that take long to make should come from an async iterable. A
        frame must have the shape of the stream, and a type that its own can hold. Leaving the loop early is fine: what
        is in flight is dropped. `timeout` is of each frame in the hardware, as of `DmaChannel.wait`.
        """
        return self._pipe.run(frames, timeout)


class _Pipe:
    """The buffers of a stream, and what is done with them."""

    def __init__(self, board: RemoteDevice, send: DmaChannel, receive: DmaChannel, depth: int) -> None:
        self.board = board
        self.depth = depth
        self._send = send
        self._receive = receive
        self._outgoing: list[Buffer] = []
        self._incoming: list[Buffer] = []
        self._run: _Run | None = None

    async def open(self, frame: tuple[Extents, npt.DTypeLike], result: tuple[Extents, npt.DTypeLike]) -> None:
        """Allocate the buffers."""
        try:
            for _ in range(self.depth):
                self._outgoing.append(await self.board.allocate(*frame))
                self._incoming.append(await self.board.allocate(*result))
        except BaseException:
            await to_the_end(self._free())
            raise

    async def close(self) -> None:
        """Let what is in flight end, or stop it, and free the buffers."""
        self._run = None

        with suppress(BoardError):  # freeing stops what is in flight, or says why it cannot
            await self.drain()

        await self._free()

    def run(self, frames: Frames, timeout: float) -> "_Run":
        """Begin another run; the one before may not go on."""
        if not self._outgoing:
            raise Misuse(self.board.name, f"{self._send}: enter the stream first: async with dma.stream(...) as stream")

        deadline(self.board.name, timeout)
        self._run = _Run(self, frames, timeout)
        return self._run

    def check(self, run: "_Run") -> None:
        """Raise `Misuse` unless `run` is the one that may use the buffers."""
        if self._run is not run:
            raise Misuse(self.board.name, f"{self._send}: these results ended with an error, or with another process()")

    def drop(self, run: "_Run") -> None:
        """Let `run` not go on, since it failed or was cancelled."""
        if self._run is run:
            self._run = None

    async def upload(self, index: int, frame: object) -> None:
        """Bring a frame to the board."""
        buffer = self._outgoing[index % self.depth]
        array = np.asarray(frame)

        if array.shape != buffer.shape or not np.can_cast(array.dtype, buffer.dtype, "same_kind"):
            raise Misuse(
                self.board.name,
                f"{self._send}: frame {index} is of {array.dtype} and shape {array.shape}, but the stream is of "
                f"{buffer.dtype} and shape {buffer.shape}",
            )

        np.copyto(buffer.view(np.ndarray), array, casting="same_kind")
        await buffer.sync_to_device()

    async def launch(self, index: int) -> None:
        """Let the hardware begin with a frame."""
        place = index % self.depth
        ends = ((self._receive, self._incoming[place]), (self._send, self._outgoing[place]))
        await for_each(ends, lambda end: end[0].launch(end[1]), width=2)

    async def finish(self, timeout: float) -> None:
        """Wait until the hardware is done with a frame."""
        await for_each((self._send, self._receive), lambda channel: channel.finish(timeout), width=2)

    async def download(self, index: int) -> npt.NDArray[Any]:
        """Bring a result from the board."""
        buffer = self._incoming[index % self.depth]
        await buffer.sync_from_device()
        return np.array(buffer)

    async def drain(self) -> None:
        """Let what is in flight end, or stop it."""
        for channel in (self._send, self._receive):
            if channel.in_flight:
                with suppress(BoardError):
                    await channel.finish(_DRAIN)

        for channel in (self._send, self._receive):
            if channel.in_flight:
                await channel.stop()

    async def _free(self) -> None:
        trouble: BoardError | None = None

        for buffer in (*self._outgoing, *self._incoming):
            try:
                await buffer.free()
            except BoardError as error:
                trouble = trouble or error

        self._outgoing, self._incoming = [], []

        if trouble is not None:
            raise trouble


class _Run(AsyncIterator[npt.NDArray[Any]]):
    """One walk over frames. Between two steps frame `at` is in the hardware, and those after it are on the board."""

    def __init__(self, pipe: _Pipe, frames: Frames, timeout: float) -> None:
        self._pipe = pipe
        self._source: Iterator[Any] | AsyncIterator[Any] = (
            aiter(frames) if isinstance(frames, AsyncIterable) else iter(frames)
        )
        self._timeout = timeout
        self._at = 0
        self._uploaded = 0
        self._exhausted = False
        self._begun = False

    async def __anext__(self) -> npt.NDArray[Any]:
        self._pipe.check(self)

        try:
            if not self._begun:
                await self._begin()

            if self._at < self._uploaded:
                return await self._step()
        except BaseException:
            self._pipe.drop(self)
            raise

        raise StopAsyncIteration

    async def _step(self) -> npt.NDArray[Any]:
        """Bring the result of frame `at`, while the next one begins and one more goes to the board."""
        frame = await self._pull()
        await self._pipe.finish(self._timeout)
        results: list[npt.NDArray[Any]] = []

        async def download() -> None:
            results.append(await self._pipe.download(self._at))

        steps: list[Callable[[], Awaitable[None]]] = [download]

        if self._at + 1 < self._uploaded:
            steps.insert(0, lambda: self._pipe.launch(self._at + 1))

        if frame is not _END:
            steps.append(lambda: self._pipe.upload(self._uploaded, frame))

        await for_each(steps, lambda step: step(), width=len(steps))
        self._at += 1
        self._uploaded += frame is not _END
        return results[0]

    async def _begin(self) -> None:
        await self._pipe.drain()
        self._begun = True

        while self._uploaded < self._pipe.depth and (frame := await self._pull()) is not _END:
            await self._pipe.upload(self._uploaded, frame)
            self._uploaded += 1

        if self._uploaded:
            await self._pipe.launch(0)

    async def _pull(self) -> object:
        """The next frame, in the caller's own task."""
        if not self._exhausted:
            if isinstance(self._source, AsyncIterator):
                frame = await anext(self._source, _END)
            else:
                frame = next(self._source, _END)

            if frame is not _END:
                return frame

            self._exhausted = True

        return _END
