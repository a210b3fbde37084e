"""`--inventory`: boards by name and tag."""

import socket
from pathlib import Path

import pytest

from pynq_async.bitstream import read_bitstream
from pynq_async.sim import SimBoard

from .command import pynq_async
from .conftest import Here


@pytest.fixture
def lab(tmp_path: Path, pair: tuple[SimBoard, SimBoard]) -> Path:
    """An inventory of the two boards of `pair`."""
    return written(tmp_path, pair[0].address, pair[1].address)


def written(folder: Path, left: str, right: str) -> Path:
    path = folder / "lab.toml"
    path.write_text(f"""
        defaults.timeouts = {{ connect = 0.3 }}
        [[board]]
        name = "left"
        address = "{left}"
        tags = ["camera"]
        [[board]]
        name = "right"
        address = "{right}"
    """)
    return path


async def test_boards_of_an_inventory_are_programmed(lab: Path, pair: tuple[SimBoard, SimBoard], bitfile: Path) -> None:
    ended = await pynq_async("download", bitfile, "--inventory", lab)
    assert ended.code == 0
    assert "left" in ended.out and "right" in ended.out
    digest = read_bitstream(bitfile).digest
    assert [[event.digest for event in board.counters.programmed] for board in pair] == [[digest]] * 2

    ended = await pynq_async("download", "--json", bitfile, "--tag", "camera", "--inventory", lab)
    assert list(ended.values["boards"]) == ["left"]

    ended = await pynq_async("download", "--json", bitfile, "right", "--inventory", lab)
    assert list(ended.values["boards"]) == ["right"]


async def test_a_board_of_an_inventory_is_shown(lab: Path) -> None:
    ended = await pynq_async("info", "right", "--inventory", lab, "--json")
    assert (ended.code, ended.values["name"]) == (0, "right")


async def test_every_command_about_a_board_takes_its_name(lab: Path, pair: tuple[SimBoard, SimBoard]) -> None:
    for command, *more in (["info"], ["selftest"], ["poke", "0x4000_0000", "42"], ["peek", "0x4000_0000"]):
        ended = await pynq_async(command, "--inventory", lab, "right", *more, "--json")
        assert ended.code == 0, ended
        assert "right" in (ended.values.get("board"), ended.values.get("name"))

    assert pair[1].memory.read(0x4000_0000, 4) == (42).to_bytes(4, "little")


def test_a_self_test_says_the_name_of_the_board(here: Here, tmp_path: Path, closed_address: str) -> None:
    lab = written(tmp_path, closed_address, "127.0.0.1:1")
    assert here("selftest", "left", "--inventory", lab).only_error.startswith("left: 1 of 8 stages failed: network")


def test_the_inventorys_timeout_holds_unless_another_is_asked_for(here: Here, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connections are taken, and nothing is answered
        lab = written(tmp_path, f"127.0.0.1:{silent.getsockname()[1]}", "127.0.0.1:1")
        assert "within 0.3 s" in here("info", "left", "--inventory", lab).only_error
        assert "within 0.2 s" in here("info", "left", "--inventory", lab, "--timeout", "0.2").only_error


def test_what_is_wrong_with_it_is_one_sentence(here: Here, tmp_path: Path, bitfile: Path) -> None:
    lab = written(tmp_path, "10.0.0.1", "10.0.0.2")
    assert (
        f"{lab}: there is no board called 'lefd'; did you mean 'left'?"
        in here("info", "lefd", "--inventory", lab).only_error
    )
    ended = here("download", bitfile, "--inventory", lab, "--tag", "gpu", "--json")
    assert ended.code == 1 and "no board has the tag 'gpu'" in ended.values["error"]
    lab.write_text("[[board]]\nnam = 'x'")
    assert here("download", bitfile, "--inventory", lab).only_error.startswith(f"{lab}:2: board number 1, nam: there")
    assert here("download", bitfile, "--tag", "gpu").code == 2
