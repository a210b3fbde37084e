"""What is loaded in a board's fabric, as this package recorded it on the board."""

import datetime
import json
from dataclasses import asdict, dataclass, field, replace
from zlib import crc32

from ..bitstream import Bitstream, Design
from ..wire.channel import Connection
from ..wire.fabric_log import Generation
from .files import Files

RECORD = "/tmp/pynq_async.loaded"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A design in the fabric.

    Attributes:
        name: the bitstream's file name.
        digest: SHA-256 of its payload in hexadecimal.
        design: its hardware description, where there is one and this process loaded it.
        uploaded_bytes: what this download had to send; 0 when the board had it already.
        partials: names of the partial bitstreams loaded since.
        generation: when this process programmed it, for `RemoteDevice.replaced`.
    """

    name: str
    digest: str
    design: Design | None = None
    uploaded_bytes: int = 0
    partials: tuple[str, ...] = ()
    generation: Generation | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Record:
    """The record as it stands on the board.

    Attributes:
        state: `programming` before the FPGA manager is asked, `loaded` after it succeeded.
        boot: the kernel's boot id: a rebooted board has an empty fabric.
        name, digest: of the full bitstream.
        time: when it was loaded, by the host's clock, ISO 8601 in UTC.
        shutdown_managers: addresses by name, to be asked for quiet before the next full download.
        partials: names of the partial bitstreams loaded since.
    """

    state: str
    boot: str
    name: str
    digest: str
    time: str
    shutdown_managers: dict[str, int]
    partials: tuple[str, ...] = ()


class LoadedRecord:
    """Reads and writes the record; it says what this package loaded last and sees no other tool."""

    def __init__(self, connection: Connection, files: Files) -> None:
        self._connection = connection
        self._files = files

    async def read(self) -> Record | None:
        """The record of this boot with a design that is loaded; None without one, or if it is torn or unfinished."""
        record = await self._read()
        return record if record is not None and record.state == "loaded" else None

    async def read_base(self) -> Record | None:
        """As `read`; also when a partial bitstream was cut off or refused over a full one that is loaded."""
        record = await self._read()
        return record if record is not None and (record.state == "loaded" or record.partials) else None

    async def _read(self) -> Record | None:
        text = (await self._files.read_if_there(RECORD) or b"").decode("utf-8", "replace")
        body, _, check = text.rstrip("\n").rpartition(" ")

        if check != _checksum(body):
            return None

        try:
            values = json.loads(body)
            record = Record(**(values | {"partials": tuple(values["partials"])}))
        except (ValueError, TypeError, KeyError):
            return None

        return record if record.boot == self._connection.server.boot else None

    async def write(self, record: Record) -> None:
        """Replace the record."""
        body = json.dumps(asdict(record))
        await self._files.write(RECORD, f"{body} {_checksum(body)}\n".encode())

    def full(self, bitstream: Bitstream, design: Design | None) -> Record:
        """The record of a full bitstream that is about to be programmed."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        managers = design.shutdown_managers() if design else {}
        boot = self._connection.server.boot
        return Record("programming", boot, bitstream.name, bitstream.digest, now, managers)

    def partial(self, before: Record | None, bitstream: Bitstream) -> Record:
        """The record of a partial bitstream that is about to be programmed over `before`."""
        base = before or Record("programming", self._connection.server.boot, "", "", "", {})
        return replace(base, state="programming", partials=(*base.partials, bitstream.name))


class LastLoaded:
    """What is known to be loaded without asking: what this process loaded itself, or read last."""

    def __init__(self) -> None:
        self._mine: Loaded | None = None
        self._boot = ""
        self._known: Loaded | None = None

    def known(self, boot: str) -> Loaded | None:
        """What was loaded, unless that was in another boot."""
        return self._known if self._boot == boot else None

    def forget(self) -> None:
        """The fabric is being programmed: until that has ended well nobody knows."""
        self._known = None

    def programmed(self, record: Record, mine: Loaded | None) -> None:
        """Programming ended well; `mine` is what was loaded if it was a full bitstream."""
        self._mine = mine or self._mine
        self.read(record)

    def read(self, record: Record | None) -> Loaded | None:
        """What a record says, with what else is known of it if it was loaded here."""
        self._known = None

        if record is not None and record.digest:
            mine = self._mine
            loaded = mine if mine is not None and mine.digest == record.digest else Loaded(record.name, record.digest)
            self._boot = record.boot
            self._known = replace(loaded, partials=record.partials) if record.partials else loaded

        return self._known


def _checksum(text: str) -> str:
    return f"{crc32(text.encode()):08x}"
