"""The programmable logic of a simulated board: the IP of the design that was programmed, at its addresses."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..bitstream import Design
from ..errors import InvalidArgument, SimulationError
from .contiguous import ContiguousMemory
from .counters import Counters
from .fpga_manager import Loaded
from .ip import BramModel, Factory, IpModel, Kernel, Site
from .ip.table import MODELS, model_for, without_version
from .memory import Memory
from .options import Family, Hazards
from .wiring import Notice, Streams, Wiring

_CONTENT = "nothing is there in the design that is programmed"
_UNKNOWN = "what is programmed is none of the designs it knows"


@dataclass(frozen=True)
class SimDesign:
    """A design that a simulated board knows: its IP answers once its bitstream was programmed.

    ::

        SimBoard(designs=[SimDesign(design, kernels={"resize_accel_0": resize})])

    Attributes:
        design: the parsed hardware description.
        digest: SHA-256 of the firmware payload it belongs to, `Bitstream.digest`; None is any.
        models: own models, by the full path of an IP or memory, or by type without the version, `acme.com:user:fft`.
        kernels: Python functions that HLS kernels carry out, by full path.

    Raises:
        InvalidArgument: no design, a model or kernel for an IP that the design does not have, one that cannot be
            called, or a kernel for an IP that is none.
    """

    design: Design
    digest: str | None = field(default=None, kw_only=True)
    models: Mapping[str, Factory] = field(default_factory=dict, kw_only=True)
    kernels: Mapping[str, Kernel] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.design, Design):
            raise InvalidArgument(f"{self.design!r} is no design; pass what load_design or synthetic_design gives")

        names = {*self.design.ip, *self.design.mem_dict}

        for name in (*(name for name in self.models if ":" not in name), *self.kernels):
            if name not in names:
                raise InvalidArgument(f"the design has no IP {name!r}; it has {', '.join(sorted(names)) or 'none'}")

        for table, what in ((self.models, "model"), (self.kernels, "kernel")):
            for name, function in table.items():
                if not callable(function):
                    raise InvalidArgument(f"{name}: a {what} is a function, not {function!r}")

        for name in self.kernels:
            entry = self.design.ip_dict.get(name) or self.design.mem_dict[name]
            kind = without_version(entry["type"])

            if not {name, kind} & self.models.keys() and (name in self.design.mem_dict or kind in MODELS):
                raise InvalidArgument(f"{name} is no HLS kernel that runs a function, but {entry['type']}")


def known_designs(given: Design | SimDesign | Iterable[Design | SimDesign]) -> list[SimDesign]:
    """One design or several as `SimDesign`; raises `InvalidArgument` for anything else."""
    several = [given] if isinstance(given, str | Design | SimDesign) or not isinstance(given, Iterable) else given
    return [each if isinstance(each, SimDesign) else SimDesign(each) for each in several]


class ModelTable(Collection[str]):
    """The models that answer now, by the full path of their IP: `sim.ip["btns_gpio"]`; empty before programming."""

    def __init__(self, fabric: "Fabric") -> None:
        self._fabric = fabric

    def __getitem__(self, name: str) -> Any:
        for model in self._fabric.models:
            if model.site.name == name:
                return model

        names = ", ".join(sorted(self)) or "none: no design that it knows is programmed"
        raise SimulationError(f"the simulated board has no IP {name!r} now; there is {names}")

    def __contains__(self, name: object) -> bool:
        return any(model.site.name == name for model in self._fabric.models)

    def __iter__(self) -> Iterator[str]:
        return iter([model.site.name for model in self._fabric.models])

    def __len__(self) -> int:
        return len(self._fabric.models)

    def __repr__(self) -> str:
        return f"<ModelTable {', '.join(sorted(self))}>"


class Fabric:
    """The models of what is programmed.

    Attributes:
        models: that answer now, in the order of their addresses.
        strict: whether nothing else may be touched, which is so with known designs.
        content: what there is, for who touched something else.
    """

    def __init__(
        self,
        designs: Sequence[SimDesign],
        family: Family,
        memory: Memory,
        area: ContiguousMemory,
        counters: Counters,
        hazards: Hazards,
        notice: Notice,
    ) -> None:
        self.hazards = hazards
        self.strict = bool(designs)
        self.models: list[IpModel] = []
        self._designs = designs
        self._family = family
        self._memory = memory
        self._area = area
        self._counters = counters
        self._notice = notice
        self._starts: list[int] = []
        self.clear()

    def clear(self) -> None:
        """Hold nothing, as before programming."""
        self._replace(self.models, [])
        self.content = "nothing is programmed"
        self._memory.clear(*self._family.logic)
        self.wiring = Wiring(None, self._interrupt, self._notice)
        self.streams = Streams()

    def halt(self) -> None:
        """Let nothing happen later any more: the board is switched off."""
        for model in self.models:
            model.site.halt()

    def configure(self, loaded: Loaded) -> None:
        """Hold what was programmed; a partial design replaces the models whose ranges it overlaps."""
        found = self._find(loaded)

        if not loaded.partial:
            self.clear()
            self.content = _CONTENT if found is not None else _UNKNOWN

        if found is None:
            return

        design = found.design
        entries = {**self._addressed(design.ip_dict), **self._addressed(design.mem_dict)}
        ranges = [range(entry["phys_addr"], entry["phys_addr"] + entry["addr_range"]) for entry in entries.values()]
        replaced = [model for model in self.models if any(_overlap(model.site.range, part) for part in ranges)]
        self._replace(replaced, [])
        self._memory.clear(*ranges)

        if not loaded.partial:
            self.wiring = Wiring(design, self._interrupt, self._notice)

        sites = [Site(self, name, entry, self._memory, found.kernels.get(name)) for name, entry in entries.items()]
        self.streams.connect(design.streams, {site.path for site in (*sites, *(each.site for each in self.models))})

        # Interrupt controllers first, so that what another model raises when it is made arrives.
        for site in sorted(sites, key=lambda site: not self.wiring.controls(site.path)):
            self._replace([], [self._factory(found, site)(site)])

    def at(self, address: int) -> IpModel | None:
        """Find the model that answers at an address."""
        index = bisect_right(self._starts, address) - 1

        if index >= 0 and address in self.models[index].site.range:
            return self.models[index]

        return None

    def forbids(self, address: int) -> bool:
        """Whether touching an address where no model is ends in a bus error."""
        return self.strict and self._family.in_logic(address)

    def is_memory(self, address: int, length: int) -> bool:
        """Whether memory answers at all these addresses."""
        if length <= 0 or address < 0:
            return False

        # DDR memory begins at 0 on all three families and goes on at least as far as contiguous memory may.
        if address + length <= self._family.contiguous_limit:
            if not self._area.holds(address, length):
                self._counters.strays += 1

            return True

        model = self.at(address)
        return isinstance(model, BramModel) and address + length <= model.site.range.stop

    def _find(self, loaded: Loaded) -> SimDesign | None:
        known = [each for each in self._designs if each.design.partial == loaded.partial]
        exact = [each for each in known if each.digest is not None and each.digest == loaded.digest]
        return next(iter([*exact, *(each for each in known if each.digest is None)]), None)

    def _addressed(self, entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        return {
            name: entry
            for name, entry in entries.items()
            if entry.get("phys_addr") is not None
            and (entry.get("memtype") != "MEMORY" or self._family.in_logic(entry["phys_addr"]))
        }

    @staticmethod
    def _factory(found: SimDesign, site: Site) -> Factory:
        own = found.models.get(site.name) or found.models.get(without_version(site.type))
        return own or (BramModel if site.name in found.design.mem_dict else model_for(site))

    def _replace(self, old: Collection[IpModel], new: Collection[IpModel]) -> None:
        ended = list(old)
        self.models = sorted(
            [*(model for model in self.models if model not in ended), *new], key=lambda model: model.site.base
        )
        self._starts = [model.site.base for model in self.models]

        for model in ended:
            model.site.end()

    def _interrupt(self, controller: str, index: int, level: bool) -> None:
        for model in self.models:
            if model.site.path == controller:
                model.interrupt(index, level)


def _overlap(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop
