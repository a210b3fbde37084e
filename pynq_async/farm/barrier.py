"""Where the boards of one `farm.run` wait for each other."""

import asyncio


class Barrier:
    """One board's place at the barrier of a `farm.run(fn, barrier=True)`; may be used again and again.

        async def measure(board, barrier):
            await arm(board)
            await barrier.wait()                # until every board is armed
            await trigger(board)

    Nobody waits for a board whose function has returned or failed.
    """

    def __init__(self, meeting: "Meeting", board: str) -> None:
        self._meeting = meeting
        self._board = board

    async def wait(self) -> None:
        """Wait until every board that still runs has come here."""
        await self._meeting.wait(self._board)

    @property
    def missing(self) -> frozenset[str]:
        """The boards that still run and have not come yet."""
        return self._meeting.missing


class Meeting:
    """Who runs and who has come: one for all boards of a `farm.run`."""

    def __init__(self, boards: list[str]) -> None:
        self._running = set(boards)
        self._come: set[str] = set()
        self._open = asyncio.Event()

    @property
    def missing(self) -> frozenset[str]:
        """Who has not come yet."""
        return frozenset(self._running - self._come)

    async def wait(self, board: str) -> None:
        """Come, and wait for the others; who is cancelled has not come."""
        self._come.add(board)
        this_time = self._open
        self._check()

        try:
            await this_time.wait()
        except BaseException:
            if not this_time.is_set():
                self._come.discard(board)

            raise

    def leave(self, board: str) -> None:
        """A board has ended: the others do not wait for it."""
        self._running.discard(board)
        self._come.discard(board)
        self._check()

    def _check(self) -> None:
        if self._running and not self.missing:
            self._open.set()
            self._open = asyncio.Event()
            self._come.clear()
