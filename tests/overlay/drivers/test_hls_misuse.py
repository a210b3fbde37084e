"""HLS kernels: what is refused before any register is touched."""

from typing import Any

import numpy as np
import pytest

from pynq_async import RemoteDevice
from pynq_async.bitstream import SyntheticIp
from pynq_async.errors import BoardError, BufferFreed, Misuse, OutOfRange, StaleHandle

from .kernels import ADD, CHAINED, COPY, MIXED, Gate, copy, loaded


async def test_arguments_that_cannot_be_right_are_refused_before_any_register_is_touched() -> None:
    async with loaded(MIXED, lambda _: None) as (sim, _, kernel):
        calls = sim.counters.calls.total()
        good: dict[str, Any] = {"small": 0, "x": 0, "y": 0, "flag": 0, "lambda_": 0}

        for change, error, words in (
            ({"small": 0x400}, OutOfRange, "kernel: small has 10 bits, and 0x400 does not fit"),
            ({"small": -0x201}, OutOfRange, "small has 10 bits"),
            ({"x": 1 << 32}, OutOfRange, "x has 32 bits"),
            ({"x": 1.5}, Misuse, r"cannot be a plain float; pass numpy.float32\(1.5\)"),
            ({"x": np.float64(1.5)}, OutOfRange, "x has 32 bits, not the 64 of float64"),
            ({"x": "1"}, Misuse, "is a number, or a buffer .* not str"),
            ({"y": np.zeros(4)}, Misuse, "not ndarray"),
            ({"z": 0}, Misuse, r"kernel\(small, x, y, flag, lambda_\): got an unexpected keyword argument 'z'"),
        ):
            with pytest.raises(error, match=words):
                await kernel.call(**{**good, **change})

        with pytest.raises(Misuse, match="missing a required argument: 'x'"):
            await kernel.start(1)

        with pytest.raises(Misuse, match="missing a required argument: 'x', and there is no argument 'm', 'n'"):
            await kernel.start(1, m=16, n=1)

        with pytest.raises(Misuse, match="too many positional arguments"):
            await kernel.auto_restart(True, 1, 2, 3, 4, 5, 6)

        assert sim.counters.calls.total() == calls


async def test_buffers_that_cannot_be_used_are_refused_before_any_register_is_touched() -> None:
    async with loaded(COPY, copy) as (sim, board, kernel):
        async with RemoteDevice(sim.address, name="other") as other, other.allocate(16) as foreign:
            freed = await board.allocate(16)
            await freed.free()
            writes = sim.counters.calls["mmio.write"]

            for buffer, error, words in (
                (foreign, Misuse, "allocated through other"),
                (freed, BufferFreed, "was freed"),
                (foreign + 1, BoardError, "computed or copied"),
            ):
                with pytest.raises(error, match=words):
                    await kernel.call(0, buffer, 16)

            assert sim.counters.calls["mmio.write"] == writes

        stale = await board.allocate(16)
        await sim.restart()

        with pytest.raises(StaleHandle):
            await kernel.start(0, stale, 16)

        assert sim.ip["kernel"].started == 0
        await kernel.start(0, 0, 0)
        await kernel.wait()


@pytest.mark.parametrize("entry", [ADD, CHAINED], ids=["hs", "chain"])
async def test_a_kernel_that_runs_is_not_started_again(entry: SyntheticIp) -> None:
    gate = Gate()

    async with loaded(entry, gate) as (sim, _, kernel):
        await kernel.start(1, 1)
        writes = sim.counters.calls["mmio.write"]

        for start in (kernel.start, kernel.call):
            with pytest.raises(Misuse, match=r"kernel is still running; await wait\(\)"):
                await start(2, 2)

        assert sim.counters.calls["mmio.write"] == writes
        gate.open = True
        await kernel.wait()
        await kernel.start(2, 3)
        assert await kernel.call(5, 6) == 11, "what has ended need not be waited for"
