"""The pytest plugin in every mode of the asyncio plugins, run by pytest inside pytest."""

import asyncio
import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from pynq_async import pytest_plugin as plugin
from pynq_async.bitstream import shipped_description, synthetic_bitstream

from .testing.conftest import suite
from .testing.suites import INI, PLAIN_INI

pytest_plugins = ["pytester"]
__all__ = ["suite"]

USE = """
import asyncio
import pytest
import pytest_asyncio
from pynq_async import BoardFarm, RemoteDevice

async def use(address):
    async with RemoteDevice(address) as board:
        await board.mmio(0x4000_0000, 4096).write(0, 42)
        assert await board.mmio(0x4000_0000, 4096).read(0) == 42

        async with board.allocate(64, "u4") as buffer:
            await buffer.sync_to_device()
"""

STRICT = """
@pytest_asyncio.fixture
async def device(pynq_board):
    async with RemoteDevice(pynq_board) as board:
        yield board

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
async def anyio_device(anyio_backend, pynq_board):
    async with RemoteDevice(pynq_board) as board:
        yield board

@pytest.mark.asyncio
async def test_asyncio(pynq_board):
    await use(pynq_board)

@pytest.mark.asyncio
async def test_asyncio_fixture(device):
    async with device.allocate(64, "u1") as buffer:
        await buffer.sync_to_device()

@pytest.mark.anyio
async def test_anyio(pynq_board):
    await use(pynq_board)

@pytest.mark.anyio
async def test_anyio_fixture(anyio_device):
    async with anyio_device.allocate(64, "u1") as buffer:
        await buffer.sync_to_device()

def test_plain(pynq_board):
    asyncio.run(use(pynq_board))

@pytest.mark.asyncio
async def test_farm(pynq_farm):
    async with BoardFarm(pynq_farm) as farm:
        assert len(farm) == 4
"""

AUTO = """
@pytest.fixture
async def device(pynq_board):
    async with RemoteDevice(pynq_board) as board:
        yield board

async def test_asyncio(pynq_board):
    await use(pynq_board)

async def test_asyncio_fixture(device):
    async with device.allocate(64, "u1") as buffer:
        await buffer.sync_to_device()

def test_plain(pynq_board):
    asyncio.run(use(pynq_board))

@pytest.mark.pynq_sim(family="versal", release="3.1")
async def test_options(pynq_boards):
    one, = pynq_boards()
    two, three = pynq_boards(2, model="Mine", latency=0.001, family="zynqmp")
    assert len({one, two, three}) == 3

    async with RemoteDevice(one) as board:
        assert (board.family, board.model) == ("versal", "VCK190")
        assert "gpio.GpioService" not in board.services

    async with RemoteDevice(three) as board:
        assert (board.family, board.model) == ("zynqmp", "Mine")

@pytest.mark.pynq_sim(model="Outer", family="zynqmp")
class TestClass:
    @pytest.mark.pynq_sim(model="Inner")
    async def test_the_nearest_marker_counts(self, pynq_board):
        async with RemoteDevice(pynq_board) as board:
            assert (board.family, board.model) == ("zynqmp", "Inner")
"""

ANYIO_AUTO = """
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
async def device(pynq_board):
    async with RemoteDevice(pynq_board) as board:
        yield board

async def test_anyio(pynq_board):
    await use(pynq_board)

async def test_anyio_fixture(device):
    async with device.allocate(64, "u1") as buffer:
        await buffer.sync_to_device()
"""


def test_the_entry_point_has_the_name_of_the_module() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {plugin.__name__: plugin.__name__}


def test_with_pytest_asyncio_strict_and_anyio_and_plain_tests(suite: pytest.Pytester) -> None:
    suite.makepyfile(USE + STRICT)
    suite.runpytest_inprocess().assert_outcomes(passed=6)


def test_with_pytest_asyncio_auto_and_options(suite: pytest.Pytester) -> None:
    suite.makeini(INI + "auto")
    suite.makepyfile(USE + AUTO)
    suite.runpytest_inprocess().assert_outcomes(passed=5)


def test_the_tests_of_the_readme_pass(suite: pytest.Pytester) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    (snippet,) = re.findall(r"```python\n(import pytest\n.*?)```", readme, re.DOTALL)
    suite.makepyfile(snippet)
    suite.runpytest_inprocess("-o", "asyncio_mode=auto").assert_outcomes(passed=3)


@pytest.mark.skipif(
    tuple(map(int, version("anyio").split(".")[:2])) < (4, 11), reason="this anyio has no automatic mode"
)
def test_with_anyio_auto_alone(suite: pytest.Pytester) -> None:
    suite.makeini(PLAIN_INI + "anyio_mode = auto")
    suite.makepyfile(USE.replace("import pytest_asyncio", "") + ANYIO_AUTO)
    suite.runpytest_inprocess("-p", "no:asyncio").assert_outcomes(passed=2)


