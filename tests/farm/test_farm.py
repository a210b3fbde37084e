import asyncio
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from pynq_async import BoardFarm, Progress, RemoteDevice, Timeouts, load_bitstream, load_design
from pynq_async.bitstream import shipped_description
from pynq_async.errors import BitstreamError, FarmError, InvalidArgument, NotOpen, WrongFamily
from pynq_async.sim import SimBoard, serve

from .farms import simulated_farm


async def test_a_farm_opens_programs_and_asks_all_boards_at_once(bitfile: Path) -> None:
    sims = [SimBoard(seed=seed) for seed in range(4)]

    async with simulated_farm(*sims) as boards, BoardFarm(boards) as farm:
        assert list(farm) == ["a", "b", "c", "d"]
        loaded = await farm.download(bitfile)
        assert list(loaded) == list(farm)
        assert all(sim.counters.programmed[0].digest == loaded["a"].digest for sim in sims)
        models = await farm.run(_model, to=["d", "b"])
        assert dict(models) == {"d": "Pynq-Z2", "b": "Pynq-Z2"}


async def _model(board: RemoteDevice) -> str:
    return board.model


async def test_boards_stream_at_the_same_time(bitfile: Path) -> None:
    sims = [SimBoard(seed=seed) for seed in range(3)]

    async with simulated_farm(*sims) as boards, BoardFarm(boards) as farm:
        barrier = asyncio.Barrier(3)

        async def meet(board: RemoteDevice) -> None:
            async with board.allocate(1024, "u1") as buffer:
                await barrier.wait()  # reached by all or by none
                await buffer.sync_to_device()

        async with asyncio.timeout(10):
            await farm.run(meet)


async def test_a_description_is_parsed_once_whatever_the_number_of_boards(bitfile: Path) -> None:
    bitfile.with_suffix(".hwh").write_bytes(shipped_description("resizer"))
    sims = [SimBoard(seed=seed) for seed in range(3)]

    async with simulated_farm(*sims) as boards, BoardFarm(boards) as farm:
        with (
            patch("pynq_async.farm.farm.load_bitstream", wraps=load_bitstream) as read,
            patch("pynq_async.farm.farm.load_design", wraps=load_design) as parsed,
        ):
            loaded = await farm.download(bitfile)

        assert read.call_count == parsed.call_count == 1
        assert loaded["a"].design is loaded["c"].design is not None


async def test_progress_names_its_board(bitfile: Path) -> None:
    sims = [SimBoard(seed=seed) for seed in range(2)]
    steps: list[Progress] = []

    async with simulated_farm(*sims) as boards, BoardFarm(boards) as farm:
        await farm.download(bitfile, progress=steps.append)

    assert {step.board for step in steps if step.stage == "upload"} == {"a", "b"}


async def test_one_board_that_fails_is_named_and_the_others_go_on(bitfile: Path) -> None:
    sims = [SimBoard(), SimBoard(family="zynqmp", model="ZCU104"), SimBoard(seed=2)]

    async with simulated_farm(*sims) as boards, BoardFarm(boards) as farm:
        with pytest.raises(FarmError, match=r"1 of 3 boards failed:\n  b: small.bit is for zynq7000") as caught:
            await farm.download(bitfile)

        assert list(caught.value.failures) == ["b"] and list(caught.value.results) == ["a", "c"]
        outcome = await farm.download(bitfile, check=False)
        assert isinstance(outcome.failures["b"], WrongFamily) and len(outcome) == 2


async def test_a_function_that_raises_is_named_by_board() -> None:
    async with simulated_farm(SimBoard(), SimBoard(seed=1)) as boards, BoardFarm(boards) as farm:

        async def fail(board: RemoteDevice) -> None:
            raise KeyError("no such thing")

        with pytest.raises(FarmError, match=r"2 of 2 boards failed:\n  a: KeyError: 'no such thing'\n  b: KeyError"):
            await farm.run(fail)


async def test_a_farm_of_which_a_board_does_not_answer_does_not_open() -> None:
    sim = SimBoard()

    async with simulated_farm(sim) as boards:
        with pytest.raises(FarmError, match="x: no connection to 127.0.0.1:1: the connection was refused") as caught:
            await BoardFarm(boards | {"x": "127.0.0.1:1"}, timeouts=Timeouts(connect=0.3))

        assert list(caught.value.results) == ["a"]


async def test_a_farm_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulated_farm(SimBoard(), SimBoard(seed=1)) as boards:
        monkeypatch.setenv("PYNQ_REMOTE_DEVICES", ",".join(boards.values()))

        async with BoardFarm.from_env() as farm:
            assert list(farm) == list(boards.values())


async def test_boards_to_download_to_may_come_from_a_generator(bitfile: Path) -> None:
    async with simulated_farm(SimBoard(), SimBoard(seed=1)) as boards, BoardFarm(boards) as farm:
        assert list(await farm.download(bitfile, to=(name for name in "ab"))) == ["a", "b"]


async def test_misuse_of_a_farm_says_what_is_wrong(bitfile: Path) -> None:
    with pytest.raises(InvalidArgument, match="two boards called"):
        BoardFarm(["10.0.0.1", "10.0.0.1:7967"])

    with pytest.raises(InvalidArgument, match="at least one"):
        BoardFarm([])

    wrong: list[Any] = [5, None, [5], {"a": None}, [[]]]

    for boards_of_no_kind in wrong:
        with pytest.raises(InvalidArgument, match="addresses or BoardSpecs, not"):
            BoardFarm(boards_of_no_kind)

    async with simulated_farm(SimBoard()) as boards, BoardFarm(boards) as farm:
        with pytest.raises(InvalidArgument, match="no board 'z'; it has a"):
            await farm.run(_model, to=["z"])

        with pytest.raises(BitstreamError):
            await farm.download(bitfile.with_name("missing.bit"))

        with pytest.raises(NotOpen, match="opened once"):
            await farm

        assert (await farm.run(_model))["a"] == "Pynq-Z2"


async def test_cancelling_a_farm_stops_all_boards(bitfile: Path) -> None:
    sims = [SimBoard(seed=seed) for seed in range(3)]

    async with simulated_farm(*sims) as boards, BoardFarm(boards) as farm:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await farm.run(lambda board: asyncio.sleep(30))


async def test_two_names_of_one_board_are_refused() -> None:
    async with simulated_farm(SimBoard()) as boards:
        with pytest.raises(InvalidArgument, match="a and b are the same board"):
            await BoardFarm(boards | {"b": boards["a"].replace("127.0.0.1", "localhost")})


async def test_a_function_that_is_not_async_is_named() -> None:
    async with simulated_farm(SimBoard()) as boards, BoardFarm(boards) as farm:
        with pytest.raises(FarmError, match="needs an async function"):
            await farm.run(lambda board: 5)  # type: ignore[arg-type, return-value]


async def test_a_function_that_is_cancelled_from_inside_is_a_failure_and_not_silence() -> None:
    async def give_up(board: RemoteDevice) -> None:
        raise asyncio.CancelledError

    async with simulated_farm(SimBoard()) as boards, BoardFarm(boards) as farm:
        with pytest.raises(FarmError, match="cancelled from inside"):
            await farm.run(give_up)


async def test_one_address_is_a_farm_of_one_board() -> None:
    async with serve(SimBoard()) as address, BoardFarm(address) as farm:
        assert list(farm) == [address]
