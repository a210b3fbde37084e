"""Devices on a simulated I2C bus."""


class IicDevice:
    """A device on a simulated I2C bus. As it stands it acknowledges all, forgets what is written and reads as 0xFF.

    ::

        class Thermometer(IicDevice):
            def read(self, count: int) -> bytes:
                return bytes([21, 128])[:count]

        sim.ip["axi_iic_0"].attach(0x48, Thermometer())
    """

    def acknowledge(self, message: bytes) -> bool:
        """Whether the last byte is acknowledged of what was written since START; of nothing: the address."""
        return True

    def write(self, message: bytes) -> None:
        """Take a message, at its STOP or repeated START."""

    def read(self, count: int) -> bytes:
        """Give the next bytes."""
        return b"\xff" * count


class IicMemory(IicDevice):
    """A memory with an address pointer, as EEPROMs and the registers of most sensors are.

    A message begins with the pointer; what follows is stored from there on. Reading goes on at the pointer, too.

    Attributes:
        content: the bytes.
        pointer: where the next byte is read or written.
    """

    def __init__(self, content: bytes, *, pointer_bytes: int = 1) -> None:
        self.content = bytearray(content)
        self.pointer = 0
        self._pointer_bytes = pointer_bytes

    def write(self, message: bytes) -> None:
        """Set the pointer and store what follows it."""
        self.pointer = int.from_bytes(message[: self._pointer_bytes], "big") % len(self.content)

        for byte in message[self._pointer_bytes :]:
            self.content[self.pointer] = byte
            self.pointer = (self.pointer + 1) % len(self.content)

    def read(self, count: int) -> bytes:
        """Give what is at the pointer, and move it on."""
        places = [(self.pointer + index) % len(self.content) for index in range(count)]
        self.pointer = (self.pointer + count) % len(self.content)
        return bytes(self.content[place] for place in places)
