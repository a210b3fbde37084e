"""Which board this is, from files of its kernel."""

from typing import Literal, TypeAlias

from ..concurrency import for_each
from ..errors import NotABoardServer, UnknownHandle
from ..wire.channel import Connection

Arch: TypeAlias = Literal["aarch64", "armv7l"]
Family: TypeAlias = Literal["zynq7000", "zynqmp", "versal"]

# Versal and Zynq UltraScale+ are both aarch64; the device tree tells them apart, in one of these places.
_VERSAL_SIGNS = {
    "/proc/device-tree/firmware/versal-firmware/compatible": "versal",
    "/proc/device-tree/compatible": "xlnx,versal",
    "/proc/device-tree/family": "versal",
}
_MODEL = "/proc/device-tree/chosen/pynq_board"


class Identity:
    """A board's architecture, family and model."""

    def __init__(self, arch: Arch, family: Family, model: str) -> None:
        self.arch = arch
        self.family = family
        self.model = model

    @classmethod
    async def read(cls, connection: Connection) -> "Identity":
        """Ask the board; `model` is "Unknown" where it does not say."""
        found: dict[str, str] = {}

        async def read(path: str) -> None:
            try:
                content = await connection.read_small(path)
            except UnknownHandle:
                return

            found[path] = content.decode("utf-8", "replace").strip("\0\n ")

        await read("/proc/version")
        version = found.get("/proc/version", "")

        if "Linux" not in version:
            raise NotABoardServer(connection.board, "what answers has no Linux in /proc/version")

        arch: Arch = "aarch64" if "aarch64" in version else "armv7l"
        paths = [_MODEL, *(_VERSAL_SIGNS if arch == "aarch64" else ())]

        await for_each(paths, read, width=len(paths))

        versal = any(sign in found.get(path, "").lower() for path, sign in _VERSAL_SIGNS.items())
        family: Family = "zynq7000" if arch == "armv7l" else "versal" if versal else "zynqmp"
        return cls(arch, family, found.get(_MODEL) or "Unknown")
