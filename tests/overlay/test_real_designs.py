"""The real designs load on a strict simulated board, and each IP has its driver."""

import os
from pathlib import Path

import pytest

from pynq_async import DefaultIP, Design, Overlay, RemoteDevice, load_bitstream, load_design
from pynq_async.bitstream import parse_bitstream, shipped_description, synthetic_bitstream
from pynq_async.sim import SimBoard, SimDesign, serve

OVERLAYS = Path(os.environ.get("PYNQ_ASYNC_OVERLAYS", Path(__file__).parents[3] / "shared" / "overlays"))
FAMILIES = {"pynq-z2-base": "zynq7000", "zcu104-base": "zynqmp"}
PARTS = {"resizer": "7z020clg400", "rfsoc_sam": "xczu28dr-ffvg1517-2-e"}


def overlay_file(name: str) -> Path:
    path = OVERLAYS / name / "base.bit"

    if not path.exists():
        pytest.skip(f"{path} is not here; PYNQ_ASYNC_OVERLAYS names the folder of real overlays")

    return path


def drivers_of(overlay: Overlay, design: Design) -> dict[str, str]:
    """The class that each IP and memory of a design is bound to."""
    names = [
        name for name, entry in {**design.ip_dict, **design.mem_dict}.items() if entry.get("phys_addr") is not None
    ]
    bound = {name: overlay[name] for name in names}
    assert all(isinstance(driver, DefaultIP) and driver.name == name for name, driver in bound.items())
    return {name: type(driver).__name__ for name, driver in bound.items()}


@pytest.mark.parametrize("name", FAMILIES)
async def test_a_real_overlay_loads_and_every_ip_is_bound(name: str) -> None:
    bitstream = await load_bitstream(overlay_file(name))
    design = await load_design(bitstream)
    sim = SimBoard(designs=[SimDesign(design, digest=bitstream.digest)])
    assert sim.family.name == FAMILIES[name]

    async with serve(sim) as address, RemoteDevice(address) as board:
        overlay = await Overlay.load(board, bitstream)
        drivers = drivers_of(overlay, design)
        assert set(drivers) == {model.site.name for model in sim.fabric.models}
        assert await overlay.is_loaded()
        assert all(name.split("/")[0] in dir(overlay) for name in drivers)

        # Loaded again: the running design's shutdown managers are asked for quiet first, and answer.
        again = await Overlay.load(board, bitstream, design=design)
        assert drivers_of(again, design) == drivers
        assert sim.counters.bus_errors == 0


@pytest.mark.parametrize("name", PARTS)
async def test_the_descriptions_that_come_with_pynqmetadata_load(name: str) -> None:
    description = shipped_description(name)
    bitstream = parse_bitstream(f"{name}.bit", synthetic_bitstream(PARTS[name]), description=description)
    design = await load_design(bitstream)

    async with serve(SimBoard(designs=[design])) as address, RemoteDevice(address) as board:
        overlay = await Overlay.load(board, bitstream)
        assert drivers_of(overlay, design)
        assert repr(overlay)
