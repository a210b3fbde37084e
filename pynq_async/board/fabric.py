"""Programming the fabric: one download at a time, and success only when the FPGA manager says so."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import anyio

from ..bitstream import Bitstream
from ..concurrency import both, to_the_end
from ..errors import (
    BoardError,
    FabricBusy,
    FabricError,
    FabricUnknown,
    Misuse,
    ProgrammingFailed,
    RemoteFileError,
    RemoteFileNotFound,
    WrongFamily,
)
from ..progress import Progress
from ..wire.channel import Connection
from ..wire.fabric_log import Generation
from ..wire.locks import Hold
from .files import Files
from .firmware import FirmwareStore, Report
from .identity import Family
from .loaded import LoadedRecord, Record

MANAGER = "/sys/class/fpga_manager/fpga0"
FULL, PARTIAL = 0, 1  # FPGA_MGR_PARTIAL_RECONFIG of linux/fpga/fpga-mgr.h


class Fabric:
    """The programmable logic of one board, behind Linux's FPGA manager."""

    def __init__(self, connection: Connection, files: Files, record: LoadedRecord) -> None:
        self._connection = connection
        self._files = files
        self._record = record

    @contextmanager
    def reserve(self) -> Iterator[None]:
        """Keep the fabric to ourselves; raises `FabricBusy` at once when another download is running."""
        arbiter = self._connection.arbiter

        if arbiter.programming:
            raise FabricBusy(self._connection.board, "another download is running on this board; wait for it to end")

        arbiter.programming = True

        try:
            yield
        finally:
            arbiter.programming = False

    def check(self, bitstream: Bitstream, family: Family, *, partial: bool) -> None:
        """Raise `WrongFamily` or `Misuse` when a bitstream says that it is not what is asked for."""
        if bitstream.partial is not None and bitstream.partial != partial:
            kind, should = ("partial", "pass partial=True") if bitstream.partial else ("full", "leave partial=True out")
            raise Misuse(self._connection.board, f"{bitstream.name} is a {kind} bitstream; {should}")

        if bitstream.family is not None and bitstream.family != family:
            raise WrongFamily(
                self._connection.board,
                f"{bitstream.name} is for {bitstream.family}{f' ({bitstream.part})' if bitstream.part else ''}, but "
                f"this board is a {family}",
            )

    async def program(
        self, bitstream: Bitstream, record: Record, *, ranges: Iterable[range] | None, report: Report
    ) -> Generation:
        """Program a firmware that is on the board, for which the flags are set; verify it, and record it.

        From the moment the FPGA manager is told the name, until its state is known, nothing cuts this off: it is bound
        by the program timeout, register access waits, and a cancellation arrives afterwards. `ranges` are the addresses
        that a partial bitstream covers; None is a full one. Returns what register windows of the design are good for.
        """
        name = FirmwareStore.name(bitstream)
        board = self._connection.board
        await self._record.write(record)
        report(Progress(board, "program", 0, 0))

        async with self._connection.arbiter.windows.alone() as hold:
            log = self._connection.arbiter.fabric
            log.begin(ranges)
            generation = Generation(self._connection.server.boot, log.programmed, log.reconfigured)
            flags = FULL if ranges is None else PARTIAL
            await to_the_end(self._program_and_record(hold, name, bitstream.name, record, flags))

        return generation

    async def set_flags(self, flags: int) -> None:
        """Say whether what comes next is full or partial, and make sure that the FPGA manager took it."""
        try:
            await self._files.write(f"{MANAGER}/flags", str(flags).encode())
            found = await self._flags()
        except (RemoteFileNotFound, RemoteFileError) as error:
            raise FabricError(
                self._connection.board, f"there is no FPGA manager at {MANAGER} on this board ({error})"
            ) from error

        if found != flags:
            raise ProgrammingFailed(
                self._connection.board,
                f"the FPGA manager's flags are {found:#x}, not {flags:#x}; nothing was programmed",
            )

    async def _program_and_record(self, hold: Hold, name: str, shown: str, record: Record, flags: int) -> None:
        await self._program(name, shown, flags)
        hold.release()  # the fabric is there: registers need not wait for the record
        await self._record.write(replace(record, state="loaded"))

    async def _program(self, name: str, shown: str, flags: int) -> None:
        board = self._connection.board

        try:
            with anyio.fail_after(self._connection.timeouts.program):
                await self._files.write(f"{MANAGER}/firmware", name.encode())
                content, found = await both(self._files.read(f"{MANAGER}/state"), self._flags())
                state = content.decode("ascii", "replace").strip()
        except ProgrammingFailed:
            raise
        except (BoardError, TimeoutError) as error:
            why = str(error) or f"no answer in {self._connection.timeouts.program:g} s"
            raise FabricUnknown(
                board, f"programming {shown} was cut off ({why}); what is loaded is unknown: download again"
            ) from error

        if state != "operating":
            raise ProgrammingFailed(board, f"the FPGA manager ended in {state!r} with {shown}; see dmesg on the board")

        if found != flags:
            raise ProgrammingFailed(
                board, f"the FPGA manager's flags became {found:#x} while {shown} was programmed; download it again"
            )

    async def _flags(self) -> int:
        text = (await self._files.read(f"{MANAGER}/flags")).decode("ascii", "replace").strip()

        try:
            return int(text, 16)  # sysfs shows them in hexadecimal
        except ValueError:
            raise ProgrammingFailed(self._connection.board, f"the FPGA manager's flags read {text!r}") from None
