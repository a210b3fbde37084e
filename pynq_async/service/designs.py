"""What the service has put into the fabric of each board."""

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ..bitstream import Design
from ..board.device import RemoteDevice
from ..errors import DesignReplaced, InvalidArgument, NotOpen
from ..farm.host import Host
from ..overlay import Overlay
from ..progress import Progress
from .bitstreams import Content, StoredBitstream
from .leases import ServiceLease
from .problems import Refusal

if TYPE_CHECKING:
    from ..wire.fabric_log import Generation


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be programmed, and how; as the arguments of `Overlay.load` and `Overlay.pr_download`."""

    bitstream: StoredBitstream
    partial: bool = False
    region: str | None = None
    verify: Literal["marker", "full"] = "marker"
    clocks: bool = True
    download: bool = True

    def __post_init__(self) -> None:
        if self.region is not None and not self.partial:
            raise InvalidArgument("a region is programmed with a partial bitstream: also say partial")

        if self.partial and not self.download:
            raise InvalidArgument(
                "only what is in the whole fabric can be taken as it is: leave out partial or download"
            )


@dataclass(frozen=True, slots=True)
class Programmed:
    """What came of an order: the bitstream, what had to be sent, and the number of IP that registers can be read of."""

    name: str
    digest: str
    uploaded_bytes: int
    ip: int


class Designs:
    """The designs of the boards by name; they outlive the lease in which they were programmed."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._loaded: dict[str, tuple[Overlay, Generation]] = {}

    def of(self, board: str) -> Overlay:
        """The design in a board, with its drivers; raises `Refusal` or `DesignReplaced` when that is not known."""
        if board not in self._loaded:
            raise Refusal(
                404, "no-design", f"{board}: the service has programmed no design there (POST /api/boards/.../program)"
            )

        overlay, since = self._loaded[board]

        if overlay.board.replaced(since, range(0)):
            raise DesignReplaced(board, f"{overlay.bitstream.name} is not in the fabric any more; program it again")

        return overlay

    def now(self, board: str) -> Design:
        """The design in a board, with what is in its regions now; raises as `of`."""
        overlay = self.of(board)
        return replace(
            overlay.design,
            ip_dict=dict(overlay.ip_dict),
            mem_dict=dict(overlay.mem_dict),
            hierarchy_dict=dict(overlay.hierarchy_dict),
        )

    async def program(self, lease: ServiceLease, board: str, order: Order) -> Programmed:
        """Carry out an order, and to its end even if nobody waits for it any more; the lease lasts as long."""
        done: asyncio.Future[Programmed] = asyncio.get_running_loop().create_future()
        task = self._host.start(self._carry_out(lease, board, order, done), f"programming {board}")

        def over(_: object) -> None:  # called also for a task that was cancelled before it began
            if not done.done():
                done.set_exception(
                    NotOpen(board, "the service stopped meanwhile; the board has the old design or the new one")
                )

        task.add_done_callback(over)
        return await done

    async def _carry_out(
        self, lease: ServiceLease, board: str, order: Order, done: "asyncio.Future[Programmed]"
    ) -> None:
        try:
            async with lease.use(board) as device, order.bitstream.content() as content:
                programmed = await self._load(device, order, content)
        except Exception as error:
            if not done.done():
                done.set_exception(error)
        else:
            if not done.done():
                done.set_result(programmed)

    async def _load(self, device: RemoteDevice, order: Order, content: Content) -> Programmed:
        bitstream, design = content.bitstream, content.design
        sent = 0

        def note(step: Progress) -> None:
            nonlocal sent

            if step.stage == "upload":
                sent = step.done

        if order.partial and order.region is not None:
            await self.of(device.name).pr_download(
                order.region, bitstream, design=design, verify=order.verify, progress=note
            )
        elif order.partial or (design is None and order.download):
            await device.download(
                bitstream,
                design=design,
                partial=order.partial,
                clocks=order.clocks,
                verify=order.verify,
                progress=note,
            )

            if not order.partial:
                self._loaded.pop(device.name, None)
        else:
            overlay = await Overlay.load(
                device,
                bitstream,
                design=design,
                download=order.download,
                clocks=order.clocks,
                verify=order.verify,
                progress=note,
            )
            overlay.bitstream = order.bitstream.about  # the payload is not needed any more
            self._loaded[device.name] = overlay, device.generation

        return Programmed(bitstream.name, bitstream.digest, sent, self._count(device.name))

    def _count(self, board: str) -> int:
        if board not in self._loaded:
            return 0

        return sum(entry.get("phys_addr") is not None for entry in self._loaded[board][0].ip_dict.values())
