"""What an open board consists of."""

from ..concurrency import to_the_end
from ..config import Address, Limits, Timeouts, Tls
from ..wire.channel import Connection
from ..wire.tls import Security
from .clocks import Clocks
from .fabric import Fabric
from .files import Files
from .firmware import FirmwareStore
from .gpio import Gpio
from .identity import Identity
from .interrupts import Interrupts
from .loaded import LastLoaded, LoadedRecord
from .pool import MemoryPool
from .sensors import Sensors
from .windows import Windows


class Parts:
    """The parts of one open board, wired together."""

    def __init__(self, connection: Connection, identity: Identity, limits: Limits) -> None:
        self.connection = connection
        self.identity = identity
        self.files = Files(connection, limits)
        self.windows = Windows(connection, self.files, limits)
        self.pool = MemoryPool(connection)
        self.clocks = Clocks(connection, self.windows, self.files, identity.family)
        self.gpio = Gpio(connection, self.files, identity.family)
        self.sensors = Sensors(connection, self.files)
        self.interrupts = Interrupts(connection, self.windows)
        self.firmware = FirmwareStore(connection, self.files, limits)
        self.record = LoadedRecord(connection, self.files)
        self.fabric = Fabric(connection, self.files, self.record)
        self.last_loaded = LastLoaded()

    @classmethod
    async def open(cls, address: Address, board: str, timeouts: Timeouts, limits: Limits, tls: Tls | None) -> "Parts":
        """Connect to a board and learn what it is; raises `ConnectError`."""
        security = None if tls is None else await Security.read(board, tls)
        connection = Connection(address, board, timeouts, limits, security)

        try:
            await connection.open()
            return cls(connection, await Identity.read(connection), limits)
        except BaseException:
            await to_the_end(connection.close())
            raise

    async def close(self) -> None:
        """Give back what the board handed out, and close the connection."""
        try:
            await self.interrupts.close()
            await self.gpio.close()  # writes files, so before streams are ended
            self.connection.streams.end()
            await self.pool.close()
        finally:
            await self.connection.close()
