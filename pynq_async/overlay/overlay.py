"""A design in the fabric of a board, as a tree of drivers."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from ..bitstream import Bitstream, Design, load_bitstream, load_design
from ..board.device import RemoteDevice
from ..board.fabric import MANAGER
from ..board.interrupts import InterruptPin
from ..errors import DesignReplaced, InvalidArgument, NotInDesign, NotLoaded
from ..hardware.hls import CLEAR_ON_READ, is_kernel
from ..progress import ProgressCallback
from ..wire.fabric_log import Generation
from .binding import Binding, Driver
from .hierarchy import DefaultHierarchy, Member
from .ip import DefaultIP, IpDescription
from .region import check_addresses, region_content


class Overlay(DefaultHierarchy):
    """A design that was loaded into a board's fabric; its IP, hierarchies and memories are attributes.

        overlay = await Overlay.load(board, "base.bit")
        await overlay.leds_gpio.channel1.write(0b1010)
        vdma = overlay.video.axi_vdma
        vdma = overlay["video/axi_vdma"]                # for names that clash or are no identifiers

    Looking something up does no I/O. Once another design is loaded, every access to its IP raises `DesignReplaced`.

    Attributes:
        bitstream: what was loaded.
        design: its hardware description.
        ip_dict, mem_dict, hierarchy_dict, clock_dict, gpio_dict, interrupt_controllers, interrupt_pins: what the
            description says, as PYNQ's `Overlay` has it; with the IP of regions that were reconfigured.
        interrupts: every interrupt pin by full path; those of an IP are its attributes as well.
    """

    def __init__(
        self,
        board: RemoteDevice,
        bitstream: Bitstream | None = None,
        design: Design | None = None,
        drivers: Driver | Iterable[Driver] = (),
        *,
        generation: Generation | None = None,
    ) -> None:
        if not (isinstance(board, RemoteDevice) and isinstance(bitstream, Bitstream) and isinstance(design, Design)):
            raise InvalidArgument("an overlay is loaded by 'await Overlay.load(board, path)'")

        super().__init__(board, "", {}, {})
        self.bitstream = bitstream
        self.design = design
        self.ip_dict = dict(design.ip_dict)
        self.mem_dict = dict(design.mem_dict)
        self.hierarchy_dict = dict(design.hierarchy_dict)
        self.clock_dict = design.clock_dict
        self.gpio_dict = design.gpio_dict
        self.interrupt_controllers = design.interrupt_controllers
        self.interrupt_pins = design.interrupt_pins
        self._binding = Binding(drivers)
        self._loaded = generation or board.generation
        self._bound: dict[str, DefaultIP] = {}
        self._places: dict[str, _Place] = {}
        self._setups = asyncio.Lock()
        self.interrupts = self._interrupts()
        self.members = self._bind("", self._loaded)

    @classmethod
    async def load(
        cls,
        board: RemoteDevice,
        bitstream: str | os.PathLike[str] | Bitstream,
        *,
        design: Design | None = None,
        download: bool = True,
        drivers: Driver | Iterable[Driver] = (),
        clocks: bool = True,
        verify: Literal["marker", "full"] = "marker",
        progress: ProgressCallback | None = None,
    ) -> Self:
        """Program the fabric with a bitstream and bind drivers to the IP of its design.

        Args:
            board: an open board.
            bitstream: a file with its hardware description beside or inside it, or one that `load_bitstream` has read.
            design: the hardware description if it is parsed already.
            download: False binds to what is in the fabric already, and raises `NotLoaded` where the board's record says
                that this is another design.
            drivers: classes of your own, which come before those of this package.
            clocks: as of `RemoteDevice.download`.
            verify: as of `RemoteDevice.download`.
            progress: as of `RemoteDevice.download`.

        Raises `DesignError` without a description, `InvalidArgument` for drivers that cannot be bound, both before
        anything is sent; else as `RemoteDevice.download`.
        """
        if not isinstance(board, RemoteDevice):
            raise InvalidArgument(f"an overlay is loaded onto an open board: Overlay.load(board, path), not {board!r}")

        binding = Binding(drivers)

        if not isinstance(bitstream, Bitstream):
            bitstream = await load_bitstream(bitstream)

        if design is None:
            design = await load_design(bitstream)
        elif not isinstance(design, Design):
            raise InvalidArgument(f"design is a parsed description, as of 'await load_design(path)', not {design!r}")

        if design.partial:
            raise InvalidArgument(f"{bitstream.name} is of a region only: load the whole design, then use pr_download")

        binding.check(design)

        if download:
            loaded = await board.download(bitstream, design=design, clocks=clocks, verify=verify, progress=progress)
            generation = loaded.generation
        else:
            generation = await _generation_of(board, bitstream)

        return cls(board, bitstream, design, binding.drivers, generation=generation)

    async def is_loaded(self) -> bool:
        """Whether the design is still the one in the fabric, as recorded on the board; other tools are not seen."""
        loaded = await self.board.loaded()
        same = loaded is not None and loaded.digest == self.bitstream.digest
        return same and not self.board.replaced(self._loaded, range(0))

    async def pr_download(
        self,
        region: str,
        bitstream: str | os.PathLike[str] | Bitstream,
        *,
        design: Design | None = None,
        verify: Literal["marker", "full"] = "marker",
        progress: ProgressCallback | None = None,
    ) -> None:
        """Reconfigure one region with a partial bitstream, and bind drivers to the IP that is in it now.

        Args:
            region: the hierarchy that is the region, by its full path.
            bitstream: a partial bitstream with its hardware description beside it.
            design: that description if it is parsed already.
            verify: as of `RemoteDevice.download`.
            progress: as of `RemoteDevice.download`.

        What was bound in the region before raises `DesignReplaced` from then on. Raises `NotInDesign` for an unknown
        region, `OutOfRange` when the new IP lies outside the region's address ranges, before anything is sent.
        """
        if self.board.replaced(self._loaded, range(0)):
            raise DesignReplaced(self.board.name, self._gone())

        if region not in self.hierarchy_dict:
            there = ", ".join(self.hierarchy_dict) or "none"
            raise NotInDesign(self.board.name, f"the design has no region {region!r}; its hierarchies: {there}")

        if not isinstance(bitstream, Bitstream):
            bitstream = await load_bitstream(bitstream)

        if design is None:
            design = await load_design(bitstream)

        check_addresses(self.board.name, region, self.design, bitstream.name, design)
        ranges = [place.extent for name, place in self._places.items() if name.startswith(f"{region}/")]
        loaded = await self.board.download(
            bitstream, design=design, partial=True, ranges=ranges, verify=verify, progress=progress
        )
        self._rebind(region, design, loaded.generation or self.board.generation)

    def __getitem__(self, path: str) -> Any:
        """The IP, memory or hierarchy at a full path: `overlay["video/axi_vdma"]`."""
        # An IP with several address ranges has a name for each: `fft`, `fft/s_axi_control`.
        return self._bound[path] if path in self._bound else super().__getitem__(path)

    def _bind(self, path: str, since: Generation) -> dict[str, Member]:
        """Make what lies directly under a hierarchy, and all below it."""
        prefix = f"{path}/" if path else ""
        members: dict[str, Member] = {}

        for table in (self.ip_dict, self.mem_dict):
            for name, entry in table.items():
                if name.startswith(prefix) and "/" not in name[len(prefix) :] and entry.get("phys_addr") is not None:
                    members[name[len(prefix) :]] = self._driver(name, entry, since)

        for name in sorted(self._paths_under(prefix)):
            members.setdefault(name[len(prefix) :], self._hierarchy(name, since))

        return members

    def _paths_under(self, prefix: str) -> set[str]:
        tables = (self.ip_dict, self.mem_dict, self.hierarchy_dict)
        names = [name for table in tables for name in table if name.startswith(prefix)]
        inner = {prefix + name[len(prefix) :].partition("/")[0] for name in names if "/" in name[len(prefix) :]}
        return inner | {name for name in self.hierarchy_dict if name in names and "/" not in name[len(prefix) :]}

    def _hierarchy(self, path: str, since: Generation) -> DefaultHierarchy:
        description = self.hierarchy_dict.get(path, {})
        return self._binding.hierarchy(description)(self.board, path, description, self._bind(path, since))

    def _driver(self, name: str, entry: Mapping[str, Any], since: Generation) -> DefaultIP:
        address, size = entry["phys_addr"], entry["addr_range"]
        place = self._places[name] = _Place(since, range(address, address + size))
        description = IpDescription(
            board=self.board,
            name=name,
            type=entry["type"],
            mmio=self.board.mmio(address, size, name=name, check=lambda: self._check(name, place)),
            parameters=entry.get("parameters") or {},
            registers=entry.get("registers") or {},
            interrupts=self._pins_of(entry),
            gpio=entry.get("gpio") or {},
            read_actions=CLEAR_ON_READ if is_kernel(entry.get("registers") or {}) else {},
            setups=self._setups,
        )
        driver = self._bound[name] = self._binding.ip(description)
        return driver

    def _interrupts(self) -> Mapping[str, InterruptPin]:
        for name in self.design.interrupt_controllers:
            entry = self.ip_dict.get(name, {})

            if entry.get("phys_addr") is not None:  # first, so that waiting shares the window of the controller's IP
                self.board.mmio(entry["phys_addr"], entry["addr_range"])

        return self.board.interrupts.of(self.design, self._check_pin)

    def _pins_of(self, entry: Mapping[str, Any]) -> dict[str, InterruptPin]:
        """The interrupt pins of an IP by their own name; what came with a region is not wired to a pin we know."""
        places = {pin: place.get("fullpath", "") for pin, place in (entry.get("interrupts") or {}).items()}
        return {pin: self.interrupts[path] for pin, path in places.items() if path in self.interrupts}

    def _rebind(self, region: str, design: Design, since: Generation) -> None:
        prefix = f"{region}/"

        for name in [name for name in self._bound if name.startswith(prefix)]:
            del self._bound[name], self._places[name]

        for table, entries in (
            (self.ip_dict, design.ip_dict),
            (self.mem_dict, design.mem_dict),
            (self.hierarchy_dict, design.hierarchy_dict),
        ):
            for name in [name for name in table if name.startswith(prefix)]:
                del table[name]

            table |= {prefix + name: {**entry, "fullpath": prefix + name} for name, entry in entries.items()}

        self.hierarchy_dict[region] = self.hierarchy_dict[region] | region_content(design)
        parent, _, name = region.rpartition("/")
        above = self[parent] if parent else self
        above.members.pop(name, None)  # a driver that cannot be made must not leave the old ones in its place
        above.members[name] = self._hierarchy(region, since)

    def _check_pin(self, path: str) -> None:
        """Raise `DesignReplaced` when the IP of an interrupt pin is not in the fabric any more."""
        name = path.rpartition("/")[0]
        named = self.design.extents().keys()
        self._check(name, self._places.get(name) or _Place(self._loaded, range(0)))

        if name in named and name not in self._places:
            raise DesignReplaced(self.board.name, f"the region of {name} was reconfigured: {path} is no more")

    def _gone(self) -> str:
        return f"{self.bitstream.name} was loaded before the fabric was last programmed; load it again to use its IP"

    def _check(self, name: str, place: "_Place") -> None:
        """Raise `DesignReplaced` when something else may be where an IP was."""
        board = self.board

        if board.replaced(self._loaded, range(0)):
            raise DesignReplaced(board.name, self._gone())

        if board.replaced(place.since, place.extent):
            raise DesignReplaced(
                board.name, f"the region of {name} was reconfigured; what is there now is bound by pr_download"
            )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an IP is, and from when on."""

    since: Generation
    extent: range


async def _generation_of(board: RemoteDevice, bitstream: Bitstream) -> Generation:
    """The generation of what is in the fabric; raises `NotLoaded` unless that is this bitstream, as far as is known."""
    while True:
        loaded = await board.loaded()
        generation = board.generation
        state = (await board.read_file(f"{MANAGER}/state")).decode("ascii", "replace").strip()

        if loaded == await board.loaded() and generation == board.generation:
            break

    if state != "operating":
        raise NotLoaded(
            board.name, f"the fabric is empty, says its state {state!r}; load {bitstream.name} with download=True"
        )

    if loaded is not None and loaded.digest != bitstream.digest:
        raise NotLoaded(board.name, f"{loaded.name} is loaded, not {bitstream.name}; load it with download=True")

    if loaded is not None and loaded.partials:
        raise NotLoaded(
            board.name, f"{', '.join(loaded.partials)} replaced parts of {bitstream.name}; load it with download=True"
        )

    return generation