def test_a_run_without_boards_imports_nothing_of_the_package(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        import sys

        def test_nothing(request):
            assert request.config.pluginmanager.hasplugin("pynq_async.pytest_plugin")
            ours = {name for name in sys.modules if name.startswith("pynq_async")}
            assert ours == {"pynq_async", "pynq_async.pytest_plugin"}
            assert not {"grpc", "numpy", "google.protobuf"} & sys.modules.keys()

        def test_even_a_board_leaves_grpc_to_whoever_imports_it(pynq_board):
            assert not {"grpc", "numpy"} & sys.modules.keys()
        """
    )
    suite.runpytest_subprocess().assert_outcomes(passed=2)


def test_a_buffer_that_is_left_fails_the_test_by_name_and_size(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        USE
        + """
kept = []

def test_leaves(pynq_board):
    async def leave():
        board = await RemoteDevice(pynq_board)
        kept.append((board, await board.allocate(4096, "u1"), await board.allocate(100, "u1")))

    asyncio.run(leave())

def test_is_clean(pynq_board):
    asyncio.run(use(pynq_board))
"""
    )
    result = suite.runpytest_subprocess("-W", "ignore::ResourceWarning")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_leaves*",
            "127.0.0.1:*: the buffer of 4096 bytes at 0x10000000 was left on the board; *",
            "127.0.0.1:*: the buffer of 100 bytes at 0x10001000 was left on the board; *",
        ]
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("famly='zynqmp'", "'famly': simulated boards have no such option; there are model, family,*"),
        ("family='zynq'", "'zynq' is no family of devices; *"),
        ("designs='none.hwh'", "*none.hwh*"),
        ("cma_bytes='x'", "the options of the simulated board cannot be right: *"),
        ("kernels='x'", "the options of the simulated board cannot be right: *"),
        ("model=object()", "only plain values can be sent *"),
        ("count=0", "0 boards cannot be lent"),
    ],
)
def test_options_that_cannot_be_right(suite: pytest.Pytester, options: str, said: str) -> None:
    suite.makepyfile(f"def test_it(pynq_boards):\n    pynq_boards({options})\n")
    result = suite.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([said])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_design_and_its_kernel_are_known_to_the_board(suite: pytest.Pytester) -> None:
    (suite.path / "resizer.hwh").write_bytes(shipped_description("resizer"))
    (suite.path / "resizer.bit").write_bytes(synthetic_bitstream())
    (suite.path / "kernels_of_mine.py").write_text(
        "def first(call):\n    print('called')\n    call.send('dst', call.receive('src')[:12])\n"
    )
    suite.makeini(INI + "auto")
    suite.makepyfile(
        """
        import pathlib
        import pytest
        from pynq_async import Overlay, RemoteDevice

        @pytest.mark.parametrize("again", [False, True])
        @pytest.mark.pynq_sim(designs="resizer.bit", kernels={"resize_accel_0": "kernels_of_mine:first"})
        async def test_it(pynq_board, again):
            async with RemoteDevice(pynq_board) as board:
                overlay = await Overlay.load(board, pathlib.Path(__file__).with_name("resizer.bit"))
                dma, kernel = overlay.axi_dma_0, overlay.resize_accel_0

                async with board.allocate((4, 4, 3), "u1") as image, board.allocate((2, 2, 3), "u1") as small:
                    image[:] = 7
                    await dma.recvchannel.transfer(small)
                    await kernel.start(src_rows=4, src_cols=4, dst_rows=2, dst_cols=2)
                    await dma.sendchannel.transfer(image)
                    await dma.recvchannel.wait(timeout=5.0)
                    assert small.max() == small.min() == 7
        """
    )
    suite.runpytest_inprocess().assert_outcomes(passed=2)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
async def test_boards_end_with_a_pytest_that_is_killed(suite: pytest.Pytester) -> None:
    suite.makepyfile("import time\n\ndef test_it(pynq_board):\n    print(pynq_board, flush=True)\n    time.sleep(60)\n")
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-sq", "--no-header"), stdout=-1, cwd=suite.path
    )
    assert run.stdout is not None

    while not (line := (await run.stdout.readline()).decode()).startswith("127.0.0.1:"):
        assert line

    run.kill()
    await run.communicate()
    host, port = line.strip().split(":")

    async with asyncio.timeout(10):
        with pytest.raises(OSError):
            while True:
                _, writer = await asyncio.open_connection(host, int(port))
                writer.close()
                await asyncio.sleep(0.02)
