"""What an open board consists of."""

from ..config import Limits
from ..wire.channel import Connection
from .clocks import Clocks
from .fabric import Fabric
from .files import Files
from .firmware import FirmwareStore
from .gpio import Gpio
from .identity import Identity
from .interrupts import Interrupts
from .loaded import Loaded, LoadedRecord
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
        self.last_loaded: Loaded | None = None

    async def close(self) -> None:
        """Give back what the board handed out, and close the connection."""
        try:
            await self.interrupts.close()
            await self.gpio.close()  # writes files, so before streams are ended
            self.connection.streams.end()
            await self.pool.close()
        finally:
            await self.connection.close()
